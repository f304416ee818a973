//! Rules about writers whose clocks disagree.

use std::collections::BTreeSet;

use super::{
    ages, commit, leases, reads_back, rule, sample_change, sample_id, sample_record, sample_tombstone, trail,
};
use crate::{AuditDraft, PurgeLease, Record, Timestamp, TokenSet, TokenStore, shard_of};

const NOW: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;

/// How far the writers' clocks are off, in the order in which they write: no two neighbours agree, and none goes on.
const OFF: [i64; 8] = [0, 5 * HOUR, -5 * HOUR, 26 * HOUR, -26 * HOUR, MINUTE, -MINUTE, -NOW - HOUR];

/// Revisions and entries are in the order in which they were committed, whatever time their writers took it to be.
///
/// # Panics
/// When the store breaks the rule.
pub async fn clocks_order_nothing(store: &dyn TokenStore) {
    const RULE: &str = "clocks_order_nothing";
    let id = sample_id("tenant", "name");
    let mut given: Vec<AuditDraft> = Vec::new();
    for (revision, off) in (1_u64..).zip(OFF) {
        let mut record = sample_record(&id, revision);
        for (after, time) in
            (0..).zip([&mut record.connected_at, &mut record.token_set_at, &mut record.updated_at])
        {
            *time = Timestamp::from_millis(NOW + off + after);
        }
        record.expires_at = Some(Timestamp::from_millis(NOW + off - 1));
        let change = sample_change(&record, (revision > 1).then_some(revision - 1));
        let mut used = super::sample_use(&id);
        used.entry.at = Timestamp::from_millis(NOW - off);
        given.extend([change.entry.clone(), used.entry.clone()]);
        commit(RULE, store, &[change]).await;
        reads_back(RULE, store, &record).await;
        commit(RULE, store, &[used]).await;
    }
    for page in [1, 3, 100] {
        let entries = trail::of_shard(RULE, store, shard_of(id.tenant()), page).await;
        let drafts: Vec<AuditDraft> = entries.into_iter().map(|entry| entry.draft).collect();
        rule!(RULE, drafts == given, "pages of {page} give the entries in another order: {drafts:?}");
    }
}

/// The lease of a holder whose clock is fast bars no other for longer than [`PurgeLease::LONGEST`], and one whose clock is
/// slow has it at least until it runs out by its own.
///
/// # Panics
/// When the store breaks the rule.
pub async fn fast_clocks_lease_nothing_for_ever(store: &dyn TokenStore) {
    const RULE: &str = "fast_clocks_lease_nothing_for_ever";
    let longest = i64::try_from(PurgeLease::LONGEST.as_millis()).unwrap_or(i64::MAX);
    for (n, off) in (0..).zip([-26 * HOUR, -MINUTE, MINUTE, HOUR / 2, HOUR, 2 * HOUR, 26 * HOUR, 9000 * HOUR])
    {
        let id = sample_id("tenant", &format!("name-{n}"));
        let tombstone = sample_tombstone(&sample_record(&id, 1));
        commit(RULE, store, &[sample_change(&tombstone, None)]).await;
        let theirs = NOW + off;
        let lease = leases::asks(RULE, store, &id, 1, theirs, theirs + 10 * MINUTE).await;
        rule!(RULE, lease, "a lease was not given by a clock that is {off} ms off");
        let until = theirs + 10 * MINUTE;
        let barred = until > NOW && until <= NOW + longest;
        let another = leases::asks(RULE, store, &id, 2, NOW, NOW + MINUTE).await;
        rule!(
            RULE,
            another != barred,
            "with a clock {off} ms off, the lease was given to another: {another}"
        );
        let late = leases::asks(RULE, store, &id, 3, NOW + longest, NOW + longest + MINUTE).await;
        rule!(RULE, late, "a clock that is {off} ms off bars others for more than the longest lease");
        reads_back(RULE, store, &tombstone).await;
    }
}

/// While writers whose clocks disagree replace tokens, pages by age give each token where its time puts it, and each that
/// stays once.
///
/// # Panics
/// When the store breaks the rule.
pub async fn ages_bear_any_clock(store: &dyn TokenStore) {
    const RULE: &str = "ages_bear_any_clock";
    let set_at = |name: &str, revision, at| {
        let mut record = sample_record(&sample_id("tenant", name), revision);
        record.token_set_at = Timestamp::from_millis(at);
        // What the writers say of the record does not put it elsewhere.
        record.updated_at = Timestamp::from_millis(2 * NOW - at);
        record.connected_at = record.updated_at;
        record
    };
    let mut now: Vec<Record> = Vec::new();
    for n in 0..24_u64 {
        let name = format!("name-{n:02}");
        commit(RULE, store, &[sample_change(&set_at(&name, 1, NOW), None)]).await;
        // Replaced by another writer, whose clock may be far behind the first one's.
        let replaced = set_at(&name, 2, NOW + OFF[n as usize % OFF.len()]);
        commit(RULE, store, &[sample_change(&replaced, Some(1))]).await;
        now.push(replaced);
    }
    now.sort_by_key(TokenSet::of);
    let all = ages::page(RULE, store, ages::between(i64::MIN, i64::MAX), None, 100).await;
    rule!(RULE, all == now, "tokens are not where their times put them");

    let mut seen = Vec::new();
    let mut after: Option<TokenSet> = None;
    for step in 0..100 {
        let more = ages::page(RULE, store, ages::between(i64::MIN, i64::MAX), after.as_ref(), 3).await;
        let Some(last) = more.last() else { break };
        after = Some(TokenSet::of(last));
        seen.extend(more.into_iter().map(|record| record.id));
        if let Some(off) = OFF.get(step) {
            // By clocks that are slow and fast: before the place that was reached, and behind it.
            let late = set_at(&format!("late-{step}"), 1, NOW + off);
            commit(RULE, store, &[sample_change(&late, None)]).await;
        }
    }
    for record in &now {
        let times = seen.iter().filter(|seen| **seen == record.id).count();
        rule!(RULE, times == 1, "{} was seen {times} times", record.id);
    }
    let once: BTreeSet<_> = seen.iter().collect();
    rule!(RULE, once.len() == seen.len(), "a record was seen twice");
}
