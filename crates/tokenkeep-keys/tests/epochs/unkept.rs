//! Epochs that are made and not kept at once: no failure leaves keys behind, none is destroyed that is named, none is held.

use std::task::{Context, Waker};
use std::time::Instant;

use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{EpochEvent, EpochKeys, EpochState, EpochStore, KeyProvider};

use crate::service::{DAY, Home, MINUTE, SECOND, fails_with, open, seal, settle};
use crate::stores::{Faulty, How};

fn over(home: &Home, store: &Faulty) -> EpochKeys {
    home.options().build(home.service.clone(), store.clone()).unwrap()
}

/// A full disk, or a right that is missing: the next attempt has the key and the epoch of the one before.
#[tokio::test]
async fn a_store_that_takes_nothing_leaves_one_key() {
    let home = Home::new();
    let store = Faulty::new(&home.store, How::Fails);
    let keys = over(&home, &store);
    for _ in 0..1300 {
        fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
        home.clock.pass(SECOND);
    }
    assert_eq!((home.service.alive(), home.service.destroyed()), (1, 0));
    // One look at the key in each maximum age, so that none is relied on that was destroyed meanwhile.
    assert_eq!((home.service.calls("make"), home.service.calls("unwrap")), (1, 3));
    store.becomes(How::Works);
    let envelope = seal(&keys).await.unwrap();
    open(&home.instance(), &envelope).await.unwrap();
    assert_eq!((home.service.alive(), home.service.calls("make")), (1, 1));
}

/// A key that no epoch names for an hour may be cleared away by an operator: none that waited long is used.
#[tokio::test]
async fn a_key_that_waited_long_is_not_used() {
    let home = Home::new();
    let store = Faulty::new(&home.store, How::Fails);
    let keys = over(&home, &store);
    fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
    home.clock.pass(MINUTE * 29);
    fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
    assert_eq!((home.service.calls("make"), home.service.destroyed()), (1, 0));
    home.clock.pass(MINUTE);
    store.becomes(How::Works);
    let envelope = seal(&keys).await.unwrap();
    open(&home.instance(), &envelope).await.unwrap();
    assert_eq!((home.service.calls("make"), home.service.alive(), home.service.destroyed()), (2, 1, 1));
}

/// The key is destroyed while its epoch waits: another one is made.
#[tokio::test]
async fn an_epoch_that_waited_is_kept_only_while_its_key_lives() {
    let home = Home::new();
    let store = Faulty::new(&home.store, How::Fails);
    let keys = over(&home, &store);
    fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
    home.service.destroys_all();
    home.clock.pass(MINUTE * 10);
    store.becomes(How::Works);
    fails_with(seal(&keys).await, ErrorKind::KeyDestroyed);
    home.clock.pass(SECOND);
    open(&home.instance(), &seal(&keys).await.unwrap()).await.unwrap();
}

/// It is in the store after all: with the store's answer lost, and with a conflict that its own row made.
#[tokio::test]
async fn an_epoch_whose_keeping_was_not_told_is_not_made_again() {
    for how in [How::IsLost, How::IsRepeated] {
        let home = Home::new();
        let store = Faulty::new(&home.store, how);
        let keys = over(&home, &store);
        let sealed = seal(&keys).await;
        store.becomes(How::Works);
        home.clock.pass(SECOND);
        let envelope = if how == How::IsLost { seal(&keys).await } else { sealed }.unwrap();
        open(&home.instance(), &envelope).await.unwrap();
        assert_eq!((home.service.alive(), home.service.destroyed()), (1, 0), "{how:?}");
        assert_eq!(home.told.count(|event| matches!(event, EpochEvent::Made { .. })), 1);
    }
}

/// The caller is gone, the store hangs: the key of the epoch is not held for longer than half a minute.
#[tokio::test]
async fn a_call_that_nobody_waits_for_is_given_up() {
    let home = Home::new();
    let store = Faulty::new(&home.store, How::Hangs);
    let keys = over(&home, &store);
    let mut sealing = Box::pin(seal(&keys));
    let mut nobody = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        assert!(sealing.as_mut().poll(&mut nobody).is_pending());
        tokio::task::yield_now().await;
    }
    drop(sealing);
    assert_eq!(store.hanging(), 1);
    home.clock.pass(SECOND * 31);
    until_none_hangs(&store).await;
    // The epoch is there, and what was made of it is used.
    store.becomes(How::Works);
    open(&home.instance(), &seal(&keys).await.unwrap()).await.unwrap();
    assert_eq!((home.service.alive(), home.service.destroyed()), (1, 0));
}

