//! What goes to the transit engine and what comes back, with DEKs in blocks that wipe themselves.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenkeep_core::Dek;
use zeroize::Zeroizing;

use crate::OpenBaoFailure;

/// 32 bytes in Base64.
const KEY_TEXT: usize = 44;

/// One DEK to encrypt, and the digest to bind it to.
pub(crate) struct Plain<'a> {
    pub(crate) dek: &'a Dek,
    pub(crate) digest: [u8; 32],
}

/// One wrapped DEK to decrypt, and the digest that it is bound to.
pub(crate) struct Sealed<'a> {
    pub(crate) version: u32,
    pub(crate) bytes: &'a [u8],
    pub(crate) digest: [u8; 32],
}

/// The body of an encrypt call. Of its full size from the start: a block that grows leaves its old self behind.
pub(crate) fn encrypt_body(items: &[Plain<'_>], version: u32) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(32 + items.len() * (2 * KEY_TEXT + 64)));
    batch(&mut body, items, |body, item| {
        body.extend_from_slice(b"{\"plaintext\":\"");
        push_base64(body, item.dek.expose_secret());
        body.extend_from_slice(b"\",\"context\":\"");
        push_base64(body, &item.digest);
        body.extend_from_slice(b"\",\"key_version\":");
        body.extend_from_slice(version.to_string().as_bytes());
        body.push(b'}');
    });
    body
}

/// The body of a decrypt call.
pub(crate) fn decrypt_body(items: &[Sealed<'_>]) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::new());
    batch(&mut body, items, |body, item| {
        let text = Base64::encode_string(item.bytes);
        body.extend_from_slice(format!("{{\"ciphertext\":\"vault:v{}:{text}", item.version).as_bytes());
        body.extend_from_slice(b"\",\"context\":\"");
        push_base64(body, &item.digest);
        body.extend_from_slice(b"\"}");
    });
    body
}

fn batch<T>(body: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    body.extend_from_slice(b"{\"batch_input\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write(body, item);
    }
    body.extend_from_slice(b"]}");
}

fn push_base64(body: &mut Vec<u8>, bytes: &[u8; 32]) {
    let mut text = Zeroizing::new([0; KEY_TEXT]);
    let text = Base64::encode(bytes, &mut *text).expect("32 bytes are 44 characters");
    body.extend_from_slice(text.as_bytes());
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    data: Option<BatchData<'a>>,
}

#[derive(Deserialize)]
struct BatchData<'a> {
    #[serde(borrow)]
    batch_results: Vec<Item<'a>>,
}

// Borrowed: a secret is not copied into strings. Base64 needs no escapes, so what needs some is no answer.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default, borrow)]
    plaintext: Option<&'a str>,
    #[serde(default, borrow)]
    ciphertext: Option<&'a str>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

/// For each item the wrapped bytes, or that it was refused. `None` when the whole call was.
pub(crate) type Answers<T> = Option<Vec<Option<T>>>;

/// Reads the answer to an encrypt call with so many items, under this version.
pub(crate) fn ciphertexts(
    body: &[u8],
    items: usize,
    version: u32,
) -> Result<Answers<Vec<u8>>, OpenBaoFailure> {
    let prefix = format!("vault:v{version}:");
    answers(body, items, |item| {
        let text = item.ciphertext?.strip_prefix(&prefix)?;
        Base64::decode_vec(text).ok().filter(|bytes| !bytes.is_empty())
    })
}

/// Reads the answer to a decrypt call with so many items.
pub(crate) fn deks(body: &[u8], items: usize) -> Result<Answers<Dek>, OpenBaoFailure> {
    answers(body, items, |item| {
        let mut bytes = Zeroizing::new([0; Dek::LEN]);
        let decoded = Base64::decode(item.plaintext?, &mut *bytes).ok()?;
        (decoded.len() == Dek::LEN).then(|| Dek::from_bytes(&bytes))
    })
}

fn answers<T>(
    body: &[u8],
    items: usize,
    read: impl Fn(&Item<'_>) -> Option<T>,
) -> Result<Answers<T>, OpenBaoFailure> {
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|_| OpenBaoFailure::Garbage)?;
    let Some(data) = batch.data else { return Ok(None) };
    if data.batch_results.len() != items {
        return Err(OpenBaoFailure::Garbage);
    }
    let read = |item: &Item<'_>| match item.error {
        Some(_) => Ok(None),
        None => read(item).map(Some).ok_or(OpenBaoFailure::Garbage),
    };
    data.batch_results.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// A transit key, as the engine tells it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TransitKey {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) derived: bool,
    #[serde(default)]
    pub(crate) convergent_encryption: bool,
    pub(crate) exportable: bool,
    pub(crate) allow_plaintext_backup: bool,
    /// Of the newest version alone: after a rotation it is not told any more.
    #[serde(default)]
    pub(crate) imported_key: bool,
    /// Used for nothing until it is restored. Not every service has that, and then it does not tell it.
    #[serde(default)]
    pub(crate) soft_deleted: bool,
    pub(crate) latest_version: u32,
    pub(crate) min_decryption_version: u32,
    /// 0 where none was set.
    #[serde(default)]
    pub(crate) min_encryption_version: u32,
    #[serde(default)]
    pub(crate) min_available_version: u32,
    /// Of the versions that decrypt: when each was made, in seconds.
    pub(crate) keys: BTreeMap<u32, u64>,
}

