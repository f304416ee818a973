//! Rules about KEKs that come to an end.

use super::samples::sample_kek;
use super::vaults::sample_vault;
use super::{
    at_once, commit, commit_of, is_conflict, reads_back, refused, rule, sample_chain_of, sample_change,
    sample_entry, sample_id, sample_record, sample_tombstone, sample_use,
};
use crate::{Action, KekClosure, Record, Status, Timestamp, TokenStore, VaultRecord};
use tokenkeep_core::Error;

const NOW: Timestamp = Timestamp::from_millis(1);

/// Under a closed KEK no new envelope is committed any more; what is under it already stays, and can be removed or moved.
///
/// # Panics
/// When the store breaks the rule.
pub async fn closed_keks_are_refused(store: &dyn TokenStore) {
    const RULE: &str = "closed_keks_are_refused";
    let before = under("name", 1, b"old");
    commit(RULE, store, &[sample_change(&before, None)]).await;
    for _ in 0..2 {
        let closed = store.close_kek(&sample_kek(b"old"), NOW).await;
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
    let closed = store.close_kek(&sample_kek(b"old2"), NOW).await;
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
    let closed = store.close_kek(&old, NOW).await;
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

/// What is noted of a closed KEK stays: when it was closed first, and since when nothing needs it, until somebody says that something
/// does. A KEK that was not closed has nothing noted.
///
/// # Panics
/// When the store breaks the rule.
pub async fn closures_are_noted(store: &dyn TokenStore) {
    const RULE: &str = "closures_are_noted";
    let (kek, other) = (sample_kek(b"old"), sample_kek(b"old2"));
    let at = Timestamp::from_millis;
    for now in [None, Some(NOW)] {
        let noted = store.note_drained(&kek, now).await;
        rule!(RULE, is_conflict(&noted), "something is noted of a KEK that is not closed: {noted:?}");
    }
    let is = async |closure: Result<KekClosure, Error>, closed, drained: Option<i64>, what: &str| {
        let expected = KekClosure { closed_at: at(closed), drained_at: drained.map(at) };
        rule!(RULE, closure.as_ref().ok() == Some(&expected), "{what}: {closure:?}");
    };
    let read = store.kek_closure(&kek).await;
    rule!(RULE, matches!(read, Ok(None)), "something is noted of a KEK that is not closed: {read:?}");
    is(store.close_kek(&kek, at(70)).await, 70, None, "closed").await;
    // Later and earlier: each clock is one of many.
    is(store.close_kek(&kek, at(80)).await, 70, None, "closed again").await;
    is(store.close_kek(&kek, at(-60)).await, 70, None, "closed again, by a slow clock").await;
    is(store.close_kek(&other, at(90)).await, 90, None, "another one closed").await;
    is(store.note_drained(&kek, Some(at(75))).await, 70, Some(75), "drained").await;
    is(store.note_drained(&kek, Some(at(85))).await, 70, Some(75), "drained still").await;
    is(store.close_kek(&kek, at(99)).await, 70, Some(75), "closed when drained").await;
    is(store.note_drained(&other, None).await, 90, None, "another one is not drained").await;
    is(store.note_drained(&kek, None).await, 70, None, "needed again").await;
    is(store.note_drained(&kek, Some(at(95))).await, 70, Some(95), "drained again").await;
    for (kek, closed, drained) in [(kek, 70, Some(95)), (other, 90, None)] {
        let read = store.kek_closure(&kek).await;
        let expected = KekClosure { closed_at: at(closed), drained_at: drained.map(at) };
        rule!(RULE, read.as_ref().ok() == Some(&Some(expected)), "what was noted is read as {read:?}");
    }
}

/// Envelopes of the vault's own keys are replaced together, by whoever knew those that were there, and not under a closed KEK.
///
/// # Panics
/// When the store breaks the rule.
pub async fn vaults_are_rewrapped(store: &dyn TokenStore) {
    const RULE: &str = "vaults_are_rewrapped";
    let kek = sample_kek(b"new");
    let is = async |expected: Option<&VaultRecord>, what: &str| {
        let vault = store.vault().await;
        rule!(RULE, matches!(&vault, Ok(there) if there.as_ref() == expected), "{what}: {vault:?}");
    };
    let first = sample_vault(1);
    let with = |seed: u8| {
        let keys = first.keys.iter().map(|(of, old)| (*of, [&[seed], &old[..]].concat())).collect();
        VaultRecord { keys, ..first.clone() }
    };
    let none = store.rewrap_vault(&first, &with(2), &kek).await;
    rule!(RULE, is_conflict(&none), "a vault that is not there was rewrapped: {none:?}");
    is(None, "a refused rewrap left something").await;
    let made = store.init_vault(&first).await;
    rule!(RULE, made.is_ok(), "a vault can't be made: {made:?}");
    // Each part of it counts: one key, one envelope, the id.
    let (mut one_less, mut altered) = (first.clone(), first.clone());
    one_less.keys.pop();
    altered.keys[2].1[0] ^= 1;
    let other = VaultRecord { id: sample_vault(2).id, ..first.clone() };
    for before in [one_less, altered, other] {
        let refused = store.rewrap_vault(&before, &with(2), &kek).await;
        rule!(RULE, is_conflict(&refused), "what was in place is not compared: {refused:?}");
        is(Some(&first), "a refused rewrap changed the vault").await;
    }
    let offered: Vec<VaultRecord> = (2..6).map(with).collect();
    let done = at_once(offered.iter().map(|after| store.rewrap_vault(&first, after, &kek))).await;
    let won: Vec<usize> = (0..done.len()).filter(|index| done[*index].is_ok()).collect();
    rule!(RULE, won.len() == 1, "of several that rewrap at once not one won: {done:?}");
    let winner = &offered[won[0]];
    is(Some(winner), "the winner's envelopes are not in place").await;
    let closed = store.close_kek(&kek, NOW).await;
    rule!(RULE, closed.is_ok(), "a KEK can't be closed: {closed:?}");
    let refused = store.rewrap_vault(winner, &with(7), &kek).await;
    rule!(RULE, is_conflict(&refused), "the vault's keys came under a closed KEK: {refused:?}");
    is(Some(winner), "a rewrap under a closed KEK changed the vault").await;
    let moved = store.rewrap_vault(winner, &with(7), &sample_kek(b"newer")).await;
    rule!(RULE, moved.is_ok(), "a vault can't be rewrapped: {moved:?}");
    is(Some(&with(7)), "the envelopes are not in place").await;
    // Its records go on as before.
    let record = sample_record(&sample_id("tenant", "name"), 1);
    commit_of(RULE, store, &[sample_change(&record, None)], &sample_chain_of(first.id)).await;
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
