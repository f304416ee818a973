//! A string is taken for encrypted where Apify's SDKs take it for that, decrypted where it is in the one spelling, and opens as it was made or not at all.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use regex::Regex;
use serde_json::Value;
use tokenkeep_apify::{InputSchema, SecretInputError};

use crate::secret_made::{MADE, edited, fake};

/// As it stands in `@apify/input_secrets`.
pub(crate) static EXPRESSION: LazyLock<Regex> = LazyLock::new(|| {
    let base64 = "[-A-Za-z0-9+/]*={0,3}";
    Regex::new(&format!(r"\A(ENCRYPTED_VALUE|ENCRYPTED_JSON):(?:({base64}):)?({base64}):({base64})\z"))
        .expect("an expression")
});

static SCHEMA: LazyLock<InputSchema> =
    LazyLock::new(|| InputSchema::parse(r#"{"properties":{"f":{"isSecret":true}}}"#).expect("a schema"));

/// The first byte chooses: the rest stands for itself, or is edits of a value that npm made.
///
/// # Panics
/// When a promise is broken.
pub fn secret_value(bytes: &[u8]) -> bool {
    let Some((&choice, rest)) = bytes.split_first() else { return false };
    let text = if choice % 2 == 0 { rest.to_vec() } else { edited(fake().as_bytes(), rest) };
    let Ok(text) = String::from_utf8(text) else { return false };
    let decrypted = MADE.private.decrypt_field("f", &text);
    let encrypted = MADE.public.encrypt_field(&SCHEMA, "f", Value::from(text.as_str()).to_string());
    let Some(parts) = EXPRESSION.captures(&text) else {
        assert!(matches!(decrypted, Err(SecretInputError::NotEncrypted { .. })));
        // What does not look encrypted is encrypted, and comes back.
        match encrypted.expect("a text") {
            Some(value) => {
                let plain = MADE.private.decrypt_field("f", &value).expect("it was just made");
                assert_eq!(plain.text(), Some(text.as_str()));
            }
            None => assert_eq!(text, ""),
        }
        return false;
    };
    let hash = parts.get(2).is_none_or(|hash| {
        hash.len() == 10 && hash.as_str().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    let len = |at| BASE64_STANDARD.decode(&parts[at]).ok().map(|bytes| bytes.len());
    let well_formed = hash && len(3) == Some(256) && len(4).is_some_and(|len| len >= 16);
    match (well_formed, decrypted) {
        (false, Err(SecretInputError::LooksEncrypted { .. })) => {
            assert!(matches!(encrypted, Err(SecretInputError::LooksEncrypted { .. })));
        }
        (true, decrypted) => {
            assert!(matches!(encrypted, Ok(None)));
            match decrypted {
                Ok(plain) => assert!(text == fake() && plain.text() == Some("fake")),
                Err(error) => assert!(matches!(error, SecretInputError::DoesNotDecrypt { .. })),
            }
        }
        (false, other) => panic!("not well formed, and {other:?}"),
    }
    true
}
