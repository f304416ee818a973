//! The one form, and nothing but it. Here and not under `tests/`, because only a vault can sign.

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn signer(vault: u8, seed: u8) -> CheckpointSigner {
    CheckpointSigner::new(VaultId::from_bytes([vault; 16]), &Zeroizing::new([seed; 32]))
}

fn facts(number: u64) -> Facts {
    let heads = (0..SHARDS).map(|shard| match u64::from(shard) % 5 {
        0 => AuditHead::empty(shard),
        n => AuditHead { shard, sequence: n * 37, mac: [n as u8; 32] },
    });
    Facts {
        vault: VaultId::from_bytes([0xab; 16]),
        number,
        at: Timestamp::from_millis(1_795_315_548_123),
        previous: if number == 1 { [0; 32] } else { [0xcd; 32] },
        heads: heads.collect(),
    }
}

/// What outsiders have in their hands. `interop/checkpoint.py` checks the same files with another library.
#[test]
fn the_published_checkpoint_stays_as_it_is() {
    let signer = signer(0xab, 0x42);
    let made = Checkpoint::make(&signer, facts(17));
    assert_eq!(made.note(), include_str!("../../vectors/checkpoint.note"));
    assert_eq!(format!("{}\n", signer.public()), include_str!("../../vectors/checkpoint.key"));
    assert_eq!(Checkpoint::open(made.note(), signer.public()), Ok(made));
}

#[test]
fn every_bit_counts() {
    let signer = signer(0xab, 0x42);
    let note = Checkpoint::make(&signer, facts(17)).note().to_owned();
    let mut refused = 0;
    for place in 0..note.len() {
        for bit in 0..8 {
            let mut bytes = note.as_bytes().to_vec();
            bytes[place] ^= 1 << bit;
            // What is no UTF-8 is no `&str` either.
            let Ok(flipped) = std::str::from_utf8(&bytes) else { continue };
            assert!(Checkpoint::open(flipped, signer.public()).is_err(), "bit {bit} of byte {place}");
            refused += 1;
        }
        if note.is_char_boundary(place) {
            assert!(Checkpoint::open(&note[..place], signer.public()).is_err(), "cut at {place}");
        }
    }
    assert!(refused > note.len() * 6, "most flips leave a text");
    for longer in [format!("{note}\n"), format!("\n{note}"), format!("{note}{note}"), format!(" {note}")] {
        assert!(Checkpoint::open(&longer, signer.public()).is_err());
    }
}

#[test]
fn another_form_is_refused_even_if_it_is_signed() {
    let signer = signer(0xab, 0x42);
    let text = facts(17).text();
    let opens = |text: &str| Checkpoint::open(&signer.sign(text), signer.public());
    assert!(opens(&text).is_ok());
    for (what, other) in [
        ("another version", text.replace("v1", "v2")),
        ("a leading zero", text.replace("number 17", "number 017")),
        ("a sign", text.replace("number 17", "number +17")),
        ("number 0", text.replace("number 17", "number 0")),
        ("number 1 with one before it", text.replace("number 17", "number 1")),
        ("a number beyond 64 bits", text.replace("number 17", "number 18446744073709551616")),
        ("upper case", text.replace("abab", "ABAB")),
        ("another time zone", text.replace(".123Z", ".123+00:00")),
        ("no milliseconds", text.replace(".123Z", "Z")),
        ("two spaces", text.replace("vault ", "vault  ")),
        ("a space at an end", text.replace("number 17", "number 17 ")),
        ("a line less", text.lines().take(20).map(|line| format!("{line}\n")).collect()),
        ("a line more", format!("{text}head 16 0 {}\n", "0".repeat(64))),
        ("an empty line more", format!("{text}\n")),
        ("other order", text.replace("head 1 ", "head X ").replace("head 2 ", "head 1 ").replace('X', "2")),
        ("a MAC without an entry", text.replacen("head 0 0 00", "head 0 0 01", 1)),
        ("a short MAC", text.replace("head 0 0 00", "head 0 0 ")),
    ] {
        assert_ne!(other, text, "{what} changes nothing");
        assert_eq!(opens(&other), Err(BadCheckpoint::Malformed), "{what}");
    }
    let other_vault = text.replace("vault ab", "vault ac");
    assert_eq!(opens(&other_vault), Err(BadCheckpoint::OtherVault));
}

