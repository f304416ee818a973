//! How much is taken, and that what is made here is taken here.

use serde_json::json;
use tokenkeep_apify::{InputSchema, SecretInputError};

use crate::made::{private_key, public_key};

const LONGEST: usize = 32 * 1024 * 1024;

fn one_secret() -> InputSchema {
    InputSchema::parse(r#"{"properties":{"f":{"isSecret":true}}}"#).unwrap()
}

fn reason<T>(result: Result<T, SecretInputError>) -> &'static str {
    match result {
        Err(SecretInputError::BadInput { reason }) => reason,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    }
}

/// Fields that hold 1, or the text given.
fn fields(count: usize, value: &str) -> String {
    let fields: Vec<_> = (0..count).map(|at| format!("\"{at}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

#[test]
fn what_could_not_be_decrypted_here_is_not_encrypted() {
    // Base64 makes four bytes of three.
    let text = "a".repeat(LONGEST / 4 * 3);
    let whole = public_key().encrypt_input(&one_secret(), format!("{{\"f\":\"{text}\"}}"));
    assert!(reason(whole).contains("once it is encrypted"));
    let field = public_key().encrypt_field(&one_secret(), "f", format!("\"{text}\""));
    assert!(reason(field).contains("once it is encrypted"));
    assert!(reason(public_key().encrypt_text(&text)).contains("once it is encrypted"));
}

#[test]
fn a_field_is_as_deep_as_its_input_can_hold() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let encrypted = public_key().encrypt_field(&one_secret(), "f", nested(511)).unwrap().unwrap();
    let input = json!({ "f": encrypted }).to_string();
    assert_eq!(private_key().decrypt_input(input).unwrap().field("f"), Some(nested(511).as_str()));
    assert!(reason(public_key().encrypt_field(&one_secret(), "f", nested(512))).contains("deep"));
}

#[test]
fn an_input_has_so_many_fields_and_no_more() {
    let (most, more) = (fields(10_000, "1"), fields(10_001, "1"));
    let plain = private_key().decrypt_input(&most).unwrap();
    assert_eq!(plain.field("9999"), Some("1"));
    assert_eq!(**public_key().encrypt_input(&one_secret(), &most).unwrap(), *most.as_bytes());
    assert!(reason(private_key().decrypt_input(&more)).contains("10000 fields"));
    assert!(reason(public_key().encrypt_input(&one_secret(), &more)).contains("10000 fields"));
    let schema = |count| InputSchema::parse(format!("{{\"properties\":{}}}", fields(count, "{}")));
    assert!(schema(10_000).is_ok());
    assert!(matches!(schema(10_001), Err(SecretInputError::BadSchema { .. })));
}

/// Each costs an operation with the RSA key.
#[test]
fn so_many_fields_are_encrypted_and_no_more() {
    let schema =
        InputSchema::parse(format!("{{\"properties\":{}}}", fields(1001, r#"{"isSecret":true}"#))).unwrap();
    let most = public_key().encrypt_input(&schema, fields(1000, "[]")).unwrap();
    let plain = private_key().decrypt_input(&*most).unwrap();
    assert_eq!(plain.decrypted_fields().count(), 1000);
    assert!(reason(public_key().encrypt_input(&schema, fields(1001, "[]"))).contains("1000"));
    let value = json!(public_key().encrypt_text("fake").unwrap()).to_string();
    assert!(reason(private_key().decrypt_input(fields(1001, &value))).contains("1000"));
}
