//! An Actor's input schema: which fields are secret, and the hash of each.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{FieldName, SecretInputError};
use super::js;
use super::scan::{self, Bad, Kind, Scanner};
use super::string;

/// The most bytes of a schema: twice what Apify takes for one.
const MAX_LEN: usize = 1024 * 1024;

/// An Actor's input schema, as far as secret input is concerned: its fields, which of them are secret, and a hash of each.
///
/// It is the JSON that an Actor's build gives as its input schema, or the file `input_schema.json` of its source code.
#[derive(Clone)]
pub struct InputSchema {
    /// By the name in UTF-16, which is what JavaScript's strings are made of.
    fields: BTreeMap<Vec<u16>, SchemaField>,
}

#[derive(Clone)]
pub(super) struct SchemaField {
    name: String,
    pub(super) secret: bool,
    pub(super) hash: String,
    /// What its `type` allows to be encrypted, if that is one of the three that are.
    pub(super) holds: Option<Kind>,
}

impl SchemaField {
    /// Whether the value is of the field's type, where the schema says so. What was a text is of kind `String`.
    pub(super) fn allows(&self, kind: Kind) -> bool {
        self.holds.is_none_or(|holds| holds == kind)
    }
}

impl InputSchema {
    /// Reads a schema: JSON of at most 1 MiB, nested at most 128 deep, with an object `properties` of objects, in which no name stands twice.
    ///
    /// A field is secret when its `isSecret` is what JavaScript takes for true, as in Apify's package: `true`, but also a
    /// text that is not empty, a number that is not zero, an object and an array.
    ///
    /// # Errors
    /// [`SecretInputError::BadSchema`].
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, SecretInputError> {
        Self::read(json.as_ref()).map_err(|reason| SecretInputError::BadSchema { reason })
    }

    fn read(json: &[u8]) -> Result<Self, Bad> {
        let json = scan::text(json, MAX_LEN)?;
        let properties: Vec<u16> = "properties".encode_utf16().collect();
        let is_secret: Vec<u16> = "isSecret".encode_utf16().collect();
        let type_name: Vec<u16> = "type".encode_utf16().collect();
        let members = scan::object(json)?;
        let properties = members.into_iter().find(|member| member.name_in(json) == properties);
        let properties = properties.ok_or("it has no object `properties`")?;
        let json = &json[properties.value];
        let mut fields = BTreeMap::new();
        for member in scan::object(json).map_err(|_| "its `properties` are no object with each name once")? {
            if member.kind != Kind::Object {
                return Err("one of its fields is no object");
            }
            let name = member.name_in(json);
            let field = &json[member.value];
            let parts = Scanner::new(field).members(js::MAX_DEPTH)?;
            let part = |name: &[u16]| parts.iter().find(|part| part.name_in(field) == name);
            let holds = part(&type_name).filter(|part| part.kind == Kind::String);
            let holds = holds.and_then(|part| kind_of_type(&field[part.value.start + 1..part.value.end - 1]));
            let secret = part(&is_secret);
            let secret = secret.is_some_and(|part| js::is_truthy(part.kind, &field[part.value.clone()]));
            let shown = String::from_utf16_lossy(&name);
            fields.insert(name, SchemaField { name: shown, secret, hash: js::hash(field)?, holds });
        }
        Ok(Self { fields })
    }

    /// The names of the secret fields, in the order of their UTF-16 units.
    pub fn secret_fields(&self) -> impl Iterator<Item = &str> {
        self.fields.values().filter(|field| field.secret).map(|field| field.name.as_str())
    }

    /// The hash that an encrypted object or array of this field carries: ten hexadecimal digits of the SHA-256 of what the
    /// field's schema is without what people alone read of it. `None` when the schema has no such field; secret or not makes no difference.
    #[must_use]
    pub fn field_hash(&self, field: &str) -> Option<&str> {
        self.find(field).map(|field| field.hash.as_str())
    }

    pub(super) fn find(&self, field: &str) -> Option<&SchemaField> {
        let name: Vec<u16> = field.encode_utf16().collect();
        self.fields.get(&name)
    }

    /// The field of this name, if it is secret.
    pub(super) fn secret(&self, name: &[u16]) -> Option<&SchemaField> {
        self.fields.get(name).filter(|field| field.secret)
    }

    pub(super) fn secret_named(&self, field: &str) -> Result<&SchemaField, SecretInputError> {
        let found = self.find(field).filter(|field| field.secret);
        found.ok_or_else(|| SecretInputError::NotSecret { field: FieldName::new(field) })
    }
}

/// What Apify lets be secret.
fn kind_of_type(raw: &str) -> Option<Kind> {
    let types = [("string", Kind::String), ("object", Kind::Object), ("array", Kind::Array)];
    types.into_iter().find(|(name, _)| name.encode_utf16().eq(string::units(raw))).map(|(_, kind)| kind)
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.secret_fields().map(FieldName::new).collect::<Vec<_>>();
        f.debug_struct("InputSchema").field("secret_fields", &names).finish_non_exhaustive()
    }
}
