//! Rules about connections that are paused.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use tokenkeep_core::{ConnectionId, PayloadKind};

use super::{commit, probes, reads_back, rule, sample_change, sample_id, sample_record, sample_tombstone};
use crate::{AtProvider, Counted, PausedRecord, ProbeTurn, Record, Status, Timestamp, TokenStore};

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
    due: RangeInclusive<i64>,
    after: Option<&ProbeTurn>,
    limit: u32,
) -> Vec<PausedRecord> {
    let due = Timestamp::from_millis(*due.start())..=Timestamp::from_millis(*due.end());
    let found = store.paused(of, due, after, limit).await;
    found.unwrap_or_else(|error| panic!("{rule}: what is paused can't be listed: {error:?}"))
}

/// Of several providers and origins, whose names begin alike: paused and asked about at several times, paused once and standing in each
/// other way now, never paused, and gone. Tokens that several hold are among them.
async fn fill(rule: &str, store: &dyn TokenStore) -> (Vec<AtProvider>, Vec<PausedRecord>) {
    let places = [
        at("apify", "https://api.example"),
        at("apify", "https://api.example:8443"),
        at("apify-eu", "https://api.example"),
    ];
    let mut written: Vec<PausedRecord> = Vec::new();
    for (p, of) in places.iter().enumerate() {
        // Against the order of the names, several at one time, before 1970 and far from now too.
        for (n, time) in [3000, 2000, 2000, i64::MAX, 1000, -5, i64::MIN, 0].into_iter().enumerate() {
            for (t, tenant) in ["b", "a", "B"].into_iter().enumerate() {
                let mut record = record(of, tenant, &format!("{p}-{n}"), Some(time), Status::Paused);
                if n == 1 || t == 2 {
                    // Many hold this one.
                    record.sealed.iter_mut().for_each(|sealed| sealed.fingerprint = [9; 32]);
                }
                written.push(PausedRecord { record, due: Timestamp::from_millis(time) });
            }
        }
        for (n, status) in [Status::Active, Status::Revoked, Status::Suspected].into_iter().enumerate() {
            let record = record(of, "c", &format!("{p}-once-{n}"), Some(2000), status);
            written.push(PausedRecord { record, due: Timestamp::from_millis(2000) });
        }
        let never = record(of, "c", &format!("{p}-never"), None, Status::Active);
        written.push(PausedRecord { record: never, due: Timestamp::from_millis(0) });
    }
    for PausedRecord { record, due } in &written {
        commit(rule, store, &[sample_change(record, None)]).await;
        if due.as_millis() != 0 {
            let asked = probes::asks_of(rule, store, record, 1, due.as_millis(), due.as_millis()).await;
            rule!(rule, asked, "a lease of the question was not given");
        }
    }
    for (p, of) in places.iter().enumerate() {
        let before = record(of, "c", &format!("{p}-gone"), Some(2000), Status::Paused);
        commit(rule, store, &[sample_change(&before, None)]).await;
        let mut gone = sample_tombstone(&before);
        (gone.provider, gone.origin) = (of.provider.clone(), of.origin.clone());
        commit(rule, store, &[sample_change(&gone, Some(1))]).await;
        // Resumed and paused again: its turn is where it was. With another token, it is where nobody asked yet.
        for (name, replaced) in [("again", false), ("replaced", true)] {
            let first = record(of, "d", &format!("{p}-{name}"), Some(500), Status::Paused);
            commit(rule, store, &[sample_change(&first, None)]).await;
            rule!(rule, probes::asks_of(rule, store, &first, 1, 700, 700).await, "a lease was not given");
            let mut resumed = Record { status: Status::Active, ..first.clone() };
            resumed.revision = first.revision.next();
            if replaced {
                resumed.secret_version = resumed.secret_version.next();
            }
            commit(rule, store, &[sample_change(&resumed, Some(1))]).await;
            let paused_at = Some(Timestamp::from_millis(2500));
            let mut again = Record { status: Status::Paused, paused_at, ..resumed };
            again.revision = again.revision.next();
            commit(rule, store, &[sample_change(&again, Some(2))]).await;
            reads_back(rule, store, &again).await;
            let due = Timestamp::from_millis(if replaced { 0 } else { 700 });
            written.push(PausedRecord { record: again, due });
        }
    }
    (places.to_vec(), written)
}

