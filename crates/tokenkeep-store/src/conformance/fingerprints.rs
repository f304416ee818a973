//! Whether tokens are found by their fingerprint.

use super::{commit, rule, sample_change, sample_id, sample_record, sample_tombstone, scans};
use crate::{Record, Scan, TokenStore};

const FINGERPRINT: [u8; 32] = [0xAB; 32];

/// A record whose token has this fingerprint.
fn holding(tenant: &str, name: &str, revision: u64, fingerprint: [u8; 32]) -> Record {
    let mut record = sample_record(&sample_id(tenant, name), revision);
    record.sealed.iter_mut().for_each(|sealed| sealed.fingerprint = fingerprint);
    record
}

/// A scan for a fingerprint gives the records that hold it now: not those whose fingerprint begins like it, that held it
/// before they were replaced or removed, or that are another tenant's than the one that was asked for.
///
/// # Panics
/// When the store breaks the rule.
pub async fn fingerprints_are_found(store: &dyn TokenStore) {
    const RULE: &str = "fingerprints_are_found";
    let mut written = Vec::new();
    for tenant in ["b", "a", "ab"] {
        for n in 0..5 {
            let record = holding(tenant, &format!("name-{n}"), 1, FINGERPRINT);
            commit(RULE, store, &[sample_change(&record, None)]).await;
            written.push(record);
        }
        for differs_at in [0, 7, 8, 15, 16, 31] {
            let mut other = FINGERPRINT;
            other[differs_at] ^= 1;
            let record = holding(tenant, &format!("other-{differs_at}"), 1, other);
            commit(RULE, store, &[sample_change(&record, None)]).await;
        }
        let gone = holding(tenant, "gone", 1, FINGERPRINT);
        commit(RULE, store, &[sample_change(&gone, None)]).await;
        commit(RULE, store, &[sample_change(&sample_tombstone(&gone), Some(1))]).await;
        let replaced = holding(tenant, "replaced", 1, FINGERPRINT);
        commit(RULE, store, &[sample_change(&replaced, None)]).await;
        commit(RULE, store, &[sample_change(&holding(tenant, "replaced", 2, [1; 32]), Some(1))]).await;
        let returned = holding(tenant, "returned", 3, FINGERPRINT);
        commit(RULE, store, &[sample_change(&holding(tenant, "returned", 1, FINGERPRINT), None)]).await;
        commit(RULE, store, &[sample_change(&holding(tenant, "returned", 2, [2; 32]), Some(1))]).await;
        commit(RULE, store, &[sample_change(&returned, Some(2))]).await;
        written.push(returned);
    }
    written.sort_by(|a, b| a.id.cmp(&b.id));
    for limit in [1, 4, 100] {
        for of in [None, Some("a"), Some("ab"), Some("c")] {
            let tenant = of.map(|tenant| sample_id(tenant, "x").tenant().clone());
            let belongs = |record: &Record| tenant.as_ref().is_none_or(|tenant| record.id.tenant() == tenant);
            let expected: Vec<Record> = written.iter().filter(|record| belongs(record)).cloned().collect();
            let scan = Scan::Fingerprint { of: FINGERPRINT, tenant: tenant.clone() };
            let found = scans::all(RULE, store, &scan, limit).await;
            rule!(RULE, found == expected, "of {of:?}, in pages of {limit}: {} records", found.len());
        }
    }
    let nobodys = Scan::Fingerprint { of: [9; 32], tenant: None };
    rule!(RULE, scans::all(RULE, store, &nobodys, 10).await.is_empty(), "what nobody holds is found");
}
