//! Plain input: what an Actor works with, in blocks that wipe themselves.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::error::{FieldName, SecretInputError};
use super::scan::{self, Kind, Member};
use super::string;
use super::value::Form;

/// A decrypted input: JSON in one block, which was measured first and wipes itself. Shown by nothing, copied by nothing.
pub struct PlainInput {
    json: Zeroizing<String>,
    members: Vec<Member>,
    decrypted: Vec<String>,
}

impl PlainInput {
    /// Puts what was decrypted in its places, which are in order.
    pub(super) fn assemble(
        input: &str,
        opened: Vec<(String, Range<usize>, PlainField)>,
    ) -> Result<Self, SecretInputError> {
        let gone: usize = opened.iter().map(|(_, place, _)| place.len()).sum();
        let came: usize = opened.iter().map(|(.., field)| field.json_len()).sum();
        let mut json = Zeroizing::new(Vec::with_capacity(input.len() - gone + came));
        let (mut decrypted, mut copied) = (Vec::new(), 0);
        for (name, place, field) in opened {
            json.extend_from_slice(&input.as_bytes()[copied..place.start]);
            field.push_json(&mut json);
            copied = place.end;
            decrypted.push(name);
        }
        json.extend_from_slice(&input.as_bytes()[copied..]);
        debug_assert_eq!(json.len(), json.capacity());
        // Moves the block, and leaves no copy behind. What was put together of texts is one.
        let json = String::from_utf8(std::mem::take(&mut *json)).map(Zeroizing::new).unwrap_or_default();
        // An object or array that was decrypted may be deeper where it stands now than it was by itself.
        let members = scan::object(&json).map_err(|reason| SecretInputError::BadInput { reason })?;
        Ok(Self { json, members, decrypted })
    }

    /// The whole input as JSON.
    #[must_use]
    pub fn as_json(&self) -> &[u8] {
        self.json.as_bytes()
    }

    /// The JSON of one field, as it stands there.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.find(name).map(|member| &self.json[member.value.clone()])
    }

    /// The text of one field that holds a string, in a block of its own that wipes itself. `None` also for a string that has
    /// half of a surrogate pair, which a decrypted one has not.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<Zeroizing<String>> {
        let member = self.find(name).filter(|member| member.kind == Kind::String)?;
        let mut text = string::unescaped(&self.json[member.value.start + 1..member.value.end - 1], 0)?;
        // Moves the block, and leaves no copy behind.
        String::from_utf8(std::mem::take(&mut *text)).ok().map(Zeroizing::new)
    }

    /// The names of the fields that came encrypted, in the order in which they stand.
    pub fn decrypted_fields(&self) -> impl Iterator<Item = &str> {
        self.decrypted.iter().map(String::as_str)
    }

    /// Reads the input into a type of the caller's, which may borrow from it. What is in that type is the caller's to wipe. `serde_json`
    /// leaves copies of strings with escapes behind, of a PEM for instance, and goes 128 levels deep; [`text_of`](Self::text_of) leaves none.
    ///
    /// # Errors
    /// [`SecretInputError::OtherType`], which does not say more: `serde_json`'s own error may repeat a value.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, SecretInputError> {
        serde_json::from_str(&self.json).map_err(|_| SecretInputError::OtherType)
    }

    fn find(&self, name: &str) -> Option<&Member> {
        let json = &self.json;
        self.members.iter().find(|member| string::units(&json[member.name.clone()]).eq(name.encode_utf16()))
    }
}

impl fmt::Debug for PlainInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.decrypted_fields().map(FieldName::new).collect();
        f.debug_struct("PlainInput").field("decrypted_fields", &names).finish_non_exhaustive()
    }
}

/// One decrypted value: a text, or the JSON of an object or array, which nothing else is taken for. It wipes itself, and is shown by nothing, copied by nothing.
pub struct PlainField {
    form: Form,
    value: Zeroizing<String>,
}

impl PlainField {
    pub(super) fn of(form: Form, value: Zeroizing<String>) -> Self {
        Self { form, value }
    }

    /// The text, where a text was encrypted.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        (self.form == Form::Text).then_some(self.value.as_str())
    }

    /// The JSON, where something else was encrypted.
    #[must_use]
    pub fn json(&self) -> Option<&str> {
        (self.form == Form::Json).then_some(self.value.as_str())
    }

    /// What stands in the input once it is put there.
    pub(super) fn kind(&self) -> Kind {
        match self.form {
            Form::Text => Kind::String,
            // No other kind is taken.
            Form::Json if self.value.trim_start().starts_with('{') => Kind::Object,
            Form::Json => Kind::Array,
        }
    }

    fn json_len(&self) -> usize {
        match self.form {
            Form::Text => string::escaped_len(&self.value),
            Form::Json => self.value.len(),
        }
    }

    fn push_json(&self, json: &mut Vec<u8>) {
        match self.form {
            Form::Text => string::push_escaped(json, &self.value),
            Form::Json => json.extend_from_slice(self.value.as_bytes()),
        }
    }
}

impl fmt::Debug for PlainField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.form {
            Form::Text => "PlainField(text)",
            Form::Json => "PlainField(JSON)",
        })
    }
}
