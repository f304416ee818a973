//! The throwaway OpenBao starts, is sealed, is killed, starts again, and vanishes, also with a process that is killed.
#![cfg(feature = "openbao")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokenkeep_testkit::ThrowawayOpenBao;

fn vanishes(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(30);
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
        let line = format!("FOLDER {} {}\n", server.folder().display(), server.port());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
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
    let (folder, port) = line.split_once(' ').unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    vanishes(Path::new(folder));
    let port: u16 = port.parse().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    // A killed process closes its sockets in its own time.
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < until, "it still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn openbao_followers_take_over() {
    let first = ThrowawayOpenBao::start().unwrap();
    let nodes = [first.start_follower().unwrap(), first.start_follower().unwrap()];
    let until = Instant::now() + Duration::from_secs(60);
    // On a busy host the nodes may elect anew once they are three.
    while first.write("transit/keys/k", &json!({ "derived": true })).is_err() {
        assert!(Instant::now() < until, "no key could be made");
        std::thread::sleep(Duration::from_millis(50));
    }
    first.kill().unwrap();
    let leader = loop {
        assert!(Instant::now() < until, "nobody took over");
        match nodes.iter().find(|node| node.is_leader()) {
            Some(leader) => break leader,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    assert!(leader.read("transit/keys/k").is_ok());
    first.start_again().unwrap();
    assert!(first.read("transit/keys/k").is_ok(), "a standby asks the active one");
}
