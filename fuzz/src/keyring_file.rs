//! A keyring has one spelling: what is read, is written as it was.

use sha2::{Digest, Sha256};
use tokenkeep_keys::reencode;

const NAME: &str = "tokenkeep-keyring 2";

/// The first byte chooses: the rest stands for itself; or is what stands between a good header and an end line
/// whose sum fits, which no fuzzer finds; or the same, and the end of the header too.
///
/// # Panics
/// When a promise is broken.
pub fn keyring_file(bytes: &[u8]) -> bool {
    let Some((&choice, rest)) = bytes.split_first() else { return false };
    match choice % 3 {
        0 => check(rest),
        1 => check(&summed(&[NAME.as_bytes(), b"\n", rest].concat())),
        _ => check(&summed(&[NAME.as_bytes(), b" argon2id ", rest].concat())),
    }
}

fn check(file: &[u8]) -> bool {
    let Ok(again) = reencode(file) else { return false };
    assert!(*again == file, "what was read is not what is written");
    // Each key stands once and whole, in the one spelling: the text without its line feeds is a list of lines.
    let text = std::str::from_utf8(file).expect("a keyring is ASCII");
    let lines: Vec<&str> = text.strip_suffix('\n').expect("the last line ends").split('\n').collect();
    let [header, lines @ .., end] = lines.as_slice() else { panic!("a keyring has a header and an end") };
    assert_eq!(summed(&file[..file.len() - end.len() - 1]), file);
    match header.strip_prefix(NAME) {
        Some("") => check_keks(lines),
        Some(cost) => check_locked(cost, lines),
        None => panic!("not a keyring's header"),
    }
    true
}

fn check_keks(keks: &[&str]) {
    let state_of = |line: &str| line.split(' ').nth(2).expect("a state").to_owned();
    assert_eq!(keks.iter().filter(|line| state_of(line) == "primary").count(), 1);
    for line in keks {
        let fields: Vec<&str> = line.split(' ').collect();
        let ["kek", id, state, made, last] = fields[..] else { panic!("not a kek line") };
        assert!(is_hex(id) && (2..=58).contains(&id.len()) && id.len() % 2 == 0);
        assert!(is_number(made));
        match state {
            "primary" | "open-only" | "beside" => assert!(is_hex(last) && last.len() == 64),
            "destroyed" => assert!(is_number(last)),
            _ => panic!("not a state"),
        }
        assert_eq!(keks.iter().filter(|other| other.split(' ').nth(1) == Some(id)).count(), 1);
    }
}

/// What is done for a passphrase is bounded whatever the file says.
fn check_locked(cost: &str, lines: &[&str]) {
    let fields: Vec<&str> = cost.split(' ').collect();
    let ["", "argon2id", memory, passes, lanes, salt] = fields[..] else { panic!("not a cost") };
    for (number, most) in [(memory, 1024 * 1024), (passes, 16), (lanes, 16)] {
        assert!(is_number(number) && (1..=most).contains(&number.parse::<u64>().expect("a number")));
    }
    assert!(is_hex(salt) && salt.len() == 32);
    let [sealed] = lines else { panic!("one line is sealed") };
    let sealed = sealed.strip_prefix("sealed ").expect("it is sealed");
    assert!(is_hex(sealed) && sealed.len() % 2 == 0);
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

fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number.to_string() == text)
}
