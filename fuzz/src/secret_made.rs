//! The key pair, and what Apify's SDKs encrypted for it, that the targets of secret input work with: the tests' own.

use std::sync::LazyLock;

use serde_json::Value;
use tokenkeep_apify::{InputPrivateKey, InputPublicKey};

pub(crate) struct Made {
    pub(crate) json: Value,
    pub(crate) private: InputPrivateKey,
    pub(crate) public: InputPublicKey,
}

pub(crate) static MADE: LazyLock<Made> = LazyLock::new(|| {
    let json: Value =
        serde_json::from_str(include_str!("../../crates/tokenkeep-apify/tests/secret_input/sdk.json"))
            .expect("the tests read it");
    let key = json["privateKeys"][0]["base64Pem"].as_str().expect("a key");
    let private = InputPrivateKey::from_base64_pem(key, passphrase(&json)).expect("the tests' key");
    let public = private.public_key().expect("of that key");
    Made { private, public, json }
});

pub(crate) fn passphrase(json: &Value) -> &str {
    json["passphrase"].as_str().expect("a passphrase")
}

/// What the key pair's text `fake` is, encrypted by npm.
pub(crate) fn fake() -> &'static str {
    MADE.json["values"][1]["encrypted"].as_str().expect("an encrypted text")
}

/// Each three bytes set one byte of the text: two say where, the third to what.
pub(crate) fn edited(text: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut edited = text.to_vec();
    for edit in edits.chunks_exact(3).take(16) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % edited.len();
        edited[at] = edit[2];
    }
    edited
}
