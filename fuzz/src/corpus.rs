//! The small corpus that is kept with the code, and its replay.
//!
//! A file named `seed-…` is made by [`seeds`]; a finding, once its fault is mended, is added by hand under a name that says
//! what it was.

use std::path::PathBuf;

use crate::TARGETS;
use crate::boundary_seeds;
use crate::keyring_file::summed;
use crate::sealed::SEALED;
use crate::secret_seeds;

/// One file of the corpus.
#[derive(Debug)]
pub struct Seed {
    /// The target that it is for.
    pub target: &'static str,
    /// What it is, in a word or two with hyphens between.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it gets as far as what the target is about.
    pub reaches: bool,
}

/// Where the corpus of a target is kept.
///
/// # Panics
/// For a name that is no target's.
#[must_use]
pub fn corpus_folder(target: &str) -> PathBuf {
    assert!(TARGETS.iter().any(|(name, _)| *name == target), "no target is named {target:?}");
    [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect()
}

/// What the corpus is begun with: the shapes that a fuzzer would be long in finding.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name, reaches, bytes: Vec<u8>| {
        seeds.push(Seed { target, name, bytes, reaches });
    };

    for (name, reaches, bytes) in boundary_seeds::seeds() {
        add("boundary", name, reaches, bytes);
    }

    for (target, name, reaches, bytes) in secret_seeds::seeds() {
        add(target, name, reaches, bytes);
    }

    for (name, reaches, text) in [
        ("kinds", true, "# c\nexport A=x==\nB='a # $x' # c\r\nC=\"a\\nb\"\nD=\n"),
        ("escape", false, "A=\"a\\tb\""),
        ("lines", true, "A='one\ntwo'\nB=\"three\nfour\""),
        ("empty", false, ""),
        ("open", false, "A='x"),
        ("unclear", false, "A=two words"),
        ("substituted", false, "A=\"$B\""),
    ] {
        add("dotenv", name, reaches, text.into());
    }

    for (name, reaches, text) in [
        ("plain", true, "valueothrxvaluexothrvalue"),
        ("overlap", true, "abcdeebcdxabcdebcdeabcdeebcd"),
        ("hex", true, "valueothrx76616c7565, 6F746872"),
        ("base64", true, "valueothrxdmFsdWU= eHZhbHVleA=="),
        ("run", true, "aaaaaaaaaaaaaaaaaaaaaaaab"),
        ("nothing", false, "valueothrxvaluothvalu"),
    ] {
        add("redact", name, reaches, [b"\x01\x03", text.as_bytes()].concat());
    }

    let sealed = SEALED.records[0].bytes.as_slice();
    let header = [1, 1, 1, b'k', 0, 1, b'w'];
    let with = |at: usize, value: u8| {
        let mut bytes = sealed.to_vec();
        bytes[at] = value;
        bytes
    };
    add("envelope_decode", "sealed", true, sealed.to_vec());
    add("envelope_decode", "smallest", true, [&header[..], &[0; 24 + 48]].concat());
    add("envelope_decode", "longest-payload", true, [&header[..], &[0; 24 + 48 + 16_384]].concat());
    add("envelope_decode", "payload-too-long", false, [&header[..], &[0; 24 + 48 + 16_385]].concat());
    add(
        "envelope_decode",
        "longest-kek-id",
        true,
        [&[1, 1, 29], &[7; 29][..], &[0, 1, 9], &[0; 72]].concat(),
    );
    add(
        "envelope_decode",
        "kek-id-too-long",
        false,
        [&[1, 1, 30], &[7; 30][..], &[0, 1, 9], &[0; 72]].concat(),
    );
    add("envelope_decode", "no-wrapped-dek", false, [&[1, 1, 1, b'k', 0, 0], &[0; 72][..]].concat());
    add("envelope_decode", "long-wrapped-dek", true, [&[1, 1, 1, b'k', 1, 1], &[0; 257 + 72][..]].concat());
    add("envelope_decode", "cut-in-wrapped-dek", false, sealed[..60].to_vec());
    add("envelope_decode", "cut-in-commitment", false, [&header[..], &[0; 71]].concat());
    add("envelope_decode", "other-version", false, with(0, 2));
    add("envelope_decode", "other-suite", false, with(1, 2));
    add("envelope_decode", "empty", false, Vec::new());

    // The first byte chooses between bytes as they are (0) and edits of the sealed envelope (1).
    add("envelope_open", "sealed", true, [&[0], sealed].concat());
    add("envelope_open", "other-record", true, [&[0], SEALED.records[1].bytes.as_slice()].concat());
    add("envelope_open", "unedited", true, vec![1]);
    add("envelope_open", "commitment-changed", true, [&[0], with(sealed.len() - 1, 0).as_slice()].concat());
    add("envelope_open", "tag-changed", true, [&[0], with(sealed.len() - 33, 0).as_slice()].concat());
    add("envelope_open", "one-byte-more", true, [&[0], sealed, &[0]].concat());
    add("envelope_open", "one-byte-less", true, [&[0], &sealed[..sealed.len() - 1]].concat());
    // 32 bits choose the kind of an edit: of eight, the highest three bits tell which.
    for (number, name) in
        ["flip", "set", "insert", "remove", "truncate", "append", "copy", "field"].into_iter().enumerate()
    {
        let edit = [&[1, 0, 0, 0, (number as u8) << 5], &[150, 0, 40, 0, 7, 1, 1][..]].concat();
        add("envelope_open", name, name != "truncate", edit);
    }

    let facts = |tail: &[u8]| [&[3; 16][..], b"tenantconnection", tail].concat();
    add("context_encoding", "zeros", true, vec![0; 256]);
    add("context_encoding", "ones", true, vec![255; 512]);
    add("context_encoding", "counted", true, (0..=255).collect());
    add("context_encoding", "names", true, facts(&[17; 200]));
    add("context_encoding", "far-facts", true, facts(&(0..200).rev().collect::<Vec<u8>>()));
    add("context_encoding", "empty", true, Vec::new());

    let key = "0123456789abcdef".repeat(4);
    let kek = |id: &str, state: &str, made: &str| format!("kek {id} {state} {made} {key}\n");
    let mut lines = |name, reaches, lines: &[String]| {
        add("keyring_file", name, reaches, [b"\x01", lines.concat().as_bytes()].concat());
    };
    lines("one", true, &[kek("0011", "primary", "1700000000")]);
    lines("two", true, &[kek("0011", "open-only", "0"), kek("0022", "primary", "18446744073709551615")]);
    lines("ids", true, &[kek("ab", "primary", "1"), kek(&"cd".repeat(29), "open-only", "2")]);
    lines("beside", true, &[kek("ab", "primary", "1"), kek("cd", "beside", "2")]);
    lines("destroyed", true, &["kek ab destroyed 1 2\n".to_owned(), kek("cd", "primary", "2")]);
    lines("destroyed-with-a-key", false, &[kek("ab", "destroyed", "1"), kek("cd", "primary", "2")]);
    lines("beside-alone", false, &[kek("cd", "beside", "2")]);
    lines("id-too-long", false, &[kek(&"cd".repeat(30), "primary", "2")]);
    lines("same-id-twice", false, &[kek("ab", "primary", "1"), kek("ab", "open-only", "2")]);
    lines("two-primaries", false, &[kek("ab", "primary", "1"), kek("cd", "primary", "2")]);
    lines("no-primary", false, &[kek("ab", "open-only", "1")]);
    lines("upper-case", false, &[kek("AB", "primary", "1")]);
    lines("leading-zero", false, &[kek("ab", "primary", "01")]);
    lines("two-spaces", false, &[kek("ab", "primary ", "1")]);
    lines("carriage-return", false, &[kek("ab", "primary", "1").replace('\n', "\r\n")]);
    for (name, reaches, cost, line) in [
        ("locked", true, "65536 3 4", "sealed 00"),
        ("locked-dearest", true, "1048576 16 16", "sealed "),
        ("locked-too-cheap", false, "65535 3 4", "sealed 00"),
        ("locked-too-dear", false, "104857600 3 4", "sealed 00"),
        ("locked-odd", false, "65536 3 4", "sealed 0"),
        ("locked-and-plain", false, "65536 3 4", "kek ab destroyed 1 2"),
    ] {
        let text = format!("\x02{cost} 000102030405060708090a0b0c0d0e0f\n{line}\n");
        add("keyring_file", name, reaches, text.into_bytes());
    }
    let whole = summed(format!("tokenkeep-keyring 2\n{}", kek("ab", "primary", "1")).as_bytes());
    add("keyring_file", "whole", true, [b"\0", whole.as_slice()].concat());
    add("keyring_file", "cut", false, [b"\0", &whole[..whole.len() - 1]].concat());
    add("keyring_file", "longer", false, [b"\0", whole.as_slice(), b"\n"].concat());
    add("keyring_file", "other-version", false, b"\0tokenkeep-keyring 3\n".to_vec());

    for (name, reaches, text) in [
        ("token", true, "a-token-0123456789_ABC~!"),
        ("pasted", true, " \ta-token\r\n"),
        ("inner-space", false, "two words"),
        ("control", false, "a\0token"),
        ("not-ascii", false, "tökén"),
        ("no-break-space", true, "\u{a0}token"),
        ("empty", false, ""),
        ("url", false, "https://console.example/settings?x"),
        ("invisible", false, "a\u{202e}b\u{200b}"),
        ("chinese", false, "客户"),
        ("provider", true, "some-provider-2"),
        ("origin", true, "https://api.example.com"),
        ("origin-port", true, "https://localhost:8443"),
        ("origin-default-port", false, "https://api.example.com:443"),
        ("origin-leading-zero", false, "https://api.example.com:08443"),
        ("origin-user", false, "https://user@api.example.com"),
        ("origin-number", false, "https://0x7f.1"),
        ("origin-hex", false, "https://a.0x7f"),
        ("origin-address", false, "https://[::1]:1"),
        ("origin-punycode", false, "https://xn--pify-4na.com"),
        ("origin-upper-case", false, "https://API.example.com"),
        ("origin-dot", false, "https://api.example.com."),
        ("origin-hyphens", true, "https://a--b.c1-d.example"),
    ] {
        add("token_shape", name, reaches, text.into());
    }
    let longest = [&b"\x01\0\x01\x01A\x3f\xf9"[..], &[b'x'; 16_377]].concat();
    for (name, reaches, bytes) in [
        ("empty", true, &b"\x01\0\0"[..]),
        ("two", true, b"\x01\0\x02\x01A\0\x011\x03_b2\0\x02\xc3\xa4"),
        ("longest", true, &longest),
        ("another-version", false, b"\x02\0\0"),
        ("descending", false, b"\x01\0\x02\x01B\0\0\x01A\0\0"),
        ("twice", false, b"\x01\0\x02\x01A\0\0\x01A\0\0"),
        ("trailing", false, b"\x01\0\0\x01"),
        ("digit-first", false, b"\x01\0\x01\x011\0\0"),
        ("nul", false, b"\x01\0\x01\x01A\0\x01\0"),
        ("not-utf-8", false, b"\x01\0\x01\x01A\0\x01\xff"),
        ("cut-off", false, b"\x01\0\x01\x01A\xff\xff"),
    ] {
        add("secret_vars", name, reaches, bytes.to_vec());
    }

    add("token_shape", "longest-token", true, vec![b'x'; 16_384]);
    add("token_shape", "token-too-long", false, vec![b'x'; 16_385]);
    add("token_shape", "not-utf-8", false, vec![0xff, b'x']);
    seeds
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_corpus_passes_its_target() {
        for (name, target) in TARGETS {
            let folder = corpus_folder(name);
            let entries =
                fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut reached = [0, 0];
            for entry in entries {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                reached[usize::from(target(&fs::read(&path).unwrap()))] += 1;
            }
            assert!(reached[1] > 0, "{name}: nothing reaches what it is about");
            println!("{name}: {} of {} files reach what it is about", reached[1], reached[0] + reached[1]);
        }
    }

    #[test]
    fn each_seed_gets_as_far_as_it_says() {
        for seed in seeds() {
            let (_, target) = TARGETS.iter().find(|(name, _)| *name == seed.target).unwrap();
            assert_eq!(target(&seed.bytes), seed.reaches, "{} {}", seed.target, seed.name);
        }
    }

    #[test]
    fn the_seeds_are_in_the_corpus() {
        for seed in seeds() {
            let path = corpus_folder(seed.target).join(format!("seed-{}", seed.name));
            let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(kept == seed.bytes, "{}: run the example `write_corpus` again", path.display());
        }
        for (name, _) in TARGETS {
            for entry in fs::read_dir(corpus_folder(name)).unwrap() {
                let file = entry.unwrap().file_name().into_string().unwrap();
                let Some(rest) = file.strip_prefix("seed-") else { continue };
                assert!(
                    seeds().iter().any(|seed| seed.target == *name && seed.name == rest),
                    "{name}/{file}"
                );
            }
        }
    }
}
