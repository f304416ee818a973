//! The end of a KEK in a file, and KEKs beside the primary one.

mod keyring_common;

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keyring_common::{context, envelope_with, keys_in, place, seal, states, unwrap};
use tokenkeep_core::{ErrorKind, KekId, SealDraft};
use tokenkeep_keys::{DestroyableKeys, Destruction, KekState, KeyProvider, KeyringError, LocalKeyring};

#[tokio::test]
async fn a_destroyed_key_is_gone_from_file_and_processes_and_its_id_stays() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = seal(&keyring).await;
    let key = keys_in(&fs::read_to_string(&path).unwrap()).remove(0);
    let primary = keyring.rotate().unwrap();
    let elsewhere = LocalKeyring::open(&path).unwrap();

    keyring.destroy(old.kek()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!((0..=56).all(|at| !text.contains(&key[at..at + 8])), "a part of the key is left");
    // The other process goes on until it reads the file again.
    assert!(unwrap(&elsewhere, &old).await.is_ok());
    elsewhere.reload().unwrap();
    for keyring in [&keyring, &keyring.clone(), &elsewhere, &LocalKeyring::open(&path).unwrap()] {
        assert_eq!(unwrap(keyring, &old).await.unwrap_err().kind(), ErrorKind::KeyDestroyed);
        assert_eq!(states(keyring).await, [(*old.kek(), KekState::Destroyed), (primary, KekState::Primary)]);
        let new = seal(keyring).await;
        assert!(unwrap(keyring, &new).await.is_ok());
    }
    // Again, and by another process: nothing changes any more.
    elsewhere.destroy(old.kek()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_process_learns_of_it_by_a_change_of_its_own() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = seal(&keyring).await;
    let elsewhere = LocalKeyring::open(&path).unwrap();
    keyring.rotate().unwrap();
    keyring.destroy(old.kek()).unwrap();
    elsewhere.rotate().unwrap();
    assert_eq!(unwrap(&elsewhere, &old).await.unwrap_err().kind(), ErrorKind::KeyDestroyed);
    assert_eq!(keys_in(&fs::read_to_string(&path).unwrap()).len(), 2);
}

#[tokio::test]
async fn the_primary_key_and_an_unknown_one_are_not_destroyed() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let primary = states(&keyring).await[0].0;
    assert!(matches!(keyring.destroy(&primary), Err(KeyringError::PrimaryNeeded)));
    assert_eq!(keyring.destroy_key(&primary).await.unwrap_err().kind(), ErrorKind::Misuse);
    let unknown = KekId::random().unwrap();
    assert!(matches!(keyring.destroy(&unknown), Err(KeyringError::UnknownKek)));
    assert_eq!(keyring.destroy_key(&unknown).await.unwrap_err().kind(), ErrorKind::KeysWrong);
    assert_eq!(fs::read(&path).unwrap(), before);
    // What another process has made primary meanwhile is not destroyed either.
    let new = LocalKeyring::open(&path).unwrap().rotate().unwrap();
    assert!(matches!(keyring.destroy(&new), Err(KeyringError::PrimaryNeeded)));
}

#[tokio::test]
async fn a_destroyed_key_does_not_come_back_with_an_older_file() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = seal(&keyring).await;
    keyring.rotate().unwrap();
    let older = fs::read(&path).unwrap();
    keyring.destroy(old.kek()).unwrap();
    // It lacks no key, but it has one too many.
    fs::write(&path, &older).unwrap();
    assert!(matches!(keyring.reload(), Err(KeyringError::KekGone)));
    assert!(matches!(keyring.rotate(), Err(KeyringError::KekGone)));
    assert!(matches!(keyring.destroy(old.kek()), Err(KeyringError::KekGone)));
    assert_eq!(unwrap(&keyring, &old).await.unwrap_err().kind(), ErrorKind::KeyDestroyed);
    assert_eq!(fs::read(&path).unwrap(), older);
}

