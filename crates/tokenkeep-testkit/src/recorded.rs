//! What the stand-in was sent.

use std::fmt;

/// A request as the stand-in received it, whatever it answered.
///
/// `Debug` shows the method, the path without the query, the version, the names of the headers and the body's
/// length: a failing assertion prints no credential.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method, `GET`.
    pub method: String,
    /// Path and query as they were sent, nothing decoded.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Names in lower case and values, in the order received; over HTTP/2 `:authority` comes first.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; empty when it exceeds 8 MiB or broke off.
    pub body: Vec<u8>,
}

impl RecordedRequest {
    /// The first value of a header, named in lower case, when there is one and it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The token after `Authorization: Bearer`, when there is one.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// The target's path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("RecordedRequest")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("version", &self.version)
            .field("headers", &names)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}
