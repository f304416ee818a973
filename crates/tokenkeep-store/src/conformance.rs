//! Whether a backend keeps the contract of [`TokenStore`].
//!
//! Each rule is a plain function that is given an empty store and panics when the store breaks it; the message begins
//! with the rule's name. [`run_all`] runs them all, each on a store of its own. They need no certain runtime; what they
//! do at the same time they do in one task, so a backend's own tests should race its stores over threads and processes
//! too. Whether a commit outlives the process only a backend's own tests can say.
//!
//! | what goes wrong in databases | the rules about it |
//! | --- | --- |
//! | lost updates | [`stale_revisions_are_refused`], [`absent_means_no_record`], [`changes_see_those_before_them`], [`discards_are_pinned`] |
//! | two writers | [`one_winner_per_revision`], [`one_vault_wins`], [`vaults_are_rewrapped`], [`purge_leases_have_one_holder`], [`probe_leases_have_one_holder`] |
//! | resurrected rows | [`removed_records_stay_removed`], [`closed_keks_are_refused`] |
//! | cursors under concurrent change | [`scans_miss_nothing_that_stays`], [`ages_miss_nothing_that_stays`], [`paused_miss_nothing_that_stays`] |
//! | huge and odd ids and numbers | [`records_come_back_as_written`], [`scans_are_in_order`], [`large_numbers_are_kept`] |
//! | clocks that disagree | [`clocks_order_nothing`], [`closures_are_noted`], [`fast_clocks_lease_nothing_for_ever`], [`ages_bear_any_clock`] |
//! | a commit whose answer was lost | [`lost_answers_leave_no_half`] |
//!
//! ```
//! use tokenkeep_store::{MemoryStore, TokenStore, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::run_all(async || Box::new(MemoryStore::new()) as Box<dyn TokenStore>).await;
//! # }
//! ```

mod ages;
mod answers;
mod checkpoints;
mod clocks;
mod closing;
mod commits;
mod discards;
mod fingerprints;
mod leases;
mod paused;
mod probes;
mod records;
mod samples;
mod scans;
mod trail;
mod vaults;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokenkeep_core::{ConnectionId, Error, ErrorKind};

use crate::{AuditChain, Change, Record, Scrub, TokenStore};

pub use ages::{ages_are_in_order, ages_miss_nothing_that_stays};
pub use answers::lost_answers_leave_no_half;
pub use checkpoints::{checkpoints_have_one_winner, checkpoints_replace_the_one_before};
pub use clocks::{ages_bear_any_clock, clocks_order_nothing, fast_clocks_lease_nothing_for_ever};
pub use closing::{
    closed_keks_are_refused, closed_keks_keep_what_is_in_place, closures_are_noted, vaults_are_rewrapped,
};
pub use commits::{changes_see_those_before_them, commits_are_whole, one_winner_per_revision};
pub use discards::{discards_are_pinned, discards_replace_anything};
pub use fingerprints::fingerprints_are_found;
pub use leases::purge_leases_have_one_holder;
pub use paused::{counts_are_right, paused_are_in_order, paused_miss_nothing_that_stays};
pub use probes::{
    fast_clocks_lease_no_probe_for_ever, probe_leases_are_of_one_token, probe_leases_have_one_holder,
};
pub use records::{
    absent_means_no_record, large_numbers_are_kept, records_come_back_as_written,
    removed_records_stay_removed, stale_revisions_are_refused, tombstones_give_way,
};
pub use samples::{
    sample_chain, sample_chain_of, sample_change, sample_entry, sample_id, sample_record, sample_tombstone,
    sample_use,
};
pub use scans::{
    scans_are_in_order, scans_filter, scans_miss_nothing_that_stays, what_is_asked_together_is_the_same,
};
pub use trail::{entries_are_chained, entries_are_paged, uses_need_no_record};
pub use vaults::{lost_vaults_are_not_replaced, one_vault_wins, other_vaults_are_refused};

/// Fails the rule of this name unless the condition holds.
macro_rules! rule {
    ($rule:expr, $condition:expr, $($what:tt)+) => {
        assert!($condition, "{}: {}", $rule, format_args!($($what)+))
    };
}
pub(crate) use rule;

