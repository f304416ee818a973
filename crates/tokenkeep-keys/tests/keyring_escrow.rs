//! The copy for the day on which the keyring is lost.

mod keyring_common;

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use keyring_common::{keys_in, open_with, passphrase, place, private_folder, seal, states, unwrap};
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{KeyringError, KeyringOptions, LocalKeyring};

const ESCROW: &str = "what is in the safe";
const KEYRING: &str = "TOKENKEEP_TEST_KEYRING";
const COPY: &str = "TOKENKEEP_TEST_COPY";

/// Made by `vectors/locked_keyring.py`, with OpenSSL's Argon2id and AES and none of this code.
const OTHERS: &[u8] = include_bytes!("../vectors/escrow.txt");

#[tokio::test]
async fn a_keyring_comes_back_from_its_copy() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let ended = seal(&keyring).await;
    keyring.rotate().unwrap();
    let old = seal(&keyring).await;
    keyring.rotate().unwrap();
    keyring.destroy(ended.kek()).unwrap();
    let new = seal(&keyring).await;

    let safe = tempfile::tempdir().unwrap();
    let copy = safe.path().join("copy");
    keyring.export_escrow(&passphrase(ESCROW), &copy).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(safe.path()).unwrap().count(), 1);
    let text = fs::read_to_string(&copy).unwrap();
    for key in keys_in(&fs::read_to_string(&path).unwrap()) {
        assert!((0..=56).all(|at| !text.contains(&key[at..at + 8])));
    }

    drop(folder);
    let elsewhere = private_folder();
    for (name, lock) in [("plain", None), ("locked", Some("a passphrase of its own"))] {
        let path = elsewhere.path().join(name);
        let escrow = fs::File::open(&copy).unwrap();
        let restored = match lock {
            None => LocalKeyring::restore_escrow(&path, escrow, &passphrase(ESCROW)),
            Some(lock) => KeyringOptions::new().passphrase(passphrase(lock)).restore_escrow(
                &path,
                escrow,
                &passphrase(ESCROW),
            ),
        }
        .unwrap();
        let read = lock.map_or_else(|| LocalKeyring::open(&path), |lock| open_with(&path, lock)).unwrap();
        for restored in [restored, read] {
            assert_eq!(states(&restored).await, states(&keyring).await);
            assert!(unwrap(&restored, &old).await.is_ok());
            assert!(unwrap(&restored, &new).await.is_ok());
            assert_eq!(unwrap(&restored, &ended).await.unwrap_err().kind(), ErrorKind::KeyDestroyed);
        }
    }
}

#[tokio::test]
async fn a_process_that_still_runs_saves_the_keys_of_a_lost_file() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let envelope = seal(&keyring).await;
    drop(folder);
    let copy = keyring.escrow(&passphrase(ESCROW)).unwrap();
    let (_folder, path) = place();
    let restored = LocalKeyring::restore_escrow(&path, copy.as_slice(), &passphrase(ESCROW)).unwrap();
    assert!(unwrap(&restored, &envelope).await.is_ok());
}

