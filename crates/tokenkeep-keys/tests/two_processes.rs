//! Rotations by several processes and threads at once lose no KEK.

use std::collections::HashSet;
use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokenkeep_core::KekId;
use tokenkeep_keys::{KekState, KeyProvider, LocalKeyring};

const ROTATES: &str = "TOKENKEEP_TEST_ROTATES";
const TIMES: usize = 20;

fn rotate(keyring: &LocalKeyring) -> Vec<KekId> {
    (0..TIMES).map(|_| keyring.rotate().unwrap()).collect()
}

fn wait(mut child: Child) {
    let until = Instant::now() + Duration::from_secs(60);
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

/// Run by itself as a second process, this test only rotates.
#[tokio::test]
async fn processes_and_threads_rotate_at_once() {
    if let Some(path) = env::var_os(ROTATES) {
        rotate(&LocalKeyring::open(path).unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let keyring = LocalKeyring::create(&path).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes_and_threads_rotate_at_once"])
        .env(ROTATES, &path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // One that shares the keyring, and one with a keyring of its own.
    let threads = [keyring.clone(), LocalKeyring::open(&path).unwrap()]
        .map(|keyring| thread::spawn(move || rotate(&keyring)));
    let ours: Vec<KekId> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    wait(child);

    keyring.reload().unwrap();
    for keyring in [keyring, LocalKeyring::open(&path).unwrap()] {
        let keks = keyring.keks().await.unwrap();
        let ids: HashSet<KekId> = keks.iter().map(|kek| kek.id).collect();
        assert_eq!((keks.len(), ids.len()), (1 + 3 * TIMES, 1 + 3 * TIMES));
        assert!(ours.iter().all(|id| ids.contains(id)));
        assert_eq!(keks.iter().filter(|kek| kek.state == KekState::Primary).count(), 1);
    }
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
