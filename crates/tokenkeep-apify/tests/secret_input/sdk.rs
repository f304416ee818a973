//! What Apify's SDKs made is read as they read it.

use serde_json::{Value, json};
use tokenkeep_apify::{InputPrivateKey, InputPublicKey, InputSchema, SecretInputError};

use crate::made::{MADE, pem_of, private_key, public_key, schema};

fn value(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

#[test]
fn every_private_key_opens_what_the_package_encrypted() {
    let encrypted = MADE.encrypted.to_string();
    let check = |name: &str, key: InputPrivateKey| {
        assert_eq!(value(key.decrypt_input(&encrypted).unwrap().as_json()), MADE.plain, "{name}");
    };
    assert!(MADE.private_keys.len() >= 14);
    for key in &MADE.private_keys {
        check(&key.name, InputPrivateKey::from_base64_pem(&key.base64_pem, &MADE.passphrase).unwrap());
        check(&key.name, InputPrivateKey::from_pem(&pem_of(&key.base64_pem), &MADE.passphrase).unwrap());
        let wrong = InputPrivateKey::from_base64_pem(&key.base64_pem, "a wrong passphrase");
        assert!(matches!(wrong, Err(SecretInputError::WrongPassphrase)), "{}", key.name);
        let unencrypted = InputPrivateKey::from_unencrypted_pem(&pem_of(&key.base64_pem));
        assert!(matches!(unencrypted, Err(SecretInputError::BadKey { .. })), "{}", key.name);
    }
    for pem in [&MADE.unencrypted_pem.pkcs1, &MADE.unencrypted_pem.pkcs8] {
        check("unencrypted", InputPrivateKey::from_unencrypted_pem(&pem_of(pem)).unwrap());
        let refused = InputPrivateKey::from_base64_pem(pem, &MADE.passphrase);
        assert!(matches!(refused, Err(SecretInputError::BadKey { .. })));
    }
}

#[test]
fn keys_of_other_kinds_are_refused() {
    assert!(MADE.refused_private_keys.len() >= 5);
    for key in &MADE.refused_private_keys {
        let refused = InputPrivateKey::from_base64_pem(&key.base64_pem, &MADE.passphrase);
        assert!(matches!(refused, Err(SecretInputError::BadKey { .. })), "{}", key.name);
    }
    for key in &MADE.opened_and_refused {
        let refused = InputPrivateKey::from_base64_pem(&key.base64_pem, &MADE.passphrase);
        assert!(matches!(refused, Err(SecretInputError::WrongPassphrase)), "{}", key.name);
    }
    for key in &MADE.refused_public_keys {
        let refused = InputPublicKey::from_base64_pem(&key.base64_pem);
        assert!(matches!(refused, Err(SecretInputError::BadKey { .. })), "{}", key.name);
    }
    for text in ["", "x", "-----BEGIN PUBLIC KEY-----", &MADE.private_keys[0].base64_pem] {
        assert!(
            matches!(InputPublicKey::from_base64_pem(text), Err(SecretInputError::BadKey { .. })),
            "{text}"
        );
    }
    let public = &MADE.public_keys[0].base64_pem;
    for text in ["", "x", public] {
        let refused = InputPrivateKey::from_base64_pem(text, &MADE.passphrase);
        assert!(matches!(refused, Err(SecretInputError::BadKey { .. })), "{text}");
        assert!(matches!(InputPrivateKey::from_unencrypted_pem(text), Err(SecretInputError::BadKey { .. })));
    }
}

#[test]
fn hashes_are_the_packages() {
    assert!(MADE.hashes.len() >= 17);
    for hash in &MADE.hashes {
        let schema = InputSchema::parse(format!("{{\"properties\":{{\"f\":{}}}}}", hash.schema)).unwrap();
        assert_eq!(schema.field_hash("f"), Some(hash.hash.as_str()), "{}", hash.schema);
        assert_eq!(schema.field_hash("g"), None);
    }
    for truthy in &MADE.truthy {
        let field =
            json!({"f": 0}).to_string().replace('0', &format!("{{\"isSecret\":{}}}", truthy.is_secret));
        let schema = InputSchema::parse(format!("{{\"properties\":{field}}}")).unwrap();
        assert_eq!(schema.secret_fields().count() == 1, truthy.secret, "{}", truthy.is_secret);
    }
    // In the package's own encryption of a whole input, too.
    for field in ["object", "array"] {
        let encrypted = MADE.encrypted[field].as_str().unwrap();
        assert_eq!(encrypted.split(':').nth(1), schema().field_hash(field));
    }
}

#[test]
fn single_values_are_what_the_sdks_encrypted() {
    for made in MADE.values.iter().chain(&MADE.from_python) {
        let plain = private_key().decrypt_field("f", &made.encrypted).unwrap();
        assert_eq!(plain.text(), made.text.as_deref(), "{}", made.why);
        assert_eq!(plain.json(), made.json.as_deref(), "{}", made.why);
    }
}

#[test]
fn what_is_encrypted_here_is_what_the_package_encrypts() {
    let input = MADE.input.to_string();
    let encrypted = public_key().encrypt_input(schema(), &input).unwrap();
    let (ours, theirs) = (value(&encrypted), &MADE.encrypted);
    for (name, theirs) in theirs.as_object().unwrap() {
        let same_form = |value: &Value| {
            let parts: Vec<_> = value.as_str().unwrap_or_default().split(':').map(str::to_owned).collect();
            let hash = (parts.len() == 4).then(|| parts[1].clone());
            (parts.iter().map(String::len).collect::<Vec<_>>(), parts[0].clone(), hash)
        };
        assert_eq!(same_form(&ours[name]), same_form(theirs), "{name}");
        // What stayed as it is stayed so in both.
        assert_eq!(ours[name] == MADE.input[name], *theirs == MADE.input[name], "{name}");
    }
    assert_eq!(ours.as_object().unwrap().len(), theirs.as_object().unwrap().len());
    let plain = private_key().decrypt_input(&*encrypted).unwrap();
    assert_eq!(value(plain.as_json()), MADE.plain);
}

#[test]
fn what_the_package_refuses_is_refused() {
    assert_eq!(MADE.refused_values.len(), 3);
    for value in &MADE.refused_values {
        let input = json!({ "text": value }).to_string();
        let error = public_key().encrypt_input(schema(), input).unwrap_err();
        assert!(matches!(error, SecretInputError::NotEncryptable { .. }), "{value}");
        let error = public_key().encrypt_field(schema(), "text", value.to_string()).unwrap_err();
        assert!(matches!(error, SecretInputError::NotEncryptable { .. }), "{value}");
    }
}

/// What the package leaves in plain text because it looks encrypted is refused here, unless it is as the SDKs write it; what it encrypts is
/// encrypted here.
#[test]
fn what_looks_encrypted_is_never_sent_in_plain_text() {
    assert!(MADE.passed.iter().filter(|passed| passed.passes).count() >= 6);
    for passed in &MADE.passed {
        let input = json!({ "text": passed.text }).to_string();
        let whole = public_key().encrypt_input(schema(), &input);
        let field = public_key().encrypt_field(schema(), "text", json!(passed.text).to_string());
        match (passed.passes, passed.text.len() > 300) {
            (true, true) => {
                assert!(whole.unwrap().as_slice() == input.as_bytes() && field.unwrap().is_none());
            }
            (true, false) => {
                assert!(matches!(whole, Err(SecretInputError::LooksEncrypted { .. })), "{}", passed.text);
                assert!(matches!(field, Err(SecretInputError::LooksEncrypted { .. })), "{}", passed.text);
            }
            (false, _) => {
                let plain = private_key().decrypt_input(&*whole.unwrap()).unwrap();
                assert_eq!(*plain.text_of("text").unwrap(), passed.text);
                let field = private_key().decrypt_field("text", &field.unwrap().unwrap()).unwrap();
                assert_eq!(field.text(), Some(passed.text.as_str()));
            }
        }
        // In single texts without a schema it is who calls that says that it is plain.
        let encrypted = public_key().encrypt_text(&passed.text).unwrap();
        assert_eq!(private_key().decrypt_field("f", &encrypted).unwrap().text(), Some(passed.text.as_str()));
        // When decrypting, what the SDKs don't take for encrypted passes, and what they fail at fails.
        let decrypted = private_key().decrypt_input(&input);
        match (passed.passes, passed.text.len() > 300) {
            (true, true) => assert_eq!(*decrypted.unwrap().text_of("text").unwrap(), "encrypted before"),
            (true, false) => assert!(matches!(decrypted, Err(SecretInputError::LooksEncrypted { .. }))),
            (false, _) => assert_eq!(decrypted.unwrap().as_json(), input.as_bytes()),
        }
    }
}

#[test]
fn each_public_key_is_of_the_pair() {
    let of_private = private_key().public_key().unwrap();
    let read = MADE.public_keys.iter().map(|key| InputPublicKey::from_pem(&pem_of(&key.base64_pem)).unwrap());
    for key in read.chain([of_private]) {
        let encrypted = key.encrypt_text("fake").unwrap();
        assert_eq!(private_key().decrypt_field("f", &encrypted).unwrap().text(), Some("fake"));
    }
}

/// The shape of the example in `docs/secret-input.md`, with escapes in its texts, as any writer of JSON may set them.
#[test]
fn an_ordinary_input_is_read_into_a_type() {
    #[derive(serde::Deserialize)]
    struct Input {
        url: String,
    }
    let password = public_key().encrypt_text("a \"fake\"\nsecret").unwrap();
    let input = format!(r#"{{"url":"https:\/\/example.com\/?q=\u017e","password":"{password}"}}"#);
    let plain = private_key().decrypt_input(&input).unwrap();
    let Input { url } = plain.read().unwrap();
    assert_eq!(url, "https://example.com/?q=ž");
    assert_eq!(*plain.text_of("password").unwrap(), "a \"fake\"\nsecret");
}
