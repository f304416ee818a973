//! A keyring that is locked by a passphrase.

mod keyring_common;

use std::fs;

use keyring_common::{keys_in, open_with, passphrase, place, seal, states, unwrap, write};
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{KekState, KeyringError, KeyringOptions, LocalKeyring, Passphrase, conformance};

const FIRST: &str = "an example passphrase";
const SECOND: &str = "another example passphrase";

/// Made by `vectors/locked_keyring.py`, with OpenSSL's Argon2id and AES and none of this code.
const LOCKED: &[u8] = include_bytes!("../vectors/locked_keyring.txt");

#[tokio::test]
async fn a_keyring_that_others_code_locked_opens() {
    let (_folder, path) = place();
    write(&path, LOCKED);
    let keyring = open_with(&path, FIRST).unwrap();
    let shown: Vec<_> = states(&keyring).await.iter().map(|(id, state)| format!("{id} {state:?}")).collect();
    assert_eq!(shown, ["0a0b OpenOnly", "0c0d Destroyed", "0e0f Primary", "1a1b OpenOnly"]);
    keyring.remove_passphrase().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(keys_in(&text), ["11".repeat(32), "22".repeat(32), "33".repeat(32)]);
    assert!(text.contains("kek 0c0d destroyed 1700000100 1700000900\n"));
}

#[tokio::test]
async fn it_opens_with_its_passphrase_and_shows_nothing_without() {
    let (_folder, path) = place();
    let keyring = KeyringOptions::new().passphrase(passphrase(FIRST)).create(&path).unwrap();
    let envelope = seal(&keyring).await;
    let opened = open_with(&path, FIRST).unwrap();
    assert!(unwrap(&opened, &envelope).await.is_ok());

    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("tokenkeep-keyring 2 argon2id 65536 3 4 "));
    assert_eq!(text.lines().count(), 3);
    assert!(!text.contains(&envelope.kek().to_string()));
    keyring.remove_passphrase().unwrap();
    let plain = fs::read_to_string(&path).unwrap();
    let key = &keys_in(&plain)[0];
    assert!((0..=56).all(|at| !text.contains(&key[at..at + 8])));
    assert!(unwrap(&LocalKeyring::open(&path).unwrap(), &envelope).await.is_ok());
}

#[test]
fn what_does_not_fit_is_told_apart() {
    let (folder, path) = place();
    KeyringOptions::new().passphrase(passphrase(FIRST)).create(&path).unwrap();
    let plain = folder.path().join("plain");
    LocalKeyring::create(&plain).unwrap();
    let error = open_with(&path, SECOND).unwrap_err();
    assert!(matches!(error, KeyringError::WrongPassphrase));
    assert!(matches!(LocalKeyring::open(&path), Err(KeyringError::PassphraseNeeded)));
    assert!(matches!(LocalKeyring::open_or_create(&path), Err(KeyringError::PassphraseNeeded)));
    assert!(matches!(open_with(&plain, FIRST), Err(KeyringError::NotLocked)));
    let options = KeyringOptions::new().passphrase(passphrase(FIRST));
    assert!(matches!(options.open_or_create(&plain), Err(KeyringError::NotLocked)));
}

#[tokio::test]
async fn its_life_goes_on_under_the_passphrase() {
    let (_folder, path) = place();
    let options = || KeyringOptions::new().passphrase(passphrase(FIRST));
    let keyring = options().open_or_create(&path).unwrap();
    let old = seal(&keyring).await;
    let elsewhere = options().open_or_create(&path).unwrap();
    let id = keyring.rotate().unwrap();
    keyring.destroy(old.kek()).unwrap();
    elsewhere.reload().unwrap();
    for keyring in [&keyring, &elsewhere, &open_with(&path, FIRST).unwrap()] {
        let expected = [(*old.kek(), KekState::Destroyed), (id, KekState::Primary)];
        assert_eq!(states(keyring).await, expected);
        assert_eq!(unwrap(keyring, &old).await.unwrap_err().kind(), ErrorKind::KeyDestroyed);
    }
}

#[tokio::test]
async fn a_locked_keyring_with_keys_of_every_state_passes_the_suite() {
    let (_folder, path) = place();
    write(&path, LOCKED);
    conformance::run_all(&open_with(&path, FIRST).unwrap()).await;
}

