//! An input is taken where another reader takes it, comes back as it was, and what is not secret is never touched.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use serde_json::value::RawValue;
use tokenkeep_apify::{InputSchema, SecretInputError};

use crate::secret_made::MADE;
use crate::secret_value::EXPRESSION;

const SECRET: [&str; 3] = ["a", "é", "\u{1f511}"];

static SCHEMA: LazyLock<InputSchema> = LazyLock::new(|| {
    let fields = SECRET.map(|name| format!("{:?}:{{\"isSecret\":true}}", name)).join(",");
    InputSchema::parse(format!("{{\"properties\":{{{fields}}}}}")).expect("a schema")
});

/// The bytes are an input, three of whose fields are secret.
///
/// # Panics
/// When a promise is broken.
pub fn secret_input(bytes: &[u8]) -> bool {
    let theirs = serde_json::from_slice::<&RawValue>(bytes).is_ok();
    let fields = serde_json::from_slice::<BTreeMap<String, &RawValue>>(bytes);
    let encrypted = MADE.public.encrypt_input(&SCHEMA, bytes);
    match &encrypted {
        Err(SecretInputError::BadInput { reason }) => {
            let may = reason.contains("deep") || reason.contains("twice") || reason.contains("object");
            assert!(!theirs || may, "{reason}");
            assert!(!reason.contains("object") || fields.is_err(), "it is one");
        }
        _ => assert!(theirs, "it is no JSON"),
    }
    let plain = MADE.private.decrypt_input(bytes);
    let bad = |error: Option<&SecretInputError>| matches!(error, Some(SecretInputError::BadInput { .. }));
    assert_eq!(bad(plain.as_ref().err()), bad(encrypted.as_ref().err()), "both read alike");
    // Names with half of a surrogate pair are none for the other reader.
    let Ok(fields) = fields else { return false };
    let looks = |raw: &RawValue| {
        serde_json::from_str::<String>(raw.get()).is_ok_and(|text| EXPRESSION.is_match(&text))
    };
    let look =
        |secret| fields.iter().any(|(name, raw)| SECRET.contains(&name.as_str()) == secret && looks(raw));
    match &plain {
        Ok(plain) => fields.iter().for_each(|(name, raw)| {
            // Nobody but npm encrypted for this key, and that one text.
            let expected = if looks(raw) { "\"fake\"" } else { raw.get() };
            assert_eq!(plain.field(name), Some(expected));
        }),
        Err(error) => assert!(bad(Some(error)) || look(true) || look(false), "{error}"),
    }
    let Ok(encrypted) = encrypted else { return false };
    let back = MADE.private.decrypt_input_checked(&SCHEMA, &*encrypted);
    let plain = match back {
        Ok(plain) => plain,
        Err(SecretInputError::EncryptedNotSecret { .. }) => {
            assert!(look(false));
            return true;
        }
        Err(error) => {
            assert!(look(true) && matches!(error, SecretInputError::DoesNotDecrypt { .. }), "{error}");
            return true;
        }
    };
    assert!(!look(false), "it is not secret, and was opened");
    let between: BTreeMap<String, &RawValue> = serde_json::from_slice(&encrypted).expect("it is JSON");
    assert_eq!(between.len(), fields.len());
    for (name, raw) in &fields {
        let (raw, between) = (raw.get(), between[name].get());
        let secret = SECRET.contains(&name.as_str());
        let falsy = match raw {
            "null" | "false" | "\"\"" => true,
            number => number.parse::<f64>().is_ok_and(|number| number == 0.0),
        };
        // With escapes it may stand as it came.
        let is_encrypted =
            serde_json::from_str::<String>(between).is_ok_and(|text| EXPRESSION.is_match(&text));
        assert_eq!(is_encrypted, secret && !falsy, "{name:?}");
        assert!(secret && !falsy || between == raw);
        let back = plain.field(name).expect("it is there");
        if secret && raw == between && !falsy {
            assert_eq!(back, "\"fake\"", "it came encrypted");
        } else if raw.starts_with('"') && secret {
            let parse = |text| serde_json::from_str::<Value>(text).expect("a string");
            assert_eq!(parse(back), parse(raw));
        } else {
            assert_eq!(back, raw);
        }
    }
    true
}
