//! What every store of epochs must do, as functions that check it.
//!
//! Whoever writes an [`EpochStore`] runs [`run_all`] on an empty one. A broken rule panics and is named in the message.
//!
//! ```
//! # async fn check() {
//! use tokenkeep_keys::{MemoryEpochStore, epoch_conformance};
//!
//! epoch_conformance::run_all(&MemoryEpochStore::new()).await;
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(check());
//! ```

use std::fmt::Debug;

use tokenkeep_core::{Error, ErrorKind, KekId, Revision, fill_random};

use crate::{EpochRecord, EpochState, EpochStore};

/// Checks every rule of this module, and leaves the store empty.
///
/// # Panics
/// When a rule is broken, or the store is not empty; the message names it.
pub async fn run_all(store: &dyn EpochStore) {
    keeps_what_it_is_given(store).await;
    an_id_is_taken_once(store).await;
    one_epoch_is_active(store).await;
    a_succession_is_one_step(store).await;
    of_two_updates_one_wins(store).await;
    records_only_advance(store).await;
    only_what_is_destroying_is_removed(store).await;
}

/// Every field comes back as it was, at both ends of what it may hold.
///
/// # Panics
/// When the rule is broken.
pub async fn keeps_what_it_is_given(store: &dyn EpochStore) {
    const RULE: &str = "keeps what it is given";
    assert!(all(RULE, store).await.is_empty(), "{RULE}: the store is not empty");
    let mut kept = Vec::new();
    for (state, length, bytes, count, time) in [
        (EpochState::Destroying, 1, 1, 0, i64::MIN),
        (EpochState::Drained, 29, 66_000, i64::MAX as u64, i64::MAX),
        (EpochState::OpenOnly, 16, 213, 1 << 40, 0),
        (EpochState::Active, 16, 213, 1, 1_795_315_548_123),
    ] {
        let epoch = EpochRecord {
            id: id(RULE, length),
            state,
            revision: Revision::from_u64(7),
            sealed: random(RULE, bytes),
            wraps_reserved: count,
            created_at: time,
            state_since: time,
        };
        works(RULE, store.insert_epoch(&epoch, None).await);
        kept.push(epoch);
    }
    kept.sort_by_key(|epoch| epoch.id);
    assert!(all(RULE, store).await == kept, "{RULE}: something else came back");
    clear(RULE, store).await;
}

/// An id is taken once.
///
/// # Panics
/// When the rule is broken.
pub async fn an_id_is_taken_once(store: &dyn EpochStore) {
    const RULE: &str = "id taken once";
    let first = inserted(RULE, store, EpochState::OpenOnly).await;
    let again = EpochRecord { sealed: vec![9], ..first.clone() };
    conflicts(RULE, store.insert_epoch(&again, None).await);
    assert!(all(RULE, store).await == [first], "{RULE}: the refused one left something");
    clear(RULE, store).await;
}

/// While one epoch is active, no other becomes so.
///
/// # Panics
/// When the rule is broken.
pub async fn one_epoch_is_active(store: &dyn EpochStore) {
    const RULE: &str = "one active epoch";
    let first = inserted(RULE, store, EpochState::Active).await;
    conflicts(RULE, store.insert_epoch(&epoch(RULE, EpochState::Active), None).await);
    // What stays active retires nobody.
    let stays = EpochRecord { revision: first.revision.next(), ..first.clone() };
    conflicts(RULE, store.insert_epoch(&epoch(RULE, EpochState::Active), Some(&stays)).await);
    let other = inserted(RULE, store, EpochState::OpenOnly).await;
    let retires = other.in_next_state(2);
    conflicts(RULE, store.insert_epoch(&epoch(RULE, EpochState::Active), Some(&retires)).await);
    let mut kept = [first, other];
    kept.sort_by_key(|epoch| epoch.id);
    assert!(all(RULE, store).await == kept, "{RULE}: a refused one left something");
    clear(RULE, store).await;
}

/// The former active epoch becomes open-only in the step that adds the next, or neither happens.
///
/// # Panics
/// When the rule is broken.
pub async fn a_succession_is_one_step(store: &dyn EpochStore) {
    const RULE: &str = "succession";
    let first = inserted(RULE, store, EpochState::Active).await;
    let (second, retired) = (epoch(RULE, EpochState::Active), first.in_next_state(5));
    let skips = EpochRecord { state: EpochState::Drained, ..retired.clone() };
    conflicts(RULE, store.insert_epoch(&second, Some(&skips)).await);
    let taken = EpochRecord { sealed: vec![9], ..first.clone() };
    conflicts(RULE, store.insert_epoch(&taken, Some(&retired)).await);
    assert!(all(RULE, store).await == [first], "{RULE}: a refused one left something");

    works(RULE, store.insert_epoch(&second, Some(&retired)).await);
    let late = epoch(RULE, EpochState::Active);
    conflicts(RULE, store.insert_epoch(&late, Some(&retired)).await);
    let mut kept = [retired, second];
    kept.sort_by_key(|epoch| epoch.id);
    assert!(all(RULE, store).await == kept, "{RULE}: not the two that must be there");
    clear(RULE, store).await;
}

