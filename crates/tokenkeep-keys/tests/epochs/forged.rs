//! Records that somebody wrote to the store: no other key is destroyed for them than the epoch's own.

use std::sync::Arc;

use tokenkeep_core::{Envelope, ErrorKind, KekId};
use tokenkeep_keys::{
    Destruction, End, EpochKeys, EpochRecord, EpochState, EpochStore, KekState, KeyProvider, LocalKeyring,
    RetirableKeys,
};

use crate::service::{Home, MINUTE, fails_with, open, open_for, seal, seal_for, vault_key_context};

async fn row(home: &Home, kek: &KekId) -> EpochRecord {
    home.store.epochs().await.unwrap().into_iter().find(|row| row.id == *kek).unwrap()
}

/// As who may write to the store does it.
async fn forge(home: &Home, kek: &KekId, forged: impl FnOnce(EpochRecord) -> EpochRecord) {
    let row = row(home, kek).await;
    let revision = row.revision.next();
    home.store.update_epoch(&EpochRecord { revision, ..forged(row) }).await.unwrap();
}

async fn drain(home: &Home, keys: &EpochKeys, kek: &KekId) {
    keys.make_open_only(kek).await.unwrap();
    home.clock.pass(MINUTE * 10);
    assert_eq!(keys.mark_drained(kek).await.unwrap(), None);
}

/// The sealed bytes of a live epoch in the record of one that is retired, before its destruction and between its steps.
#[tokio::test]
async fn another_epochs_key_is_not_destroyed() {
    for state in [EpochState::Drained, EpochState::Destroying] {
        let home = Home::new();
        let keys = home.instance();
        let old = seal(&keys).await.unwrap();
        drain(&home, &keys, old.kek()).await;
        let new = seal(&keys).await.unwrap();
        let (own, other) = (row(&home, old.kek()).await.sealed, row(&home, new.kek()).await.sealed);
        forge(&home, old.kek(), |row| EpochRecord { sealed: other.clone(), state, ..row }).await;
        for instance in [&keys, &home.instance()] {
            fails_with(instance.destroy_kek(old.kek()).await, ErrorKind::Tampered);
        }
        assert_eq!((row(&home, old.kek()).await.state, home.service.destroyed()), (state, 0));
        // Gone already: it is not taken for this epoch's either while the other one names it.
        home.service.destroys_all();
        fails_with(home.instance().destroy_kek(old.kek()).await, ErrorKind::Tampered);
        assert_eq!(home.service.calls("destroy"), 0);
        // Put back as it was, it goes on.
        forge(&home, old.kek(), |row| EpochRecord { sealed: own, ..row }).await;
        assert!(matches!(home.instance().destroy_kek(old.kek()).await.unwrap(), End::Settling(_)));
    }
}

/// Also after this instance saw that the epoch's own key is its own: it saw it of the record that stood there then.
#[tokio::test]
async fn a_record_that_is_altered_between_two_steps_is_looked_at_again() {
    let home = Home::new();
    let keys = home.instance();
    let old = seal(&keys).await.unwrap();
    drain(&home, &keys, old.kek()).await;
    let new = seal(&keys).await.unwrap();
    let other = row(&home, new.kek()).await.sealed;
    home.service.destroys_with(Destruction::Scheduled(7));
    assert_eq!(keys.destroy_kek(old.kek()).await.unwrap(), End::Scheduled(7));
    forge(&home, old.kek(), |row| EpochRecord { sealed: other, ..row }).await;
    home.service.destroys_with(Destruction::Confirmed);
    fails_with(keys.destroy_kek(old.kek()).await, ErrorKind::Tampered);
    open(&home.instance(), &new).await.unwrap();
}

/// What a disabled key wraps proves nothing.
#[tokio::test]
async fn a_disabled_key_is_enabled_before_it_is_destroyed() {
    let home = Home::new();
    let keys = home.instance();
    let old = seal(&keys).await.unwrap();
    drain(&home, &keys, old.kek()).await;
    let key = *Envelope::decode(row(&home, old.kek()).await.sealed).unwrap().kek();
    home.service.disables(&key, true);
    fails_with(keys.destroy_kek(old.kek()).await, ErrorKind::KeyDisabled);
    assert_eq!((row(&home, old.kek()).await.state, home.service.destroyed()), (EpochState::Drained, 0));
    home.service.disables(&key, false);
    assert!(matches!(keys.destroy_kek(old.kek()).await.unwrap(), End::Settling(_)));
}

/// A vault's own key, as it stands in the token database, in an epoch's record: the KEK that the vault needs stays.
#[tokio::test]
async fn a_keyrings_own_kek_is_not_destroyed() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let keyring = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let vault_key = seal_for(&keyring, &vault_key_context()).await.unwrap();
    keyring.rotate().unwrap();
    let keys = home.options().build(keyring.clone(), Arc::clone(&home.store)).unwrap();
    let old = seal(&keys).await.unwrap();
    drain(&home, &keys, old.kek()).await;
    forge(&home, old.kek(), |row| EpochRecord { sealed: vault_key.clone().into_bytes(), ..row }).await;
    fails_with(keys.destroy_kek(old.kek()).await, ErrorKind::Tampered);
    open_for(&keyring, &vault_key, &vault_key_context()).await.unwrap();
}

/// It is listed, so it is not "never there"; and it is no epoch.
#[tokio::test]
async fn a_kek_of_the_provider_is_retired_with_the_provider() {
    let home = Home::new();
    let keys = home.instance();
    let epoch = *seal(&keys).await.unwrap().kek();
    for kek in keys.keks().await.unwrap() {
        let state = keys.kek_state(&kek.id).await;
        if kek.id == epoch {
            assert_eq!(state.unwrap(), Some(KekState::Primary));
        } else {
            fails_with(state, ErrorKind::Misuse);
        }
    }
    assert_eq!(keys.kek_state(&KekId::random().unwrap()).await.unwrap(), None);
}
