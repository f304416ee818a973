//! The private key as Apify gives it to an Actor's run. In a process of its own each time: nobody can change this one's environment
//! while others read it.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

use tokenkeep_apify::{InputPrivateKey, SecretInputError};

use crate::made::MADE;

const KEY: &str = "APIFY_INPUT_SECRETS_PRIVATE_KEY_FILE";
const PASSPHRASE: &str = "APIFY_INPUT_SECRETS_PRIVATE_KEY_PASSPHRASE";

/// What is asked for in the other processes.
#[test]
fn in_a_run() {
    let Some(expected) = env::var_os("TOKENKEEP_EXPECTED") else { return };
    let said = match InputPrivateKey::from_env() {
        Ok(key) => key.decrypt_field("f", &MADE.values[1].encrypted).unwrap().text().unwrap().to_owned(),
        Err(SecretInputError::NoVariable { name }) => name.to_owned(),
        Err(SecretInputError::WrongPassphrase) => "passphrase".to_owned(),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(said, expected.to_str().unwrap());
}

#[test]
fn the_key_comes_from_two_variables() {
    let key = MADE.private_keys[0].base64_pem.as_str();
    let run_with = |key: Option<&OsStr>, passphrase: Option<&str>, expected: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "environment::in_a_run"]).env("TOKENKEEP_EXPECTED", expected);
        for (name, value) in [(KEY, key), (PASSPHRASE, passphrase.map(OsStr::new))] {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{expected}: {text}");
    };
    let run = |key: Option<&str>, passphrase, expected| run_with(key.map(OsStr::new), passphrase, expected);
    run(Some(key), Some(&MADE.passphrase), "fake");
    run(Some(&format!("{key}\n")), Some(&MADE.passphrase), "fake");
    run(Some(key), Some("a wrong one"), "passphrase");
    run(None, Some(&MADE.passphrase), KEY);
    run(Some(""), Some(&MADE.passphrase), KEY);
    run(Some(key), None, PASSPHRASE);
    run(Some(key), Some(""), PASSPHRASE);
    // No text.
    #[cfg(unix)]
    run_with(Some(std::os::unix::ffi::OsStrExt::from_bytes(b"a fake key\xff")), Some(&MADE.passphrase), KEY);
}
