//! Rules about a commit as a whole.

use super::samples::sample_kek;
use super::{
    at_once, commit, is_conflict, read, reads_back, refused, rule, sample_chain, sample_change, sample_entry,
    sample_id, sample_record, sample_tombstone, sample_use, trail,
};
use crate::{Action, Change, Record, Status, TokenStore, shard_of};

/// Of several changes either all happen or none does, whichever of them is refused.
///
/// # Panics
/// When the store breaks the rule.
pub async fn commits_are_whole(store: &dyn TokenStore) {
    const RULE: &str = "commits_are_whole";
    commit(RULE, store, &[]).await;
    let records: Vec<_> =
        (0..6).map(|n| sample_record(&sample_id(&format!("tenant-{n}"), "name"), 1)).collect();
    let changes: Vec<Change> = records.iter().map(|record| sample_change(record, None)).collect();
    for bad in 0..changes.len() {
        let mut changes = changes.clone();
        changes[bad] = sample_change(&records[bad], Some(1));
        changes.push(sample_use(&records[0].id));
        refused(RULE, store, &changes, "a commit with one change that can't be").await;
    }
    commit(RULE, store, &changes).await;
    for record in &records {
        reads_back(RULE, store, record).await;
    }
    let entries: u64 = trail::heads(RULE, store).await.iter().map(|head| head.sequence).sum();
    rule!(RULE, entries == 6, "6 changes made {entries} entries");
}

/// A change sees those before it in the same commit.
///
/// # Panics
/// When the store breaks the rule.
pub async fn changes_see_those_before_them(store: &dyn TokenStore) {
    const RULE: &str = "changes_see_those_before_them";
    let id = sample_id("tenant", "name");
    let steps = [sample_record(&id, 1), sample_record(&id, 2), sample_record(&id, 3)];
    let changes = [
        sample_change(&steps[0], None),
        sample_change(&steps[1], Some(1)),
        sample_use(&id),
        sample_change(&steps[2], Some(2)),
    ];
    commit(RULE, store, &changes).await;
    reads_back(RULE, store, &steps[2]).await;
    let entries = trail::of_shard(RULE, store, shard_of(id.tenant()), 10).await;
    let drafts: Vec<_> = entries.iter().map(|entry| &entry.draft).collect();
    let given: Vec<_> = changes.iter().map(|change| &change.entry).collect();
    rule!(RULE, drafts == given, "the entries are not in the order of the changes: {drafts:?}");
    let twice =
        [sample_change(&sample_record(&id, 4), Some(3)), sample_change(&sample_record(&id, 5), Some(3))];
    refused(RULE, store, &twice, "a second change on the same revision").await;
}

/// Of several changes of one revision at the same time one is made, and each of the others is refused.
///
/// # Panics
/// When the store breaks the rule.
pub async fn one_winner_per_revision(store: &dyn TokenStore) {
    const RULE: &str = "one_winner_per_revision";
    let id = sample_id("tenant", "name");
    let chain = sample_chain();
    for round in 1..=5_u64 {
        let rivals: Vec<Vec<Change>> = (0..8)
            .map(|rival| {
                // Told apart by what no other rule looks at.
                let mut record = sample_record(&id, round);
                record.mac = [rival; 32];
                vec![sample_change(&record, (round > 1).then_some(round - 1))]
            })
            .collect();
        let done = at_once(rivals.iter().map(|rival| store.commit(rival, &chain))).await;
        let winners: Vec<usize> = (0..done.len()).filter(|rival| done[*rival].is_ok()).collect();
        rule!(RULE, winners.len() == 1, "of 8 changes of one revision {} were made", winners.len());
        let refused = done.iter().filter(|done| is_conflict(done)).count();
        rule!(RULE, refused == 7, "the others were not all refused with Conflict: {done:?}");
        let mac = read(RULE, store, &id).await.map(|record| usize::from(record.mac[0]));
        rule!(RULE, mac == Some(winners[0]), "the record is not the one that was acknowledged");
        let head = trail::heads(RULE, store).await[usize::from(shard_of(id.tenant()))];
        rule!(RULE, head.sequence == round, "a refused change left an entry");
    }
}