/// Of two that change one record, one wins; what is not there is not changed.
///
/// # Panics
/// When the rule is broken.
pub async fn of_two_updates_one_wins(store: &dyn EpochStore) {
    const RULE: &str = "compare and set";
    let first = inserted(RULE, store, EpochState::Active).await;
    let winner = EpochRecord { wraps_reserved: 10, ..first.in_next_state(7) };
    let loser = EpochRecord { sealed: vec![9], ..winner.clone() };
    works(RULE, store.update_epoch(&winner).await);
    conflicts(RULE, store.update_epoch(&loser).await);
    conflicts(RULE, store.update_epoch(&epoch(RULE, EpochState::OpenOnly).in_next_state(7)).await);
    assert!(all(RULE, store).await == [winner], "{RULE}: not the first of the two");
    clear(RULE, store).await;
}

/// States, revisions and wraps advance, states one at a time, and an epoch stays as old as it is.
///
/// # Panics
/// When the rule is broken.
pub async fn records_only_advance(store: &dyn EpochStore) {
    const RULE: &str = "only advances";
    let mut now = inserted(RULE, store, EpochState::Active).await;
    for state in EpochState::ALL {
        let same = EpochRecord { revision: now.revision.next(), ..now.clone() };
        let states = EpochState::ALL.map(|state| EpochRecord { state, ..same.clone() });
        for wrong in [
            EpochRecord { revision: now.revision, ..same.clone() },
            EpochRecord { revision: now.revision.next().next(), ..same.clone() },
            EpochRecord { wraps_reserved: now.wraps_reserved - 1, ..same.clone() },
            EpochRecord { created_at: now.created_at + 1, ..same.clone() },
        ]
        .iter()
        .chain(states.iter().filter(|next| next.state != state && state.next() != Some(next.state)))
        {
            conflicts(RULE, store.update_epoch(wrong).await);
        }
        assert!(all(RULE, store).await == [now.clone()], "{RULE}: a refused one left something");
        // A new wrap of the epoch's KEK, and wraps set aside.
        now = EpochRecord { sealed: random(RULE, 300), wraps_reserved: now.wraps_reserved + 1, ..same };
        works(RULE, store.update_epoch(&now).await);
        if state.next().is_some() {
            now = now.in_next_state(now.state_since + 1);
            works(RULE, store.update_epoch(&now).await);
        }
    }
    assert!(all(RULE, store).await == [now], "{RULE}: something else came back");
    clear(RULE, store).await;
}

/// A record goes only when it is destroying and is the one that was meant.
///
/// # Panics
/// When the rule is broken.
pub async fn only_what_is_destroying_is_removed(store: &dyn EpochStore) {
    const RULE: &str = "removal";
    for state in [EpochState::Active, EpochState::OpenOnly, EpochState::Drained] {
        let stays = inserted(RULE, store, state).await;
        conflicts(RULE, store.remove_epoch(&stays.id, stays.revision).await);
    }
    let gone = inserted(RULE, store, EpochState::Destroying).await;
    conflicts(RULE, store.remove_epoch(&gone.id, gone.revision.next()).await);
    assert!(all(RULE, store).await.len() == 4, "{RULE}: a refused removal removed");
    works(RULE, store.remove_epoch(&gone.id, gone.revision).await);
    conflicts(RULE, store.remove_epoch(&gone.id, gone.revision).await);
    assert!(all(RULE, store).await.len() == 3, "{RULE}: not the one that was meant");
    clear(RULE, store).await;
}

fn epoch(rule: &str, state: EpochState) -> EpochRecord {
    EpochRecord {
        id: id(rule, 16),
        state,
        revision: Revision::FIRST,
        sealed: random(rule, 213),
        wraps_reserved: 3,
        created_at: 1,
        state_since: 1,
    }
}

async fn inserted(rule: &str, store: &dyn EpochStore, state: EpochState) -> EpochRecord {
    let epoch = epoch(rule, state);
    works(rule, store.insert_epoch(&epoch, None).await);
    epoch
}

async fn all(rule: &str, store: &dyn EpochStore) -> Vec<EpochRecord> {
    let mut epochs = works(rule, store.epochs().await);
    epochs.sort_by_key(|epoch| epoch.id);
    epochs
}

async fn clear(rule: &str, store: &dyn EpochStore) {
    for mut epoch in all(rule, store).await {
        while epoch.state != EpochState::Destroying {
            epoch = epoch.in_next_state(epoch.state_since);
            works(rule, store.update_epoch(&epoch).await);
        }
        works(rule, store.remove_epoch(&epoch.id, epoch.revision).await);
    }
    assert!(all(rule, store).await.is_empty(), "{rule}: something is left");
}

fn id(rule: &str, length: usize) -> KekId {
    works(rule, KekId::from_slice(&random(rule, length)))
}

fn random(rule: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    works(rule, fill_random(&mut bytes));
    bytes
}

#[track_caller]
fn works<T, E: Debug>(rule: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{rule}: a call that must work failed: {error:?}"),
    }
}

#[track_caller]
fn conflicts(rule: &str, result: Result<(), Error>) {
    match result {
        Ok(()) => panic!("{rule}: what must conflict was done"),
        Err(error) => assert!(error.kind() == ErrorKind::Conflict, "{rule}: must be a conflict: {error:?}"),
    }
}