/// What is paused comes by when its turn is to be asked about, then by tenant and name, by bytes: of one provider and origin, in this time and
/// from behind any place, and nothing that was resumed, revoked or removed.
///
/// # Panics
/// When the store breaks the rule.
pub async fn paused_are_in_order(store: &dyn TokenStore) {
    const RULE: &str = "paused_are_in_order";
    let (mut places, mut written) = fill(RULE, store).await;
    places.push(at("apify", "https://api.example:1"));
    written.sort_by_key(PausedRecord::turn);
    for of in &places {
        let is_meant =
            |paused: &&PausedRecord| of.has(&paused.record) && paused.record.status == Status::Paused;
        let paused: Vec<&PausedRecord> = written.iter().filter(is_meant).collect();
        let mut afters: Vec<Option<ProbeTurn>> = vec![None];
        afters.extend(written.iter().map(PausedRecord::turn).map(Some));
        afters.push(Some(ProbeTurn { due: Timestamp::from_millis(2000), id: sample_id("a", "1-15") }));
        for (n, after) in afters.iter().enumerate() {
            let whole = i64::MIN..=i64::MAX;
            let parts = [0..=2000, 2001..=i64::MAX, i64::MIN..=-1, 2500..=2600];
            let parts = if n % 8 == 0 { &parts[..] } else { &[] };
            for due in std::iter::once(&whole).chain(parts) {
                let is_next = |paused: &&&PausedRecord| {
                    due.contains(&paused.due.as_millis())
                        && after.as_ref().is_none_or(|after| paused.turn() > *after)
                };
                let expected: Vec<PausedRecord> = paused.iter().filter(is_next).copied().cloned().collect();
                for limit in [0, 2, 100] {
                    let found = page(RULE, store, of, due.clone(), after.as_ref(), limit).await;
                    let expected = &expected[..expected.len().min(limit as usize)];
                    rule!(
                        RULE,
                        found == expected,
                        "{of:?} in {due:?} behind {after:?}, {limit}: {} records",
                        found.len()
                    );
                }
            }
        }
    }
}

/// Counts are right up to their limit, of one provider and origin, from a time on and before another. A token that several records hold is
/// one that was paused, and each of them holds one.
///
/// # Panics
/// When the store breaks the rule.
pub async fn counts_are_right(store: &dyn TokenStore) {
    const RULE: &str = "counts_are_right";
    let (mut places, mut written) = fill(RULE, store).await;
    // One token fills whatever a store looks at first, before the others.
    for n in 0..60 {
        let mut twin = record(&places[1], "twins", &format!("{n}"), Some(-10), Status::Paused);
        twin.sealed.iter_mut().for_each(|sealed| sealed.fingerprint = [8; 32]);
        commit(RULE, store, &[sample_change(&twin, None)]).await;
        written.push(PausedRecord { record: twin, due: Timestamp::from_millis(0) });
    }
    for (n, kind) in [PayloadKind::EnvVars, PayloadKind::EnvIndex].into_iter().enumerate() {
        let mut set = record(&places[0], "sets", &format!("{n}"), None, Status::Active);
        set.kind = kind;
        commit(RULE, store, &[sample_change(&set, None)]).await;
        written.push(PausedRecord { record: set, due: Timestamp::from_millis(0) });
    }
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
            let records = written.iter().map(|paused| &paused.record).filter(|record| of.has(record));
            let meant = records.filter(|record| match which {
                Counted::Held => record.kind == PayloadKind::ApiToken,
                Counted::PausedDuring(time) => during(record, time),
                Counted::StillPaused(time) => record.status == Status::Paused && during(record, time),
            });
            let tokens = meant.filter_map(|record| record.sealed.as_ref().map(|sealed| sealed.fingerprint));
            let tokens: Vec<[u8; 32]> = tokens.collect();
            let expected = match which {
                Counted::Held => tokens.len(),
                _ => tokens.iter().collect::<BTreeSet<_>>().len(),
            };
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
        let paused = record(&of, &format!("tenant-{:02}", 29 - n), "name", Some(NOW), Status::Paused);
        commit(RULE, store, &[sample_change(&paused, None)]).await;
        let asked = probes::asks_of(RULE, store, &paused, 1, NOW + n / 5, NOW + n / 5).await;
        rule!(RULE, asked, "a lease of the question was not given");
        if n % 3 == 1 {
            go.push(paused);
        } else {
            stay.insert(paused.id);
        }
    }
    let mut seen: Vec<ConnectionId> = Vec::new();
    let mut after: Option<ProbeTurn> = None;
    for step in 0..100 {
        let more = page(RULE, store, &of, i64::MIN..=i64::MAX, after.as_ref(), 4).await;
        let Some(last) = more.last() else { break };
        after = Some(last.turn());
        seen.extend(more.into_iter().map(|paused| paused.record.id));
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
