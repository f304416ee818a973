//! A field's hash is that of what JavaScript makes of its schema, made here by another way.

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenkeep_apify::InputSchema;

const DROPPED: [&str; 9] = [
    "title",
    "description",
    "sectionCaption",
    "sectionDescription",
    "nullable",
    "example",
    "prefill",
    "editor",
    "__proto__",
];

/// The bytes are the schema of a field.
///
/// # Panics
/// When a promise is broken.
pub fn input_schema(bytes: &[u8]) -> bool {
    let whole = [br#"{"properties":{"f":"#, bytes, b"}}"].concat();
    let theirs = serde_json::from_slice::<Value>(bytes);
    let schema = match InputSchema::parse(&whole) {
        Ok(schema) => schema,
        Err(error) => {
            let may = ["too long", "too deep", "twice", "each name once", "fields"];
            let object = theirs.as_ref().is_ok_and(Value::is_object);
            assert!(!object || may.iter().any(|may| error.to_string().contains(may)), "{error}");
            return false;
        }
    };
    let hash = schema.field_hash("f").expect("the field is there");
    assert!(hash.len() == 10 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // The other reader takes no half of a surrogate pair, no infinite number, and less depth; and nothing says that the bytes are one value.
    let Ok(field) = theirs else { return false };
    let mut text = String::new();
    write(&field, &mut text);
    let digest = Sha256::digest(&text);
    let expected: String = digest[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, expected, "{text}");
    let is_secret = match &field["isSecret"] {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    };
    assert_eq!(schema.secret_fields().count(), usize::from(is_secret));
    true
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(text_of).collect();
            out.push_str(&format!("[{}]", values.join(",")));
        }
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().filter(|name| !DROPPED.contains(&name.as_str())).collect();
            names.sort_by_cached_key(|name| (index(name), name.encode_utf16().collect::<Vec<_>>()));
            let fields: Vec<String> = names
                .iter()
                .map(|name| format!("{}:{}", Value::from(name.as_str()), text_of(&fields[name.as_str()])))
                .collect();
            out.push_str(&format!("{{{}}}", fields.join(",")));
        }
        Value::Number(number) => {
            let number = number.as_f64().expect("it has no arbitrary precision");
            out.push_str(ryu_js::Buffer::new().format_finite(number));
        }
        other => out.push_str(&other.to_string()),
    }
}

fn text_of(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Array indices come first, by number.
fn index(name: &str) -> u64 {
    let digits = !name.is_empty() && name.len() <= 10 && name.bytes().all(|byte| byte.is_ascii_digit());
    let index = if digits && (name == "0" || !name.starts_with('0')) { name.parse().ok() } else { None };
    index.filter(|index| *index < 0xffff_ffff).unwrap_or(u64::MAX)
}
