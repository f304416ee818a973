//! The leak scanner: everything planted is found, and nothing else.

use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use tokenkeep_testkit::{Leak, LeakEncoding, LeakScanner, fake_token};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 without padding, bit by bit: written apart from the scanner, to judge it.
fn base64(alphabet: &[u8; 64], bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let sextets =
        bits.chunks(6).map(|bits| (0..6).fold(0, |value, i| value << 1 | bits.get(i).unwrap_or(&0)));
    sextets.map(|value| alphabet[usize::from(value)]).collect()
}

fn hex(bytes: &[u8], upper: bool) -> Vec<u8> {
    let digits = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
    bytes.iter().map(digits).collect::<String>().into_bytes()
}

/// Each way in which the scanner must see these bytes.
fn encode(way: usize, bytes: &[u8]) -> (LeakEncoding, Vec<u8>) {
    match way {
        0 => (LeakEncoding::Plain, bytes.to_vec()),
        1 => (LeakEncoding::Hex, hex(bytes, false)),
        2 => (LeakEncoding::Hex, hex(bytes, true)),
        3 => (LeakEncoding::Base64, base64(STANDARD, bytes)),
        _ => (LeakEncoding::Base64, base64(URL_SAFE, bytes)),
    }
}

fn found(leaks: &[Leak]) -> Vec<(&str, LeakEncoding)> {
    leaks.iter().map(|leak| (leak.secret.as_str(), leak.encoding)).collect()
}

#[test]
fn the_tests_own_base64_gives_the_examples_of_rfc_4648() {
    for (bytes, text) in [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(STANDARD, bytes.as_bytes()), text.as_bytes());
    }
    assert_eq!(base64(URL_SAFE, &[0xfb, 0xff]), b"-_8");
}

proptest! {
    /// A part of the secret, anywhere in some text that is encoded as a whole, anywhere in a file: found exactly
    /// when it is long enough, and named where it begins.
    #[test]
    fn a_run_is_found_in_each_encoding_exactly_when_it_is_long_enough(
        secret in vec(any::<u8>(), 8..64),
        min_run in 8_usize..24,
        part in (0.0..1.0, 0.0..1.0),
        around in (vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40)),
        outside in (vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40)),
        way in 0_usize..5,
    ) {
        let min_run = min_run.min(secret.len());
        let start = (part.0 * secret.len() as f64) as usize;
        let length = (part.1 * (secret.len() - start + 1) as f64) as usize;
        let run = &secret[start..start + length];
        let (encoding, encoded) = encode(way, &[&around.0, run, &around.1].concat());
        // A character outside every alphabet keeps the surroundings from lengthening the encoded text.
        let bytes = [&outside.0[..], b" ", &encoded, b" ", &outside.1].concat();

        let scanner = LeakScanner::new().secret("it", &secret, min_run);
        let leaks = scanner.scan_bytes("here", &bytes);
        // Neighbours that happen to be the secret's next byte lengthen the run; then nothing can be said of length.
        let (before, after) = (around.0.last().unwrap_or(&b' '), around.1.first().unwrap_or(&b' '));
        let lengthened = start > 0 && secret[start - 1] == *before || secret.get(start + length) == Some(after);
        prop_assume!(length >= min_run || !lengthened);
        if length >= min_run {
            prop_assert_eq!(found(&leaks), [("it", encoding)]);
            let offset = (outside.0.len() + 1) as u64 + match encoding {
                LeakEncoding::Plain => around.0.len() as u64,
                LeakEncoding::Hex => 2 * around.0.len() as u64,
                _ => around.0.len() as u64 * 8 / 6,
            };
            prop_assert!(lengthened || leaks[0].offset == offset, "{} is not {offset}", leaks[0]);
        } else {
            prop_assert!(leaks.is_empty(), "a run of {length} below {min_run}: {}", leaks[0]);
        }
    }

    /// Random bytes are no leak.
    #[test]
    fn random_bytes_hold_no_secret(secret in vec(any::<u8>(), 16), bytes in vec(any::<u8>(), 0..4000)) {
        prop_assert!(LeakScanner::new().secret("it", &secret, 8).scan_bytes("here", &bytes).is_empty());
    }
}

