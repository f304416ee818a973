//! Rules about connections that are paused, and about who asks the provider.

use std::collections::BTreeSet;
use std::ops::Range;

use tokenkeep_core::ConnectionId;

use super::{
    at_once, commit, reads_back, rule, sample_change, sample_id, sample_record, sample_tombstone, trail,
};
use crate::{AtProvider, Counted, PausedSince, ProbeLease, Record, Status, Timestamp, TokenStore};

const NOW: i64 = 1_700_000_000_000;

fn between(from: i64, before: i64) -> Range<Timestamp> {
    Timestamp::from_millis(from)..Timestamp::from_millis(before)
}

fn at(provider: &str, origin: &str) -> AtProvider {
    AtProvider {
        provider: provider.parse().expect("a name that is allowed"),
        origin: origin.parse().expect("an origin that is allowed"),
    }
}

/// A record of this provider that was last paused then, if ever, and stands so now.
fn record(of: &AtProvider, tenant: &str, name: &str, paused_at: Option<i64>, status: Status) -> Record {
    let mut record = sample_record(&sample_id(tenant, name), 1);
    (record.provider, record.origin) = (of.provider.clone(), of.origin.clone());
    (record.paused_at, record.status) = (paused_at.map(Timestamp::from_millis), status);
    record
}

async fn page(
    rule: &str,
    store: &dyn TokenStore,
    of: &AtProvider,
    after: Option<&PausedSince>,
    limit: u32,
) -> Vec<Record> {
    let found = store.paused(of, after, limit).await;
    found.unwrap_or_else(|error| panic!("{rule}: what is paused can't be listed: {error:?}"))
}

/// Of several providers and origins, whose names begin alike: paused at several times, paused once and standing in each other
/// way now, never paused, and gone.
async fn fill(rule: &str, store: &dyn TokenStore) -> (Vec<AtProvider>, Vec<Record>) {
    let places = [
        at("apify", "https://api.example"),
        at("apify", "https://api.example:8443"),
        at("apify-eu", "https://api.example"),
    ];
    let mut written = Vec::new();
    for (p, of) in places.iter().enumerate() {
        // Against the order of the names, several at one time, before 1970 and far from now too.
        for (n, paused_at) in [3000, 2000, 2000, i64::MAX / 2, 1000, -5, i64::MIN].into_iter().enumerate() {
            for tenant in ["b", "a", "B"] {
                let name = format!("{p}-{n}");
                written.push(record(of, tenant, &name, Some(paused_at), Status::Paused));
            }
        }
        for (n, status) in [Status::Active, Status::Revoked, Status::Suspected].into_iter().enumerate() {
            written.push(record(of, "c", &format!("{p}-once-{n}"), Some(2000), status));
        }
        written.push(record(of, "c", &format!("{p}-never"), None, Status::Active));
    }
    for record in &written {
        commit(rule, store, &[sample_change(record, None)]).await;
    }
    for (p, of) in places.iter().enumerate() {
        let before = record(of, "c", &format!("{p}-gone"), Some(2000), Status::Paused);
        commit(rule, store, &[sample_change(&before, None)]).await;
        let mut gone = sample_tombstone(&before);
        (gone.provider, gone.origin) = (of.provider.clone(), of.origin.clone());
        commit(rule, store, &[sample_change(&gone, Some(1))]).await;
        // Resumed and paused again: it stands where it was paused last.
        let id = sample_id("d", &format!("{p}-again"));
        for (revision, paused_at, status) in
            [(1, 500, Status::Paused), (2, 500, Status::Active), (3, 2500, Status::Paused)]
        {
            let mut again = record(of, "d", &format!("{p}-again"), Some(paused_at), status);
            again.revision = tokenkeep_core::Revision::from_u64(revision);
            commit(rule, store, &[sample_change(&again, (revision > 1).then(|| revision - 1))]).await;
            if revision == 3 {
                written.push(again);
            }
        }
        reads_back(rule, store, written.iter().find(|record| record.id == id).unwrap_or(&before)).await;
    }
    (places.to_vec(), written)
}

