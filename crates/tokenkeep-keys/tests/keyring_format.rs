//! The keyring's text: what is read, and what each wrong thing is called.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use sha2::{Digest, Sha256};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_keys::{KeyProvider, KeyringError, LocalKeyring, reencode};

const HEADER: &str = "tokenkeep-keyring 2";
const KEY: &str = "00112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f0";

const COST: &str = "argon2id 65536 3 4 000102030405060708090a0b0c0d0e0f";

fn kek(id: &str, state: &str) -> String {
    format!("kek {id} {state} 1700000000 {KEY}")
}

/// The lines with their right sum.
fn summed(lines: &[&str]) -> Vec<u8> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let sum = base16ct::lower::encode_string(&Sha256::digest(&text));
    format!("{text}end {sum}\n").into_bytes()
}

/// A directory that others can't enter.
fn private_folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn locked() -> Vec<u8> {
    summed(&[&format!("{HEADER} {COST}"), &format!("sealed {KEY}{KEY}")])
}

fn two() -> Vec<u8> {
    summed(&[HEADER, &kek("0a0b", "open-only"), &kek("0c", "primary")])
}

#[test]
fn what_is_read_is_written_the_same() {
    let longest = "ab".repeat(29);
    for lines in [
        vec![HEADER.to_owned(), kek("0c", "primary")],
        vec![HEADER.to_owned(), kek("0c", "primary"), kek("0a0b", "open-only"), kek(&longest, "open-only")],
        vec![HEADER.to_owned(), format!("kek 01 primary 0 {KEY}")],
        vec![HEADER.to_owned(), kek("0a", "beside"), kek("0c", "primary"), "kek 0b destroyed 0 1".to_owned()],
        vec![HEADER.to_owned(), format!("kek {longest} destroyed {0} {0}", u64::MAX), kek("0c", "primary")],
        vec![format!("{HEADER} {COST}"), format!("sealed {KEY}")],
        vec![format!("{HEADER} {COST}"), "sealed ".to_owned()],
        vec![HEADER.to_owned(), format!("kek {longest} primary {} {KEY}", u64::MAX)],
    ] {
        let text = summed(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(*reencode(&text).unwrap(), text);
    }
}

#[tokio::test]
async fn a_file_by_hand_opens() {
    let folder = private_folder();
    let path = folder.path().join("keyring");
    fs::write(&path, two()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let keyring = LocalKeyring::open(&path).unwrap();
    let keks = keyring.keks().await.unwrap();
    let shown: Vec<_> = keks.iter().map(|kek| format!("{} {:?}", kek.id, kek.state)).collect();
    assert_eq!(shown, ["0a0b OpenOnly", "0c Primary"]);
    keyring.rotate().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&format!(
        "{HEADER}\n{}\n{}\n",
        kek("0a0b", "open-only"),
        kek("0c", "open-only")
    )));
}

#[test]
fn a_cut_file_is_truncated_wherever_it_is_cut() {
    for whole in [two(), locked()] {
        for length in 0..whole.len() {
            let error = reencode(&whole[..length]).unwrap_err();
            assert!(matches!(error, KeyringError::Truncated), "{length}: {error:?}");
        }
        for added in [&b"\n"[..], b"x", b"end", b"kek"] {
            let error = reencode(&[&whole, added].concat()).unwrap_err();
            assert!(matches!(error, KeyringError::Truncated), "{error:?}");
        }
    }
}

#[test]
fn every_altered_byte_is_noticed_and_no_key_is_shown() {
    let whole = two();
    let sums_start = whole.len() - 65;
    for at in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let error = reencode(&bytes).unwrap_err();
            if at > HEADER.len() && at < sums_start - 4 || at >= sums_start && at < whole.len() - 1 {
                assert!(matches!(error, KeyringError::Checksum), "{at}: {error:?}");
            }
            let mut shown = format!("{error} {error:?} {:?}", error.source());
            let error = Error::from(error);
            assert_eq!(error.kind(), ErrorKind::KeysUnusable);
            shown += &format!("{error} {error:?}");
            assert!((0..=56).all(|at| !shown.contains(&KEY[at..at + 8])), "{shown}");
        }
    }
}

#[test]
fn a_newer_version_is_told_from_no_keyring() {
    for newer in
        ["tokenkeep-keyring 1", "tokenkeep-keyring 3", "tokenkeep-keyring 20", "tokenkeep-keyring 17 x"]
    {
        let bytes = summed(&[newer, &kek("0c", "primary")]);
        assert!(matches!(reencode(&bytes), Err(KeyringError::UnknownVersion)));
    }
    for other in [
        "tokenkeep-keyring 02",
        "tokenkeep-keyring x",
        "tokenkeep-keyring  2",
        "Tokenkeep-keyring 2",
        "[vault]",
    ] {
        let bytes = summed(&[other, &kek("0c", "primary")]);
        assert!(matches!(reencode(&bytes), Err(KeyringError::Malformed { line: 1 })), "{other}");
    }
}

#[test]
fn the_wrong_number_of_primaries_is_told() {
    let open_only = kek("0c", "open-only");
    for lines in [&[HEADER][..], &[HEADER, &open_only]] {
        assert!(matches!(reencode(&summed(lines)), Err(KeyringError::NoPrimary)));
    }
    let bytes = summed(&[HEADER, &kek("0a", "primary"), &open_only, &kek("0b", "primary")]);
    assert!(matches!(reencode(&bytes), Err(KeyringError::TwoPrimaries { line: 4 })));
}

