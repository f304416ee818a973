//! Rules about the audit trail.

use std::collections::BTreeMap;

use super::{commit, rule, sample_chain, sample_change, sample_entry, sample_id, sample_record, sample_use};
use crate::{Action, AuditDraft, AuditEntry, AuditHead, Change, SHARDS, TokenStore, shard_of};

/// All heads, after a look at their number and order.
pub(super) async fn heads(rule: &str, store: &dyn TokenStore) -> Vec<AuditHead> {
    let heads = store.audit_heads().await;
    let heads = heads.unwrap_or_else(|error| panic!("{rule}: the heads can't be read: {error:?}"));
    let shards = heads.iter().map(|head| head.shard);
    rule!(rule, shards.eq(0..SHARDS), "the heads are not those of all shards in order: {heads:?}");
    heads
}

/// All entries of a shard, in pages of this size.
pub(super) async fn of_shard(rule: &str, store: &dyn TokenStore, shard: u16, page: u32) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.sequence);
        let more = store.audit_entries(shard, after, page).await;
        let more = more.unwrap_or_else(|error| panic!("{rule}: entries can't be read: {error:?}"));
        rule!(rule, more.len() <= page as usize, "a page of {page} entries has {}", more.len());
        if more.is_empty() {
            return entries;
        }
        for entry in more {
            let next = entries.last().map_or(1, |last| last.sequence + 1);
            rule!(rule, entry.shard == shard, "an entry of another shard");
            rule!(rule, entry.sequence == next, "entry {} where {next} belongs", entry.sequence);
            entries.push(entry);
        }
    }
}

/// A use is an entry without a record: it needs none and makes none.
///
/// # Panics
/// When the store breaks the rule.
pub async fn uses_need_no_record(store: &dyn TokenStore) {
    const RULE: &str = "uses_need_no_record";
    let id = sample_id("tenant", "name");
    let mut again = sample_use(&id);
    again.entry.action = Action::UsedAgain;
    again.entry.count = 41;
    again.entry.subject = Some("run-1".to_owned());
    let changes = [sample_use(&id), again];
    commit(RULE, store, &changes).await;
    rule!(RULE, super::read(RULE, store, &id).await.is_none(), "a use made a record");
    let entries = of_shard(RULE, store, shard_of(id.tenant()), 10).await;
    let written: Vec<_> = entries.into_iter().map(|entry| entry.draft).collect();
    rule!(
        RULE,
        written.iter().eq(changes.iter().map(|change| &change.entry)),
        "wrote {changes:?}, read {written:?}"
    );
}

/// Every entry comes back as it was written, follows the one before it, and ends at its shard's head; a tenant's entries
/// are in that tenant's shard, and no shard knows of another.
///
/// # Panics
/// When the store breaks the rule.
pub async fn entries_are_chained(store: &dyn TokenStore) {
    const RULE: &str = "entries_are_chained";
    let empty: Vec<AuditHead> = (0..SHARDS).map(AuditHead::empty).collect();
    rule!(RULE, heads(RULE, store).await == empty, "an empty store has entries");
    let actions = [
        Action::Connected,
        Action::Replaced,
        Action::Disconnected,
        Action::Purged,
        Action::Used,
        Action::UsedAgain,
        Action::Created,
        Action::Paused,
        Action::Resumed,
        Action::Revoked,
        Action::Suspected,
        Action::Cleared,
        Action::Rewrapped,
        Action::Discarded,
    ];
    let mut given: BTreeMap<u16, Vec<AuditDraft>> = BTreeMap::new();
    for (step, action) in (0_u64..).zip(actions) {
        // Several tenants in one commit, some of them in one shard, and each more than once.
        let changes: Vec<Change> = (0..40)
            .map(|n| {
                let id = sample_id(&format!("tenant-{}", n % 29), "odd 'name' %");
                let mut entry = sample_entry(&sample_record(&id, step + 1), action);
                entry.count = n + 1;
                entry.subject = match n % 3 {
                    0 => None,
                    1 => Some(String::new()),
                    _ => Some(format!("run 'é' {n}")),
                };
                Change { record: None, entry }
            })
            .collect();
        for change in &changes {
            given.entry(shard_of(change.entry.id.tenant())).or_default().push(change.entry.clone());
        }
        commit(RULE, store, &changes).await;
    }
    let chain = sample_chain();
    for end in heads(RULE, store).await {
        let mut head = AuditHead::empty(end.shard);
        let mut drafts = Vec::new();
        for entry in of_shard(RULE, store, end.shard, 1000).await {
            rule!(
                RULE,
                chain.follows(&head, &entry),
                "entry {} doesn't follow the one before it",
                entry.sequence
            );
            head = entry.head();
            drafts.push(entry.draft);
        }
        rule!(RULE, head == end, "the head of shard {} is not its last entry", end.shard);
        let given = given.remove(&end.shard).unwrap_or_default();
        rule!(RULE, drafts == given, "shard {} has not the entries that were written", end.shard);
    }
}

/// Pages of entries are as long as asked for, begin behind the given place, and end with the shard.
///
/// # Panics
/// When the store breaks the rule.
pub async fn entries_are_paged(store: &dyn TokenStore) {
    const RULE: &str = "entries_are_paged";
    let id = sample_id("tenant", "name");
    let shard = shard_of(id.tenant());
    commit(RULE, store, &[sample_change(&sample_record(&id, 1), None)]).await;
    for _ in 0..22 {
        commit(RULE, store, &[sample_use(&id)]).await;
    }
    let all = of_shard(RULE, store, shard, 100).await;
    rule!(RULE, all.len() == 23, "23 entries were written, {} are there", all.len());
    for page in [1, 5, 23] {
        rule!(RULE, of_shard(RULE, store, shard, page).await == all, "pages of {page} give other entries");
    }
    for (after, limit, expected) in
        [(0, 0, 0..0), (0, 3, 0..3), (20, 2, 20..22), (20, 10, 20..23), (23, 10, 0..0), (u64::MAX, 10, 0..0)]
    {
        let got = store.audit_entries(shard, after, limit).await;
        let got = got.unwrap_or_else(|error| panic!("{RULE}: entries can't be read: {error:?}"));
        rule!(RULE, got == all[expected.clone()], "behind {after}, up to {limit}: {} entries", got.len());
    }
}
