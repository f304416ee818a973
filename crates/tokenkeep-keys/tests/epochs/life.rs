//! From active to gone, in order; and what opens afterwards: nothing.

use std::sync::Arc;

use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{
    Destruction, End, EpochKeys, EpochState, EpochStore, KekState, MemoryEpochStore, RetirableKeys,
};

use crate::service::{DAY, Home, MINUTE, SECOND, fails_with, open, seal};

const NOW: i64 = 1_795_315_548_123;
const TEN_MINUTES: i64 = 600_000;

/// How it stands in the store, and since when.
async fn state(home: &Home, kek: &KekId) -> (EpochState, i64) {
    let rows = home.store.epochs().await.unwrap();
    let row = rows.iter().find(|row| row.id == *kek).unwrap();
    (row.state, row.state_since)
}

/// Brings an epoch to where it may be destroyed.
async fn drain(home: &Home, keys: &EpochKeys, kek: &KekId) {
    keys.make_open_only(kek).await.unwrap();
    home.clock.pass(MINUTE * 10);
    assert_eq!(keys.mark_drained(kek).await.unwrap(), None);
}

#[tokio::test]
async fn each_step_comes_after_the_one_before_and_none_is_left_out() {
    let home = Home::new();
    let keys = home.instance();
    let kek = *seal(&keys).await.unwrap().kek();
    assert_eq!(state(&home, &kek).await, (EpochState::Active, NOW));
    assert_eq!(keys.kek_state(&kek).await.unwrap(), Some(KekState::Primary));
    fails_with(keys.mark_drained(&kek).await, ErrorKind::Misuse);
    fails_with(keys.destroy_kek(&kek).await, ErrorKind::Misuse);

    home.clock.pass(SECOND);
    keys.make_open_only(&kek).await.unwrap();
    keys.make_open_only(&kek).await.unwrap();
    assert_eq!(state(&home, &kek).await, (EpochState::OpenOnly, NOW + 1000));
    assert_eq!(keys.kek_state(&kek).await.unwrap(), Some(KekState::OpenOnly));
    assert_ne!(*seal(&keys).await.unwrap().kek(), kek);
    fails_with(keys.destroy_kek(&kek).await, ErrorKind::Misuse);
    home.clock.pass(MINUTE * 10 - SECOND);
    assert_eq!(keys.mark_drained(&kek).await.unwrap(), Some(NOW + 1000 + TEN_MINUTES));
    home.clock.pass(SECOND);
    for _ in 0..2 {
        assert_eq!(keys.mark_drained(&kek).await.unwrap(), None);
    }
    assert_eq!(state(&home, &kek).await.0, EpochState::Drained);

    let until = NOW + 1000 + 2 * TEN_MINUTES;
    assert_eq!(keys.destroy_kek(&kek).await.unwrap(), End::Settling(until));
    assert_eq!(state(&home, &kek).await.0, EpochState::Destroying);
    assert_eq!(keys.kek_state(&kek).await.unwrap(), Some(KekState::Destroyed));
    fails_with(keys.make_open_only(&KekId::from_slice(b"none").unwrap()).await, ErrorKind::Misuse);
    home.clock.pass(MINUTE * 10);
    assert_eq!(keys.destroy_kek(&kek).await.unwrap(), End::Destroyed(Destruction::Confirmed));
    assert_eq!(keys.kek_state(&kek).await.unwrap(), None);
    assert_eq!((home.service.alive(), home.service.destroyed()), (1, 1));
}

#[tokio::test]
async fn grace_is_waited_for_too() {
    let home = Home::new();
    let keys = home.with(home.options().grace(MINUTE * 5));
    let kek = *seal(&keys).await.unwrap().kek();
    keys.make_open_only(&kek).await.unwrap();
    home.clock.pass(MINUTE * 14);
    assert_eq!(keys.mark_drained(&kek).await.unwrap(), Some(NOW + TEN_MINUTES / 2 * 3));
    home.clock.pass(MINUTE);
    assert_eq!(keys.mark_drained(&kek).await.unwrap(), None);
}

