//! A keyring has one spelling: what is read, is written as it was.

use sha2::{Digest, Sha256};
use tokenkeep_keys::reencode;

const HEADER: &[u8] = b"tokenkeep-keyring 1\n";

/// The first byte chooses: the rest stands for itself, or is what stands between a good header and an end line
/// whose sum fits, which no fuzzer finds.
///
/// # Panics
/// When a promise is broken.
pub fn keyring_file(bytes: &[u8]) -> bool {
    let Some((&choice, rest)) = bytes.split_first() else { return false };
    if choice & 1 == 0 { check(rest) } else { check(&summed(&[HEADER, rest].concat())) }
}

fn check(file: &[u8]) -> bool {
    let Ok(again) = reencode(file) else { return false };
    assert!(*again == file, "what was read is not what is written");
    // Each key stands once and whole, in the one spelling: the text without its line feeds is a list of lines.
    let text = std::str::from_utf8(file).expect("a keyring is ASCII");
    let lines: Vec<&str> = text.strip_suffix('\n').expect("the last line ends").split('\n').collect();
    let [header, keks @ .., end] = lines.as_slice() else { panic!("a keyring has a header and an end") };
    assert_eq!(*header, "tokenkeep-keyring 1");
    assert_eq!(keks.iter().filter(|line| line.contains(" primary ")).count(), 1);
    assert_eq!(summed(&file[..file.len() - end.len() - 1]), file);
    for line in keks {
        let fields: Vec<&str> = line.split(' ').collect();
        let ["kek", id, "primary" | "open-only", made, key] = fields[..] else { panic!("not a kek line") };
        assert!(is_hex(id) && (2..=58).contains(&id.len()) && id.len() % 2 == 0);
        assert!(is_hex(key) && key.len() == 64);
        assert_eq!(made.parse::<u64>().expect("a number").to_string(), made);
        assert_eq!(keks.iter().filter(|other| other.split(' ').nth(1) == Some(id)).count(), 1);
    }
    true
}

/// The text with an end line whose sum fits.
pub(crate) fn summed(text: &[u8]) -> Vec<u8> {
    let mut file = text.to_vec();
    file.extend_from_slice(b"end ");
    for byte in Sha256::digest(text) {
        file.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    file.push(b'\n');
    file
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
