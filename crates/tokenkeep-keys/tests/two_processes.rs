//! Changes by several processes and threads at once lose none.

mod keyring_common;

use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use keyring_common::{keys_in, open_with, passphrase, seal, states, unwrap};
use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{KekState, KeyProvider, KeyringError, LocalKeyring};

const PLACE: &str = "TOKENKEEP_TEST_KEYRING";
const TIMES: usize = 20;
const FIRST: &str = "an example passphrase";
const SECOND: &str = "another example passphrase";

fn rotate(keyring: &LocalKeyring) -> Vec<KekId> {
    (0..TIMES).map(|_| keyring.rotate().unwrap()).collect()
}

/// Rotates and destroys what was primary before, each time.
fn rotate_and_destroy(keyring: &LocalKeyring) -> Vec<KekId> {
    let ids = rotate(keyring);
    // Another process' rotation is the later one mostly; if not, one more.
    if matches!(keyring.destroy(&ids[TIMES - 1]), Err(KeyringError::PrimaryNeeded)) {
        keyring.rotate().unwrap();
    }
    ids.iter().for_each(|id| keyring.destroy(id).unwrap());
    ids
}

/// This test once more, as a second process that finds the keyring's place in its environment.
fn start(test: &str, path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test])
        .env(PLACE, path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait(mut child: Child) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("the other process did not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn place_of_the_other() -> Option<std::ffi::OsString> {
    env::var_os(PLACE).filter(|path| path != OsStr::new(""))
}

#[tokio::test]
async fn processes_and_threads_rotate_at_once() {
    if let Some(path) = place_of_the_other() {
        rotate(&LocalKeyring::open(path).unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let keyring = LocalKeyring::create(&path).unwrap();
    let child = start("processes_and_threads_rotate_at_once", &path);
    // One that shares the keyring, and one with a keyring of its own.
    let threads = [keyring.clone(), LocalKeyring::open(&path).unwrap()]
        .map(|keyring| thread::spawn(move || rotate(&keyring)));
    let ours: Vec<KekId> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    wait(child);

    keyring.reload().unwrap();
    for keyring in [keyring, LocalKeyring::open(&path).unwrap()] {
        let keks = states(&keyring).await;
        let ids: HashSet<KekId> = keks.iter().map(|(id, _)| *id).collect();
        assert_eq!((keks.len(), ids.len()), (1 + 3 * TIMES, 1 + 3 * TIMES));
        assert!(ours.iter().all(|id| ids.contains(id)));
        assert_eq!(keks.iter().filter(|(_, state)| *state == KekState::Primary).count(), 1);
    }
}

/// What another process rotated is known after a refresh, and wrapped under from then on.
#[tokio::test]
async fn a_refresh_finds_what_another_process_rotated() {
    if let Some(path) = place_of_the_other() {
        LocalKeyring::open(path).unwrap().rotate().unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let keyring = LocalKeyring::create(&path).unwrap();
    let old = seal(&keyring).await;
    wait(start("a_refresh_finds_what_another_process_rotated", &path));
    assert_eq!(seal(&keyring).await.kek(), old.kek());

    keyring.refresh().await.unwrap();
    let new = seal(&keyring).await;
    assert_eq!(states(&keyring).await, [(*old.kek(), KekState::OpenOnly), (*new.kek(), KekState::Primary)]);
    assert!(unwrap(&keyring, &old).await.is_ok());
    // A file that can't be read leaves what is known.
    fs::remove_file(&path).unwrap();
    assert_eq!(keyring.refresh().await.unwrap_err().kind(), ErrorKind::KeysUnusable);
    assert_eq!(seal(&keyring).await.kek(), new.kek());
}

/// There is no thread for blocking work then: the call does it itself.
#[test]
fn outside_of_tokio_a_refresh_is_done_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let keyring = LocalKeyring::create(&path).unwrap();
    let primary = LocalKeyring::open(&path).unwrap().rotate().unwrap();
    let mut refresh = pin!(keyring.refresh());
    let polled = refresh.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))));
    assert!(format!("{keyring:?}").contains(&format!("primary: {primary:?}")));
}

#[tokio::test]
async fn what_one_destroys_another_does_not_bring_back() {
    if let Some(path) = place_of_the_other() {
        rotate_and_destroy(&LocalKeyring::open(path).unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let keyring = LocalKeyring::create(&path).unwrap();
    let child = start("what_one_destroys_another_does_not_bring_back", &path);
    let threads = [keyring.clone(), LocalKeyring::open(&path).unwrap()]
        .map(|keyring| thread::spawn(move || rotate_and_destroy(&keyring)));
    let ours: Vec<KekId> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    wait(child);

    keyring.reload().unwrap();
    let keks = states(&keyring).await;
    assert_eq!(keks, states(&LocalKeyring::open(&path).unwrap()).await);
    let destroyed = |keks: &[(KekId, KekState)]| {
        keks.iter()
            .filter(|(_, state)| *state == KekState::Destroyed)
            .map(|(id, _)| *id)
            .collect::<HashSet<_>>()
    };
    let gone = destroyed(&keks);
    assert_eq!(gone.len(), 3 * TIMES);
    assert!(ours.iter().all(|id| gone.contains(id)));
    assert_eq!(keys_in(&fs::read_to_string(&path).unwrap()).len(), keks.len() - gone.len());
}

/// The one that changes the passphrase loses no rotation of the others, and those stop at the passphrase that they don't know.
#[tokio::test]
async fn a_passphrase_is_changed_while_others_rotate() {
    if let Some(path) = place_of_the_other() {
        let keyring = open_with(Path::new(&path), FIRST).unwrap();
        let until = Instant::now() + Duration::from_secs(100);
        while Instant::now() < until {
            match keyring.rotate() {
                Err(KeyringError::PassphraseChanged) => return,
                rotated => drop(rotated.unwrap()),
            }
        }
        panic!("the passphrase was not changed");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let keyring = LocalKeyring::create(&path).unwrap();
    keyring.set_passphrase(&passphrase(FIRST)).unwrap();
    let first = states(&keyring).await.len();
    let child = start("a_passphrase_is_changed_while_others_rotate", &path);
    let other = open_with(&path, FIRST).unwrap();
    let thread = thread::spawn(move || {
        let rotations = std::iter::from_fn(|| match other.rotate() {
            Err(KeyringError::PassphraseChanged) => None,
            rotated => Some(rotated.unwrap()),
        });
        rotations.collect::<Vec<KekId>>()
    });
    let until = Instant::now() + Duration::from_secs(60);
    // Until the second process is at work too.
    while states(&keyring).await.len() < first + 60 {
        assert!(Instant::now() < until);
        keyring.reload().unwrap();
    }
    keyring.set_passphrase(&passphrase(SECOND)).unwrap();
    let theirs = thread.join().unwrap();
    wait(child);

    let now = states(&open_with(&path, SECOND).unwrap()).await;
    assert_eq!(now, states(&keyring).await);
    assert!(theirs.iter().all(|id| now.iter().any(|(other, _)| other == id)));
    assert!(matches!(open_with(&path, FIRST), Err(KeyringError::WrongPassphrase)));
}

#[test]
fn of_two_that_create_at_once_one_wins_and_both_have_its_keys() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/keyring");
        let threads = [(); 4].map(|()| {
            let path = path.clone();
            thread::spawn(move || format!("{:?}", LocalKeyring::open_or_create(path).unwrap()))
        });
        let shown: HashSet<String> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(shown.len(), 1);
    }
}
