//! How an encrypted value is written: `ENCRYPTED_VALUE:password:value` for a text, `ENCRYPTED_JSON:hash:password:value` for the rest.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::cipher::TAG;

/// Enough of both prefixes to pass most texts over.
pub(super) const START: &str = "ENCRYPTED_";

/// What was encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A text, as it is.
    Text,
    /// An object or array, as JSON.
    Json,
}

impl Form {
    fn prefix(self) -> &'static str {
        match self {
            Self::Text => "ENCRYPTED_VALUE",
            Self::Json => "ENCRYPTED_JSON",
        }
    }
}

/// The parts of a text that Apify's SDKs take for encrypted, well formed or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) form: Form,
    pub(super) hash: Option<&'a str>,
    password: &'a str,
    value: &'a str,
}

/// What stands in an encrypted value.
pub(super) struct Decoded {
    pub(super) form: Form,
    /// Of the key's length.
    pub(super) password: Vec<u8>,
    /// With its tag. It wipes itself, for it is decrypted in place.
    pub(super) value: Zeroizing<Vec<u8>>,
}

impl<'a> Parts<'a> {
    /// The parts, where the expression of the SDKs matches:
    /// `^(ENCRYPTED_VALUE|ENCRYPTED_JSON):(?:(B):)?(B):(B)$` with `[-A-Za-z0-9+/]*={0,3}` for B.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let (prefix, rest) = text.split_once(':')?;
        let form = [Form::Text, Form::Json].into_iter().find(|form| form.prefix() == prefix)?;
        let mut parts = rest.split(':');
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some()
            || ![first, second, third.unwrap_or_default()].into_iter().all(is_like_base64)
        {
            return None;
        }
        Some(match third {
            Some(value) => Self { form, hash: Some(first), password: second, value },
            None => Self { form, hash: None, password: first, value: second },
        })
    }

    /// What stands in it, where it is written as the SDKs write it: a hash of ten hexadecimal digits or none, a password that
    /// is as long as a key of `key_len` bytes makes it, a value that has room for its tag, both in the one spelling of padded base64.
    pub(super) fn decode(&self, key_len: usize) -> Option<Decoded> {
        if !self.hash.is_none_or(is_hash) {
            return None;
        }
        let password = Base64::decode_vec(self.password).ok().filter(|password| password.len() == key_len)?;
        let value = Zeroizing::new(Base64::decode_vec(self.value).ok()?);
        (value.len() >= TAG).then_some(Decoded { form: self.form, password, value })
    }
}

fn is_like_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len() - digits.len() <= 3
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'/'))
}

fn is_hash(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// How long it is once written, for a key of `key_len` bytes and a value of `value_len` with its tag.
pub(super) fn len(form: Form, hash: Option<&str>, key_len: usize, value_len: usize) -> usize {
    let hash = hash.map_or(0, |hash| hash.len() + 1);
    form.prefix().len() + 1 + hash + base64_len(key_len) + 1 + base64_len(value_len)
}

/// Writes one.
pub(super) fn push(out: &mut Vec<u8>, form: Form, hash: Option<&str>, password: &[u8], value: &[u8]) {
    for part in [Some(form.prefix()), hash].into_iter().flatten() {
        out.extend_from_slice(part.as_bytes());
        out.push(b':');
    }
    push_base64(out, password);
    out.push(b':');
    push_base64(out, value);
}

fn base64_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + base64_len(bytes.len()), 0);
    let written = Base64::encode(bytes, &mut out[start..]).map(str::len);
    debug_assert_eq!(written.ok(), Some(base64_len(bytes.len())));
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
