//! Where a transport gets a token from, one attempt at a time.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::fmt;

use async_trait::async_trait;

use crate::{
    ApiToken, Error, ErrorKind, Incarnation, Meaning, Origin, ProviderName, ProviderSpec, SecretVersion,
};

/// What a token is asked for: by whom it will be sent, and where. A source refuses what the token is not bound to.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Use<'a> {
    /// The provider that the sender knows.
    pub provider: &'a ProviderName,
    /// Where the token will be sent.
    pub origin: &'a Origin,
}

impl<'a> Use<'a> {
    /// A use at this provider.
    #[must_use]
    pub fn at(spec: &'a ProviderSpec) -> Self {
        Self { provider: &spec.name, origin: &spec.origin }
    }
}

/// A token for one attempt, and which one it is. Drop it as soon as the request is built.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: ApiToken,
    /// Which life of the connection it belongs to.
    pub incarnation: Incarnation,
    /// Which token of that incarnation it is.
    pub secret_version: SecretVersion,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The provider did what it was asked.
    Accepted,
    /// The provider did what it was asked, and made something of this identifier (a run).
    Created(&'a str),
    /// The provider answered with an error that means this, over verified TLS.
    Refused(Meaning),
    /// There was no answer.
    Unanswered,
}

/// Gives the token of one connection for each attempt, and is told what came of it.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// The token for one attempt. Asked again for every retry, so that a disconnect counts at once.
    ///
    /// # Errors
    /// An [`Error`] when there is no token to give, or none for this origin.
    ///
    /// # Cancellation
    /// Safe: a dropped call gave no token; the use may stand on record all the same.
    async fn issue(&self, usage: Use<'_>) -> Result<IssuedToken, Error>;

    /// Tells what came of the attempt with the token of this incarnation and version. Counts for that version only:
    /// a late refusal of an older token changes nothing.
    ///
    /// # Errors
    /// An [`Error`] when it could not be recorded; the attempt itself is over either way.
    ///
    /// # Cancellation
    /// Safe: it is recorded wholly or not at all.
    async fn report(
        &self,
        incarnation: Incarnation,
        secret_version: SecretVersion,
        outcome: Outcome<'_>,
    ) -> Result<(), Error>;
}

/// A handle that a token can be had from: owned, cheap to clone, and holding no token itself.
#[derive(Clone)]
pub struct Credential(Arc<dyn CredentialSource>);

impl Credential {
    /// A handle on this source.
    pub fn new(source: impl CredentialSource + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// A token that no vault keeps: an application's own, a test's. It is given for `origin` alone; reports about it go
    /// nowhere.
    #[must_use]
    pub fn fixed(origin: Origin, token: impl Into<Arc<ApiToken>>) -> Self {
        Self::new(FixedToken { origin, token: Held::Kept(token.into()) })
    }

    /// As [`fixed`](Self::fixed), for as long as the lender keeps its `Arc`: whoever holds on to a copy of the credential
    /// then gets `NotConnected`. For a provider that is to check a token once.
    #[must_use]
    pub fn lent(origin: Origin, token: &Arc<ApiToken>) -> Self {
        Self::new(FixedToken { origin, token: Held::Lent(Arc::downgrade(token)) })
    }
}

impl core::ops::Deref for Credential {
    type Target = dyn CredentialSource;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

struct FixedToken {
    origin: Origin,
    token: Held,
}

enum Held {
    Kept(Arc<ApiToken>),
    Lent(Weak<ApiToken>),
}

#[async_trait]
impl CredentialSource for FixedToken {
    async fn issue(&self, usage: Use<'_>) -> Result<IssuedToken, Error> {
        if usage.origin != &self.origin {
            return Err(Error::new(ErrorKind::Misuse).because("the token is bound to another origin"));
        }
        let token = match &self.token {
            Held::Kept(token) => Arc::clone(token),
            Held::Lent(token) => token.upgrade().ok_or(ErrorKind::NotConnected)?,
        };
        Ok(IssuedToken {
            token: token.duplicate(),
            incarnation: Incarnation::from_bytes([0; 16]),
            secret_version: SecretVersion::FIRST,
        })
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, _: Outcome<'_>) -> Result<(), Error> {
        Ok(())
    }
}
