//! The end of a keyring's KEK, step by step, as several processes make the steps.

use std::error::Error as _;

use tempfile::TempDir;
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_keys::{
    DestroyableKeys, Destruction, End, KekState, KeyProvider, KeyringError, LocalKeyring, RetirableKeys,
};

/// Two processes with the same file.
fn two() -> (TempDir, LocalKeyring, LocalKeyring) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys/keyring");
    let one = LocalKeyring::create(&file).unwrap();
    (folder, one, LocalKeyring::open(file).unwrap())
}

async fn primary(keys: &LocalKeyring) -> KekId {
    let keks = keys.keks().await.unwrap();
    keks.iter().find(|kek| kek.state == KekState::Primary).unwrap().id
}

#[track_caller]
fn is(error: Error, kind: ErrorKind, cause: &str) {
    assert_eq!(error.kind(), kind);
    let source = error.source().and_then(|source| source.downcast_ref::<KeyringError>()).unwrap();
    assert_eq!(format!("{source:?}"), cause);
}

/// A rotation is not for a step to make: the new key would be in one file alone.
#[tokio::test]
async fn the_primary_key_is_rotated_by_hand_first() {
    let (_folder, one, other) = two();
    let old = primary(&one).await;
    is(one.make_open_only(&old).await.unwrap_err(), ErrorKind::Misuse, "PrimaryNeeded");
    assert_eq!(one.keks().await.unwrap().len(), 1);
    let new = one.rotate().unwrap();
    one.make_open_only(&old).await.unwrap();
    // This one still takes the old one for primary.
    assert_eq!(primary(&other).await, old);
    other.make_open_only(&old).await.unwrap();
    assert_eq!(primary(&other).await, new);
    assert_eq!(other.keks().await.unwrap().len(), 2);
    assert_eq!(other.kek_state(&old).await.unwrap(), Some(KekState::OpenOnly));
}

#[tokio::test]
async fn it_ends_everywhere_once_the_file_is_read_again() {
    let (_folder, one, other) = two();
    let old = primary(&one).await;
    is(one.destroy_kek(&old).await.unwrap_err(), ErrorKind::Misuse, "PrimaryNeeded");
    one.rotate().unwrap();
    for _ in 0..2 {
        assert_eq!(one.destroy_kek(&old).await.unwrap(), End::Destroyed(Destruction::Unprovable));
        one.make_open_only(&old).await.unwrap();
    }
    assert_eq!(one.keks().await.unwrap().len(), 2);
    // It reads the file for that.
    assert_eq!(other.kek_state(&old).await.unwrap(), Some(KekState::Destroyed));
}

/// What a key beside the primary one wraps, no vault counts. The other process does not know it before it reads the file.
#[tokio::test]
async fn the_key_of_an_epoch_is_left_to_the_epoch() {
    let (_folder, one, other) = two();
    let beside = other.make_key().await.unwrap();
    for keys in [&one, &other] {
        is(keys.destroy_kek(&beside).await.unwrap_err(), ErrorKind::Misuse, "OfAnEpoch");
        is(keys.make_open_only(&beside).await.unwrap_err(), ErrorKind::Misuse, "OfAnEpoch");
        is(keys.kek_state(&beside).await.unwrap_err(), ErrorKind::Misuse, "OfAnEpoch");
    }
    one.destroy_key(&beside).await.unwrap();
    assert_eq!(other.kek_state(&beside).await.unwrap(), Some(KekState::Destroyed));
    let unknown = KekId::random().unwrap();
    assert_eq!(one.kek_state(&unknown).await.unwrap(), None);
    is(one.make_open_only(&unknown).await.unwrap_err(), ErrorKind::KeysWrong, "UnknownKek");
}
