//! The one place that a token may be sent to.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// Scheme, host and port of a provider's API. The scheme is always `https`.
///
/// There is one spelling of an origin: `https://host` or `https://host:port`, in lower case, with a DNS name and
/// without port 443. What only looks like it (another case, a trailing dot, a user name, an IP address, a
/// punycode or Unicode name) is refused instead of being normalised, so that what a person read is what is bound.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    host_end: usize,
    port: u16,
}

/// Why an origin was refused: the caller's fault. The text is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadOrigin {
    /// It does not start with `https://`.
    #[error("an origin starts with https://")]
    NotHttps,
    /// The host is no lower-case ASCII DNS name of at most 253 bytes: a look-alike, an IP address, a user name.
    #[error("an origin's host is a DNS name in lower-case ASCII, without a trailing dot or a user name")]
    Host,
    /// The port is not a number from 1 to 65535 in its one spelling (443 is left out).
    #[error("an origin's port is a number from 1 to 65535, and 443 is left out")]
    Port,
    /// A path, query or fragment follows.
    #[error("an origin ends after its host and port")]
    Trailing,
}

const SCHEME: &str = "https://";

impl Origin {
    /// Reads an origin in its one spelling.
    ///
    /// # Errors
    /// [`BadOrigin`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let rest = text.strip_prefix(SCHEME).ok_or(BadOrigin::NotHttps)?;
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(BadOrigin::Trailing);
        }
        let (host, port) = match rest.split_once(':') {
            None => (rest, 443),
            Some((host, port)) => (host, parse_port(port)?),
        };
        check_host(host)?;
        Ok(Self { text: text.to_owned(), host_end: SCHEME.len() + host.len(), port })
    }

    /// The host name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[SCHEME.len()..self.host_end]
    }

    /// The port; 443 where the text names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The origin in its one spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn parse_port(text: &str) -> Result<u16, BadOrigin> {
    let port: u16 = text.parse().map_err(|_| BadOrigin::Port)?;
    if port == 0 || port == 443 || port.to_string() != text {
        return Err(BadOrigin::Port);
    }
    Ok(port)
}

fn check_host(host: &str) -> Result<(), BadOrigin> {
    if host.is_empty() || host.len() > 253 {
        return Err(BadOrigin::Host);
    }
    let mut last = "";
    for label in host.split('.') {
        let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = !label.starts_with('-') && !label.ends_with('-');
        // `xn--` hides a Unicode name that may look like another one.
        if label.is_empty() || label.len() > 63 || !plain || !ends || label.starts_with("xn--") {
            return Err(BadOrigin::Host);
        }
        last = label;
    }
    // WHATWG's URL parser takes a host for an IPv4 address when its last label is a number, hexadecimal included.
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if numeric { Err(BadOrigin::Host) } else { Ok(()) }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        Self::parse(text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_spelling() {
        let origin = Origin::parse("https://api.apify.com").unwrap();
        assert_eq!((origin.host(), origin.port()), ("api.apify.com", 443));
        let origin = Origin::parse("https://localhost:8443").unwrap();
        assert_eq!((origin.host(), origin.port()), ("localhost", 8443));
    }

    #[test]
    fn look_alikes_are_refused() {
        for (text, why) in [
            ("http://api.apify.com", BadOrigin::NotHttps),
            ("HTTPS://api.apify.com", BadOrigin::NotHttps),
            ("https://API.apify.com", BadOrigin::Host),
            ("https://api.apify.com.", BadOrigin::Host),
            ("https://api.apify.com:443", BadOrigin::Port),
            ("https://api.apify.com:0443", BadOrigin::Port),
            ("https://api.apify.com:+44", BadOrigin::Port),
            ("https://api.apify.com:", BadOrigin::Port),
            ("https://user@api.apify.com", BadOrigin::Host),
            ("https://user:pw@api.apify.com", BadOrigin::Port),
            ("https://127.0.0.1", BadOrigin::Host),
            ("https://127.1", BadOrigin::Host),
            ("https://0x7f.0x1", BadOrigin::Host),
            ("https://2130706433", BadOrigin::Host),
            ("https://[::1]", BadOrigin::Port),
            ("https://xn--pify-4na.com", BadOrigin::Host),
            ("https://аpify.com", BadOrigin::Host),
            ("https://api.apify.com/", BadOrigin::Trailing),
            ("https://api.apify.com\\@evil.example", BadOrigin::Trailing),
            ("https://api.apify.com?x", BadOrigin::Trailing),
            ("https://", BadOrigin::Host),
            ("https://a..b", BadOrigin::Host),
            ("https://-a.b", BadOrigin::Host),
        ] {
            assert_eq!(Origin::parse(text), Err(why), "{text}");
        }
    }
}
