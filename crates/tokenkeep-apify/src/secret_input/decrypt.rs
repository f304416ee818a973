//! Encrypted input to plain input.

use zeroize::Zeroizing;

use super::error::{FieldName, SecretInputError};
use super::keys::InputPrivateKey;
use super::plain::{PlainField, PlainInput};
use super::scan::{self, Kind, Member};
use super::schema::InputSchema;
use super::value::{Form, Parts, START};
use super::{MAX_ENCRYPTED, MAX_INPUT, TOO_MANY, cipher, js, string};

impl InputPrivateKey {
    /// The input with what is encrypted in it decrypted. Everything else stands as it stood, byte for byte.
    ///
    /// `input` is a JSON object of at most 32 MiB, nested at most 512 deep, of at most 10,000 fields, of which at most 1000 are encrypted, as an Actor finds it in its default key-value store. Each top-level string
    /// that Apify's SDKs take for encrypted is decrypted; no schema is asked. Nobody but the Actor can read what was encrypted, but anybody can
    /// encrypt for it: that a field decrypts says nothing of who sent it.
    ///
    /// # Errors
    /// [`BadInput`](SecretInputError::BadInput); [`LooksEncrypted`](SecretInputError::LooksEncrypted) for a string that is like an
    /// encrypted one and is not written as the SDKs write it; [`DoesNotDecrypt`](SecretInputError::DoesNotDecrypt) for another key, for anything that was altered, and
    /// for what comes out and is no text or, where it says that it is JSON, no object or array. What it says is bound to nothing: the prefix of a text that
    /// is such JSON can be exchanged.
    pub fn decrypt_input(&self, input: impl AsRef<[u8]>) -> Result<PlainInput, SecretInputError> {
        self.decrypt(None, input.as_ref())
    }

    /// As [`decrypt_input`](Self::decrypt_input), and holds the input against the schema: a secret field must be encrypted, unless it holds
    /// `""`, `0`, `false` or `null`; no other field may be; a hash that it carries must be that of the schema; and where the schema's `type` is `string`, `object` or
    /// `array`, what was encrypted must be one. Apify's SDKs check none of this. A value without a hash is taken: texts carry none, and older SDKs wrote none; so who can change an input
    /// can strip a hash. Between two secret fields of one type an encrypted text can still be moved.
    ///
    /// # Errors
    /// As [`decrypt_input`](Self::decrypt_input); [`NotEncrypted`](SecretInputError::NotEncrypted),
    /// [`EncryptedNotSecret`](SecretInputError::EncryptedNotSecret), [`OtherSchema`](SecretInputError::OtherSchema),
    /// [`NotOfItsType`](SecretInputError::NotOfItsType).
    pub fn decrypt_input_checked(
        &self,
        schema: &InputSchema,
        input: impl AsRef<[u8]>,
    ) -> Result<PlainInput, SecretInputError> {
        self.decrypt(Some(schema), input.as_ref())
    }

    /// One encrypted value. `field` is what an error calls it.
    ///
    /// # Errors
    /// As [`decrypt_input`](Self::decrypt_input), and [`NotEncrypted`](SecretInputError::NotEncrypted) for what Apify's SDKs don't take for encrypted.
    pub fn decrypt_field(&self, field: &str, value: &str) -> Result<PlainField, SecretInputError> {
        let name = || FieldName::new(field);
        let parts = Parts::of(value).ok_or_else(|| SecretInputError::NotEncrypted { field: name() })?;
        self.open(&parts, name)
    }

    fn decrypt(&self, schema: Option<&InputSchema>, input: &[u8]) -> Result<PlainInput, SecretInputError> {
        let bad = |reason| SecretInputError::BadInput { reason };
        let input = scan::text(input, MAX_INPUT).map_err(bad)?;
        let mut opened = Vec::new();
        for member in scan::object(input).map_err(bad)? {
            let units = member.name_in(input);
            let name = || FieldName::from_utf16(&units);
            let text = encrypted_text(&member, input);
            let parts = text.as_deref().and_then(|text| str::from_utf8(text).ok()).and_then(Parts::of);
            let of_schema = schema.and_then(|schema| schema.secret(&units));
            if schema.is_some() && of_schema.is_none() && parts.is_some() {
                return Err(SecretInputError::EncryptedNotSecret { field: name() });
            }
            if let Some(field) = of_schema {
                let hash = parts.as_ref().and_then(|parts| parts.hash);
                if parts.is_none() && js::is_truthy(member.kind, &input[member.value.clone()]) {
                    return Err(SecretInputError::NotEncrypted { field: name() });
                }
                if hash.is_some_and(|hash| hash != field.hash) {
                    return Err(SecretInputError::OtherSchema { field: name() });
                }
            }
            if let Some(parts) = parts {
                if opened.len() == MAX_ENCRYPTED {
                    return Err(bad(TOO_MANY));
                }
                let field = self.open(&parts, name)?;
                if of_schema.is_some_and(|of_schema| !of_schema.allows(field.kind())) {
                    return Err(SecretInputError::NotOfItsType { field: name() });
                }
                opened.push((String::from_utf16_lossy(&units), member.value, field));
            }
        }
        PlainInput::assemble(input, opened)
    }

    fn open(&self, parts: &Parts<'_>, name: impl Fn() -> FieldName) -> Result<PlainField, SecretInputError> {
        let decoded = parts.decode(self.key.key_size_bytes());
        let mut decoded = decoded.ok_or_else(|| SecretInputError::LooksEncrypted { field: name() })?;
        let opened = cipher::open(&self.key, &decoded.password, &mut decoded.value);
        let field = if opened { PlainField::new(decoded.form, decoded.value) } else { None };
        field.ok_or_else(|| SecretInputError::DoesNotDecrypt { field: name() })
    }
}

/// The text of a string that may be encrypted.
fn encrypted_text(member: &Member, input: &str) -> Option<Zeroizing<Vec<u8>>> {
    if member.kind != Kind::String {
        return None;
    }
    let raw = &input[member.value.start + 1..member.value.end - 1];
    // Most strings are passed over uncopied, whether they are written with escapes or without.
    if !START.encode_utf16().eq(string::units(raw).take(START.len())) {
        return None;
    }
    string::unescaped(raw, 0)
}

impl PlainField {
    /// What was decrypted, if it is what it says that it is.
    fn new(form: Form, mut value: Zeroizing<Vec<u8>>) -> Option<Self> {
        // Moves the block, and leaves no copy behind.
        let value = match String::from_utf8(std::mem::take(&mut *value)) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                return None;
            }
        };
        // What is no JSON by itself could say more than one field's value where it is put in its place. And no SDK encrypts a text or a
        // number as JSON: that is a text whose prefix was exchanged.
        if form == Form::Json && !matches!(scan::value(&value), Ok((Kind::Object | Kind::Array, _))) {
            return None;
        }
        Some(Self::of(form, value))
    }
}
