//! An API that tokens are for.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use async_trait::async_trait;

use crate::{Credential, Error, ErrorKind, Origin, ProviderName, names};

/// What an error answer of a provider means for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Meaning {
    /// The token is not accepted: wrong, revoked, expired.
    TokenRefused,
    /// The token is accepted, but not for this.
    ScopeTooSmall,
    /// The request itself is not acceptable.
    BadRequest,
    /// The request must be paid for, or a limit of the account be raised, first.
    PaymentRequired,
    /// There is no such thing.
    NotFound,
    /// There is no such thing, or the token is not accepted: the provider does not say which of the two. Nothing is held against the
    /// token for it; a call whose answer can tell does that.
    NotFoundOrTokenRefused,
    /// There is one of that name already.
    AlreadyExists,
    /// Too many calls.
    RateLimited,
    /// A fault of the provider's own that may pass.
    Unavailable,
    /// Anything else.
    Unexpected,
}

impl Meaning {
    /// What an HTTP status means where a provider says nothing more precise.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::TokenRefused,
            403 => Self::ScopeTooSmall,
            400 | 405 | 413 | 414 | 415 | 422 => Self::BadRequest,
            404 => Self::NotFound,
            429 => Self::RateLimited,
            500..=599 => Self::Unavailable,
            _ => Self::Unexpected,
        }
    }

    /// The kind of error that it becomes.
    #[must_use]
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::TokenRefused => ErrorKind::TokenRefused,
            Self::ScopeTooSmall => ErrorKind::ScopeTooSmall,
            Self::BadRequest => ErrorKind::Misuse,
            Self::PaymentRequired => ErrorKind::PaymentRequired,
            Self::NotFound => ErrorKind::NotFound,
            Self::NotFoundOrTokenRefused => ErrorKind::NotFoundOrTokenRefused,
            Self::AlreadyExists => ErrorKind::AlreadyExists,
            Self::RateLimited => ErrorKind::RateLimited,
            Self::Unavailable => ErrorKind::ProviderUnavailable,
            Self::Unexpected => ErrorKind::ProviderMisbehaved,
        }
    }
}

/// The fixed facts of a provider: its name, its origin, how a token is sent and what its errors mean.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProviderSpec {
    /// Its short name, bound into every envelope.
    pub name: ProviderName,
    /// The one place that its tokens are sent to, bound into every envelope.
    pub origin: Origin,
    /// The header that a token is sent in, in lower case: `authorization`.
    pub header: &'static str,
    /// What stands before the token in that header: `Bearer `, with its space; may be empty.
    pub prefix: &'static str,
    /// What an error answer means: its HTTP status and up to 64 KiB of its body.
    pub meaning: fn(u16, &[u8]) -> Meaning,
}

impl ProviderSpec {
    /// A provider that takes `Authorization: Bearer` and whose errors mean what their status says.
    #[must_use]
    pub fn new(name: ProviderName, origin: Origin) -> Self {
        Self {
            name,
            origin,
            header: "authorization",
            prefix: "Bearer ",
            meaning: |status, _| Meaning::of_status(status),
        }
    }

    /// Tokens are sent in this header (lower case) behind this prefix.
    #[must_use]
    pub fn with_header(mut self, header: &'static str, prefix: &'static str) -> Self {
        self.header = header;
        self.prefix = prefix;
        self
    }

    /// Error answers mean what this function says of their status and body.
    #[must_use]
    pub fn with_meaning(mut self, meaning: fn(u16, &[u8]) -> Meaning) -> Self {
        self.meaning = meaning;
        self
    }
}

impl fmt::Debug for ProviderSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSpec")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Whose token it is, in the provider's words. Neither part is a secret; both are stored with the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    id: String,
    name: String,
}

impl Account {
    /// The most bytes that an id or a name has.
    pub const MAX_LEN: usize = 255;

    /// An account as a provider tells it. The id is what tells whether a new token is of the same account, so it must be
    /// 1 to 255 bytes of printable text. The name is for a person to read: what can't be printed is left out of it, and
    /// it is cut at 255 bytes; it may be empty.
    ///
    /// # Errors
    /// `ProviderMisbehaved` for an id that can be none.
    pub fn new(id: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self, Error> {
        let id = id.as_ref();
        names::check_printable("account", id, Self::MAX_LEN)
            .map_err(|bad| Error::new(ErrorKind::ProviderMisbehaved).with_source(bad))?;
        Ok(Self { id: id.to_owned(), name: names::shown(name.as_ref(), Self::MAX_LEN) })
    }

    /// The provider's identifier of the account.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A name that a person recognises the account by; may be empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// An API that tokens are for: its facts, and how a token is checked and whose it is.
///
/// A transport sends the token; a provider never sees it, it hands the [`Credential`] on.
#[async_trait]
pub trait Provider: Send + Sync + fmt::Debug {
    /// Its fixed facts. The same at every call.
    fn spec(&self) -> &ProviderSpec;

    /// Asks the provider whether it accepts the token, and whose it is.
    ///
    /// # Errors
    /// An [`Error`] whose kind is `TokenRefused`, `ScopeTooSmall`, `RateLimited`, `ProviderUnavailable` or
    /// `ProviderMisbehaved`, or that with which the credential was refused.
    ///
    /// # Cancellation
    /// Safe: a dropped call changed nothing.
    async fn check(&self, credential: &Credential) -> Result<Account, Error>;
}
