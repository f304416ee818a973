//! Rules about the order of records by when their token was set.

use std::collections::BTreeSet;
use std::ops::Range;

use tokenkeep_core::ConnectionId;

use super::{commit, rule, sample_change, sample_id, sample_record, sample_tombstone};
use crate::{Record, Timestamp, TokenSet, TokenStore};

pub(super) fn between(from: i64, before: i64) -> Range<Timestamp> {
    Timestamp::from_millis(from)..Timestamp::from_millis(before)
}

pub(super) async fn page(
    rule: &str,
    store: &dyn TokenStore,
    during: Range<Timestamp>,
    after: Option<&TokenSet>,
    limit: u32,
) -> Vec<Record> {
    let found = store.tokens_set(during, after, limit).await;
    let found = found.unwrap_or_else(|error| panic!("{rule}: tokens can't be listed: {error:?}"));
    rule!(rule, found.len() <= limit as usize, "a page of {limit} records has {}", found.len());
    found
}

/// A record whose token was set then.
fn set_at(tenant: &str, name: &str, at: i64) -> Record {
    let mut record = sample_record(&sample_id(tenant, name), 1);
    record.token_set_at = Timestamp::from_millis(at);
    record
}

/// Records come by the time that their token was set, then by tenant and name, by bytes: those of the given time, from
/// behind any place, and none without a token.
///
/// # Panics
/// When the store breaks the rule.
pub async fn ages_are_in_order(store: &dyn TokenStore) {
    const RULE: &str = "ages_are_in_order";
    let mut written = Vec::new();
    // Against the order of the names, several at one time, before 1970 and far from now too.
    for (n, at) in
        [(0, 3000), (1, 2000), (2, 2000), (3, i64::MAX / 2), (4, 1000), (5, -5), (6, 2000), (7, i64::MIN)]
    {
        for tenant in ["b", "a", "B"] {
            let record = set_at(tenant, &format!("name-{n}"), at);
            commit(RULE, store, &[sample_change(&record, None)]).await;
            if n == 6 {
                let mut gone = sample_tombstone(&record);
                gone.token_set_at = record.token_set_at;
                commit(RULE, store, &[sample_change(&gone, Some(1))]).await;
            } else {
                written.push(record);
            }
        }
    }
    written.sort_by_key(TokenSet::of);
    let mut places: Vec<Option<TokenSet>> = vec![None];
    places.extend(written.iter().map(|record| Some(TokenSet::of(record))));
    places.push(Some(TokenSet { at: Timestamp::from_millis(2000), id: sample_id("a", "name-15") }));
    places.push(Some(TokenSet { at: Timestamp::from_millis(2500), id: sample_id("\u{1F511}", "z") }));
    for (from, before) in [
        (i64::MIN, i64::MAX),
        (2000, 3000),
        (1000, 2000),
        (2000, 2001),
        (2001, 3001),
        (3000, 2000),
        (0, 1000),
    ] {
        for after in &places {
            let expected: Vec<Record> = written
                .iter()
                .filter(|record| between(from, before).contains(&record.token_set_at))
                .filter(|record| after.as_ref().is_none_or(|after| TokenSet::of(record) > *after))
                .cloned()
                .collect();
            for limit in [0, 2, 100] {
                let found = page(RULE, store, between(from, before), after.as_ref(), limit).await;
                let expected = &expected[..expected.len().min(limit as usize)];
                rule!(
                    RULE,
                    found == expected,
                    "{from} to {before} behind {after:?}: {} records",
                    found.len()
                );
            }
        }
    }
}

/// While tokens are replaced, removed and added, pages give each record that stays exactly once, and none twice.
///
/// # Panics
/// When the store breaks the rule.
pub async fn ages_miss_nothing_that_stays(store: &dyn TokenStore) {
    const RULE: &str = "ages_miss_nothing_that_stays";
    let mut stay = BTreeSet::new();
    let mut go = Vec::new();
    for n in 0..30 {
        let record = set_at(&format!("tenant-{:02}", 29 - n), "name", 1000 + n / 5);
        commit(RULE, store, &[sample_change(&record, None)]).await;
        if n % 3 == 1 {
            go.push(record);
        } else {
            stay.insert(record.id.clone());
        }
    }
    let mut seen: Vec<ConnectionId> = Vec::new();
    let mut after: Option<TokenSet> = None;
    for step in 0_i64.. {
        let more = page(RULE, store, between(1000, 2000), after.as_ref(), 4).await;
        let Some(last) = more.last() else { break };
        after = Some(TokenSet::of(last));
        seen.extend(more.into_iter().map(|record| record.id));
        // One moves behind all, out of the time, or goes; one comes before the place that was reached.
        if let Some(record) = go.pop() {
            let mut next = sample_record(&record.id, 2);
            next.token_set_at = Timestamp::from_millis(5000);
            let next = if step % 2 == 0 { next } else { sample_tombstone(&record) };
            commit(RULE, store, &[sample_change(&next, Some(1))]).await;
        }
        let late = set_at("tenant-00", &format!("late-{step}"), 1000);
        commit(RULE, store, &[sample_change(&late, None)]).await;
    }
    for id in &stay {
        let times = seen.iter().filter(|seen| *seen == id).count();
        rule!(RULE, times == 1, "{id} was seen {times} times");
    }
    let once: BTreeSet<_> = seen.iter().collect();
    rule!(RULE, once.len() == seen.len(), "a record was seen twice");
}