/// The same of a successor that a task makes.
#[tokio::test]
async fn a_task_that_hangs_is_given_up() {
    let home = Home::new();
    let store = Faulty::new(&home.store, How::Works);
    let keys = over(&home, &store);
    seal(&keys).await.unwrap();
    home.clock.pass(DAY * 28);
    store.becomes(How::Hangs);
    seal(&keys).await.unwrap();
    settle().await;
    assert_eq!(store.hanging(), 1);
    home.clock.pass(SECOND * 31);
    until_none_hangs(&store).await;
}

async fn until_none_hangs(store: &Faulty) {
    let began = Instant::now();
    while store.hanging() > 0 {
        assert!(began.elapsed().as_secs() < 20, "a call is held that nobody waits for");
        tokio::time::sleep(SECOND / 20).await;
    }
}

/// A call to make an epoch that others left, and that comes too late: it is not taken for the new one.
#[tokio::test]
async fn a_rotation_is_not_an_abandoned_call() {
    let home = Home::new();
    let (one, other) = (home.instance(), home.instance());
    home.service.hold();
    let abandoned = tokio::spawn({
        let one = one.clone();
        async move { seal(&one).await }
    });
    settle().await;
    assert_eq!(home.service.waiting(), 1);
    abandoned.abort();
    let _ = abandoned.await;
    home.service.let_through();
    let old = *seal(&other).await.unwrap().kek();
    let new = one.rotate().await.unwrap();
    assert_ne!(new, old);
    let rows = home.store.epochs().await.unwrap();
    assert!(rows.iter().any(|row| row.id == new && row.state == EpochState::Active));
}

/// The same where another instance set wraps aside since this one read the records: what it knows of the active one is of yesterday.
#[tokio::test]
async fn a_destroyed_key_is_succeeded_whatever_others_did_meanwhile() {
    let home = Home::new();
    let (one, other) = (home.with(home.options().wraps(160)), home.with(home.options().wraps(160)));
    let old = seal(&one).await.unwrap();
    home.clock.pass(MINUTE * 10 - SECOND);
    one.refresh().await.unwrap();
    for _ in 0..11 {
        seal(&other).await.unwrap();
    }
    home.service.destroys_all();
    home.clock.pass(SECOND * 2);
    let new = seal(&one).await.unwrap();
    assert_ne!(new.kek(), old.kek());
    // And no key is made in vain.
    assert_eq!((home.service.alive(), home.service.calls("make")), (1, 2));
}

/// Whose own key is destroyed at the provider is succeeded: the seals go on.
#[tokio::test]
async fn the_active_epochs_destroyed_key_stops_no_seals() {
    let home = Home::new();
    let keys = home.instance();
    let old = seal(&keys).await.unwrap();
    home.service.destroys_all();
    home.clock.pass(MINUTE * 10);
    let new = seal(&keys).await.unwrap();
    assert_ne!(new.kek(), old.kek());
    open(&keys, &new).await.unwrap();
    fails_with(open(&keys, &old).await, ErrorKind::KeyDestroyed);
    // A key that is only disabled may come back: nothing is made in its place.
    let key = tokenkeep_core::Envelope::decode(row_of(&home, new.kek()).await.sealed).unwrap();
    home.service.disables(key.kek(), true);
    home.clock.pass(MINUTE * 10);
    fails_with(seal(&keys).await, ErrorKind::KeyDisabled);
    assert_eq!(home.store.epochs().await.unwrap().len(), 2);
}

async fn row_of(home: &Home, id: &tokenkeep_core::KekId) -> tokenkeep_keys::EpochRecord {
    home.store.epochs().await.unwrap().into_iter().find(|row| row.id == *id).unwrap()
}

/// What is under a KEK of the provider's own needs no records, once that was seen.
#[tokio::test]
async fn what_is_under_no_epoch_opens_without_the_store() {
    let home = Home::new();
    let store = Faulty::new(&home.store, How::Works);
    let keys = over(&home, &store);
    let old = seal(&home.service).await.unwrap();
    open(&keys, &old).await.unwrap();
    store.becomes(How::IsDown);
    home.clock.pass(MINUTE * 10);
    open(&keys, &old).await.unwrap();
}
