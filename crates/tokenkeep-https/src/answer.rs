//! An answer, read within its limits.

use std::fmt;
use std::time::Duration;

use http::HeaderName;
use serde::de::DeserializeOwned;
use tokenkeep_core::Error;
use zeroize::Zeroizing;

use crate::CallFailure;

/// A provider's answer to a call that it accepted: a status from 200 to 299, and a body. With
/// [`Call::errors_as_answers`](crate::Call::errors_as_answers), an answer of status 400 and above too.
///
/// Dropping it wipes the body, and a body that comes in pieces wipes what it outgrows. Copies in hyper's read buffers and in the TLS
/// library live until the connection reuses or closes them.
pub struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, Box<str>)>,
    body: Zeroizing<Vec<u8>>,
    attempts: u32,
}

impl Answer {
    /// The HTTP status, 200 to 299, or 400 and above where that was asked for.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// How long the provider asks to wait (`Retry-After`, in seconds or as a date). `None` where it does not ask.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// A header of a success that [was to be kept](crate::Call::keep_header), named in lower case; `None` where it is not there, there
    /// more than once, no text, or kept back by a boundary. With stars in the place of the token, as in the body.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(kept, _)| kept == name).map(|(_, value)| &**value)
    }

    /// The body, with stars in the place of the token where it came back: see [the crate's page](crate#what-comes-back).
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// `ProviderMisbehaved` when it is not JSON, or not of this shape. The error says where in the body, not what is
    /// there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // serde_json's own error repeats values of the body.
        serde_json::from_slice(&self.body)
            .map_err(|error| CallFailure::not_as_promised(self.status, error.line(), error.column()))
            .map_err(|failure| failure.after_attempts(self.attempts, false).into())
    }

    pub(crate) fn new(status: u16, retry_after: Option<Duration>, body: Zeroizing<Vec<u8>>) -> Self {
        Self { status, retry_after, headers: Vec::new(), body, attempts: 1 }
    }

    pub(crate) fn with_headers(mut self, headers: Vec<(HeaderName, Box<str>)>) -> Self {
        self.headers = headers;
        self
    }

    pub(crate) fn after_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    pub(crate) fn into_body(self) -> Zeroizing<Vec<u8>> {
        self.body
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}
