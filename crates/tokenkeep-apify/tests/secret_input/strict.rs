//! Where we are stricter than Apify's SDKs, and where nothing is told.

use serde_json::json;
use tokenkeep_apify::{InputPrivateKey, InputSchema, SecretInputError};

use crate::made::{MADE, pem_of, private_key, public_key, schema};

/// With one character exchanged for another one that is allowed there.
fn altered(value: &str, at: usize) -> String {
    let mut bytes = value.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

/// A wrong key, a password that was altered, one of another length, a tag, and a value: all of it is one error.
#[test]
fn why_a_field_does_not_decrypt_is_not_told() {
    let value = public_key().encrypt_text("a fake secret").unwrap();
    let (password, secret) = (value.split(':').nth(1).unwrap(), value.split(':').nth(2).unwrap());
    let other = public_key().encrypt_text("a fake secret").unwrap();
    let other_password = other.split(':').nth(1).unwrap();
    let mut cases = vec![
        MADE.other_key.clone(),
        format!("ENCRYPTED_VALUE:{other_password}:{secret}"),
        format!("ENCRYPTED_VALUE:{password}:{}", other.split(':').nth(2).unwrap()),
        format!("ENCRYPTED_VALUE:{}:{secret}", MADE.password_of_47_bytes),
        format!("ENCRYPTED_VALUE:{}:{}", MADE.other_padding.password, MADE.other_padding.value),
        format!("ENCRYPTED_VALUE:{password}:AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    cases.extend([0, 100, 340].map(|at| format!("ENCRYPTED_VALUE:{}:{secret}", altered(password, at))));
    cases.extend([0, 20, 30].map(|at| format!("ENCRYPTED_VALUE:{password}:{}", altered(secret, at))));
    // A text as JSON.
    cases.push(value.replace("ENCRYPTED_VALUE", "ENCRYPTED_JSON"));
    cases.extend(MADE.not_json.iter().cloned());
    cases.push(MADE.not_utf8.clone());
    cases.push(MADE.zero_password.clone());
    let errors = cases.iter().map(|case| {
        let field = private_key().decrypt_field("f", case).unwrap_err();
        let whole = private_key().decrypt_input(json!({ "a": 1, "f": case }).to_string()).unwrap_err();
        assert!(matches!(field, SecretInputError::DoesNotDecrypt { .. }), "{case}");
        assert_eq!(format!("{field:?} {field}"), format!("{whole:?} {whole}"));
        format!("{field:?} {field}")
    });
    let errors: Vec<_> = errors.collect();
    assert!(errors.len() > 18 && errors.iter().all(|error| *error == errors[0]), "{errors:#?}");
}

/// Node and Python take more spellings of base64 than one.
#[test]
fn base64_has_one_spelling() {
    let value = public_key().encrypt_text("a fake secret..").unwrap();
    assert!(value.ends_with('='));
    let unpadded = value.trim_end_matches('=');
    for spelling in [
        unpadded.to_owned(),
        format!("{value}="),
        value.replace('+', "-"),
        value.replacen("==:", ":", 1),
        value.replace("ENCRYPTED_VALUE:", "ENCRYPTED_VALUE::"),
        value.replace("ENCRYPTED_VALUE:", "ENCRYPTED_VALUE:0123456789a:"),
    ] {
        if spelling == value {
            continue;
        }
        let error = private_key().decrypt_field("f", &spelling).unwrap_err();
        assert!(matches!(error, SecretInputError::LooksEncrypted { .. }), "{spelling}");
        // It is not sent as it is, either.
        let error = public_key().encrypt_field(schema(), "text", json!(spelling).to_string()).unwrap_err();
        assert!(matches!(error, SecretInputError::LooksEncrypted { .. }), "{spelling}");
    }
}

/// Anybody can encrypt for an Actor: what comes out goes into the place of one value.
#[test]
fn a_decrypted_field_adds_no_other() {
    assert!(MADE.not_json.len() >= 5);
    for made in &MADE.not_json {
        let input = json!({ "f": made }).to_string();
        let error = private_key().decrypt_input(input).unwrap_err();
        assert!(matches!(error, SecretInputError::DoesNotDecrypt { .. }));
    }
    let value = public_key().encrypt_text(r#"","admin":true,"x":""#).unwrap();
    let plain = private_key().decrypt_input(json!({ "f": value }).to_string()).unwrap();
    assert_eq!(plain.field("admin"), None);
    assert_eq!(*plain.text_of("f").unwrap(), r#"","admin":true,"x":""#);
}

#[test]
fn everything_else_stands_as_it_stood() {
    let input = " {\"open\" :1.50 ,\r\n\t\"text\": \"fake\\u0020secret\" , \"o\\u0062ject\":{ \"a\" : 1.0 },\
                 \"openObject\":{\"text\":\"\\ud800\", \"text\":1e999}} \n";
    let encrypted = public_key().encrypt_input(schema(), input).unwrap();
    assert_eq!(encrypted.len(), encrypted.capacity());
    let text = str::from_utf8(&encrypted).unwrap();
    assert!(text.starts_with(" {\"open\" :1.50 ,\r\n\t\"text\": \"ENCRYPTED_VALUE:"));
    assert!(text.contains("\" , \"o\\u0062ject\":\"ENCRYPTED_JSON:"));
    assert!(text.ends_with("\",\"openObject\":{\"text\":\"\\ud800\", \"text\":1e999}} \n"));
    let plain = private_key().decrypt_input(&*encrypted).unwrap();
    // A string comes back as `JSON.stringify` writes it; what else was encrypted, as it stood.
    assert_eq!(plain.as_json(), input.replace("\\u0020", " ").as_bytes());
    assert_eq!(plain.decrypted_fields().collect::<Vec<_>>(), ["text", "object"]);
    assert_eq!(plain.field("object"), Some("{ \"a\" : 1.0 }"));
    assert_eq!(plain.field("text"), Some("\"fake secret\""));
    assert!(plain.text_of("object").is_none() && plain.text_of("missing").is_none());
}

/// A name or a value that is written with escapes is the same one.
#[test]
fn escapes_hide_nothing() {
    let encrypted = public_key().encrypt_input(schema(), r#"{"t\u0065xt":"fake"}"#).unwrap();
    assert!(str::from_utf8(&encrypted).unwrap().contains("ENCRYPTED_VALUE:"));
    let escaped = str::from_utf8(&encrypted).unwrap().replace("\"ENC", "\"\\u0045NC").replace('/', "\\/");
    assert!(escaped.contains("\\u0045"));
    let plain = private_key().decrypt_input(&escaped).unwrap();
    assert_eq!(*plain.text_of("text").unwrap(), "fake");
}

#[test]
fn an_input_can_be_read_in_one_way_only() {
    for bad in [
        "",
        "[]",
        "1",
        "{",
        "{}{}",
        "{\"text\":\"a\",\"text\":\"b\"}",
        "{\"text\":\"a\",\"te\\u0078t\":\"b\"}",
        "\u{feff}{}",
        "{\"text\":\"a\",}",
    ] {
        let encrypted = public_key().encrypt_input(schema(), bad);
        assert!(matches!(encrypted, Err(SecretInputError::BadInput { .. })), "{bad}");
        let decrypted = private_key().decrypt_input(bad);
        assert!(matches!(decrypted, Err(SecretInputError::BadInput { .. })), "{bad}");
    }
    let not_utf8 = public_key().encrypt_input(schema(), b"{\"text\":\"\xff\"}");
    assert!(matches!(not_utf8, Err(SecretInputError::BadInput { .. })));
    let half = public_key().encrypt_input(schema(), r#"{"text":"\ud83d"}"#);
    assert!(matches!(half, Err(SecretInputError::NotText { .. })));
}

#[test]
fn a_schema_can_be_read_in_one_way_only() {
    for bad in [
        "",
        "[]",
        "{}",
        "{\"properties\":[]}",
        "{\"properties\":null}",
        "{\"properties\":{\"a\":null}}",
        "{\"properties\":{\"a\":1}}",
        "{\"properties\":{\"a\":{},\"a\":{}}}",
        "{\"properties\":{},\"properties\":{}}",
        "{\"properties\":{\"a\":{\"isSecret\":false,\"isSecret\":true}}}",
        "{\"properties\":{\"a\":{\"b\":{\"c\":1,\"c\":1}}}}",
    ] {
        assert!(matches!(InputSchema::parse(bad), Err(SecretInputError::BadSchema { .. })), "{bad}");
    }
    let long = format!("{{\"properties\":{{}}{}}}", " ".repeat(1024 * 1024));
    assert!(matches!(InputSchema::parse(long), Err(SecretInputError::BadSchema { .. })));
    let schema =
        InputSchema::parse(r#"{"properties":{"b":{"isSecret":true},"a":{"isSecret":1},"c":{}}}"#).unwrap();
    assert_eq!(schema.secret_fields().collect::<Vec<_>>(), ["a", "b"]);
    let error = public_key().encrypt_field(&schema, "c", "\"fake\"").unwrap_err();
    assert!(matches!(error, SecretInputError::NotSecret { .. }));
}

#[test]
fn an_input_is_held_against_its_schema_where_that_is_asked_for() {
    let checked = |input: String| private_key().decrypt_input_checked(schema(), input);
    let encrypted = MADE.encrypted.to_string();
    // `nearly` was encrypted, and falsy values were not.
    assert_eq!(checked(encrypted).unwrap().as_json().len(), MADE.plain.to_string().len());
    for plain in ["\"fake\"", "1", "true", "{}", "[]"] {
        let error = checked(format!("{{\"text\":{plain}}}")).unwrap_err();
        assert!(matches!(error, SecretInputError::NotEncrypted { .. }), "{plain}");
        assert!(private_key().decrypt_input(format!("{{\"text\":{plain}}}")).is_ok());
    }
    let object = MADE.encrypted["object"].as_str().unwrap();
    let hash = object.split(':').nth(1).unwrap();
    for (hash_then, fits) in [(format!(":{hash}:"), true), (":".into(), true), (":0000000000:".into(), false)]
    {
        let input = json!({ "object": object.replace(&format!(":{hash}:"), &hash_then) }).to_string();
        let checked = checked(input.clone());
        assert_eq!(checked.is_ok(), fits, "{hash_then}");
        assert!(fits || matches!(checked, Err(SecretInputError::OtherSchema { .. })));
        // As the SDKs, which look at no hash.
        assert!(private_key().decrypt_input(input).is_ok());
    }
}

/// A passphrase that is given says that the key is encrypted: one that is not was exchanged for it.
#[test]
fn a_key_that_was_changed_is_refused() {
    for key in &MADE.private_keys {
        let pem = pem_of(&key.base64_pem);
        let line = pem.lines().count() / 2;
        for (at, line) in pem.lines().enumerate().skip(line).take(3) {
            let changed = pem.replace(line, &altered(line, 20));
            assert_ne!(changed, pem);
            let refused = InputPrivateKey::from_pem(&changed, &MADE.passphrase);
            assert!(matches!(refused, Err(SecretInputError::WrongPassphrase)), "{} line {at}", key.name);
        }
    }
}

/// Who can change a stored input can move a password into a field that the Actor shows.
#[test]
fn what_is_not_secret_by_the_schema_is_not_opened_where_it_is_asked() {
    let schema = InputSchema::parse(
        r#"{"properties":{"password":{"type":"string","isSecret":true},"url":{"type":"string"}}}"#,
    )
    .unwrap();
    let value = public_key().encrypt_text("a fake secret").unwrap();
    for name in ["url", "unknown", "ur\\u006c"] {
        let input = format!("{{\"{name}\":\"{value}\"}}");
        let error = private_key().decrypt_input_checked(&schema, &input).unwrap_err();
        assert!(matches!(error, SecretInputError::EncryptedNotSecret { .. }), "{error}");
        assert!(error.to_string().contains(if name == "unknown" { "\"unknown\"" } else { "\"url\"" }));
        // As the SDKs, which ask no schema.
        assert!(private_key().decrypt_input(&input).is_ok());
    }
    assert!(private_key().decrypt_input_checked(&schema, json!({ "password": value }).to_string()).is_ok());
}

/// The prefix is bound to nothing: it can be exchanged without the key.
#[test]
fn what_a_value_says_that_it_is_is_held_against_what_it_is() {
    let field = |kind: &str| format!("{{{kind}\"isSecret\":true}}");
    let schema =
        |kind: &str| InputSchema::parse(format!("{{\"properties\":{{\"f\":{}}}}}", field(kind))).unwrap();
    let text = |text: &str| public_key().encrypt_text(text).unwrap();
    let as_json = |text: String| text.replace("_VALUE:", "_JSON:");
    let any = schema("");
    // A text that is a number or the like is no JSON that an SDK encrypts.
    for scalar in ["123456", "\"text\"", "null", "true"] {
        let made = as_json(text(scalar));
        let error = private_key().decrypt_field("f", &made).unwrap_err();
        assert!(matches!(error, SecretInputError::DoesNotDecrypt { .. }), "{scalar}");
    }
    let cases = [
        (text("fake"), [true, false, false]),
        (text("{}"), [true, false, false]),
        (as_json(text(" {}")), [false, true, false]),
        (as_json(text("\n[]")), [false, false, true]),
    ];
    let types = ["\"type\":\"string\",", "\"type\":\"obj\\u0065ct\",", "\"t\\u0079pe\":\"array\","];
    for (made, fits) in cases {
        let input = json!({ "f": made }).to_string();
        for (kind, fits) in types.into_iter().zip(fits) {
            let found = private_key().decrypt_input_checked(&schema(kind), &input);
            match found {
                Ok(_) => assert!(fits, "{kind}"),
                Err(error) => {
                    assert!(
                        !fits && matches!(error, SecretInputError::NotOfItsType { .. }),
                        "{kind} {error}"
                    );
                }
            }
        }
        assert!(private_key().decrypt_input_checked(&any, &input).is_ok());
        assert!(private_key().decrypt_input(&input).is_ok());
    }
}