#[tokio::test]
async fn a_copy_that_others_code_made_opens() {
    let (_folder, path) = place();
    LocalKeyring::restore_escrow(&path, OTHERS, &passphrase("an example passphrase")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(keys_in(&text), ["11".repeat(32), "22".repeat(32), "33".repeat(32)]);
}

#[test]
fn nothing_is_written_over_or_beside_the_keyring() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let export = |path: &std::path::Path| keyring.export_escrow(&passphrase(ESCROW), path).unwrap_err();
    assert!(matches!(export(&folder.path().join("copy")), KeyringError::EscrowBesideKeyring));
    let safe = tempfile::tempdir().unwrap();
    // By whatever name its directory is called.
    let link = safe.path().join("link");
    symlink(folder.path(), &link).unwrap();
    assert!(matches!(export(&link.join("copy")), KeyringError::EscrowBesideKeyring));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the keyring and its lock");

    let taken = safe.path().join("taken");
    fs::write(&taken, "something else").unwrap();
    assert!(matches!(export(&taken), KeyringError::AlreadyThere));
    assert_eq!(fs::read(&taken).unwrap(), b"something else");
    let dangling = safe.path().join("dangling");
    symlink(safe.path().join("nowhere"), &dangling).unwrap();
    assert!(matches!(export(&dangling), KeyringError::AlreadyThere));
    assert!(!safe.path().join("nowhere").exists());
    assert!(matches!(export(&safe.path().join("no/such/copy")), KeyringError::Missing));

    // Nor does a keyring that is restored take another one's place.
    let before = fs::read(&path).unwrap();
    let copy = keyring.escrow(&passphrase(ESCROW)).unwrap();
    let restored = LocalKeyring::restore_escrow(&path, copy.as_slice(), &passphrase(ESCROW));
    assert!(matches!(restored, Err(KeyringError::AlreadyThere)));
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Run by itself as a child process that may write no byte, this one is told so and leaves nothing.
#[test]
fn a_copy_that_can_not_be_written_leaves_nothing() {
    if let Some(path) = env::var_os(KEYRING) {
        let (keyring, copy) = (LocalKeyring::open(path).unwrap(), env::var_os(COPY).unwrap());
        let error = keyring.export_escrow(&passphrase(ESCROW), copy).unwrap_err();
        assert!(matches!(error, KeyringError::Io(_)), "{error:?}");
        return;
    }
    let (_folder, path) = place();
    LocalKeyring::create(&path).unwrap();
    let safe = tempfile::tempdir().unwrap();
    // Another's file, by a name that one may think of.
    fs::write(safe.path().join("copy.new"), "something else").unwrap();
    let copy = safe.path().join("copy");
    let run = |limit: &str| {
        Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; exec \"$2\" --exact \"$3\"", "sh", limit])
            .arg(env::current_exe().unwrap())
            .arg("a_copy_that_can_not_be_written_leaves_nothing")
            .envs([(KEYRING, &path), (COPY, &copy)])
            .output()
            .unwrap()
            .status
    };
    assert!(run("0").success());
    assert!(!copy.exists());
    // With room for it the child's expectation fails, and the copy is there.
    assert!(!run("64").success());
    assert!(copy.exists());
    assert_eq!(fs::read(safe.path().join("copy.new")).unwrap(), b"something else");
    assert_eq!(fs::read_dir(safe.path()).unwrap().count(), 2);
}

#[test]
fn a_copy_and_a_keyring_are_told_apart() {
    let (folder, path) = place();
    let options = KeyringOptions::new().passphrase(passphrase(ESCROW));
    let keyring = options.create(&path).unwrap();
    let copy = keyring.escrow(&passphrase(ESCROW)).unwrap();
    let planted = folder.path().join("planted");
    keyring_common::write(&planted, &copy);
    assert!(matches!(open_with(&planted, ESCROW), Err(KeyringError::IsEscrow)));
    let other = folder.path().join("other");
    let restore = |bytes: &[u8]| {
        let error = LocalKeyring::restore_escrow(&other, bytes, &passphrase(ESCROW)).unwrap_err();
        assert!(!other.exists());
        error
    };
    assert!(matches!(restore(&fs::read(&path).unwrap()), KeyringError::NoEscrow));

    // With the other's first line and a sum that fits, it still does not open: the line is bound.
    let text = String::from_utf8(copy.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let header = lines[0].replace("tokenkeep-escrow 1", "tokenkeep-keyring 2");
    keyring_common::write(&planted, &keyring_common::summed(&[&header, lines[1]]));
    assert!(matches!(open_with(&planted, ESCROW), Err(KeyringError::WrongPassphrase)));

    assert!(matches!(restore(b""), KeyringError::Truncated));
    assert!(matches!(restore(&copy[..copy.len() - 1]), KeyringError::Truncated));
    assert!(matches!(restore(b"tokenkeep-escrow 1\n"), KeyringError::Malformed { line: 1 }));
    assert!(matches!(restore(b"tokenkeep-escrow 2\n"), KeyringError::UnknownVersion));
    assert!(matches!(restore(&vec![b'x'; 2 * 1024 * 1024]), KeyringError::TooLong));
    let wrong = LocalKeyring::restore_escrow(&other, copy.as_slice(), &passphrase("not what is in the safe"));
    assert!(matches!(wrong, Err(KeyringError::WrongPassphrase)));
}
