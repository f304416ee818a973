//! An input is taken where another reader takes it, comes back as it was, and what is not secret is never touched.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use serde_json::value::RawValue;
use tokenkeep_apify::{InputSchema, SecretInputError};

use crate::secret_made::MADE;

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
    let Ok(encrypted) = encrypted else { return false };
    let text = std::str::from_utf8(bytes).expect("it was taken");
    // Names with half of a surrogate pair are none for the other reader; and what is encrypted already comes back decrypted.
    let Ok(fields) = fields else { return false };
    if text.contains("\\u") || text.contains("ENCRYPTED_") {
        return false;
    }
    let between: BTreeMap<String, &RawValue> = serde_json::from_slice(&encrypted).expect("it is JSON");
    let plain = MADE.private.decrypt_input_checked(&SCHEMA, &*encrypted).expect("it was just made");
    assert_eq!(between.len(), fields.len());
    for (name, raw) in &fields {
        let (raw, between) = (raw.get(), between[name].get());
        let secret = SECRET.contains(&name.as_str());
        let falsy = match raw {
            "null" | "false" | "\"\"" => true,
            number => number.parse::<f64>().is_ok_and(|number| number == 0.0),
        };
        assert_eq!(between.starts_with("\"ENCRYPTED_"), secret && !falsy, "{name:?}");
        assert!(secret && !falsy || between == raw);
        let back = plain.field(name).expect("it is there");
        if raw.starts_with('"') && secret {
            let parse = |text| serde_json::from_str::<Value>(text).expect("a string");
            assert_eq!(parse(back), parse(raw));
        } else {
            assert_eq!(back, raw);
        }
    }
    true
}
