//! Epochs whose own keys are in a keyring's file that several instances share.

use std::sync::Arc;

use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{EpochKeys, KeyProvider, LocalKeyring};

use crate::service::{Home, fails_with, open, seal, seal_for, vault_key_context};

/// An instance learns by itself of the key that another one made for a new epoch.
#[tokio::test]
async fn another_instances_epoch_opens_without_a_restart() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("keys/keyring");
    let over = |keyring: LocalKeyring| -> EpochKeys {
        home.options().build(keyring, Arc::clone(&home.store)).unwrap()
    };
    let (one, other) = (over(LocalKeyring::create(&path).unwrap()), over(LocalKeyring::open(&path).unwrap()));
    let first = seal(&one).await.unwrap();
    open(&other, &first).await.unwrap();
    one.rotate().await.unwrap();
    let second = seal(&one).await.unwrap();
    open(&other, &second).await.unwrap();

    // It seals under it, too, and a vault's own keys come under the keyring's new primary key.
    assert_eq!(seal(&other).await.unwrap().kek(), second.kek());
    let primary = LocalKeyring::open(&path).unwrap().rotate().unwrap();
    assert_ne!(*seal_for(&other, &vault_key_context()).await.unwrap().kek(), primary);
    other.refresh().await.unwrap();
    assert_eq!(*seal_for(&other, &vault_key_context()).await.unwrap().kek(), primary);

    // A keyring that lacks the key in its file, too, is the wrong one.
    let foreign = over(LocalKeyring::create(folder.path().join("other/keyring")).unwrap());
    fails_with(open(&foreign, &first).await, ErrorKind::KeysWrong);
}
