//! tokenkeep-apify's secret input: keys, what they decrypt, and what is said of what they don't.

use serde_json::{Value, json};
use tokenkeep_apify::{InputPrivateKey, InputPublicKey, InputSchema, SecretInputError};

use crate::Secrets;
use crate::shown::{Shown, show};

pub(crate) fn show(shown: &mut Shown, secrets: &Secrets) {
    let made: Value =
        serde_json::from_str(include_str!("../../../tokenkeep-apify/tests/secret_input/sdk.json")).unwrap();
    let (pem, passphrase) =
        (made["privateKeys"][0]["base64Pem"].as_str().unwrap(), made["passphrase"].as_str().unwrap());
    secrets.also("the private key's text", pem.as_bytes());
    let private = InputPrivateKey::from_base64_pem(pem, passphrase).unwrap();
    let public: InputPublicKey = private.public_key().unwrap();
    let schema = json!({ "properties": { "key": { "isSecret": true, "default": secrets.token } } });
    let schema = InputSchema::parse(schema.to_string()).unwrap();
    let input = json!({ "key": secrets.token, "open": secrets.next }).to_string();
    let encrypted = public.encrypt_input(&schema, input).unwrap();
    let plain = private.decrypt_input(&*encrypted).unwrap();
    assert_eq!(*plain.text_of("key").unwrap(), secrets.token);
    let text = public.encrypt_text(&secrets.token).unwrap();
    let list = public.encrypt_field(&schema, "key", json!([secrets.token]).to_string()).unwrap().unwrap();

    for error in [
        InputPrivateKey::from_base64_pem(pem, &secrets.passphrase).unwrap_err(),
        InputPrivateKey::from_base64_pem(&secrets.token, passphrase).unwrap_err(),
        InputPrivateKey::from_unencrypted_pem(pem).unwrap_err(),
        InputPublicKey::from_pem(pem).unwrap_err(),
        InputSchema::parse(&secrets.token).unwrap_err(),
        public.encrypt_input(&schema, &secrets.token).unwrap_err(),
        public
            .encrypt_input(&schema, format!(r#"{{"key": "ENCRYPTED_VALUE:{}:", "#, secrets.token))
            .unwrap_err(),
        public.encrypt_input(&schema, format!(r#"{{"key": "{}\ud800"}}"#, secrets.token)).unwrap_err(),
        public
            .encrypt_input(&schema, format!(r#"{{"key": "ENCRYPTED_VALUE:{}:"}}"#, &secrets.token[15..]))
            .unwrap_err(),
        private.decrypt_field("key", &secrets.token).unwrap_err(),
        private.decrypt_input_checked(&schema, json!({ "key": secrets.token }).to_string()).unwrap_err(),
        private.decrypt_field("key", made["otherKey"].as_str().unwrap()).unwrap_err(),
        plain.read::<[u8; 3]>().unwrap_err(),
        plain.read::<std::collections::BTreeMap<String, u8>>().unwrap_err(),
    ] {
        shown.add_error("tokenkeep_apify::SecretInputError", &error);
        if let SecretInputError::DoesNotDecrypt { field } = &error {
            show!(shown, tokenkeep_apify::FieldName: field);
        }
        shown.add_error("tokenkeep_core::Error", &tokenkeep_core::Error::from(error));
    }
    show!(shown, tokenkeep_apify::PlainField: private.decrypt_field("key", &text).unwrap(), private.decrypt_field("key", &list).unwrap());
    show!(shown, tokenkeep_apify::PlainInput: plain);
    show!(shown, tokenkeep_apify::InputSchema: schema);
    show!(shown, tokenkeep_apify::InputPublicKey: public);
    show!(shown, tokenkeep_apify::InputPrivateKey: private);
}