impl TransitKey {
    /// Refuses a key that would not bind contexts, is of another cipher, or came from outside.
    pub(crate) fn check(self) -> Result<Self, OpenBaoFailure> {
        let unfit = |why| Err(OpenBaoFailure::KeyUnfit(why));
        if self.kind != "aes256-gcm96" {
            return unfit("its type must be aes256-gcm96");
        }
        if !self.derived {
            return unfit("it must be made with derived=true, or it binds no context");
        }
        if self.convergent_encryption {
            return unfit("it must not be made with convergent_encryption=true");
        }
        // What is never wrapped under such a key needs no proof of its end.
        if self.imported_key {
            return unfit(
                "it was imported, so there is a copy outside the service; rotate it, or make it there",
            );
        }
        Ok(self)
    }

    /// Whether the key may have left the service, so that its end there proves nothing.
    pub(crate) fn may_be_copied(&self) -> bool {
        self.exportable || self.allow_plaintext_backup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_size_they_were_made_with() {
        let dek = Dek::from_bytes(&[7; 32]);
        let items: Vec<_> = (0..100).map(|_| Plain { dek: &dek, digest: [8; 32] }).collect();
        let body = encrypt_body(&items, u32::MAX);
        assert_eq!(body.capacity(), 32 + 100 * (2 * KEY_TEXT + 64), "the block grew");
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["batch_input"].as_array().unwrap().len(), 100);
        assert_eq!(value["batch_input"][99]["plaintext"], Base64::encode_string(&[7; 32]));
    }

    #[test]
    fn answers_that_are_none_are_garbage() {
        let good = format!(
            r#"{{"data":{{"batch_results":[{{"plaintext":"{}"}},{{"plaintext":"","error":"no"}}]}}}}"#,
            Base64::encode_string(&[7; 32])
        );
        let read = deks(good.as_bytes(), 2).unwrap().unwrap();
        assert_eq!(read[0].as_ref().unwrap().expose_secret(), &[7; 32]);
        assert!(read[1].is_none());
        assert!(deks(br#"{"errors":["no"]}"#, 1).unwrap().is_none());
        for bad in [
            "",
            "<html>",
            "null",
            "[]",
            r#"{"data":{}}"#,
            r#"{"data":{"batch_results":[]}}"#,
            r#"{"data":{"batch_results":[{}]}}"#,
            r#"{"data":{"batch_results":[{"plaintext":"AAAA"}]}}"#,
            r#"{"data":{"batch_results":[{"plaintext":7}]}}"#,
            good.as_str(),
        ] {
            assert!(matches!(deks(bad.as_bytes(), 1), Err(OpenBaoFailure::Garbage)), "{bad}");
        }
        for bad in ["vault:v2:AAAA", "vault:v1:", "vault:v1:A", "AAAA", "vault:v1:AA=A"] {
            let body = format!(r#"{{"data":{{"batch_results":[{{"ciphertext":"{bad}"}}]}}}}"#);
            assert!(matches!(ciphertexts(body.as_bytes(), 1, 1), Err(OpenBaoFailure::Garbage)), "{bad}");
        }
    }
}