#[test]
fn each_encoding_is_found_at_each_alignment_and_across_the_border_of_two_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret: Vec<u8> = (0..16).map(|i| 0xf1_u8.wrapping_mul(i + 3)).collect();
    let scanner = LeakScanner::new().secret("it", &secret, 16);
    let file = folder.path().join("file");
    for way in 0..5 {
        for alignment in 0..3 {
            for before_border in 0..50 {
                let (encoding, encoded) = encode(way, &[&vec![0; alignment], &secret[..], b"?"].concat());
                let mut bytes = vec![b' '; 64 * 1024 - before_border];
                bytes.extend_from_slice(&encoded);
                fs::write(&file, &bytes).expect("it is written");
                let leaks = scanner.scan_file(&file).expect("it is read");
                assert_eq!(found(&leaks), [("it", encoding)], "{way} {alignment} {before_border}");
            }
        }
    }
}

#[test]
fn a_run_one_byte_too_short_is_not_reported_in_any_encoding() {
    let secret = b"\x81a secret of some length\xfe";
    let scanner = LeakScanner::new().secret("it", secret, 12);
    for way in 0..5 {
        for alignment in 0..3 {
            for start in 1..secret.len() - 12 {
                // The neighbours differ from the secret's in one bit: the last one before, the first one after.
                let before = [&vec![0; alignment][..], &[secret[start - 1] ^ 0x01]].concat();
                let after = [secret[start + 11] ^ 0x80];
                let (_, short) = encode(way, &[&before, &secret[start..start + 11], &after].concat());
                assert_eq!(scanner.scan_bytes("here", &short), [], "{way} {alignment} {start}");
                let (_, enough) = encode(way, &[&before, &secret[start..start + 12], b"?"].concat());
                assert_eq!(scanner.scan_bytes("here", &enough).len(), 1, "{way} {alignment} {start}");
            }
        }
    }
}

#[test]
fn mixed_case_hex_several_secrets_and_several_places_are_told_apart() {
    let scanner = LeakScanner::new().secret("first", b"\xab\xcd\xef\x01\x23\x45\x67\x89", 8).secret(
        "second",
        b"another secret",
        14,
    );
    let bytes = b"AbCdEf0123456789 another secret, another secret";
    let leaks: Vec<(String, u64)> =
        scanner.scan_bytes("here", bytes).into_iter().map(|leak| (leak.secret, leak.offset)).collect();
    let expected = [("first", 0), ("second", 17), ("second", 33)];
    assert_eq!(leaks, expected.map(|(name, offset)| (name.to_owned(), offset)));
}

#[test]
fn a_secret_that_repeats_itself_is_reported_once_a_run() {
    let scanner = LeakScanner::new().secret("it", &[7; 40], 8);
    assert_eq!(scanner.scan_bytes("here", &[7; 8]).len(), 1);
}

#[test]
fn only_bytes_that_follow_each_other_in_the_secret_make_a_run() {
    // Nine alike, then others: more of the first nine is not more of the secret.
    let scanner = LeakScanner::new().secret("it", &[&[7; 9][..], b"and others"].concat(), 12);
    assert_eq!(scanner.scan_bytes("here", &[7; 100]), []);
}

#[test]
fn a_character_outside_the_alphabet_ends_an_encoded_run() {
    let secret = b"bytes of a key";
    let scanner = LeakScanner::new().secret("it", secret, 8);
    for (digits, bytes) in [(14, hex(secret, false)), (10, base64(STANDARD, secret))] {
        let broken = bytes.chunks(digits).collect::<Vec<_>>().join(&b'\n');
        assert_eq!(scanner.scan_bytes("here", &broken), []);
    }
}

