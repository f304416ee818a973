//! Signed notes ([c2sp.org/signed-note](https://c2sp.org/signed-note)) with one Ed25519 signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The number of Ed25519 among the signature types.
const ED25519: u8 = 1;

/// A key's id: the first 4 bytes of a hash over its name and itself.
pub(crate) type KeyId = [u8; 4];

pub(crate) fn key_id(name: &str, key: &VerifyingKey) -> KeyId {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key).finalize();
    let mut id = [0; 4];
    id.copy_from_slice(&hash[..4]);
    id
}

/// The key as other people's tools take it: `name+id+key`.
pub(crate) fn write_key(name: &str, key: &VerifyingKey) -> String {
    let mut encoded = vec![ED25519];
    encoded.extend_from_slice(key.as_bytes());
    let id = base16ct::lower::encode_string(&key_id(name, key));
    format!("{name}+{id}+{}", STANDARD.encode(encoded))
}

/// Takes a key that was written so, and nothing else.
pub(crate) fn parse_key(text: &str) -> Option<(&str, VerifyingKey)> {
    let (name, rest) = text.split_once('+')?;
    let (_, encoded) = rest.split_once('+')?;
    let encoded = STANDARD.decode(encoded).ok()?;
    let (kind, key) = encoded.split_first()?;
    let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    // A weak key fits signatures that nobody made.
    let sound = is_name(name) && *kind == ED25519 && !key.is_weak() && write_key(name, &key) == text;
    sound.then_some((name, key))
}

/// Signs a text, which must end its last line.
pub(crate) fn sign(text: &str, name: &str, key: &SigningKey) -> String {
    debug_assert!(is_text(text) && is_name(name));
    let mut signature = key_id(name, &key.verifying_key()).to_vec();
    signature.extend_from_slice(&key.sign(text.as_bytes()).to_bytes());
    format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature))
}

/// A note taken apart. Its text is worth nothing before the signature is checked.
pub(crate) struct Note<'a> {
    pub(crate) text: &'a str,
    pub(crate) name: &'a str,
    pub(crate) key: KeyId,
    signature: Signature,
}

impl<'a> Note<'a> {
    /// Takes a note with one signature, in the one form in which [`sign`] writes it.
    pub(crate) fn parse(note: &'a str) -> Option<Self> {
        let end = note.rfind("\n\n")?;
        let (text, rest) = (&note[..=end], &note[end + 2..]);
        let line = rest.strip_prefix("\u{2014} ")?.strip_suffix('\n')?;
        let (name, encoded) = line.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (key, signature) = bytes.split_first_chunk()?;
        let signature = Signature::from_bytes(signature.try_into().ok()?);
        (is_text(text) && is_name(name)).then_some(Self { text, name, key: *key, signature })
    }

    /// Whether this key signed the text.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify_strict(self.text.as_bytes(), &self.signature).is_ok()
    }
}

fn is_text(text: &str) -> bool {
    text.ends_with('\n') && text.bytes().all(|byte| byte >= b' ' || byte == b'\n')
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    // From the tests of golang.org/x/mod/sumdb/note (note_test.go): key, text and note.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PRIVATE: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_published_note_is_made_and_taken() {
        let private = STANDARD.decode(PRIVATE).unwrap();
        let private = SigningKey::from_bytes(private[1..].try_into().unwrap());
        assert_eq!(sign(TEXT, "PeterNeumann", &private), NOTE);
        let (name, key) = parse_key(KEY).unwrap();
        assert_eq!((name, key), ("PeterNeumann", private.verifying_key()));
        let note = Note::parse(NOTE).unwrap();
        assert_eq!((note.text, note.name, note.key), (TEXT, "PeterNeumann", [0xc7, 0x4f, 0x20, 0xa3]));
        assert!(note.is_signed_by(&key));
    }

    #[test]
    fn mangled_keys_are_refused() {
        for from in 0..KEY.len() {
            for to in from + 1..=KEY.len() {
                assert_eq!(parse_key(&KEY[from..to]).is_some(), KEY[from..to] == *KEY);
            }
            let mut bytes = KEY.as_bytes().to_vec();
            bytes[from] += 1;
            assert!(parse_key(std::str::from_utf8(&bytes).unwrap()).is_none(), "byte {from}");
        }
        // From the same tests: a key of another length, and one of an unknown kind, each with an id that fits.
        for key in [
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert!(parse_key(key).is_none(), "{key}");
        }
        // The point of order 1, for which a signature is easily made over any text.
        let weak = VerifyingKey::from_bytes(&std::array::from_fn(|place| u8::from(place == 0))).unwrap();
        assert!(parse_key(&write_key("name", &weak)).is_none());
    }

    #[test]
    fn malformed_notes_are_refused() {
        let signature = NOTE.strip_prefix(TEXT).unwrap().strip_prefix('\n').unwrap();
        for malformed in [
            String::new(),
            "\n".to_owned(),
            "\n\n".to_owned(),
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            NOTE.trim_end().to_owned(),
            format!("{NOTE}\n"),
            format!("\u{1}{NOTE}"),
            format!("{TEXT}\r\n{signature}"),
            format!("{TEXT}\n{signature}Unexpected line.\n"),
            format!("{TEXT}\n{signature}{signature}"),
            format!("{TEXT}{signature}"),
            format!("\n{signature}"),
            NOTE.replace("PeterNeumann", "Bad Name"),
            NOTE.replace("PeterNeumann", "Bad+Name"),
            NOTE.replace("PeterNeumann", "Bad\u{2003}Name"),
            NOTE.replace("PeterNeumann ", " "),
            NOTE.replace('\u{2014}', "-"),
            NOTE.replace("BwJnAM=", "BwJnAN="), // the unused bits of the last character
            NOTE.replace("BwJnAM=", "BwJnAM"),
            NOTE.replace("BwJnAM=", "BwJnAAAA"),
            NOTE.replace("BwJnAM=", "BwI="),
        ] {
            assert!(Note::parse(&malformed).is_none(), "{malformed:?}");
        }
    }
}
