//! Epochs whose own keys are in a keyring's file that several instances share.

use std::sync::Arc;

use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{EpochKeys, LocalKeyring};

use crate::service::{Home, fails_with, open, seal};

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

    // A keyring that lacks the key in its file, too, is the wrong one.
    let foreign = over(LocalKeyring::create(folder.path().join("other/keyring")).unwrap());
    fails_with(open(&foreign, &first).await, ErrorKind::KeysWrong);
}