#[tokio::test]
async fn other_bytes_under_a_known_id_are_not_taken() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let key = keys_in(&text).remove(0);
    let line = text.lines().nth(1).unwrap().replace(&key, &"ab".repeat(32));
    keyring_common::write(&path, &keyring_common::summed(&["tokenkeep-keyring 2", &line]));
    assert!(matches!(keyring.reload(), Err(KeyringError::KekGone)));
    assert!(LocalKeyring::open(&path).is_ok());
}

#[tokio::test]
async fn a_key_beside_the_primary_one_lives_and_ends_alone() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let primary = states(&keyring).await[0].0;
    let (one, other) = (keyring.make_key().await.unwrap(), keyring.make_key().await.unwrap());
    let context = context();
    let draft = SealDraft::new(&context).unwrap();
    let mut wrapped = Vec::new();
    for id in [&one, &other] {
        let under = keyring.wrap_under(id, &draft.wrap_request()).await.unwrap();
        assert_eq!(under.kek(), id);
        wrapped.push(envelope_with(&under));
    }
    // Beside stays beside, and never becomes primary, also read anew.
    let rotated = keyring.rotate().unwrap();
    let read = LocalKeyring::open(&path).unwrap();
    for keyring in [&keyring, &read] {
        assert_eq!(
            states(keyring).await,
            [
                (primary, KekState::OpenOnly),
                (one, KekState::OpenOnly),
                (other, KekState::OpenOnly),
                (rotated, KekState::Primary)
            ]
        );
        assert_eq!(seal(keyring).await.kek(), &rotated);
        for (id, envelope) in [one, other].iter().zip(&wrapped) {
            let dek = unwrap(keyring, envelope).await.unwrap();
            assert_eq!(dek.expose_secret(), draft.wrap_request().dek().expose_secret());
            assert_eq!(keyring.wrap_under(id, &draft.wrap_request()).await.unwrap().kek(), id);
        }
    }
    for _ in 0..2 {
        assert_eq!(keyring.destroy_key(&one).await.unwrap(), Destruction::Unprovable);
    }
    assert_eq!(unwrap(&keyring, &wrapped[0]).await.unwrap_err().kind(), ErrorKind::KeyDestroyed);
    let error = keyring.wrap_under(&one, &draft.wrap_request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyDestroyed);
    assert!(unwrap(&keyring, &wrapped[1]).await.is_ok());
}

/// As an epoch's key only what was made for one is destroyed: what a vault has under an open-only KEK is none.
#[tokio::test]
async fn a_key_that_was_primary_is_no_epochs_to_destroy() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = seal(&keyring).await;
    keyring.rotate().unwrap();
    let error = keyring.destroy_key(old.kek()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref());
    assert!(matches!(cause, Some(KeyringError::OfNoEpoch)));
    assert!(unwrap(&keyring, &old).await.is_ok());
}

/// An open-only KEK wraps nothing more, by whatever name.
#[tokio::test]
async fn nothing_is_wrapped_by_name_under_a_key_that_was_primary() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = states(&keyring).await[0].0;
    let new = keyring.rotate().unwrap();
    let context = context();
    let draft = SealDraft::new(&context).unwrap();
    for id in [old, new, KekId::random().unwrap()] {
        let error = keyring.wrap_under(&id, &draft.wrap_request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeysWrong);
    }
}

/// The executor's one thread runs other work while a change waits for the file's lock.
#[tokio::test(flavor = "current_thread")]
async fn a_change_does_not_block_the_executor() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let lock = fs::File::options().write(true).open(folder.path().join("keyring.lock")).unwrap();
    lock.lock().unwrap();
    let (seen, until_seen) = mpsc::channel();
    // Gives the lock free once the executor went on, or after a while, so that a blocked one is seen and not waited for.
    let went_on = thread::spawn(move || {
        let went_on = until_seen.recv_timeout(Duration::from_secs(5)).is_ok();
        lock.unlock().unwrap();
        went_on
    });
    let making = tokio::spawn({
        let keyring = keyring.clone();
        async move { keyring.make_key().await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!making.is_finished());
    // What touches no file goes on meanwhile.
    seal(&keyring).await;
    assert_eq!(keyring.keks().await.unwrap().len(), 1);
    let _ = seen.send(());
    assert!(went_on.join().unwrap(), "the executor waited for the file");
    assert!(making.await.unwrap().is_ok());
}
