//! Plain input to encrypted input.

use std::ops::Range;

use zeroize::Zeroizing;

use super::cipher::{Password, TAG};
use super::error::{FieldName, SecretInputError};
use super::keys::InputPublicKey;
use super::scan::{self, Bad, Kind};
use super::schema::{InputSchema, SchemaField};
use super::value::{self, Form, Parts};
use super::{MAX_ENCRYPTED, MAX_INPUT, TOO_LONG_ENCRYPTED, TOO_MANY, js, string};

/// What is to be encrypted, in a block that has room for the tag.
struct Secret<'a> {
    form: Form,
    hash: Option<&'a str>,
    value: Zeroizing<Vec<u8>>,
}

impl InputPublicKey {
    /// The input with its secret fields encrypted. Everything else stands as it stood, byte for byte.
    ///
    /// `input` is a JSON object nested at most 512 deep, of at most 10,000 fields, of which at most 1000 are encrypted, and of at most 32 MiB, encrypted too:
    /// what is longer could not be decrypted here. What comes back may be sent as an Actor's input
    /// ([`ActorClient::start_json`](crate::ActorClient::start_json)); it is one block, which wipes itself, as what is not secret by the schema may be so all the same.
    ///
    /// A secret field that holds `""`, `0`, `false` or `null` stays as it is, as with Apify's own package. So does a string that is encrypted
    /// already: one that is written as the SDKs write it, for a key of this length.
    ///
    /// # Errors
    /// [`BadInput`](SecretInputError::BadInput); [`NotEncryptable`](SecretInputError::NotEncryptable) for a number or `true`;
    /// [`NotText`](SecretInputError::NotText) for a string that has no UTF-8; [`LooksEncrypted`](SecretInputError::LooksEncrypted) for
    /// one that the SDKs take for encrypted and that is not; [`Random`](SecretInputError::Random).
    pub fn encrypt_input(
        &self,
        schema: &InputSchema,
        input: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<Vec<u8>>, SecretInputError> {
        let input = scan::text(input.as_ref(), MAX_INPUT).map_err(bad)?;
        let mut secrets = Vec::new();
        for member in scan::object(input).map_err(bad)? {
            let name = member.name_in(input);
            if let Some(field) = schema.secret(&name) {
                let name = || FieldName::from_utf16(&name);
                if let Some(secret) = self.secret(field, member.kind, &input[member.value.clone()], name)? {
                    if secrets.len() == MAX_ENCRYPTED {
                        return Err(bad(TOO_MANY));
                    }
                    secrets.push((member.value, secret));
                }
            }
        }
        self.replaced(input, secrets)
    }

    /// One value for a secret field of the schema, as it stands in an encrypted input, but without quotes. `value` is JSON,
    /// nested at most 511 deep, as an input's own object is one level more.
    ///
    /// `None` when the value stays as it is: `""`, `0`, `false`, `null`, and what is encrypted already.
    ///
    /// # Errors
    /// As [`encrypt_input`](Self::encrypt_input), and [`NotSecret`](SecretInputError::NotSecret) when the schema has no such secret field.
    pub fn encrypt_field(
        &self,
        schema: &InputSchema,
        field: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<Option<String>, SecretInputError> {
        let json = scan::text(value.as_ref(), MAX_INPUT).map_err(bad)?;
        let (kind, place) = scan::value_of_field(json).map_err(bad)?;
        let of_schema = schema.secret_named(field)?;
        let secret = self.secret(of_schema, kind, &json[place], || FieldName::new(field))?;
        secret.map(|secret| self.written(secret)).transpose()
    }

    /// A text, as an encrypted field holds it, whatever it looks like and also if it is empty. For who has no schema.
    ///
    /// # Errors
    /// [`BadInput`](SecretInputError::BadInput) for a text that is over 32 MiB once it is encrypted, and [`Random`](SecretInputError::Random).
    pub fn encrypt_text(&self, text: &str) -> Result<String, SecretInputError> {
        if text.len() > MAX_INPUT {
            return Err(bad(scan::TOO_LONG));
        }
        self.written(Secret { form: Form::Text, hash: None, value: with_room(text) })
    }

    fn secret<'s>(
        &self,
        field: &'s SchemaField,
        kind: Kind,
        json: &str,
        name: impl Fn() -> FieldName,
    ) -> Result<Option<Secret<'s>>, SecretInputError> {
        if !js::is_truthy(kind, json) {
            return Ok(None);
        }
        match kind {
            Kind::Object | Kind::Array => {
                Ok(Some(Secret { form: Form::Json, hash: Some(&field.hash), value: with_room(json) }))
            }
            Kind::String => {
                let value = string::unescaped(&json[1..json.len() - 1], TAG);
                let value = value.ok_or_else(|| SecretInputError::NotText { field: name() })?;
                match str::from_utf8(&value).ok().and_then(Parts::of) {
                    None => Ok(Some(Secret { form: Form::Text, hash: None, value })),
                    Some(parts) if parts.decode(self.0.key_size_bytes()).is_some() => Ok(None),
                    Some(_) => Err(SecretInputError::LooksEncrypted { field: name() }),
                }
            }
            _ => Err(SecretInputError::NotEncryptable { field: name() }),
        }
    }

    fn len(&self, secret: &Secret<'_>) -> usize {
        value::len(secret.form, secret.hash, self.0.ciphertext_size(), secret.value.len() + TAG)
    }

    fn push(&self, out: &mut Vec<u8>, mut secret: Secret<'_>) -> Result<(), SecretInputError> {
        let password = Password::draw()?;
        let wrapped = password.wrap(&self.0).ok_or(bad("AWS-LC could not encrypt for this key"))?;
        password.seal(&mut secret.value);
        value::push(out, secret.form, secret.hash, &wrapped, &secret.value);
        Ok(())
    }

    fn written(&self, secret: Secret<'_>) -> Result<String, SecretInputError> {
        let len = self.len(&secret);
        // The shortest input with it has a name of no letters, and must fit.
        if len > MAX_INPUT - r#"{"":""}"#.len() {
            return Err(bad(TOO_LONG_ENCRYPTED));
        }
        let mut out = Vec::with_capacity(len);
        self.push(&mut out, secret)?;
        Ok(String::from_utf8(out).expect("base64 and its prefix are ASCII"))
    }

    fn replaced(
        &self,
        input: &str,
        secrets: Vec<(Range<usize>, Secret<'_>)>,
    ) -> Result<Zeroizing<Vec<u8>>, SecretInputError> {
        let gone: usize = secrets.iter().map(|(place, _)| place.len()).sum();
        let came: usize = secrets.iter().map(|(_, secret)| self.len(secret) + 2).sum();
        let len = input.len() - gone + came;
        if len > MAX_INPUT {
            return Err(bad(TOO_LONG_ENCRYPTED));
        }
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        let mut copied = 0;
        for (place, secret) in secrets {
            out.extend_from_slice(&input.as_bytes()[copied..place.start]);
            out.push(b'"');
            self.push(&mut out, secret)?;
            out.push(b'"');
            copied = place.end;
        }
        out.extend_from_slice(&input.as_bytes()[copied..]);
        debug_assert_eq!(out.len(), len);
        Ok(out)
    }
}

/// A copy in a block that has room for the tag.
fn with_room(text: &str) -> Zeroizing<Vec<u8>> {
    let mut value = Zeroizing::new(Vec::with_capacity(text.len() + TAG));
    value.extend_from_slice(text.as_bytes());
    value
}

fn bad(reason: Bad) -> SecretInputError {
    SecretInputError::BadInput { reason }
}