#[test]
fn an_id_stands_once() {
    let bytes = summed(&[HEADER, &kek("0a", "primary"), &kek("0a", "open-only")]);
    assert!(matches!(reencode(&bytes), Err(KeyringError::DuplicateKek { line: 3 })));
}

#[test]
fn a_line_has_one_spelling() {
    for line in [
        "",
        "kek",
        "kek 0c primary 1700000000",
        &format!("kek 0c primary 1700000000 {}", &KEY[2..]),
        &format!("kek 0c primary 1700000000 {KEY}00"),
        &format!("kek 0c primary 1700000000 {}", KEY.to_uppercase()),
        &format!("kek 0c primary 1700000000 {}g", &KEY[1..]),
        &format!("kek 0c primary 1700000000 {KEY} "),
        &format!("kek 0c primary 1700000000 {KEY}\r"),
        &format!("kek 0c primary 01 {KEY}"),
        &format!("kek 0c primary +1 {KEY}"),
        &format!("kek 0c primary -1 {KEY}"),
        &format!("kek 0c primary  {KEY}"),
        &format!("kek 0c primary 18446744073709551616 {KEY}"),
        &format!("kek 0c destroyed 1 {KEY}"),
        "kek 0c destroyed 1",
        "kek 0c destroyed 1 02",
        "kek 0c destroyed 1 2 3",
        "kek 0c beside 1 2",
        "kek 0c primary 1 2",
        &format!("kek 0c  primary 1 {KEY}"),
        &format!(" kek 0c primary 1 {KEY}"),
        &format!("kek  primary 1 {KEY}"),
        &format!("kek 0 primary 1 {KEY}"),
        &format!("kek 0C primary 1 {KEY}"),
        &format!("kek {} primary 1 {KEY}", "ab".repeat(30)),
    ] {
        let bytes = summed(&[HEADER, &kek("0a", "primary"), line]);
        assert!(matches!(reencode(&bytes), Err(KeyringError::Malformed { line: 3 })), "{line:?}");
    }
}

#[test]
fn a_locked_file_has_one_spelling() {
    let salt = COST.rsplit(' ').next().unwrap();
    for (cost, line, at) in [
        (COST.to_owned(), "", 2),
        (COST.to_owned(), "sealed", 2),
        (COST.to_owned(), "sealed 0", 2),
        (COST.to_owned(), "sealed 0G", 2),
        (COST.to_owned(), "sealed AB", 2),
        (COST.to_owned(), "sealed 00 ", 2),
        (COST.to_owned(), "sealed 00\nsealed 00", 2),
        (COST.to_owned(), "kek 0c primary 1 2", 2),
        (COST.replace("65536", "065536"), "sealed 00", 1),
        (COST.replace("65536", "4295032832"), "sealed 00", 1),
        (COST.replace("argon2id", "argon2i"), "sealed 00", 1),
        (COST.replace("argon2id", "Argon2id"), "sealed 00", 1),
        (COST.replace(" 3 ", "  3 "), "sealed 00", 1),
        (COST.replace(" 3 ", " +3 "), "sealed 00", 1),
        (format!("{COST} "), "sealed 00", 1),
        (format!("{COST}00"), "sealed 00", 1),
        (COST.replace(salt, &salt[2..]), "sealed 00", 1),
        (COST.replace(salt, &salt.to_uppercase()), "sealed 00", 1),
    ] {
        let bytes = summed(&[&format!("{HEADER} {cost}"), line]);
        let error = reencode(&bytes).unwrap_err();
        assert!(matches!(error, KeyringError::Malformed { line } if line == at), "{cost} {line}: {error:?}");
    }
}

#[test]
fn a_cost_out_of_bounds_is_refused_before_any_work() {
    // One that would take 4 TiB, and one that would take months.
    for cost in [COST.replace("65536", "4294967295"), COST.replace(" 3 ", " 4294967295 ")] {
        let bytes = summed(&[&format!("{HEADER} {cost}"), "sealed 00"]);
        assert!(matches!(reencode(&bytes), Err(KeyringError::CostOutOfBounds)));
    }
}

#[test]
fn a_huge_file_is_refused_unread() {
    let folder = private_folder();
    let path = folder.path().join("keyring");
    let file = fs::File::create(&path).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    // Sparse: reading it would take more memory than there is.
    file.set_len(1 << 40).unwrap();
    assert!(matches!(LocalKeyring::open(&path), Err(KeyringError::TooLong)));
    assert!(matches!(reencode(&vec![b'x'; 1024 * 1024 + 1]), Err(KeyringError::TooLong)));
}

#[test]
fn a_keyring_never_grows_beyond_what_can_be_read() {
    let line = |n: usize| format!("kek {n:058x} open-only 1700000000 {KEY}");
    let other_lines = [HEADER.to_owned(), kek("0c", "primary")];
    let others: usize = other_lines.iter().map(|line| line.len() + 1).sum();
    // All that fit, beside the end line of 69 bytes; one rotation or two more do not.
    let fit = (1024 * 1024 - others - 69) / (line(0).len() + 1);
    let lines: Vec<String> = other_lines.into_iter().chain((0..fit).map(line)).collect();
    let text = summed(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(*reencode(&text).unwrap(), text);
    let folder = private_folder();
    let path = folder.path().join("keyring");
    fs::write(&path, &text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let keyring = LocalKeyring::open(&path).unwrap();
    let last = (0..2).find_map(|_| keyring.rotate().err());
    assert!(matches!(last, Some(KeyringError::TooLong)));
    assert!(LocalKeyring::open(&path).is_ok());
}
