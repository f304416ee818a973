//! Rules about scans.

use std::collections::BTreeSet;

use tokenkeep_core::{ConnectionId, ErrorKind};

use super::samples::sample_kek;
use super::{commit, rule, sample_change, sample_id, sample_record, sample_tombstone};
use crate::{Purge, Record, Scan, TokenStore};

async fn page(
    rule: &str,
    store: &dyn TokenStore,
    scan: &Scan,
    after: Option<&ConnectionId>,
    limit: u32,
) -> Vec<Record> {
    let found = store.scan(scan, after, limit).await;
    let found = found.unwrap_or_else(|error| panic!("{rule}: a scan failed: {error:?}"));
    rule!(rule, found.len() <= limit as usize, "a page of {limit} records has {}", found.len());
    let mut last = after;
    for record in &found {
        rule!(rule, last < Some(&record.id), "{} stands behind {last:?}", record.id);
        last = Some(&record.id);
    }
    found
}

/// All records of a scan, in pages of this size.
pub(super) async fn all(rule: &str, store: &dyn TokenStore, scan: &Scan, limit: u32) -> Vec<Record> {
    let mut found: Vec<Record> = Vec::new();
    loop {
        let more = page(rule, store, scan, found.last().map(|record| &record.id), limit).await;
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Writes a record, and its tombstone over it where that is wanted.
async fn write(rule: &str, store: &dyn TokenStore, record: Record, gone: bool) -> Record {
    commit(rule, store, &[sample_change(&record, None)]).await;
    if !gone {
        return record;
    }
    let tombstone = sample_tombstone(&record);
    commit(rule, store, &[sample_change(&tombstone, Some(record.revision.get()))]).await;
    tombstone
}

/// Records come in ascending order of tenant and name, by bytes, in pages of any size.
///
/// # Panics
/// When the store breaks the rule.
pub async fn scans_are_in_order(store: &dyn TokenStore) {
    const RULE: &str = "scans_are_in_order";
    let texts = [
        "Z", "a", "B", "b", "a!", "a-b", "a b", "ab", "é", "e\u{301}", "z", "10", "9", "_", "%", "🔑",
        "\u{FB01}",
    ];
    let mut written = Vec::new();
    for tenant in texts {
        for name in texts {
            written.push(write(RULE, store, sample_record(&sample_id(tenant, name), 1), name == "b").await);
        }
    }
    written.sort_by(|a, b| a.id.cmp(&b.id));
    for limit in [1, 7, 1000] {
        rule!(
            RULE,
            all(RULE, store, &Scan::All, limit).await == written,
            "pages of {limit} give other records"
        );
        for tenant in texts {
            let id = sample_id(tenant, "x");
            let mine: Vec<_> =
                written.iter().filter(|record| record.id.tenant() == id.tenant()).cloned().collect();
            let found = all(RULE, store, &Scan::Tenant(id.tenant().clone()), limit).await;
            rule!(RULE, found == mine, "pages of {limit} of a tenant's records give others");
        }
    }
    rule!(RULE, page(RULE, store, &Scan::All, None, 0).await.is_empty(), "a page of 0 records has some");
}

/// Each filter gives exactly its records, from behind any id, be it there or not.
///
/// # Panics
/// When the store breaks the rule.
pub async fn scans_filter(store: &dyn TokenStore) {
    const RULE: &str = "scans_filter";
    let mut written = Vec::new();
    for tenant in ["a", "b", "b%", "b_", "B"] {
        for n in 0..8 {
            let mut record = sample_record(&sample_id(tenant, &format!("name-{n}")), 1);
            if let Some(sealed) = &mut record.sealed {
                sealed.kek = sample_kek(if n % 2 == 0 { b"even" } else { b"odd" });
            }
            let mut record = write(RULE, store, record, n >= 4).await;
            if n >= 6 {
                record.revision = record.revision.next();
                record.purge = Purge::Done;
                commit(RULE, store, &[sample_change(&record, Some(2))]).await;
            }
            written.push(record);
        }
    }
    written.sort_by(|a, b| a.id.cmp(&b.id));
    let tenant = |name| sample_id(name, "x").tenant().clone();
    let even = sample_kek(b"even");
    type Filter<'f> = Box<dyn Fn(&Record) -> bool + 'f>;
    let filters: Vec<(Scan, Filter<'_>)> = vec![
        (Scan::All, Box::new(|_| true)),
        (Scan::Tenant(tenant("b")), Box::new(|record| record.id.tenant().as_str() == "b")),
        (Scan::Tenant(tenant("c")), Box::new(|_| false)),
        (
            Scan::UnderKek(even),
            Box::new(|record| record.sealed.as_ref().is_some_and(|sealed| sealed.kek == even)),
        ),
        (Scan::UnderKek(sample_kek(b"eve")), Box::new(|_| false)),
        (Scan::PurgePending, Box::new(|record| record.purge == Purge::Pending)),
    ];
    let mut places: Vec<Option<ConnectionId>> = vec![None];
    for tenant in ["A", "a", "ab", "b", "b%", "c"] {
        places.extend(["a", "name-3", "name-30", "name-6", "z"].map(|name| Some(sample_id(tenant, name))));
    }
    for (scan, belongs) in &filters {
        for after in &places {
            let behind = written.iter().filter(|record| Some(&record.id) > after.as_ref());
            let expected: Vec<Record> = behind.filter(|record| belongs(record)).cloned().collect();
            for limit in [2, 100] {
                let found = page(RULE, store, scan, after.as_ref(), limit).await;
                let expected = &expected[..expected.len().min(limit as usize)];
                rule!(RULE, found == expected, "{scan:?} behind {after:?} gives {} records", found.len());
            }
        }
    }
}

/// While others are added and changed, a scan in pages gives each record that stays exactly once.
///
/// # Panics
/// When the store breaks the rule.
pub async fn scans_miss_nothing_that_stays(store: &dyn TokenStore) {
    const RULE: &str = "scans_miss_nothing_that_stays";
    let mut stay = BTreeSet::new();
    let mut go = Vec::new();
    for n in 0..30 {
        let record = sample_record(&sample_id(&format!("tenant-{:02}", n / 3), &format!("name-{n:02}")), 1);
        let record = write(RULE, store, record, false).await;
        if n % 3 == 1 {
            go.push(record);
        } else {
            stay.insert(record.id.clone());
        }
    }
    let kek = sample_record(&sample_id("a", "a"), 1).sealed.map(|sealed| sealed.kek);
    let scan = kek.map_or(Scan::All, Scan::UnderKek);
    let mut seen: Vec<ConnectionId> = Vec::new();
    for step in 0.. {
        let more = page(RULE, store, &scan, seen.last(), 4).await;
        if more.is_empty() {
            break;
        }
        seen.extend(more.into_iter().map(|record| record.id));
        // One goes, one comes before the place that the scan has reached.
        if let Some(record) = go.pop() {
            commit(RULE, store, &[sample_change(&sample_tombstone(&record), Some(1))]).await;
        }
        write(RULE, store, sample_record(&sample_id("tenant-00", &format!("late-{step}")), 1), false).await;
    }
    for id in &stay {
        let times = seen.iter().filter(|seen| *seen == id).count();
        rule!(RULE, times == 1, "{id} was seen {times} times");
    }
}

/// What is asked for together is what comes of asking one after the other; a scan behind a commit sees what it wrote, and one
/// behind a commit that was refused is not made.
///
/// # Panics
/// When the store breaks the rule.
pub async fn what_is_asked_together_is_the_same(store: &dyn TokenStore) {
    const RULE: &str = "what_is_asked_together_is_the_same";
    let (chain, tenant) = (super::sample_chain(), sample_id("tenant", "a").tenant().clone());
    let sealed = sample_record(&sample_id("tenant", "a"), 1).sealed;
    let of = sealed.map_or([0; 32], |sealed| sealed.fingerprint);
    let scans = [
        Scan::All,
        Scan::Tenant(tenant.clone()),
        Scan::UnderKek(sample_kek(b"kek")),
        Scan::PurgePending,
        Scan::Fingerprint { of, tenant: None },
        Scan::Fingerprint { of, tenant: Some(tenant) },
    ];
    for scan in scans.clone() {
        for limit in [1, 3] {
            for id in [sample_id("tenant", "a"), sample_id("tenant", "b"), sample_id("other", "a")] {
                let record = store.record(&id).await.ok().flatten();
                let revision = record.as_ref().map(|record| record.revision.get());
                let together = store.record_and_scan(&id, &scan, limit).await;
                let together = together.unwrap_or_else(|error| panic!("{RULE}: it failed: {error:?}"));
                rule!(RULE, together.0 == record, "another record was given: {:?}", together.0);
                rule!(RULE, together.1 == page(RULE, store, &scan, None, limit).await, "another page");

                let next = sample_record(&id, revision.map_or(1, |revision| revision + 1));
                let stale = sample_change(&next, Some(revision.unwrap_or(0) + 7));
                let before = super::snapshot(RULE, store).await;
                let refused = store.commit_and_scan(&[stale], &chain, &scan, limit).await;
                let conflict = matches!(&refused, Err(error) if error.kind() == ErrorKind::Conflict);
                rule!(RULE, conflict, "a stale commit with a scan was not refused: {refused:?}");
                rule!(
                    RULE,
                    super::snapshot(RULE, store).await == before,
                    "a refused commit changed something"
                );

                let made =
                    store.commit_and_scan(&[sample_change(&next, revision)], &chain, &scan, limit).await;
                let Ok(Ok(seen)) = made else { panic!("{RULE}: a commit with a scan failed: {made:?}") };
                rule!(
                    RULE,
                    seen == page(RULE, store, &scan, None, limit).await,
                    "the scan does not see the commit"
                );
                let there = store.record(&id).await.ok().flatten();
                rule!(RULE, there.as_ref() == Some(&next), "a commit with a scan was not made: {there:?}");
            }
        }
    }
    let of_tenants: Vec<Scan> = ["tenant", "nobody", "other", "tenant"]
        .map(|tenant| Scan::Fingerprint { of, tenant: Some(sample_id(tenant, "a").tenant().clone()) })
        .into();
    for asked in [&scans[..], &of_tenants, &[]] {
        for limit in [1, 3] {
            let mut apart = Vec::new();
            for scan in asked {
                apart.push(page(RULE, store, scan, None, limit).await);
            }
            let together = store.scan_each(asked, limit).await;
            rule!(RULE, together.as_ref().ok() == Some(&apart), "several scans gave {together:?}");
        }
    }
}
