//! A private key is read as the one that it was, or not at all.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokenkeep_apify::{InputPrivateKey, InputPublicKey};

use crate::secret_made::{MADE, edited, fake, passphrase};

/// The first byte chooses: the rest is a PEM, or edits of one of those that Node, OpenSSL and Python encrypted, in its text or
/// in what its base64 stands for. True where a key was read.
///
/// # Panics
/// When a promise is broken.
pub fn input_key(bytes: &[u8]) -> bool {
    let Some((&choice, rest)) = bytes.split_first() else { return false };
    let keys = MADE.json["privateKeys"].as_array().expect("keys");
    let key = &keys[usize::from(choice / 3) % keys.len()]["base64Pem"];
    let pem = BASE64_STANDARD.decode(key.as_str().expect("a text")).expect("base64");
    let text = match choice % 3 {
        0 => rest.to_vec(),
        1 => edited(&pem, rest),
        _ => in_content(std::str::from_utf8(&pem).expect("a PEM is ASCII"), rest),
    };
    let Ok(text) = String::from_utf8(text) else { return false };
    let in_base64 = BASE64_STANDARD.encode(&text);
    if let Ok(public) = InputPublicKey::from_pem(&text) {
        public.encrypt_text("fake").expect("a key of 2048 bits has room");
        assert!(InputPublicKey::from_base64_pem(&in_base64).is_ok());
    }
    if let Ok(key) = InputPrivateKey::from_unencrypted_pem(&text) {
        let value = key.public_key().expect("of that key").encrypt_text("fake").expect("it has room");
        assert_eq!(key.decrypt_field("f", &value).expect("of that key").text(), Some("fake"));
        assert!(
            InputPrivateKey::from_pem(&text, "any").is_err(),
            "a key that is not encrypted needs no passphrase"
        );
        return true;
    }
    let read = InputPrivateKey::from_pem(&text, passphrase(&MADE.json));
    assert_eq!(InputPrivateKey::from_base64_pem(&in_base64, passphrase(&MADE.json)).is_ok(), read.is_ok());
    let Ok(key) = read else { return false };
    assert_eq!(key.decrypt_field("f", fake()).expect("it is the key that it was").text(), Some("fake"));
    assert!(InputPrivateKey::from_pem(&text, "another passphrase").is_err());
    true
}

/// Edits of the bytes that stand in the PEM's base64.
fn in_content(pem: &str, edits: &[u8]) -> Vec<u8> {
    let lines: Vec<&str> = pem.lines().collect();
    let begin = lines.iter().position(|line| line.is_empty()).unwrap_or(0) + 1;
    let content = BASE64_STANDARD.decode(lines[begin..lines.len() - 1].concat()).expect("base64");
    let content = BASE64_STANDARD.encode(edited(&content, edits));
    format!("{}\n{content}\n{}\n", lines[..begin].join("\n"), lines[lines.len() - 1]).into_bytes()
}
