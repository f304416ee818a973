//! A keyring's life: made, opened, rotated, by one process and by several; and who may be able to read it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, Error, ErrorKind, KekId, SealDraft, VaultId, VaultKeyPurpose,
};
use tokenkeep_keys::{KekState, KeyProvider, KeyringError, LocalKeyring};

/// A directory that others can't enter.
fn private_folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = private_folder();
    let path = folder.path().join("keyring");
    (folder, path)
}

fn context() -> EncryptionContext {
    EncryptionContext::for_vault_key(VaultId::from_bytes([7; 16]), VaultKeyPurpose::RecordMac)
}

async fn seal(keyring: &LocalKeyring) -> Envelope {
    let context = context();
    let draft = SealDraft::new(&context).unwrap();
    let wrapped = keyring.wrap_dek(&draft.wrap_request()).await.unwrap();
    draft.finish(b"example", &wrapped).unwrap()
}

async fn unwrap(keyring: &LocalKeyring, envelope: &Envelope) -> Result<Dek, Error> {
    keyring.unwrap_dek(&envelope.unwrap_request(&context())).await
}

async fn ids(keyring: &LocalKeyring) -> Vec<KekId> {
    keyring.keks().await.unwrap().iter().map(|kek| kek.id).collect()
}

async fn primary(keyring: &LocalKeyring) -> KekId {
    let keks = keyring.keks().await.unwrap();
    keks.iter().find(|kek| kek.state == KekState::Primary).unwrap().id
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn kind(error: KeyringError) -> ErrorKind {
    Error::from(error).kind()
}

#[tokio::test]
async fn a_new_keyring_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/keyring");
    let made = LocalKeyring::create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    assert_eq!(made.key_file(), Some(fs::canonicalize(&path).unwrap().as_path()));

    let envelope = seal(&made).await;
    let opened = LocalKeyring::open(&path).unwrap();
    assert!(unwrap(&opened, &envelope).await.is_ok());
    assert_eq!(ids(&opened).await, [primary(&made).await]);
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let (_folder, path) = place();
    let made = LocalKeyring::create(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = LocalKeyring::create(&path).unwrap_err();
    assert!(matches!(error, KeyringError::AlreadyThere));
    assert_eq!(kind(error), ErrorKind::Misuse);
    assert_eq!(fs::read(&path).unwrap(), before);
    let again = LocalKeyring::open_or_create(&path).unwrap();
    assert_eq!(ids(&again).await, ids(&made).await);

    fs::remove_file(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    assert!(matches!(LocalKeyring::create(&path), Err(KeyringError::AlreadyThere)));
}

#[test]
fn what_is_missing_is_told() {
    let (folder, path) = place();
    for path in [&path, &folder.path().join("no/such/keyring")] {
        let error = LocalKeyring::open(path).unwrap_err();
        assert!(matches!(error, KeyringError::Missing));
        assert_eq!(kind(error), ErrorKind::KeysUnusable);
    }
    assert!(LocalKeyring::open_or_create(&path).is_ok());
}

#[tokio::test]
async fn after_a_rotation_old_tokens_open_and_new_ones_are_under_the_new_key() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = seal(&keyring).await;
    let clone = keyring.clone();
    let id = keyring.rotate().unwrap();
    for keyring in [&keyring, &clone, &LocalKeyring::open(&path).unwrap()] {
        let new = seal(keyring).await;
        assert_eq!((new.kek(), primary(keyring).await), (&id, id));
        assert!(unwrap(keyring, &old).await.is_ok());
        assert!(unwrap(keyring, &new).await.is_ok());
    }
    assert_eq!(ids(&keyring).await, [*old.kek(), id]);
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn another_process_rotation_is_learnt_by_reloading() {
    let (_folder, path) = place();
    let ours = LocalKeyring::create(&path).unwrap();
    let theirs = LocalKeyring::open(&path).unwrap();
    let id = theirs.rotate().unwrap();
    let envelope = seal(&theirs).await;
    assert_eq!(unwrap(&ours, &envelope).await.unwrap_err().kind(), ErrorKind::KeysWrong);
    ours.reload().unwrap();
    assert!(unwrap(&ours, &envelope).await.is_ok());
    assert_eq!(primary(&ours).await, id);
}

#[tokio::test]
async fn an_older_file_in_its_place_takes_no_key_away() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let older = fs::read(&path).unwrap();
    let id = keyring.rotate().unwrap();
    let newer = fs::read(&path).unwrap();
    fs::write(&path, &older).unwrap();
    assert!(matches!(keyring.reload(), Err(KeyringError::KekGone)));
    assert!(matches!(keyring.rotate(), Err(KeyringError::KekGone)));
    assert_eq!(fs::read(&path).unwrap(), older);
    assert_eq!(primary(&keyring).await, id);
    fs::write(&path, &newer).unwrap();
    keyring.rotate().unwrap();
    assert_eq!(ids(&keyring).await.len(), 3);
}

#[tokio::test]
async fn what_a_crash_left_behind_does_no_harm() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let left = folder.path().join("keyring.new");
    fs::write(&left, &fs::read(&path).unwrap()[..40]).unwrap();
    set_mode(&left, 0o644);
    assert!(LocalKeyring::open(&path).is_ok());
    keyring.rotate().unwrap();
    assert!(!left.exists());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(ids(&LocalKeyring::open(&path).unwrap()).await, ids(&keyring).await);

    // A link planted there is replaced, not written through.
    let target = folder.path().join("target");
    fs::write(&target, "untouched").unwrap();
    symlink(&target, &left).unwrap();
    keyring.rotate().unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"untouched");
}

