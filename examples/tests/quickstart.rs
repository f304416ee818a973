//! The quickstart as a person starts it: a token given on standard input is in no file and not in the output.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tokenkeep_testkit::{LeakScanner, fake_token};

/// Cargo puts a package's examples beside the folder of its tests. A plain `cargo test` builds them first.
fn quickstart() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples").join("quickstart");
    assert!(built.exists(), "build the examples first: `cargo build --package examples --examples`");
    built
}

fn run(arguments: &[&str], input: &str) -> std::process::Output {
    let mut child = Command::new(quickstart())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_token_from_standard_input_is_in_no_file_and_not_in_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let token = fake_token();
    let scanner = LeakScanner::new().token("token", &token);
    // Twice: the second time the keyring, the vault and the tombstone are there already.
    for _ in 0..2 {
        let output = run(&["--token-stdin", "--data-dir", data.to_str().unwrap()], &format!("{token}\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Nothing is left of it"));
        assert_eq!(scanner.scan_bytes("stdout", &output.stdout), []);
        assert_eq!(scanner.scan_bytes("stderr", &output.stderr), []);
        assert!(data.join("db/tokenkeep.sqlite").exists() && data.join("keys/keyring").exists());
        assert_eq!(scanner.scan_dir(&data).unwrap(), []);
    }
}

#[test]
fn what_can_be_no_token_is_refused_without_being_repeated() {
    for (input, why) in [
        ("https://console.apify.com/account/integrations", "URL"),
        ("two words of text that are no token", "white space"),
        ("", "12 characters"),
    ] {
        let output = run(&["--token-stdin"], input);
        assert!(!output.status.success());
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(why), "{said}");
        assert!(input.is_empty() || !said.contains(input), "{said}");
    }
}
