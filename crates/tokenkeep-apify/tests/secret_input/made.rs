//! What was made with Apify's SDKs, once: `sdk.json` says with which.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use tokenkeep_apify::{InputPrivateKey, InputPublicKey, InputSchema};

pub(crate) static MADE: LazyLock<Made> =
    LazyLock::new(|| serde_json::from_str(include_str!("sdk.json")).expect("it is as below"));

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    pub(crate) passphrase: String,
    pub(crate) public_keys: Vec<Key>,
    pub(crate) refused_public_keys: Vec<Key>,
    pub(crate) private_keys: Vec<Key>,
    /// Encrypted otherwise, or not at all.
    pub(crate) refused_private_keys: Vec<Key>,
    /// Encrypted as is known, and no RSA key of 2048 bits.
    pub(crate) opened_and_refused: Vec<Key>,
    pub(crate) unencrypted_pem: Unencrypted,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) truthy: Vec<Truthy>,
    pub(crate) schema: Value,
    pub(crate) input: Value,
    /// By `encryptInputSecrets`.
    pub(crate) encrypted: Value,
    /// By `decryptInputSecrets` of it.
    pub(crate) plain: Value,
    /// What `encryptInputSecrets` throws at.
    pub(crate) refused_values: Vec<Value>,
    /// What it leaves as it is, and what it encrypts.
    pub(crate) passed: Vec<Passed>,
    /// By `encryptInputSecretValue`.
    pub(crate) values: Vec<Encrypted>,
    /// `ENCRYPTED_JSON` of texts that are no JSON.
    pub(crate) not_json: Vec<String>,
    /// By `public_encrypt` of `PyPI` apify.
    pub(crate) from_python: Vec<Encrypted>,
    /// For another key of the same length.
    pub(crate) other_key: String,
    /// The password alone, by Node.
    #[serde(rename = "passwordOf47Bytes")]
    pub(crate) password_of_47_bytes: String,
    /// With SHA-256 in OAEP.
    pub(crate) other_padding: OtherPadding,
    /// A password that does not decrypt, and a value under a key of zeros.
    pub(crate) zero_password: String,
    pub(crate) not_utf8: String,
}

#[derive(Deserialize)]
pub(crate) struct OtherPadding {
    pub(crate) password: String,
    pub(crate) value: String,
}

/// Base64 of a PEM.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) base64_pem: String,
}

#[derive(Deserialize)]
pub(crate) struct Unencrypted {
    pub(crate) pkcs1: String,
    pub(crate) pkcs8: String,
}

#[derive(Deserialize)]
pub(crate) struct Hash {
    pub(crate) schema: String,
    pub(crate) hash: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Truthy {
    pub(crate) is_secret: String,
    pub(crate) secret: bool,
}

#[derive(Deserialize)]
pub(crate) struct Passed {
    pub(crate) text: String,
    pub(crate) passes: bool,
}

#[derive(Deserialize)]
pub(crate) struct Encrypted {
    #[serde(default)]
    pub(crate) why: String,
    pub(crate) encrypted: String,
    pub(crate) text: Option<String>,
    pub(crate) json: Option<String>,
}

pub(crate) fn private_key() -> &'static InputPrivateKey {
    static KEY: LazyLock<InputPrivateKey> = LazyLock::new(|| {
        InputPrivateKey::from_base64_pem(&MADE.private_keys[0].base64_pem, &MADE.passphrase).unwrap()
    });
    &KEY
}

pub(crate) fn public_key() -> &'static InputPublicKey {
    static KEY: LazyLock<InputPublicKey> =
        LazyLock::new(|| InputPublicKey::from_base64_pem(&MADE.public_keys[0].base64_pem).unwrap());
    &KEY
}

pub(crate) fn schema() -> &'static InputSchema {
    static SCHEMA: LazyLock<InputSchema> =
        LazyLock::new(|| InputSchema::parse(MADE.schema.to_string()).unwrap());
    &SCHEMA
}

/// The text of a base64, for a test to change.
pub(crate) fn pem_of(base64_pem: &str) -> String {
    use base64ct::{Base64, Encoding};
    String::from_utf8(Base64::decode_vec(base64_pem).unwrap()).unwrap()
}