/// What is paused comes by when it was paused, then by tenant and name, by bytes: of one provider and origin, from behind any
/// place, and nothing that was resumed, revoked or removed.
///
/// # Panics
/// When the store breaks the rule.
pub async fn paused_are_in_order(store: &dyn TokenStore) {
    const RULE: &str = "paused_are_in_order";
    let (mut places, mut written) = fill(RULE, store).await;
    places.push(at("apify", "https://api.example:1"));
    written.sort_by_key(PausedSince::of);
    for of in &places {
        let paused: Vec<&Record> =
            written.iter().filter(|record| of.has(record) && record.status == Status::Paused).collect();
        let mut afters: Vec<Option<PausedSince>> = vec![None];
        afters.extend(written.iter().map(PausedSince::of).filter(Option::is_some));
        afters.push(Some(PausedSince { at: Timestamp::from_millis(2000), id: sample_id("a", "1-15") }));
        for after in &afters {
            let behind = |record: &&&Record| after.is_none() || PausedSince::of(record) > *after;
            let expected: Vec<Record> = paused.iter().filter(behind).copied().cloned().collect();
            for limit in [0, 2, 100] {
                let found = page(RULE, store, of, after.as_ref(), limit).await;
                let expected = &expected[..expected.len().min(limit as usize)];
                rule!(RULE, found == expected, "{of:?} behind {after:?}, {limit}: {} records", found.len());
            }
        }
    }
}

/// Counts are right up to their limit, of one provider and origin, from a time on and before another.
///
/// # Panics
/// When the store breaks the rule.
pub async fn counts_are_right(store: &dyn TokenStore) {
    const RULE: &str = "counts_are_right";
    let (mut places, written) = fill(RULE, store).await;
    places.push(at("nobody", "https://api.example"));
    for of in &places {
        let during = |record: &Record, time: &Range<Timestamp>| {
            record.paused_at.is_some_and(|paused| time.contains(&paused))
        };
        let mut asked = vec![Counted::Held];
        for (from, before) in
            [(i64::MIN, i64::MAX), (2000, 3000), (1000, 2000), (2000, 2001), (2001, 3001), (3000, 2000)]
        {
            asked.extend([
                Counted::PausedDuring(between(from, before)),
                Counted::StillPaused(between(from, before)),
            ]);
        }
        for which in &asked {
            let meant = written.iter().filter(|record| of.has(record)).filter(|record| match which {
                Counted::Held => true,
                Counted::PausedDuring(time) => during(record, time),
                Counted::StillPaused(time) => record.status == Status::Paused && during(record, time),
            });
            let expected = meant.count();
            for limit in [0, 1, 4, 1000] {
                let counted = store.count(of, which, limit).await;
                let counted = counted.unwrap_or_else(|error| panic!("{RULE}: it can't count: {error:?}"));
                rule!(
                    RULE,
                    counted as usize == expected.min(limit as usize),
                    "{of:?} {which:?} up to {limit}: {counted} of {expected}"
                );
            }
        }
    }
}

/// While connections are paused and resumed, pages give each that stays paused exactly once.
///
/// # Panics
/// When the store breaks the rule.
pub async fn paused_miss_nothing_that_stays(store: &dyn TokenStore) {
    const RULE: &str = "paused_miss_nothing_that_stays";
    let of = at("apify", "https://api.example");
    let mut stay = BTreeSet::new();
    let mut go = Vec::new();
    for n in 0..30 {
        let paused = record(&of, &format!("tenant-{:02}", 29 - n), "name", Some(NOW + n / 5), Status::Paused);
        commit(RULE, store, &[sample_change(&paused, None)]).await;
        if n % 3 == 1 {
            go.push(paused);
        } else {
            stay.insert(paused.id);
        }
    }
    let mut seen: Vec<ConnectionId> = Vec::new();
    let mut after: Option<PausedSince> = None;
    for step in 0..100 {
        let more = page(RULE, store, &of, after.as_ref(), 4).await;
        let Some(last) = more.last() else { break };
        after = PausedSince::of(last);
        seen.extend(more.into_iter().map(|record| record.id));
        if let Some(mut next) = go.pop() {
            next.revision = next.revision.next();
            next.status = if step % 2 == 0 { Status::Active } else { Status::Revoked };
            commit(RULE, store, &[sample_change(&next, Some(1))]).await;
        }
        // Before the place that was reached.
        let late = record(&of, "tenant-00", &format!("late-{step}"), Some(NOW - 1), Status::Paused);
        commit(RULE, store, &[sample_change(&late, None)]).await;
    }
    for id in &stay {
        let times = seen.iter().filter(|seen| *seen == id).count();
        rule!(RULE, times == 1, "{id} was seen {times} times");
    }
    let once: BTreeSet<_> = seen.iter().collect();
    rule!(RULE, once.len() == seen.len(), "a record was seen twice");
}

