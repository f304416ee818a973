//! Why there was no answer, in words of our own.

use std::error::Error as StdError;
use std::{fmt, io};

use rustls::CertificateError;
use tokenkeep_core::ErrorKind;

use crate::retries::Repeat;

/// Why there was no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unanswered {
    NoAnswer,
    TimedOut,
    NoName,
    NoConnection(io::ErrorKind),
    BadCertificate(&'static str),
    NoTls,
    /// On the way to the proxy, or by its word.
    Proxy(ProxyFault),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ProxyFault {
    LoginRefused,
    NoTunnel,
    NoName,
    NoConnection(io::ErrorKind),
    BadCertificate(&'static str),
    NoTls,
}

impl Unanswered {
    /// Only what is known to hold no text of the other side's is taken from the error: HTTP/2 lets a server put a text of its own into
    /// one.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() && error.is_connect() {
            Self::NoConnection(io::ErrorKind::TimedOut)
        } else if error.is_timeout() {
            Self::TimedOut
        } else if !error.is_connect() {
            Self::NoAnswer
        } else if let Some(fault) = find(error, proxy_fault) {
            Self::Proxy(if error.is_dns() { ProxyFault::NoName } else { fault })
        } else if error.is_dns() {
            Self::NoName
        } else {
            match tls_fault(error) {
                Some(TlsFault::BadCertificate(why)) => Self::BadCertificate(why),
                Some(TlsFault::Other) => Self::NoTls,
                None => Self::NoConnection(io_fault(error)),
            }
        }
    }

    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::BadCertificate(_) | Self::NoTls => ErrorKind::ProviderMisbehaved,
            _ => ErrorKind::ProviderUnavailable,
        }
    }

    pub(crate) fn repeat(self) -> Repeat {
        match self {
            Self::NoAnswer | Self::TimedOut => Repeat::IfIdempotent(None),
            Self::BadCertificate(_)
            | Self::NoTls
            | Self::Proxy(ProxyFault::LoginRefused | ProxyFault::BadCertificate(_) | ProxyFault::NoTls) => {
                Repeat::Never
            }
            Self::NoName | Self::NoConnection(_) | Self::Proxy(_) => Repeat::Always(None),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("the connection ended before an answer came"),
            Self::TimedOut => f.write_str("no answer came in time"),
            Self::NoName => f.write_str("its host name could not be resolved"),
            Self::NoConnection(why) => write!(f, "no connection could be made: {why}"),
            Self::BadCertificate(why) => write!(f, "nothing was sent: its certificate {why}"),
            Self::NoTls => f.write_str("nothing was sent: it does not speak TLS as it should"),
            Self::Proxy(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was sent: ")?;
        match self {
            Self::LoginRefused => f.write_str("the proxy asks for a login, or for another one"),
            Self::NoTunnel => f.write_str("the proxy did not make the connection"),
            Self::NoName => f.write_str("the proxy's host name could not be resolved"),
            Self::NoConnection(why) => write!(f, "no connection to the proxy could be made: {why}"),
            Self::BadCertificate(why) => write!(f, "the proxy's certificate {why}"),
            Self::NoTls => f.write_str("the proxy does not speak TLS as it should"),
        }
    }
}

enum TlsFault {
    BadCertificate(&'static str),
    Other,
}

fn tls_fault(error: &(dyn StdError + 'static)) -> Option<TlsFault> {
    match find(error, |cause| cause.downcast_ref::<rustls::Error>())? {
        rustls::Error::InvalidCertificate(why) => Some(TlsFault::BadCertificate(certificate_text(why))),
        _ => Some(TlsFault::Other),
    }
}

/// What the operating system says; never what wraps a text.
fn io_fault(error: &(dyn StdError + 'static)) -> io::ErrorKind {
    let plain = |cause: &'_ io::Error| cause.get_ref().is_none().then(|| cause.kind());
    let kind = find(error, |cause| cause.downcast_ref::<io::Error>().and_then(plain));
    kind.unwrap_or(io::ErrorKind::Other)
}

/// Of hyper-util's error about a tunnel, whose type has no name outside, and whose texts are fixed. A test holds them to that.
fn proxy_fault(cause: &(dyn StdError + 'static)) -> Option<ProxyFault> {
    match cause.to_string().strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(ProxyFault::LoginRefused),
        "failed to create underlying connection" => {
            let inner = cause.source()?;
            Some(match tls_fault(inner) {
                Some(TlsFault::BadCertificate(why)) => ProxyFault::BadCertificate(why),
                Some(TlsFault::Other) => ProxyFault::NoTls,
                None => ProxyFault::NoConnection(io_fault(inner)),
            })
        }
        _ => Some(ProxyFault::NoTunnel),
    }
}

fn certificate_text(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer => "is of an issuer that is not trusted here",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another host"
        }
        CertificateError::Revoked => "was revoked",
        _ => "is not acceptable",
    }
}

/// The first cause that `pick` takes. An `io::Error` hides the error that it wraps from `source`.
fn find<'a, T>(
    error: &'a (dyn StdError + 'static),
    pick: impl Fn(&'a (dyn StdError + 'static)) -> Option<T>,
) -> Option<T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = pick(error) {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    None
}