/// Under a closed KEK no new envelope is committed any more; what is under it already stays, and can be removed or moved.
///
/// # Panics
/// When the store breaks the rule.
pub async fn closed_keks_are_refused(store: &dyn TokenStore) {
    const RULE: &str = "closed_keks_are_refused";
    let before = under("name", 1, b"old");
    commit(RULE, store, &[sample_change(&before, None)]).await;
    for _ in 0..2 {
        let closed = store.close_kek(&sample_kek(b"old")).await;
        rule!(RULE, closed.is_ok(), "a KEK can't be closed, or not twice: {closed:?}");
    }
    reads_back(RULE, store, &before).await;
    let another = sample_change(&under("name", 2, b"old"), Some(1));
    refused(RULE, store, &[another], "another envelope under a closed KEK").await;
    let mut elsewhere = under("other", 1, b"old");
    elsewhere.sealed = before.sealed.clone();
    let whole = [sample_use(&before.id), sample_change(&elsewhere, None)];
    refused(RULE, store, &whole, "a new record under a closed KEK").await;
    // A name that begins like it is another KEK.
    let moved = under("name", 2, b"old2");
    let mut rewrap = sample_change(&moved, Some(1));
    rewrap.entry = sample_entry(&moved, Action::Rewrapped);
    commit(RULE, store, &[rewrap]).await;
    let closed = store.close_kek(&sample_kek(b"old2")).await;
    rule!(RULE, closed.is_ok(), "a second KEK can't be closed: {closed:?}");
    let tombstone = sample_tombstone(&moved);
    commit(RULE, store, &[sample_change(&tombstone, Some(2))]).await;
    reads_back(RULE, store, &tombstone).await;
    // The envelope that was there before the tombstone is not in place any more.
    let again = after(&moved, 4);
    refused(RULE, store, &[sample_change(&again, Some(3))], "an envelope that was removed").await;
}

/// A change that leaves the envelope as it is goes through, be its KEK closed or not.
///
/// # Panics
/// When the store breaks the rule.
pub async fn closed_keks_keep_what_is_in_place(store: &dyn TokenStore) {
    const RULE: &str = "closed_keks_keep_what_is_in_place";
    let old = sample_kek(b"old");
    let before = under("name", 1, b"old");
    commit(RULE, store, &[sample_change(&before, None)]).await;
    let closed = store.close_kek(&old).await;
    rule!(RULE, closed.is_ok(), "a KEK can't be closed: {closed:?}");
    let mut paused = after(&before, 2);
    paused.status = Status::Paused;
    let mut pause = sample_change(&paused, Some(1));
    pause.entry = sample_entry(&paused, Action::Paused);
    commit(RULE, store, &[pause]).await;
    reads_back(RULE, store, &paused).await;
    // All else may change, more than once in a commit.
    let (third, fourth) = (after(&before, 3), after(&before, 4));
    commit(RULE, store, &[sample_change(&third, Some(2)), sample_change(&fourth, Some(3))]).await;
    reads_back(RULE, store, &fourth).await;
    // One byte more, one less, one other: each is another envelope.
    let edits: [fn(&mut Vec<u8>); 3] = [
        |envelope| envelope.push(0),
        |envelope| envelope.truncate(envelope.len() - 1),
        |envelope| envelope[0] ^= 1,
    ];
    for edit in edits {
        let mut edited = after(&fourth, 5);
        edited.sealed.iter_mut().for_each(|sealed| edit(&mut sealed.envelope));
        refused(RULE, store, &[sample_change(&edited, Some(4))], "an edited envelope under a closed KEK")
            .await;
    }
    // What counts is what is in place when its turn comes.
    let (moved, back) = (under("name", 5, b"new"), after(&fourth, 6));
    let there_and_back = [sample_change(&moved, Some(4)), sample_change(&back, Some(5))];
    refused(RULE, store, &there_and_back, "an envelope that the same commit moved").await;
    commit(RULE, store, &there_and_back[..1]).await;
    refused(RULE, store, &there_and_back[1..], "an envelope that was moved").await;
    reads_back(RULE, store, &moved).await;
}

fn under(name: &str, revision: u64, kek: &[u8]) -> Record {
    let mut record = sample_record(&sample_id("tenant", name), revision);
    record.sealed.iter_mut().for_each(|sealed| sealed.kek = sample_kek(kek));
    record
}

/// Another version of the record with the same envelope; all else in it differs.
fn after(record: &Record, revision: u64) -> Record {
    let mut next = sample_record(&record.id, revision);
    if let (Some(next), Some(sealed)) = (&mut next.sealed, &record.sealed) {
        next.envelope.clone_from(&sealed.envelope);
        next.kek = sealed.kek;
    }
    next
}
