//! This crate, asked as the others are.

use tokenkeep_apify::{InputPrivateKey, InputPublicKey, InputSchema, SecretInputError};

use crate::party::{Keys, Party};
use crate::peer::Answer;

#[derive(Default)]
pub(crate) struct Ours {
    pub(crate) keys: Option<(InputPublicKey, InputPrivateKey)>,
}

impl Ours {
    pub(crate) fn keys(&self) -> Result<&(InputPublicKey, InputPrivateKey), String> {
        self.keys.as_ref().ok_or_else(|| "ours has no keys yet".into())
    }
}

impl Party for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn open(&mut self, keys: &Keys) -> Result<Answer<()>, String> {
        let public = InputPublicKey::from_base64_pem(&keys.public);
        let private = InputPrivateKey::from_base64_pem(&keys.private, &keys.passphrase);
        let both = public.and_then(|public| Ok((public, private?)));
        Ok(answer(both.map(|keys| self.keys = Some(keys))))
    }

    fn encrypt(&mut self, schema: &str, input: &str) -> Result<Answer<String>, String> {
        let (public, _) = self.keys()?;
        let made = InputSchema::parse(schema).and_then(|schema| public.encrypt_input(&schema, input));
        Ok(answer(made.map(|made| text(&made))))
    }

    fn decrypt(&mut self, input: &str) -> Result<Answer<String>, String> {
        let (_, private) = self.keys()?;
        Ok(answer(private.decrypt_input(input).map(|plain| text(plain.as_json()))))
    }
}

/// The hash of a field with this schema.
pub(crate) fn hash(field: &str) -> Answer<String> {
    let schema = InputSchema::parse(format!(r#"{{"properties":{{"field":{field}}}}}"#));
    answer(schema.map(|schema| schema.field_hash("field").unwrap_or("no such field").into()))
}

fn answer<T>(result: Result<T, SecretInputError>) -> Answer<T> {
    match result {
        Ok(given) => Answer::Gives(given),
        Err(error) => Answer::Refuses(error.to_string()),
    }
}

fn text(json: &[u8]) -> String {
    String::from_utf8_lossy(json).into_owned()
}
