//! Rules about a commit as a whole.

use super::{
    at_once, commit, is_conflict, read, reads_back, refused, rule, sample_chain, sample_change, sample_id,
    sample_record, sample_use, trail,
};
use crate::{Change, TokenStore, shard_of};

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
