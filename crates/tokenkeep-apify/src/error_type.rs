//! What Apify calls an error.

use std::fmt;

use serde::Deserialize;
use tokenkeep_core::Error;
use tokenkeep_https::CallFailure;

/// The longest type that is one, in bytes.
const MAX_LEN: usize = 64;

/// Apify's own name of an error, `env-var-already-exists`: more than an [`ErrorKind`](tokenkeep_core::ErrorKind) says. There are some
/// four hundred, and new ones come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErrorType(String);

impl ErrorType {
    /// What Apify called the error that this one comes from; `None` where it did not answer, or not in its own form.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        Self::in_body(CallFailure::of(error)?.said()?)
    }

    /// `error.type` of `{"error": {"type": …}}`, if that has the form that all types of Apify's have: words of letters and digits in
    /// lower case, with a hyphen between two. So it can be shown.
    pub(crate) fn in_body(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            error: Detail,
        }
        #[derive(Deserialize)]
        struct Detail {
            #[serde(rename = "type")]
            error_type: String,
        }
        let text = serde_json::from_slice::<Answer>(body).ok()?.error.error_type;
        is_one(text.as_bytes()).then_some(Self(text))
    }

    /// It as Apify writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether these bytes have the form of a type.
pub(crate) fn is_one(text: &[u8]) -> bool {
    text.len() <= MAX_LEN
        && text.split(|byte| *byte == b'-').all(|word| {
            !word.is_empty() && word.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_type_is_one() {
        let read = |body: &str| ErrorType::in_body(body.as_bytes()).map(|it| it.to_string());
        assert_eq!(
            read(r#"{"error":{"type":"x402-payment-required","message":"m"}}"#).unwrap(),
            "x402-payment-required"
        );
        for body in [
            "",
            "<html>",
            r#"{"error":"invalid-token"}"#,
            r#"{"type":"invalid-token"}"#,
            r#"{"error":{"type":"Some text."}}"#,
            r#"{"error":{"type":"a--b"}}"#,
            r#"{"error":{"type":""}}"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
        assert!(is_one(&[b'a'; MAX_LEN]) && !is_one(&[b'a'; MAX_LEN + 1]));
    }
}