async fn asks(
    rule: &str,
    store: &dyn TokenStore,
    id: &ConnectionId,
    holder: u8,
    now: i64,
    until: i64,
) -> bool {
    let (now, until) = (Timestamp::from_millis(now), Timestamp::from_millis(until));
    let leased = store.lease_probe(id, &ProbeLease { holder: [holder; 16], now, until }).await;
    leased.unwrap_or_else(|error| panic!("{rule}: a lease failed: {error:?}"))
}

/// One holder has the lease of the question to the provider until it gives it back or the lease has run out, whatever becomes of
/// the record meanwhile; it changes no record, keeps no hooks from running, and lasts no longer than the longest one by any clock.
///
/// # Panics
/// When the store breaks the rule.
pub async fn probe_leases_have_one_holder(store: &dyn TokenStore) {
    const RULE: &str = "probe_leases_have_one_holder";
    let longest = i64::try_from(ProbeLease::LONGEST.as_millis()).unwrap_or(i64::MAX);
    let id = sample_id("tenant", "name");
    rule!(RULE, !asks(RULE, store, &id, 1, NOW, NOW + 10).await, "one was given where there is no record");
    let live = sample_record(&id, 1);
    let other = sample_record(&sample_id("tenant", "other"), 1);
    commit(RULE, store, &[sample_change(&live, None), sample_change(&other, None)]).await;
    let heads = trail::heads(RULE, store).await;

    let won = at_once((1..=8).map(|holder| asks(RULE, store, &id, holder, NOW, NOW + 10))).await;
    rule!(RULE, won.iter().filter(|won| **won).count() == 1, "of 8 that asked these got it: {won:?}");
    let holder = (1..=8).zip(won).find(|(_, won)| *won).map_or(0, |(holder, _)| holder);
    rule!(RULE, !asks(RULE, store, &id, 9, NOW + 9, NOW + 99).await, "it was given before it had run out");
    rule!(
        RULE,
        asks(RULE, store, &other.id, 9, NOW, NOW + 10).await,
        "one's kept another's from being given"
    );
    rule!(RULE, asks(RULE, store, &id, holder, NOW + 9, NOW + 20).await, "its holder could not renew it");
    rule!(RULE, !asks(RULE, store, &id, 9, NOW + 15, NOW + 99).await, "it was given although it was renewed");
    rule!(RULE, trail::heads(RULE, store).await == heads, "a lease left an entry in the audit trail");
    reads_back(RULE, store, &live).await;
    let next = sample_record(&id, 2);
    commit(RULE, store, &[sample_change(&next, Some(1))]).await;
    rule!(RULE, !asks(RULE, store, &id, 9, NOW + 15, NOW + 99).await, "a change of the record ended it");
    rule!(RULE, asks(RULE, store, &id, 9, NOW + 20, NOW + 30).await, "it was not given once it had run out");
    rule!(RULE, asks(RULE, store, &id, 9, NOW + 25, NOW + 25).await, "it could not be given back");

    rule!(RULE, asks(RULE, store, &id, 1, NOW + 25, NOW + 25 + longest).await, "the longest was not given");
    rule!(RULE, !asks(RULE, store, &id, 2, NOW + 25, NOW + 99).await, "the longest did not last");
    // From here it would last longer than any may.
    rule!(
        RULE,
        asks(RULE, store, &id, 2, NOW + 24, NOW + 99).await,
        "one without an end is taken for a lease"
    );

    let tombstone = sample_tombstone(&next);
    commit(RULE, store, &[sample_change(&tombstone, Some(2))]).await;
    rule!(RULE, !asks(RULE, store, &id, 2, NOW + 30, NOW + 99).await, "one was given of a tombstone");
    let hooks = super::leases::asks(RULE, store, &id, 3, NOW + 30, NOW + 40).await;
    rule!(RULE, hooks, "it kept the hooks of a disconnect from running");
    reads_back(RULE, store, &tombstone).await;
}
