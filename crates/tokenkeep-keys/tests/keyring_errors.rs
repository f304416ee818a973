//! Each thing that can be wrong with a keyring has an error of its own, which says whose it is to mend and what to do.

mod keyring_common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use keyring_common::{open_with, passphrase, place, set_mode, summed, write};
use tempfile::TempDir;
use tokenkeep_core::{Error, ErrorKind, Fault, KekId};
use tokenkeep_keys::{KeyringError, LocalKeyring, Passphrase};

const HEADER: &str = "tokenkeep-keyring 2";
const LOCK: &str = "an example passphrase";
const SALT: &str = "000102030405060708090a0b0c0d0e0f";

fn kek(id: &str, state: &str) -> String {
    format!("kek {id} {state} 1700000000 {}", "00112233445566778899aabbccddeeff".repeat(2))
}

/// A place with a keyring, and where the keyring is.
type At = (TempDir, PathBuf);

/// What must be done to see it; the error's name; whose it is to mend.
type Row = (&'static str, fn(&At) -> KeyringError, ErrorKind);

fn opening(at: &At) -> KeyringError {
    LocalKeyring::open(&at.1).unwrap_err()
}

fn opening_text(at: &At, text: &[u8]) -> KeyringError {
    write(&at.1, text);
    opening(at)
}

fn opening_lines(at: &At, lines: &[&str]) -> KeyringError {
    opening_text(at, &summed(lines))
}

fn keyring(at: &At) -> LocalKeyring {
    LocalKeyring::open(&at.1).unwrap()
}

/// Of a process that has read the keyring, before the file became this.
fn reloading(at: &At, become_: impl FnOnce(&Path)) -> KeyringError {
    let keyring = keyring(at);
    become_(&at.1);
    keyring.reload().unwrap_err()
}

const ROWS: &[Row] = &[
    (
        "Missing",
        |at| {
            fs::remove_file(&at.1).unwrap();
            opening(at)
        },
        ErrorKind::KeysUnusable,
    ),
    ("AlreadyThere", |at| LocalKeyring::create(&at.1).unwrap_err(), ErrorKind::Misuse),
    (
        "FileOpenToOthers",
        |at| {
            set_mode(&at.1, 0o640);
            opening(at)
        },
        ErrorKind::KeysInsecure,
    ),
    (
        "DirectoryOpenToOthers",
        |at| {
            set_mode(at.0.path(), 0o750);
            opening(at)
        },
        ErrorKind::KeysInsecure,
    ),
    (
        "NotAFile",
        |at| {
            let link = at.0.path().join("link");
            symlink(&at.1, &link).unwrap();
            LocalKeyring::open(link).unwrap_err()
        },
        ErrorKind::KeysUnusable,
    ),
    ("TooLong", |at| opening_text(at, &vec![b'x'; 1024 * 1024 + 1]), ErrorKind::KeysUnusable),
    ("Truncated", |at| opening_text(at, b""), ErrorKind::KeysUnusable),
    (
        "Checksum",
        |at| {
            let text = fs::read_to_string(&at.1).unwrap().replace(" primary ", " beside ");
            opening_text(at, text.as_bytes())
        },
        ErrorKind::KeysUnusable,
    ),
    ("Malformed", |at| opening_text(at, b"\x7fELF\n"), ErrorKind::KeysUnusable),
    ("UnknownVersion", |at| opening_lines(at, &["tokenkeep-keyring 3"]), ErrorKind::KeysUnusable),
    (
        "DuplicateKek",
        |at| opening_lines(at, &[HEADER, &kek("0a", "primary"), "kek 0a destroyed 1 2"]),
        ErrorKind::KeysUnusable,
    ),
    ("NoPrimary", |at| opening_lines(at, &[HEADER, &kek("0a", "beside")]), ErrorKind::KeysUnusable),
    (
        "TwoPrimaries",
        |at| opening_lines(at, &[HEADER, &kek("0a", "primary"), &kek("0b", "primary")]),
        ErrorKind::KeysUnusable,
    ),
    (
        "KekGone",
        |at| reloading(at, |path| write(path, &summed(&[HEADER, &kek("0a", "primary")]))),
        ErrorKind::KeysUnusable,
    ),
    ("UnknownKek", |at| keyring(at).destroy(&KekId::random().unwrap()).unwrap_err(), ErrorKind::KeysWrong),
    (
        "PrimaryNeeded",
        |at| {
            let keyring = keyring(at);
            let id = keyring.rotate().unwrap();
            keyring.destroy(&id).unwrap_err()
        },
        ErrorKind::Misuse,
    ),
    (
        "PassphraseNeeded",
        |at| {
            keyring(at).set_passphrase(&passphrase(LOCK)).unwrap();
            opening(at)
        },
        ErrorKind::KeysUnusable,
    ),
    ("NotLocked", |at| open_with(&at.1, LOCK).unwrap_err(), ErrorKind::KeysUnusable),
    (
        "WrongPassphrase",
        |at| {
            keyring(at).set_passphrase(&passphrase(LOCK)).unwrap();
            open_with(&at.1, "another example").unwrap_err()
        },
        ErrorKind::KeysUnusable,
    ),
    (
        "PassphraseChanged",
        |at| {
            reloading(at, |path| LocalKeyring::open(path).unwrap().set_passphrase(&passphrase(LOCK)).unwrap())
        },
        ErrorKind::KeysUnusable,
    ),
    ("UnfitPassphrase", |_| Passphrase::new("short".to_owned()).unwrap_err(), ErrorKind::Misuse),
    (
        "CostOutOfBounds",
        |at| opening_lines(at, &[&format!("{HEADER} argon2id 104857600 3 4 {SALT}"), "sealed 00"]),
        ErrorKind::KeysUnusable,
    ),
    (
        "IsEscrow",
        |at| {
            let copy = keyring(at).escrow(&passphrase(LOCK)).unwrap();
            opening_text(at, &copy)
        },
        ErrorKind::KeysUnusable,
    ),
    (
        "NoEscrow",
        |at| {
            let text = fs::read(&at.1).unwrap();
            LocalKeyring::restore_escrow(at.0.path().join("new"), text.as_slice(), &passphrase(LOCK))
                .unwrap_err()
        },
        ErrorKind::KeysUnusable,
    ),
    (
        "EscrowBesideKeyring",
        |at| keyring(at).export_escrow(&passphrase(LOCK), at.0.path().join("copy")).unwrap_err(),
        ErrorKind::Misuse,
    ),
    (
        "NoVariable",
        |_| LocalKeyring::from_env("TOKENKEEP_TEST_NOT_SET").unwrap_err(),
        ErrorKind::KeysUnusable,
    ),
    (
        "NoCredential",
        |_| LocalKeyring::from_systemd_credential("not-there").unwrap_err(),
        ErrorKind::KeysUnusable,
    ),
    ("BadCredentialName", |_| LocalKeyring::from_systemd_credential("a/b").unwrap_err(), ErrorKind::Misuse),
    (
        "Io",
        |at| {
            fs::create_dir(at.0.path().join("keyring.new")).unwrap();
            keyring(at).rotate().unwrap_err()
        },
        ErrorKind::KeysUnavailable,
    ),
];

/// Those that only another user, another host, systemd's place or a call that hides it can show: seen where it says.
const SEEN_ELSEWHERE: &[(&str, &str)] = &[
    ("NotOurs", "src/keyring_file.rs"),
    ("ReadOnly", "tests/keyring_sources.rs"),
    ("OfAnEpoch", "tests/keyring_retire.rs"),
    ("OfNoEpoch", "tests/keyring_destroy.rs"),
    ("CredentialOpenToOthers", "tests/keyring_sources.rs"),
    ("NoMemory", "nowhere: memory does not run out on demand"),
    ("Random", "nowhere: the system's generator does not fail on demand"),
];

#[test]
fn each_fault_has_an_error_that_says_what_to_do() {
    let mut texts = BTreeMap::new();
    for (name, provoke, kind) in ROWS {
        let at = place();
        LocalKeyring::create(&at.1).unwrap();
        let error = provoke(&at);
        let shown = format!("{error:?}");
        assert_eq!(shown.split([' ', '(', '{']).next(), Some(*name), "{shown}");
        let text = error.to_string();
        // A fault, and behind a semicolon or in place of it what to do.
        assert!(text.len() > 30, "{name}: {text}");
        let path = at.1.to_str().unwrap();
        assert!(!text.contains(path) && !text.contains(LOCK) && !text.contains("0011223344"), "{text}");
        assert!(texts.insert(text, name).is_none(), "{name} says what another one says");
        let error = Error::from(error);
        assert_eq!(error.kind(), *kind, "{name}");
        let fault = if *kind == ErrorKind::Misuse { Fault::Caller } else { Fault::Operator };
        assert_eq!(error.fault(), fault, "{name}");
    }
}

/// A variant that is added without a row here is seen.
#[test]
fn no_error_is_forgotten() {
    let source = include_str!("../src/keyring_error.rs");
    let body = source.split("pub enum KeyringError {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let named = |line: &str| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(|first: char| first.is_ascii_uppercase())
            .then(|| name.split(['(', ' ', ',']).next().unwrap().to_owned())
    };
    let variants: Vec<String> = body.lines().filter_map(named).collect();
    assert!(variants.len() > 25);
    let seen =
        |name: &str| ROWS.iter().any(|row| row.0 == name) || SEEN_ELSEWHERE.iter().any(|row| row.0 == name);
    for variant in &variants {
        assert!(seen(variant), "{variant} is not provoked");
    }
    assert_eq!(variants.len(), ROWS.len() + SEEN_ELSEWHERE.len());
}