/// A service that takes its time: the record stays, opens nothing, and goes once that is over.
#[tokio::test]
async fn a_scheduled_destruction_is_waited_for() {
    let home = Home::new();
    let keys = home.instance();
    let envelope = seal(&keys).await.unwrap();
    drain(&home, &keys, envelope.kek()).await;
    home.service.destroys_with(Destruction::Scheduled(NOW + 7));
    // It is held, and young.
    open(&keys, &envelope).await.unwrap();
    for _ in 0..2 {
        assert_eq!(keys.destroy_kek(envelope.kek()).await.unwrap(), End::Scheduled(NOW + 7));
        fails_with(open(&keys, &envelope).await, ErrorKind::KeyDestroyed);
        home.clock.pass(DAY);
    }
    home.service.destroys_with(Destruction::Unprovable);
    assert_eq!(keys.destroy_kek(envelope.kek()).await.unwrap(), End::Destroyed(Destruction::Unprovable));
    assert_eq!(keys.kek_state(envelope.kek()).await.unwrap(), None);
}

/// A restart, or another instance, takes it up where it was.
#[tokio::test]
async fn any_instance_goes_on_with_it() {
    let home = Home::new();
    let kek = *seal(&home.instance()).await.unwrap().kek();
    home.instance().make_open_only(&kek).await.unwrap();
    home.clock.pass(MINUTE * 10);
    home.instance().mark_drained(&kek).await.unwrap();
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    fails_with(home.instance().destroy_kek(&kek).await, ErrorKind::KeysUnavailable);
    // Nothing is begun before the key was seen to be the epoch's.
    assert_eq!(state(&home, &kek).await.0, EpochState::Drained);
    home.service.fails(None);
    let until = NOW + 2 * TEN_MINUTES;
    assert_eq!(home.instance().destroy_kek(&kek).await.unwrap(), End::Settling(until));
    home.clock.pass(MINUTE * 10);
    assert_eq!(home.instance().destroy_kek(&kek).await.unwrap(), End::Destroyed(Destruction::Confirmed));
}

/// Two instances rotate at the same time: one new epoch each at most, one active, and no key that nothing names.
#[tokio::test]
async fn rotations_at_once_leave_one_active() {
    let home = Home::new();
    let (one, other) = (home.instance(), home.instance());
    seal(&one).await.unwrap();
    let (first, second) = tokio::join!(one.rotate(), other.rotate());
    let rows = home.store.epochs().await.unwrap();
    let active: Vec<_> =
        rows.iter().filter(|row| row.state == EpochState::Active).map(|row| row.id).collect();
    assert!(active.len() == 1 && [first.unwrap(), second.unwrap()].contains(&active[0]));
    assert_eq!(home.service.alive(), rows.len());
}

/// (a) an old backup, tokens and epochs, with the live provider; (b) old tokens with the live epochs; (c) an instance that held
/// the epoch: none opens what was sealed under it.
#[tokio::test]
async fn after_destruction_nothing_opens() {
    let home = Home::new();
    let (keys, warm) = (home.instance(), home.instance());
    let old = seal(&keys).await.unwrap();
    let backup = Arc::new(MemoryEpochStore::new());
    for row in home.store.epochs().await.unwrap() {
        backup.insert_epoch(&row, None).await.unwrap();
    }
    drain(&home, &keys, old.kek()).await;
    // Right before, it is all still possible.
    let restored = || home.options().build(home.service.clone(), Arc::clone(&backup)).unwrap();
    open(&restored(), &old).await.unwrap();
    open(&keys, &old).await.unwrap();
    open(&warm, &old).await.unwrap();

    let End::Settling(until) = keys.destroy_kek(old.kek()).await.unwrap() else { panic!() };
    assert_eq!(until, NOW + 2 * TEN_MINUTES);
    fails_with(open(&restored(), &old).await, ErrorKind::KeyDestroyed);
    fails_with(open(&home.instance(), &old).await, ErrorKind::KeyDestroyed);
    // The warm one may hold it until then, and does not claim otherwise.
    open(&warm, &old).await.unwrap();
    home.clock.pass(MINUTE * 10);
    fails_with(open(&warm, &old).await, ErrorKind::KeyDestroyed);
    assert_eq!(keys.destroy_kek(old.kek()).await.unwrap(), End::Destroyed(Destruction::Confirmed));

    for instance in [&keys, &home.instance()] {
        fails_with(open(instance, &old).await, ErrorKind::KeysWrong);
    }
    fails_with(open(&restored(), &old).await, ErrorKind::KeyDestroyed);
    home.clock.pass(MINUTE * 10);
    fails_with(open(&warm, &old).await, ErrorKind::KeysWrong);
    // What lives on is sealed under another epoch, and opens.
    let new = seal(&warm).await.unwrap();
    open(&keys, &new).await.unwrap();
}