#[tokio::test]
async fn a_rotation_that_is_not_written_is_not_used() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let (before, id) = (fs::read(&path).unwrap(), primary(&keyring).await);
    // Writing fails for root too: a directory is in the way.
    fs::create_dir(folder.path().join("keyring.new")).unwrap();
    let error = keyring.rotate().unwrap_err();
    assert!(matches!(error, KeyringError::Io(_)));
    assert_eq!(kind(error), ErrorKind::KeysUnavailable);
    assert_eq!(primary(&keyring).await, id);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    for open in [0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o666] {
        set_mode(&path, open);
        for result in [LocalKeyring::open(&path).map(drop), keyring.reload(), keyring.rotate().map(drop)] {
            let error = result.unwrap_err();
            assert!(matches!(error, KeyringError::FileOpenToOthers { mode } if mode == open), "{open:o}");
            assert_eq!(kind(error), ErrorKind::KeysInsecure);
        }
    }
    for closed in [0o600, 0o400, 0o700] {
        set_mode(&path, closed);
        assert!(LocalKeyring::open(&path).is_ok(), "{closed:o}");
    }
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    let other = folder.path().join("other");
    for open in [0o701, 0o704, 0o702, 0o710, 0o750, 0o755, 0o1777] {
        set_mode(folder.path(), open);
        for result in [
            LocalKeyring::open(&path).map(drop),
            LocalKeyring::create(&other).map(drop),
            LocalKeyring::open_or_create(&other).map(drop),
            keyring.reload(),
        ] {
            let error = result.unwrap_err();
            assert!(
                matches!(error, KeyringError::DirectoryOpenToOthers { mode } if mode == open),
                "{open:o}"
            );
            assert_eq!(kind(error), ErrorKind::KeysInsecure);
        }
    }
    set_mode(folder.path(), 0o700);
    assert!(!other.exists());
    assert!(LocalKeyring::open(&path).is_ok());
}

#[test]
fn only_a_regular_file_is_a_keyring() {
    let (folder, path) = place();
    LocalKeyring::create(&path).unwrap();
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    let directory = folder.path().join("directory");
    fs::create_dir(&directory).unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for path in [link, directory, pipe, folder.path().join("..")] {
        let (sender, opened) = mpsc::channel();
        let opening = path.clone();
        // Opening a pipe may wait for ever.
        thread::spawn(move || sender.send(LocalKeyring::open(opening)));
        let error = opened.recv_timeout(Duration::from_secs(10)).expect("it ends").unwrap_err();
        assert!(matches!(error, KeyringError::NotAFile), "{path:?}: {error:?}");
    }
}

#[test]
fn the_directory_may_be_given_by_a_link() {
    let (folder, path) = place();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(folder.path(), &link).unwrap();
    let made = LocalKeyring::create(link.join("keyring")).unwrap();
    assert_eq!(made.key_file(), Some(fs::canonicalize(&path).unwrap().as_path()));
}

#[tokio::test]
async fn debug_shows_path_and_ids_alone() {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    keyring.rotate().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let shown = format!("{keyring:?} {keyring:#?}");
    for id in ids(&keyring).await {
        assert!(shown.contains(&id.to_string()));
    }
    let keys: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("kek ")?.split(' ').nth(3)).collect();
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert_eq!(key.len(), 64);
        assert!((0..=56).all(|at| !shown.contains(&key[at..at + 8])));
    }
}
