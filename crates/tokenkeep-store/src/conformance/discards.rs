//! Rules about a record that replaces one that was tampered with.

use tokenkeep_core::{ConnectionId, Revision};

use super::{
    at_once, commit, is_conflict, reads_back, refused, rule, sample_chain, sample_change, sample_entry,
    sample_id, sample_record, sample_tombstone, sample_use, trail,
};
use crate::{Action, Change, Expected, Record, RecordChange, TokenStore, shard_of};

/// A tombstone of this revision, made when the shard was seen to end with this entry.
fn discard(id: &ConnectionId, revision: u64, head: u64) -> (Record, Change) {
    let mut record = sample_tombstone(&sample_record(id, 1));
    record.revision = Revision::from_u64(revision);
    let change = RecordChange { record: record.clone(), expected: Expected::Tampered { head } };
    let entry = sample_entry(&record, Action::Discarded);
    (record, Change { record: Some(change), entry })
}

/// It comes in the place of anything or of nothing, its revision leaves what was there behind it as far as it likes, and the next
/// change goes on from there.
///
/// # Panics
/// When the store breaks the rule.
pub async fn discards_replace_anything(store: &dyn TokenStore) {
    const RULE: &str = "discards_replace_anything";
    let (absent, live, gone) = (sample_id("tenant", "a"), sample_id("tenant", "l"), sample_id("tenant", "g"));
    commit(RULE, store, &[sample_change(&sample_record(&live, 1), None)]).await;
    commit(RULE, store, &[sample_change(&sample_record(&gone, 7), None)]).await;
    commit(RULE, store, &[sample_change(&sample_tombstone(&sample_record(&gone, 7)), Some(7))]).await;
    let mut head = 3;
    for (id, revision) in [(&absent, 4), (&live, 100), (&gone, i64::MAX as u64 - 2)] {
        let (tombstone, change) = discard(id, revision, head);
        commit(RULE, store, &[change]).await;
        reads_back(RULE, store, &tombstone).await;
        let next = sample_record(id, revision + 1);
        refused(RULE, store, &[sample_change(&next, Some(1))], "the revision before the jump").await;
        commit(RULE, store, &[sample_change(&next, Some(revision))]).await;
        reads_back(RULE, store, &next).await;
        head += 2;
    }
    let entries = trail::of_shard(RULE, store, shard_of(live.tenant()), 20).await;
    let discarded = entries.iter().filter(|entry| entry.draft.action == Action::Discarded).count();
    rule!(RULE, discarded == 3, "3 were discarded, the trail has {discarded}");
}

/// It is refused once anything has happened in its shard since the trail was read, be it of another record; what happens in other
/// shards is not its business. In a commit with others it sees the entries of those before it. Of two at the same time one is
/// made.
///
/// # Panics
/// When the store breaks the rule.
pub async fn discards_are_pinned(store: &dyn TokenStore) {
    const RULE: &str = "discards_are_pinned";
    let (id, other) = (sample_id("tenant", "name"), sample_id("tenant", "other"));
    let shard = shard_of(id.tenant());
    let mut elsewhere = (0..99).map(|n| sample_id(&format!("tenant-{n}"), "name"));
    let elsewhere = elsewhere.find(|id| shard_of(id.tenant()) != shard);
    let elsewhere = elsewhere.unwrap_or_else(|| unreachable!("there are several shards"));
    commit(RULE, store, &[sample_change(&sample_record(&id, 1), None)]).await;
    commit(RULE, store, &[sample_use(&other)]).await;
    commit(RULE, store, &[sample_change(&sample_record(&elsewhere, 1), None)]).await;
    for stale in [0, 1, 3, u64::MAX] {
        let (_, change) = discard(&id, 9, stale);
        let beside = sample_change(&sample_record(&other, 1), None);
        refused(RULE, store, std::slice::from_ref(&change), "a discard that overlooks an entry").await;
        refused(RULE, store, &[change, beside], "a discard that overlooks an entry, among others,").await;
    }
    // Behind another change of the same commit, the head is that one's.
    let (tombstone, behind) = discard(&id, 9, 3);
    let (_, too_early) = discard(&id, 9, 2);
    refused(RULE, store, &[sample_use(&other), too_early], "a discard that overlooks its own commit").await;
    commit(RULE, store, &[sample_use(&other), behind]).await;
    reads_back(RULE, store, &tombstone).await;

    let rivals: Vec<[Change; 1]> = (10..14).map(|revision| [discard(&id, revision, 4).1]).collect();
    let chain = sample_chain();
    let done = at_once(rivals.iter().map(|rival| store.commit(rival, &chain))).await;
    let made = done.iter().filter(|done| done.is_ok()).count();
    rule!(RULE, made == 1, "of 4 discards that saw the same, {made} were made");
    let conflicts = done.iter().filter(|done| is_conflict(done)).count();
    rule!(RULE, conflicts == 3, "the others were not all refused with Conflict: {done:?}");
    let head = trail::heads(RULE, store).await[usize::from(shard)].sequence;
    rule!(RULE, head == 5, "a refused discard left an entry");
    let (_, first) = discard(&elsewhere, 9, 1);
    commit(RULE, store, &[first]).await;
}