#[test]
fn a_token_is_known_by_its_secret_part_and_not_by_its_prefix() {
    let (token, other) = (fake_token(), fake_token());
    let scanner = LeakScanner::new().token("jane's token", &token);
    assert_eq!(scanner.scan_bytes("log", other.as_bytes()), []);
    assert_eq!(scanner.scan_bytes("log", b"apify_api_FAKE-... apify_api_"), []);
    let part = &token[20..32];
    assert_eq!(found(&scanner.scan_bytes("log", part.as_bytes())), [("jane's token", LeakEncoding::Plain)]);
    assert_eq!(scanner.scan_bytes("log", &part.as_bytes()[1..]), []);
}

#[test]
fn a_folder_is_searched_to_the_bottom_and_nothing_in_it_is_overlooked() {
    let token = fake_token();
    let scanner = LeakScanner::new().token("token", &token);
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/.hidden/b");
    fs::create_dir_all(&deep).expect("folders");
    fs::write(folder.path().join("clean"), b"nothing").expect("a file");
    fs::write(deep.join("empty"), b"").expect("a file");
    assert_eq!(scanner.scan_dir(folder.path()).expect("it is read"), []);

    fs::write(deep.join(".log"), format!("0123456789{token}")).expect("a file");
    let leaks = scanner.scan_dir(folder.path()).expect("it is read");
    assert_eq!(found(&leaks), [("token", LeakEncoding::Plain)]);
    assert_eq!(leaks[0].place, deep.join(".log").display().to_string());
    assert_eq!(leaks[0].offset, 10 + 15);
    fs::remove_file(deep.join(".log")).expect("it is there");

    fs::create_dir(deep.join(&token)).expect("a folder");
    fs::write(deep.join(&token).join("inside"), &token).expect("a file");
    let leaks = scanner.scan_dir(folder.path()).expect("it is read");
    assert_eq!(leaks.len(), 2);
    assert!(
        leaks.iter().all(|leak| !leak.to_string().contains(&token) && !format!("{leak:?}").contains(&token))
    );
}

#[cfg(unix)]
#[test]
fn links_are_read_but_not_followed() {
    let token = fake_token();
    let scanner = LeakScanner::new().token("token", &token);
    let (folder, elsewhere) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::write(elsewhere.path().join("secret"), &token).expect("a file");
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("folder")).expect("a link");
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), folder.path().join("file")).expect("a link");
    assert_eq!(scanner.scan_dir(folder.path()).expect("it is read"), []);
    std::os::unix::fs::symlink(format!("/{token}"), folder.path().join("target")).expect("a link");
    let leaks = scanner.scan_dir(folder.path()).expect("it is read");
    assert_eq!(leaks.len(), 1);
    assert!(leaks[0].place.ends_with("target"));
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let scanner = LeakScanner::new().secret("it", b"a secret", 8);
    for error in [
        scanner.scan_dir(folder.path().join("missing")).expect_err("it isn't there"),
        scanner.scan_file(folder.path().join("missing")).expect_err("it isn't there"),
    ] {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.to_string().contains("missing"));
    }
}

#[test]
fn no_debug_shows_a_secret() {
    let token = fake_token();
    let scanner = LeakScanner::new().token("jane's token", &token).secret("key", b"bytes of a key", 8);
    let own = LeakScanner::new().token("own", &token).secret("own", b"bytes of a key", 8);
    let leaks = scanner.scan_bytes("log", format!("{token}bytes of a key").as_bytes());
    assert_eq!(leaks.len(), 2);
    let shown = format!("{scanner:?} {leaks:?} {} {}", leaks[0], leaks[1]);
    assert!(shown.contains("jane's token"));
    assert_eq!(own.scan_bytes("shown", shown.as_bytes()), []);
}

#[test]
#[should_panic(expected = "found by chance")]
fn a_run_below_eight_bytes_is_refused() {
    let _ = LeakScanner::new().secret("it", b"a secret", 7);
}

#[test]
#[should_panic(expected = "would never be found")]
fn a_secret_shorter_than_its_run_is_refused() {
    let _ = LeakScanner::new().secret("it", b"a secret", 9);
}

#[test]
#[should_panic(expected = "without a secret")]
fn a_scan_for_nothing_is_refused() {
    let _ = LeakScanner::new().scan_bytes("here", b"bytes");
}
