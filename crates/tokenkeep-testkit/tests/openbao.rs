//! The throwaway OpenBao starts, is sealed, is killed, starts again, and vanishes, also with a process that is killed.
#![cfg(feature = "openbao")]

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokenkeep_testkit::ThrowawayOpenBao;

const PATIENCE: Duration = Duration::from_secs(60);

fn vanishes(folder: &Path) {
    let until = Instant::now() + PATIENCE;
    while folder.exists() {
        assert!(Instant::now() < until, "{} is still there", folder.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn openbao_keeps_its_keys_through_a_seal_and_a_kill() {
    let server = ThrowawayOpenBao::start().unwrap();
    let (key, other) = (server.fresh_name("transit/keys/k"), server.fresh_name("transit/keys/k"));
    assert_ne!(key, other);
    server.write(&key, &json!({ "derived": true })).unwrap();
    let made = server.read(&key).unwrap()["data"]["keys"]["1"].clone();
    assert!(made.is_u64());
    assert!(server.read(&other).unwrap_err().to_string().contains("404"));

    server.seal().unwrap();
    assert!(server.read(&key).unwrap_err().to_string().contains("503"));
    server.unseal().unwrap();
    assert_eq!(server.read(&key).unwrap()["data"]["keys"]["1"], made);

    server.kill().unwrap();
    assert!(server.read(&key).is_err());
    server.start_again().unwrap();
    assert_eq!(server.read(&key).unwrap()["data"]["keys"]["1"], made);
    let folder = server.folder().to_owned();
    assert!(folder.exists());
    drop(server);
    assert!(!folder.exists());
}

const CHILD: &str = "TOKENKEEP_TEST_OPENBAO_CHILD";

/// No test: what the next one starts and kills.
#[test]
fn openbao_child() {
    if std::env::var_os(CHILD).is_some() {
        let server = ThrowawayOpenBao::start().unwrap();
        let line = format!("FOLDER {}\n", server.folder().display());
        io::stderr().write_all(line.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn openbao_ends_with_a_process_that_is_killed() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "openbao_child", "--nocapture"]).env(CHILD, "1").stderr(Stdio::piped());
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find_map(|line| line.ok()?.strip_prefix("FOLDER ").map(str::to_owned)).unwrap();
    let folder = line.as_str();
    let server = std::fs::read_to_string(Path::new(folder).join("process")).unwrap();
    assert!(runs(&server), "the server's process is not told");
    child.kill().unwrap();
    child.wait().unwrap();
    vanishes(Path::new(folder));
    let until = Instant::now() + PATIENCE;
    // A killed process ends in its own time. Its port is no sign of it: another test may have got that by now.
    while runs(&server) {
        assert!(Instant::now() < until, "it still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a process runs: one that is over and that nobody has asked about does not.
fn runs(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The program's name, in brackets, may hold anything; then comes the state.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[test]
fn openbao_followers_take_over() {
    let first = ThrowawayOpenBao::start().unwrap();
    let nodes = [first.start_follower().unwrap(), first.start_follower().unwrap()];
    let key = "transit/keys/k";
    first.patiently(|| first.write(key, &json!({ "derived": true }))).unwrap();
    let made = first.patiently(|| first.read(key)).unwrap()["data"]["keys"].clone();
    first.kill().unwrap();
    assert!(!first.is_leader());
    let read = |node: &ThrowawayOpenBao| node.patiently(|| node.read(key)).unwrap()["data"]["keys"].clone();
    for node in &nodes {
        assert_eq!(read(node), made, "it, or the active one behind it, has another key");
    }
    let leader =
        || nodes.iter().find(|node| node.is_leader()).ok_or_else(|| io::Error::other("nobody leads"));
    nodes[0].patiently(leader).unwrap();
    first.start_again().unwrap();
    assert_eq!(read(&first), made, "a standby asks the active one");
}
