//! What can be wrong with a secret input.

use std::fmt;

use thiserror::Error;
use tokenkeep_core::{Error, ErrorKind, RandomUnavailable};

/// What is wrong with a secret input, its schema or its key. A field is named; no value, key or passphrase is ever in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretInputError {
    /// The schema can't be read.
    #[error("the input schema can't be used: {reason}; give the Actor's own input schema")]
    BadSchema {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The input, or a single value, is no JSON that can be read in one way only.
    #[error("the input can't be used: {reason}")]
    BadInput {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The schema has no such field, or it is not secret there.
    #[error("field {field} is no secret field of the schema; give the name of one that has isSecret")]
    NotSecret {
        /// Which.
        field: FieldName,
    },
    /// A number or `true` stands in a secret field.
    #[error("field {field} can't be encrypted: a secret field takes a string, an object or an array")]
    NotEncryptable {
        /// Which.
        field: FieldName,
    },
    /// A string has half of a surrogate pair, which is no text.
    #[error("field {field} can't be encrypted: its string has half of a surrogate pair, which has no UTF-8")]
    NotText {
        /// Which.
        field: FieldName,
    },
    /// A string would be taken for encrypted by Apify's SDKs, and is not: they would send it as it is.
    #[error(
        "field {field} looks encrypted and is not: give the plain value, or the encrypted one whole and as it was made"
    )]
    LooksEncrypted {
        /// Which.
        field: FieldName,
    },
    /// Wrong key, or altered. Which of them, or where, is not told.
    #[error(
        "field {field} does not decrypt: it is of another key, or altered; encrypt it anew for this Actor"
    )]
    DoesNotDecrypt {
        /// Which.
        field: FieldName,
    },
    /// A field that the schema calls secret holds something, and it is not encrypted.
    #[error(
        "field {field} is secret in the schema, and came in plain text; Apify encrypts it in input that it is given, and whoever stores input by another way must"
    )]
    NotEncrypted {
        /// Which.
        field: FieldName,
    },
    /// A field came encrypted that the schema does not call secret, or does not have. Whoever can change an input can move an encrypted value to where the
    /// Actor shows it.
    #[error(
        "field {field} came encrypted, and is no secret field of the schema; it must stand in the field that it was encrypted for"
    )]
    EncryptedNotSecret {
        /// Which.
        field: FieldName,
    },
    /// What was encrypted, or what it says that it is, is not of the type that the schema gives the field.
    #[error("field {field} holds a value of another type than the schema says; encrypt one of that type")]
    NotOfItsType {
        /// Which.
        field: FieldName,
    },
    /// The hash in it is not that of the schema's field.
    #[error("field {field} was encrypted for another schema; encrypt it anew for this one")]
    OtherSchema {
        /// Which.
        field: FieldName,
    },
    /// The decrypted input is not what the caller's type is made of.
    #[error(
        "the decrypted input does not fit the type that it was to be read into; compare the type with the schema"
    )]
    OtherType,
    /// The environment has no such variable, or it is empty or no text.
    #[error("the environment variable {name} is not set to anything; Apify sets it in an Actor's run")]
    NoVariable {
        /// Which.
        name: &'static str,
    },
    /// The key is no base64 of a PEM, or no PEM, of the kind that was asked for.
    #[error("the key can't be read: {reason}")]
    BadKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The passphrase is not the one, or the key was altered.
    #[error("the passphrase does not open the private key; both must be of the same Actor's run")]
    WrongPassphrase,
    /// See [`RandomUnavailable`].
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl From<SecretInputError> for Error {
    /// `KeysWrong` for what does not decrypt, `KeysUnusable` for a key that can't be had, `RandomUnavailable` for itself, and `Misuse` for the
    /// rest: the schema or the input is at fault.
    fn from(error: SecretInputError) -> Self {
        let kind = match error {
            SecretInputError::Random(random) => return random.into(),
            SecretInputError::DoesNotDecrypt { .. } => ErrorKind::KeysWrong,
            SecretInputError::NoVariable { .. }
            | SecretInputError::BadKey { .. }
            | SecretInputError::WrongPassphrase => ErrorKind::KeysUnusable,
            _ => ErrorKind::Misuse,
        };
        Self::new(kind).with_source(error)
    }
}

/// A field's name as an error shows it: in quotes, escaped to printable ASCII, and cut after 64 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldName(Box<str>);

impl FieldName {
    const SHOWN: usize = 64;

    pub(super) fn new(name: &str) -> Self {
        Self::from_chars(name.chars())
    }

    pub(super) fn from_utf16(name: &[u16]) -> Self {
        let chars = char::decode_utf16(name.iter().copied());
        Self::from_chars(chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }

    fn from_chars(mut chars: impl Iterator<Item = char>) -> Self {
        let mut text = String::from("\"");
        text.extend(chars.by_ref().take(Self::SHOWN).flat_map(char::escape_default));
        text.push('"');
        if chars.next().is_some() {
            text.push('…');
        }
        Self(text.into())
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_does_nothing_to_a_terminal() {
        assert_eq!(FieldName::new("apiKey").to_string(), "\"apiKey\"");
        assert_eq!(FieldName::new("a\n\u{1b}[2J\u{202e}\"").to_string(), r#""a\n\u{1b}[2J\u{202e}\"""#);
        assert_eq!(FieldName::new(&"x".repeat(65)).to_string(), format!("\"{}\"…", "x".repeat(64)));
        assert_eq!(FieldName::from_utf16(&[0x61, 0xd800]).to_string(), r#""a\u{fffd}""#);
    }
}