#[test]
fn other_vaults_and_keys_are_told_apart() {
    let mine = signer(0xab, 0x42);
    let note = Checkpoint::make(&mine, facts(17)).note().to_owned();
    let open = |key: &CheckpointSigner| Checkpoint::open(&note, key.public());
    assert_eq!(open(&signer(0xac, 0x42)), Err(BadCheckpoint::OtherVault), "the same key, another vault");
    assert_eq!(open(&signer(0xab, 0x43)), Err(BadCheckpoint::OtherKey));
    let forged = note.replace("number 17", "number 18");
    assert_eq!(Checkpoint::open(&forged, mine.public()), Err(BadCheckpoint::BadSignature));
    let text = mine.public().to_string();
    assert_eq!(text.parse::<CheckpointKey>().unwrap(), *mine.public());
    assert_eq!(
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
            .parse::<CheckpointKey>()
            .unwrap_err()
            .kind(),
        tokenkeep_core::ErrorKind::Misuse
    );
    let shown = format!("{mine:?}");
    assert!(shown.contains("[hidden]") && !shown.contains("4242"), "{shown}");
}

#[test]
fn clocks_out_of_range_still_sign() {
    let signer = signer(0xab, 0x42);
    for millis in [i64::MIN, -1, 0, i64::MAX] {
        let made = Checkpoint::make(&signer, Facts { at: Timestamp::from_millis(millis), ..facts(17) });
        assert_eq!(Checkpoint::open(made.note(), signer.public()), Ok(made));
    }
}

#[test]
fn forks_are_seen() {
    let signer = signer(0xab, 0x42);
    let make = |facts| Checkpoint::make(&signer, facts);
    let one = make(facts(1));
    let later = Timestamp::from_millis(1_795_315_548_124);
    let other_one = make(Facts { at: later, ..facts(1) });
    let two = make(Facts { previous: *one.digest(), ..facts(2) });
    let three = make(Facts { previous: *two.digest(), ..facts(3) });
    for (a, b, forked) in [
        (&one, &one, false),
        (&one, &other_one, true),
        (&one, &two, false),
        (&other_one, &two, true),
        (&two, &three, false),
        (&other_one, &three, false), // what lies between them is not known
    ] {
        assert_eq!((a.forks_from(b), b.forks_from(a)), (forked, forked));
    }
}

proptest! {
    #[test]
    fn what_is_signed_is_read_back(
        vault in any::<[u8; 16]>(),
        number in 1_u64..,
        at in 0..=LAST_TIME,
        previous in any::<[u8; 32]>(),
        heads in proptest::collection::vec((any::<u64>(), any::<[u8; 32]>()), usize::from(SHARDS)),
    ) {
        let signer = CheckpointSigner::new(VaultId::from_bytes(vault), &Zeroizing::new([3; 32]));
        let heads = heads.into_iter().zip(0..).map(|((sequence, mac), shard)| {
            if sequence == 0 { AuditHead::empty(shard) } else { AuditHead { shard, sequence, mac } }
        });
        let facts = Facts {
            vault: VaultId::from_bytes(vault),
            number,
            at: Timestamp::from_millis(at),
            previous: if number == 1 { [0; 32] } else { previous },
            heads: heads.collect(),
        };
        let made = Checkpoint::make(&signer, facts.clone());
        prop_assert_eq!(&made.facts, &facts);
        prop_assert_eq!(made.note().lines().count(), 23);
        let opened = Checkpoint::open(made.note(), signer.public());
        prop_assert_eq!(opened, Ok(made));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*|(tokenkeep checkpoint v1\n)?(vault [0-9a-f]{32}\n)?(number [0-9]{1,3}\n)?.{0,40}\n\n\u{2014} .{0,40} [A-Za-z0-9+/=]{0,100}\n") {
        let _ = Checkpoint::open(&text, signer(1, 1).public());
        let _ = Facts::parse(&text);
        let _ = text.parse::<CheckpointKey>();
    }
}
