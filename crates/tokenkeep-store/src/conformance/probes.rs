//! Rules about who asks the provider.

use super::{
    at_once, commit, reads_back, rule, sample_change, sample_id, sample_record, sample_tombstone, trail,
};
use crate::{ProbeLease, Record, Status, Timestamp, TokenStore};

const NOW: i64 = 1_700_000_000_000;

/// Whether the lease of the question about the token in this record is given.
pub(super) async fn asks_of(
    rule: &str,
    store: &dyn TokenStore,
    of: &Record,
    holder: u8,
    now: i64,
    until: i64,
) -> bool {
    let lease = ProbeLease {
        holder: [holder; 16],
        incarnation: of.incarnation,
        secret_version: of.secret_version,
        now: Timestamp::from_millis(now),
        until: Timestamp::from_millis(until),
    };
    let leased = store.lease_probe(&of.id, &lease).await;
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
    let live = sample_record(&id, 1);
    let asks = async |holder, now, until| asks_of(RULE, store, &live, holder, now, until).await;
    rule!(RULE, !asks(1, NOW, NOW + 10).await, "one was given where there is no record");
    let other = sample_record(&sample_id("tenant", "other"), 1);
    commit(RULE, store, &[sample_change(&live, None), sample_change(&other, None)]).await;
    let heads = trail::heads(RULE, store).await;

    let won = at_once((1..=8).map(|holder| asks(holder, NOW, NOW + 10))).await;
    rule!(RULE, won.iter().filter(|won| **won).count() == 1, "of 8 that asked these got it: {won:?}");
    let holder = (1..=8).zip(won).find(|(_, won)| *won).map_or(0, |(holder, _)| holder);
    rule!(RULE, !asks(9, NOW + 9, NOW + 99).await, "it was given before it had run out");
    let others = asks_of(RULE, store, &other, 9, NOW, NOW + 10).await;
    rule!(RULE, others, "one's kept another's from being given");
    rule!(RULE, asks(holder, NOW + 9, NOW + 20).await, "its holder could not renew it");
    rule!(RULE, !asks(9, NOW + 15, NOW + 99).await, "it was given although it was renewed");
    rule!(RULE, trail::heads(RULE, store).await == heads, "a lease left an entry in the audit trail");
    reads_back(RULE, store, &live).await;
    let next = Record { revision: live.revision.next(), status: Status::Paused, ..live.clone() };
    commit(RULE, store, &[sample_change(&next, Some(1))]).await;
    rule!(RULE, !asks(9, NOW + 15, NOW + 99).await, "a change of the record ended it");
    rule!(RULE, asks(9, NOW + 20, NOW + 30).await, "it was not given once it had run out");
    rule!(RULE, asks(9, NOW + 25, NOW + 25).await, "it could not be given back");

    rule!(RULE, asks(1, NOW + 25, NOW + 25 + longest).await, "the longest was not given");
    rule!(RULE, !asks(2, NOW + 25, NOW + 99).await, "the longest did not last");
    // From here it would last longer than any may.
    rule!(RULE, asks(2, NOW + 24, NOW + 99).await, "one without an end is taken for a lease");

    let tombstone = sample_tombstone(&next);
    commit(RULE, store, &[sample_change(&tombstone, Some(2))]).await;
    rule!(RULE, !asks(2, NOW + 30, NOW + 99).await, "one was given of a tombstone");
    let hooks = super::leases::asks(RULE, store, &id, 3, NOW + 30, NOW + 40).await;
    rule!(RULE, hooks, "it kept the hooks of a disconnect from running");
    reads_back(RULE, store, &tombstone).await;
}

/// A lease is of one token: whoever asks about the one before has none, and what was leased of that one bars nobody who asks about
/// the next, be it the next of one life or the first of another.
///
/// # Panics
/// When the store breaks the rule.
pub async fn probe_leases_are_of_one_token(store: &dyn TokenStore) {
    const RULE: &str = "probe_leases_are_of_one_token";
    for (name, another_life) in [("replaced", false), ("reconnected", true)] {
        let first = sample_record(&sample_id("tenant", name), 1);
        commit(RULE, store, &[sample_change(&first, None)]).await;
        rule!(RULE, asks_of(RULE, store, &first, 1, NOW, NOW + 99).await, "a lease was not given");
        let mut next = Record { revision: first.revision.next(), ..first.clone() };
        match another_life {
            false => next.secret_version = first.secret_version.next(),
            true => next.incarnation = sample_record(&first.id, 2).incarnation,
        }
        let early = asks_of(RULE, store, &next, 2, NOW + 1, NOW + 99).await;
        rule!(RULE, !early, "one was given of a token that is not held yet ({name})");
        commit(RULE, store, &[sample_change(&next, Some(1))]).await;
        let renewed = asks_of(RULE, store, &first, 1, NOW + 2, NOW + 99).await;
        rule!(RULE, !renewed, "one of a token that is held no more was renewed ({name})");
        let given = asks_of(RULE, store, &next, 2, NOW + 2, NOW + 99).await;
        rule!(RULE, given, "the former token's barred the next one's ({name})");
        rule!(RULE, !asks_of(RULE, store, &next, 3, NOW + 3, NOW + 99).await, "and did so for good ({name})");
    }
}

/// A holder whose clock is fast or slow by some minutes bars the others for as long as it asked for, by its own clock; one whose clock is far
/// off, for no longer than [`ProbeLease::LONGEST`].
///
/// # Panics
/// When the store breaks the rule.
pub async fn fast_clocks_lease_no_probe_for_ever(store: &dyn TokenStore) {
    const RULE: &str = "fast_clocks_lease_no_probe_for_ever";
    const MINUTE: i64 = 60 * 1000;
    let longest = i64::try_from(ProbeLease::LONGEST.as_millis()).unwrap_or(i64::MAX);
    let hold = 5 * MINUTE;
    for (n, off) in
        (0..).zip([-60 * MINUTE, -6 * MINUTE, -1, 0, 1, MINUTE, 5 * MINUTE, 6 * MINUTE, 9000 * MINUTE])
    {
        let record = sample_record(&sample_id("tenant", &format!("name-{n}")), 1);
        commit(RULE, store, &[sample_change(&record, None)]).await;
        let theirs = NOW + off;
        let given = asks_of(RULE, store, &record, 1, theirs, theirs + hold).await;
        rule!(RULE, given, "a lease was not given by a clock that is {off} ms off");
        let until = theirs + hold;
        let barred = until > NOW && until <= NOW + longest;
        let another = asks_of(RULE, store, &record, 2, NOW, NOW).await;
        rule!(RULE, another != barred, "with a clock {off} ms off, it was given to another: {another}");
        let late = asks_of(RULE, store, &record, 3, NOW + longest, NOW + longest).await;
        rule!(RULE, late, "a clock that is {off} ms off bars others for more than the longest lease");
    }
}
