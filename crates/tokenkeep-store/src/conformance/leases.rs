//! Whether the hooks of a disconnect are leased to one at a time.

use tokenkeep_core::ConnectionId;

use super::{
    at_once, commit, reads_back, rule, sample_change, sample_id, sample_record, sample_tombstone, trail,
};
use crate::{PurgeLease, Timestamp, TokenStore};

const NOW: i64 = 1_700_000_000_000;
const HOUR: i64 = 60 * 60 * 1000;

pub(super) async fn asks(
    rule: &str,
    store: &dyn TokenStore,
    id: &ConnectionId,
    holder: u8,
    now: i64,
    until: i64,
) -> bool {
    let (now, until) = (Timestamp::from_millis(now), Timestamp::from_millis(until));
    let leased = store.lease_purge(id, &PurgeLease { holder: [holder; 16], now, until }).await;
    leased.unwrap_or_else(|error| panic!("{rule}: a lease failed: {error:?}"))
}

/// One holder has the lease of a tombstone until it gives it back or the lease has run out; it changes no record.
///
/// # Panics
/// When the store breaks the rule.
pub async fn purge_leases_have_one_holder(store: &dyn TokenStore) {
    const RULE: &str = "purge_leases_have_one_holder";
    let id = sample_id("tenant", "name");
    rule!(RULE, !asks(RULE, store, &id, 1, NOW, NOW + 10).await, "one was given where there is no record");
    let live = sample_record(&id, 1);
    commit(RULE, store, &[sample_change(&live, None)]).await;
    rule!(RULE, !asks(RULE, store, &id, 1, NOW, NOW + 10).await, "one was given of a live connection");
    let tombstone = sample_tombstone(&live);
    commit(RULE, store, &[sample_change(&tombstone, Some(1))]).await;
    let other = sample_tombstone(&sample_record(&sample_id("tenant", "other"), 1));
    commit(RULE, store, &[sample_change(&other, None)]).await;
    let heads = trail::heads(RULE, store).await;

    let won = at_once((1..=8).map(|holder| asks(RULE, store, &id, holder, NOW, NOW + 10))).await;
    rule!(RULE, won.iter().filter(|won| **won).count() == 1, "of 8 that asked these got it: {won:?}");
    let holder = (1..=8).zip(won).find(|(_, won)| *won).map_or(0, |(holder, _)| holder);
    rule!(
        RULE,
        !asks(RULE, store, &id, 9, NOW + 9, NOW + 99).await,
        "it was given to another before it had run out"
    );
    rule!(
        RULE,
        asks(RULE, store, &other.id, 9, NOW, NOW + 10).await,
        "one connection's kept another's from being given"
    );
    rule!(RULE, asks(RULE, store, &id, holder, NOW + 9, NOW + 20).await, "its holder could not renew it");
    rule!(
        RULE,
        !asks(RULE, store, &id, 9, NOW + 15, NOW + 99).await,
        "it was given to another although it was renewed"
    );
    rule!(
        RULE,
        asks(RULE, store, &id, 9, NOW + 20, NOW + 30).await,
        "it was not given to another once it had run out"
    );
    rule!(
        RULE,
        !asks(RULE, store, &id, holder, NOW + 25, NOW + 99).await,
        "it was renewed after another took it"
    );
    rule!(RULE, asks(RULE, store, &id, 9, NOW + 25, NOW + 25).await, "it could not be given back");
    rule!(
        RULE,
        asks(RULE, store, &id, 10, NOW + 25, NOW + 25 + HOUR).await,
        "what was given back was not given"
    );
    rule!(RULE, !asks(RULE, store, &id, 11, NOW + 25, NOW + 99).await, "one of an hour did not last");
    // From here it would last longer than any may.
    rule!(
        RULE,
        asks(RULE, store, &id, 11, NOW + 24, NOW + 99).await,
        "one without an end is taken for a lease"
    );

    reads_back(RULE, store, &tombstone).await;
    rule!(RULE, trail::heads(RULE, store).await == heads, "a lease left an entry in the audit trail");
    let anew = sample_record(&id, 3);
    commit(RULE, store, &[sample_change(&anew, Some(2))]).await;
    reads_back(RULE, store, &anew).await;
}