#[tokio::test]
async fn a_passphrase_is_set_changed_and_removed() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let envelope = seal(&keyring).await;
    keyring.set_passphrase(&passphrase(FIRST)).unwrap();
    assert!(matches!(LocalKeyring::open(&path), Err(KeyringError::PassphraseNeeded)));
    assert!(unwrap(&open_with(&path, FIRST).unwrap(), &envelope).await.is_ok());
    let first = fs::read(&path).unwrap();

    keyring.set_passphrase(&passphrase(SECOND)).unwrap();
    assert!(matches!(open_with(&path, FIRST), Err(KeyringError::WrongPassphrase)));
    assert!(unwrap(&open_with(&path, SECOND).unwrap(), &envelope).await.is_ok());

    // The same passphrase once more has another salt.
    keyring.set_passphrase(&passphrase(FIRST)).unwrap();
    assert_ne!(fs::read(&path).unwrap()[..80], first[..80]);

    keyring.remove_passphrase().unwrap();
    let plain = fs::read(&path).unwrap();
    keyring.remove_passphrase().unwrap();
    assert_eq!(fs::read(&path).unwrap(), plain);
    assert!(unwrap(&LocalKeyring::open(&path).unwrap(), &envelope).await.is_ok());
}

#[tokio::test]
async fn another_process_is_told_of_another_passphrase_and_can_follow() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let elsewhere = LocalKeyring::open(&path).unwrap();
    let envelope = seal(&keyring).await;
    keyring.set_passphrase(&passphrase(FIRST)).unwrap();
    let (now, before) = (keyring.rotate().unwrap(), states(&elsewhere).await);
    for step in 0..3 {
        let text = fs::read(&path).unwrap();
        assert!(matches!(elsewhere.reload(), Err(KeyringError::PassphraseChanged)), "{step}");
        assert!(matches!(elsewhere.rotate(), Err(KeyringError::PassphraseChanged)), "{step}");
        assert!(matches!(elsewhere.destroy(&now), Err(KeyringError::PassphraseChanged)), "{step}");
        let set = elsewhere.set_passphrase(&passphrase(SECOND));
        assert!(matches!(set, Err(KeyringError::PassphraseChanged)), "{step}");
        assert_eq!(fs::read(&path).unwrap(), text);
        assert!(unwrap(&elsewhere, &envelope).await.is_ok());
        match step {
            0 => {
                assert_eq!(states(&elsewhere).await, before);
                let wrong = elsewhere.reload_with(Some(&passphrase(SECOND)));
                assert!(matches!(wrong, Err(KeyringError::WrongPassphrase)));
                assert!(matches!(elsewhere.reload_with(None), Err(KeyringError::PassphraseNeeded)));
                elsewhere.reload_with(Some(&passphrase(FIRST))).unwrap();
                keyring.set_passphrase(&passphrase(SECOND)).unwrap();
            }
            1 => {
                elsewhere.reload_with(Some(&passphrase(SECOND))).unwrap();
                keyring.remove_passphrase().unwrap();
            }
            _ => elsewhere.reload_with(None).unwrap(),
        }
    }
    assert_eq!(states(&elsewhere).await, states(&keyring).await);
}

/// Whoever can write the file and does not know the passphrase can put one of their own there. Nothing is wrapped under its keys by a process
/// that knew the former ones.
#[tokio::test]
async fn a_planted_file_is_not_followed() {
    let (folder, path) = place();
    let keyring = KeyringOptions::new().passphrase(passphrase(FIRST)).create(&path).unwrap();
    let mine = folder.path().join("mine");
    LocalKeyring::create(&mine).unwrap();
    fs::rename(&mine, &path).unwrap();
    assert!(matches!(keyring.reload(), Err(KeyringError::PassphraseChanged)));
    assert!(matches!(keyring.reload_with(None), Err(KeyringError::KekGone)));
    assert!(matches!(open_with(&path, FIRST), Err(KeyringError::NotLocked)));
}

#[test]
fn an_older_locked_file_is_noticed() {
    let (_folder, path) = place();
    let keyring = KeyringOptions::new().passphrase(passphrase(FIRST)).create(&path).unwrap();
    let older = fs::read(&path).unwrap();
    keyring.rotate().unwrap();
    fs::write(&path, &older).unwrap();
    assert!(matches!(keyring.reload(), Err(KeyringError::KekGone)));
}

#[test]
fn a_passphrase_has_bounds_and_shows_nothing() {
    for good in ["fifteen bytes..", "ein Schlüsselsatz", &"x".repeat(1024)] {
        assert!(Passphrase::new(good.to_owned()).is_ok());
    }
    for bad in ["", "fourteen bytes", &"x".repeat(1025), "an example passphrase\n", "an example\0passphrase"]
    {
        let error = Passphrase::new(bad.to_owned()).unwrap_err();
        assert!(matches!(error, KeyringError::UnfitPassphrase));
        assert_eq!(tokenkeep_core::Error::from(error).kind(), ErrorKind::Misuse);
    }
    let options = KeyringOptions::new().passphrase(passphrase(FIRST));
    let shown = format!("{:?} {options:?}", passphrase(FIRST));
    assert!(!shown.contains("example"));
}
