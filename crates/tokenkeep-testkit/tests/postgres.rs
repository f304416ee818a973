//! The throwaway server starts, is killed, starts again, is followed, and vanishes.
#![cfg(feature = "postgres")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokenkeep_testkit::ThrowawayPostgres;

fn vanishes(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(30);
    while folder.exists() {
        assert!(Instant::now() < until, "{} is still there", folder.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn postgres_databases_are_apart_and_outlive_a_kill() {
    let server = ThrowawayPostgres::builder().fsync(true).setting("work_mem", "5MB").start().unwrap();
    let (one, other) = (server.fresh_database().unwrap(), server.fresh_database().unwrap());
    server.sql(&one, "CREATE TABLE t (n int); INSERT INTO t VALUES (17)").unwrap();
    assert!(server.sql(&other, "SELECT n FROM t").unwrap_err().to_string().contains("does not exist"));
    let copy = server.fresh_copy(&one).unwrap();
    server.sql(&copy, "UPDATE t SET n = 18").unwrap();
    assert_eq!(server.sql(&one, "SELECT n FROM t").unwrap(), "17\n");
    assert_eq!(server.sql(&copy, "SELECT n FROM t").unwrap(), "18\n");
    assert_eq!(server.sql(&one, "SHOW work_mem; SHOW fsync").unwrap(), "5MB\non\n");
    server.kill().unwrap();
    assert!(server.sql(&one, "SELECT 1").is_err());
    server.start_again().unwrap();
    assert_eq!(server.sql(&one, "SELECT n FROM t").unwrap(), "17\n");
    server.stop().unwrap();
    server.start_again().unwrap();
    assert!(server.log().unwrap().contains("was not properly shut down"));
    let folder = server.socket_folder().to_owned();
    assert!(folder.exists());
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn postgres_replica_takes_over() {
    let primary = ThrowawayPostgres::builder().tls(true).start().unwrap();
    let replica = primary.start_replica().unwrap();
    primary.sql("postgres", "CREATE TABLE t AS SELECT 17 AS n").unwrap();
    assert!(replica.sql("postgres", "CREATE TABLE u (n int)").is_err(), "a replica took a write");
    primary.kill().unwrap();
    replica.promote().unwrap();
    assert_eq!(replica.sql("postgres", "INSERT INTO t VALUES (18); SELECT sum(n) FROM t").unwrap(), "35\n");
}

const CHILD: &str = "TOKENKEEP_TEST_POSTGRES_CHILD";

/// No test: what the next one starts and kills.
#[test]
fn postgres_child() {
    if std::env::var_os(CHILD).is_some() {
        let server = ThrowawayPostgres::start().unwrap();
        #[allow(clippy::print_stdout, reason = "the parent reads it")]
        {
            println!("folder={}", server.socket_folder().display());
        }
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn postgres_vanishes_with_a_killed_test() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres_child", "--nocapture", "--test-threads=1"])
        .env(CHILD, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = lines.map(Result::unwrap).find_map(|line| Some(line.split_once("folder=")?.1.to_owned()));
    let folder = folder.expect("the child names its folder");
    assert!(Path::new(&folder).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    vanishes(Path::new(&folder));
}
