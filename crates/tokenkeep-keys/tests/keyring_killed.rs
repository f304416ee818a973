//! A process that is killed while it changes a keyring leaves a whole file, in which everything is that it said it had done.
//!
//! What a power failure leaves is not seen by killing: for that the file is synced before it is renamed, and its directory after.
#![allow(clippy::print_stdout, reason = "how the child process answers")]

mod keyring_common;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keyring_common::{open_with, passphrase, place, states};
use tokenkeep_keys::{KekState, KeyringError, LocalKeyring};

const CHANGES: &str = "TOKENKEEP_TEST_CHANGES";
const ROTATES: &str = "TOKENKEEP_TEST_ROTATES_ONCE";
const LOCK: &str = "an example passphrase";
const SIGKILL: i32 = 9;
const SIGXFSZ: i32 = 25;

fn open(path: &Path) -> LocalKeyring {
    match LocalKeyring::open(path) {
        Err(KeyringError::PassphraseNeeded) => open_with(path, LOCK),
        opened => opened,
    }
    .unwrap()
}

/// Run by itself as a child process, this one changes a keyring until it is killed, and prints what it did.
#[tokio::test]
async fn changes_until_killed() {
    let Some(path) = env::var_os(CHANGES) else { return };
    let keyring = open(Path::new(&path));
    // It ends by itself if nobody kills it.
    for turn in 0..20_000 {
        let old = states(&keyring).await.into_iter().find(|(_, state)| *state == KekState::OpenOnly);
        match (turn % 64, old) {
            (33, _) => keyring.set_passphrase(&passphrase(LOCK)).unwrap(),
            (63, _) => keyring.remove_passphrase().unwrap(),
            (even, Some((id, _))) if even % 2 == 0 => {
                keyring.destroy(&id).unwrap();
                println!("\nDID destroyed {id}");
            }
            _ => println!("\nDID rotated {}", keyring.rotate().unwrap()),
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_time_leaves_a_whole_file() {
    let (folder, path) = place();
    LocalKeyring::create(&path).unwrap();
    let mut known = HashMap::new();
    for round in 0..24 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "changes_until_killed", "--nocapture"])
            .env(CHANGES, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (line, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|text| line.send(text).unwrap());
        });
        let mut seen = Vec::new();
        while !seen.iter().any(|line: &String| line.starts_with("DID ")) {
            seen.push(lines.recv_timeout(Duration::from_secs(30)).unwrap());
        }
        // From a moment after its first change to some dozen changes later.
        thread::sleep(Duration::from_millis(round * 10 + round % 7));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));
        reader.join().unwrap();
        seen.extend(lines.try_iter());
        for line in seen.iter().filter_map(|line| line.strip_prefix("DID ")) {
            let (did, id) = line.split_once(' ').unwrap();
            known.insert(id.to_owned(), did == "destroyed");
        }

        let keyring = open(&path);
        let now: HashMap<String, KekState> =
            states(&keyring).await.iter().map(|(id, state)| (id.to_string(), *state)).collect();
        for (id, destroyed) in &known {
            let state = now.get(id).unwrap_or_else(|| panic!("round {round}: {id} is gone"));
            assert!(!destroyed || *state == KekState::Destroyed, "round {round}: {id} is back");
        }
        // What the dead one left is in nobody's way.
        let id = keyring.rotate().unwrap();
        known.insert(id.to_string(), false);
        assert!(!folder.path().join("keyring.new").exists());
    }
    assert!(known.len() > 48 && known.values().any(|&destroyed| destroyed), "{} keys", known.len());
}

/// Run by itself as a child process, this one rotates once.
#[test]
fn rotates_once() {
    if let Some(path) = env::var_os(ROTATES) {
        open(Path::new(&path)).rotate().unwrap();
    }
}

/// The system kills a process at the first byte that it writes beyond a limit: so it dies within a write, as often as is wanted.
#[tokio::test]
async fn a_death_within_a_write_leaves_the_former_file() {
    let (folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    while fs::metadata(&path).unwrap().len() < 5 * 1024 {
        keyring.rotate().unwrap();
    }
    for locked in [false, true] {
        if locked {
            keyring.set_passphrase(&passphrase(LOCK)).unwrap();
        }
        let before = fs::read(&path).unwrap();
        // In blocks of 512 or 1024 bytes, as the shell has it.
        for blocks in [0, 1, 2, 4] {
            let status = Command::new("sh")
                .args(["-c", "ulimit -c 0; ulimit -f \"$1\"; exec \"$2\" --exact rotates_once", "sh"])
                .arg(blocks.to_string())
                .arg(env::current_exe().unwrap())
                .env(ROTATES, &path)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.signal(), Some(SIGXFSZ), "{blocks}: {status}");
            assert!(folder.path().join("keyring.new").exists());
            assert_eq!(fs::read(&path).unwrap(), before);
            assert_eq!(states(&open(&path)).await, states(&keyring).await);
        }
    }
    keyring.rotate().unwrap();
    assert!(!folder.path().join("keyring.new").exists());
}
