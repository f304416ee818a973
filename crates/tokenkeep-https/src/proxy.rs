//! A proxy on the way to a provider.

use std::fmt;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::HeaderValue;
use reqwest::Url;
use tokenkeep_core::{Error, ErrorKind};
use zeroize::Zeroizing;

/// A proxy that connections go through, by `CONNECT`: it learns the provider's host and port and carries what it can't read. For
/// [`TransportBuilder::proxy`](crate::TransportBuilder::proxy).
///
/// The provider's certificate is checked as without it. What the proxy answers is never taken for the provider's word: a refusal of
/// its own fails the call with `ProviderUnavailable`, and says nothing about the token
/// ([`CallFailure::is_of_proxy`](crate::CallFailure::is_of_proxy)).
#[derive(Clone)]
pub struct Proxy {
    url: Url,
    login: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy at `http://host:port` or `https://host:port`; to the latter the way is encrypted, too, and its certificate is checked
    /// against the same roots as the provider's. Host and port alone: a user and a password are given with [`login`](Self::login).
    ///
    /// # Errors
    /// `Misuse` for anything else.
    pub fn new(url: &str) -> Result<Self, Error> {
        let url = Url::parse(url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        let url = url.ok_or_else(|| {
            Error::new(ErrorKind::Misuse)
                .because("a proxy is http:// or https:// with a host and a port alone")
        })?;
        Ok(Self { url, login: None })
    }

    /// Lets the proxy know who asks (`Proxy-Authorization: Basic`). To a proxy at `http://` it goes in the clear.
    ///
    /// The password is wiped where it is kept; the request to the proxy is made of a copy that is not, for each connection.
    ///
    /// # Errors
    /// `Misuse` for a user name with a colon, and for control characters in either.
    pub fn login(mut self, user: &str, password: Zeroizing<String>) -> Result<Self, Error> {
        let misuse = |why| Error::new(ErrorKind::Misuse).because(why);
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return Err(misuse("a proxy's user has no colon, and neither has a control character"));
        }
        // Sized first: a block that grows leaves its old self behind.
        let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
        pair.extend_from_slice(user.as_bytes());
        pair.push(b':');
        pair.extend_from_slice(password.as_bytes());
        let mut value = Zeroizing::new(vec![0; BASIC.len() + Base64::encoded_len(&pair)]);
        let (scheme, encoded) = value.split_at_mut(BASIC.len());
        scheme.copy_from_slice(BASIC);
        Base64::encode(&pair, encoded).map_err(|_| misuse("a proxy's password is too long"))?;
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value))
            .map_err(|_| misuse("a proxy's password can't stand in a header"))?;
        value.set_sensitive(true);
        self.login = Some(value);
        Ok(self)
    }

    /// As reqwest takes it.
    pub(crate) fn configured(&self) -> reqwest::Result<reqwest::Proxy> {
        let proxy = reqwest::Proxy::https(self.url.clone())?;
        Ok(match &self.login {
            Some(login) => proxy.custom_http_auth(login.clone()),
            None => proxy,
        })
    }
}

const BASIC: &[u8] = b"Basic ";

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &self.url.as_str())
            .field("has_login", &self.login.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_host_and_a_port_and_no_more() {
        for url in
            ["http://proxy.example:3128", "https://proxy.example/", "http://10.0.0.1:8080", "http://[::1]:1"]
        {
            assert!(Proxy::new(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "proxy.example:3128",
            "socks5://proxy.example",
            "file:///etc/passwd",
            "http://",
            "http://jane@proxy.example",
            "http://:a-password@proxy.example",
            "http://jane:a-password@proxy.example",
            "http://proxy.example/path",
            "http://proxy.example/?a=a-password",
            "http://proxy.example/#a-password",
        ] {
            let error = Proxy::new(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse, "{url}");
            assert!(!error.report().contains("a-password"));
        }
    }

    #[test]
    fn a_login_is_in_its_header_and_nowhere_to_be_seen() {
        let proxy = Proxy::new("http://proxy.example:3128").unwrap();
        let login =
            |user: &str, password: &str| proxy.clone().login(user, Zeroizing::new(password.to_owned()));
        // RFC 7617, section 2.
        let open = login("Aladdin", "open sesame").unwrap();
        assert_eq!(open.login.as_ref().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(open.login.as_ref().unwrap().is_sensitive());
        let shown = format!("{open:?}");
        assert!(
            !shown.contains("Aladdin") && !shown.contains("QWxh") && shown.contains("proxy.example"),
            "{shown}"
        );
        for (user, password) in [("a:b", "c"), ("a\n", "b"), ("a", "b\0")] {
            assert_eq!(login(user, password).unwrap_err().kind(), ErrorKind::Misuse);
        }
    }
}