/// Runs every rule, each on a fresh and empty store.
///
/// # Panics
/// When the store breaks a rule, with that rule's name.
pub async fn run_all(fresh: impl AsyncFn() -> Box<dyn TokenStore>) {
    macro_rules! run {
        ($($rule:ident),+ $(,)?) => {$( $rule(&*fresh().await).await; )+};
    }
    run! {
        one_vault_wins, records_come_back_as_written, large_numbers_are_kept, absent_means_no_record,
        stale_revisions_are_refused, tombstones_give_way, commits_are_whole, changes_see_those_before_them,
        one_winner_per_revision, removed_records_stay_removed, lost_answers_leave_no_half, closed_keks_are_refused, closed_keks_keep_what_is_in_place,
        closures_are_noted, uses_need_no_record,
        entries_are_chained, entries_are_paged, scans_are_in_order, scans_filter, scans_miss_nothing_that_stays,
        what_is_asked_together_is_the_same, purge_leases_have_one_holder,
        discards_replace_anything, discards_are_pinned, fingerprints_are_found, ages_are_in_order, ages_miss_nothing_that_stays,
        paused_are_in_order, counts_are_right, paused_miss_nothing_that_stays, probe_leases_have_one_holder,
        probe_leases_are_of_one_token, fast_clocks_lease_no_probe_for_ever,
        clocks_order_nothing, fast_clocks_lease_nothing_for_ever, ages_bear_any_clock,
        lost_vaults_are_not_replaced, vaults_are_rewrapped, other_vaults_are_refused, checkpoints_replace_the_one_before, checkpoints_have_one_winner, scrub_answers,
    }
}

/// A scrub of a store that nobody reads from works or is impossible, and changes no record.
///
/// # Panics
/// When the store breaks the rule.
pub async fn scrub_answers(store: &dyn TokenStore) {
    const RULE: &str = "scrub_answers";
    let record = sample_record(&sample_id("tenant", "name"), 1);
    let tombstone = sample_tombstone(&record);
    commit(RULE, store, &[sample_change(&record, None)]).await;
    commit(RULE, store, &[sample_change(&tombstone, Some(1))]).await;
    let answer = store.scrub().await;
    rule!(RULE, matches!(answer, Ok(Scrub::Done | Scrub::Impossible)), "it said {answer:?}");
    reads_back(RULE, store, &tombstone).await;
}

/// Commits what must be accepted.
async fn commit(rule: &str, store: &dyn TokenStore, changes: &[Change]) {
    commit_of(rule, store, changes, &sample_chain()).await;
}

/// The same where there is a vault.
async fn commit_of(rule: &str, store: &dyn TokenStore, changes: &[Change], chain: &AuditChain) {
    let done = store.commit(changes, chain).await;
    rule!(rule, done.is_ok(), "a commit failed: {done:?}");
}

/// Commits what must be refused, and sees that neither records nor audit trail changed.
async fn refused(rule: &str, store: &dyn TokenStore, changes: &[Change], why: &str) {
    let before = snapshot(rule, store).await;
    let done = store.commit(changes, &sample_chain()).await;
    rule!(rule, is_conflict(&done), "{why} was not refused with Conflict: {done:?}");
    rule!(rule, snapshot(rule, store).await == before, "{why} was refused and yet left something behind");
}

fn is_conflict<T>(done: &Result<T, Error>) -> bool {
    matches!(done, Err(error) if error.kind() == ErrorKind::Conflict)
}

async fn snapshot(rule: &str, store: &dyn TokenStore) -> (Vec<Record>, Vec<crate::AuditHead>) {
    (scans::all(rule, store, &crate::Scan::All, 1000).await, trail::heads(rule, store).await)
}

async fn read(rule: &str, store: &dyn TokenStore, id: &ConnectionId) -> Option<Record> {
    let found = store.record(id).await;
    found.unwrap_or_else(|error| panic!("{rule}: a record can't be read: {error:?}"))
}

async fn reads_back(rule: &str, store: &dyn TokenStore, record: &Record) {
    let found = read(rule, store, &record.id).await;
    rule!(rule, found.as_ref() == Some(record), "wrote {record:?} and read {found:?}");
}

/// Runs them all at the same time, in this task.
async fn at_once<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut all_done = true;
        for (future, output) in &mut running {
            if output.is_none() {
                match Pin::as_mut(future).poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => all_done = false,
                }
            }
        }
        if all_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}
