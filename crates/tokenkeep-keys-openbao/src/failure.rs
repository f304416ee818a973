//! What can go wrong between this process and its key, each by its name.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error as ThisError;
use tokenkeep_core::{Error, ErrorKind};

/// Why a key service did not do what it was asked: the cause of the [`Error`] that a call fails with. Its text says whose part it is
/// to mend. It holds numbers and fixed texts, nothing that the service said.
///
/// Once the cause is mended, the next call works, with these exceptions: after `LoginRefused` the ids are not tried again for a
/// while, unless [`OpenBaoKeys::set_secret_id`](crate::OpenBaoKeys::set_secret_id) gives another one; where not even a new token of an
/// AppRole may look at itself, a token that was revoked is replaced within five minutes. What was given to the builder (the
/// authority of a certificate, the origin, names) is changed by a new provider alone, or by a restart.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum OpenBaoFailure {
    /// No connection, or none that held: `KeysUnavailable`.
    #[error(
        "the key service could not be reached; look whether it runs and whether the network lets this host through"
    )]
    Unreachable(#[source] Arc<Error>),
    /// No whole answer in time: `KeysUnavailable`.
    #[error("the key service did not answer in time; look at its load and at the network")]
    TimedOut(#[source] Arc<Error>),
    /// It could not prove who it is; nothing was sent: `KeysUnavailable`.
    #[error(
        "the key service could not prove who it is; give the root of its certificate, or find out who answers in its place"
    )]
    Untrusted(#[source] Arc<Error>),
    /// It is sealed: `KeysUnavailable`.
    #[error("the key service is sealed; its operator must unseal it")]
    Sealed,
    /// It is a standby that knows of no active node, or can't pass a call on to it: `KeysUnavailable`.
    #[error(
        "the node of the key service is a standby and reaches no active one; an election passes by itself, a lost quorum does not"
    )]
    NoActiveNode,
    /// Nothing is mounted at the path: `KeysUnavailable`, as a node that becomes active says so for a moment, too.
    #[error(
        "the key service has no transit engine, or no way in, at this path and namespace, or is still starting; enable it, or mend the path"
    )]
    NotMounted,
    /// It has a fault of its own, with this HTTP status: `KeysUnavailable`.
    #[error("the key service has a fault of its own (HTTP status {0}); its log says more")]
    Fault(u16),
    /// It asks for fewer calls, and to wait this long where it says so: `KeysUnavailable`.
    #[error(
        "the key service asks for fewer calls; raise its quota, or keep epochs so that it is called rarely"
    )]
    Throttled(Option<Duration>),
    /// Its answer is not what the API promises: `KeysUnavailable`, as it is some gateway's page more often than not.
    #[error("what answered does not speak the key service's API; look what stands between")]
    Garbage,
    /// The token is good and its policy does not allow this: `KeysForbidden`.
    #[error("the key service knows the token and its policy does not allow this; its operator must grant it")]
    Forbidden,
    /// The token has expired or was revoked, or its policy lacks `auth/token/lookup-self`: `KeysForbidden`.
    #[error("the key service's token has expired or was revoked; give a new one")]
    TokenExpired,
    /// The AppRole's ids are not accepted, or were not a while ago, and are not tried again yet: `KeysForbidden`. The pause is 15 s after
    /// the first refusal and four times as long after each further one, up to 16 minutes: so one instance alone does not make
    /// the service lock the role, which it does after five refusals with nothing longer than 15 minutes in between.
    #[error(
        "the key service does not accept the role id and secret id; give new ones, or look at the role's bounds"
    )]
    LoginRefused,
    /// The wrapping token of a secret id was used, or its time is over: `KeysForbidden`.
    #[error(
        "the wrapping token was used already, or is over; unless that was this application, somebody else may have the secret id: \
         destroy it, look at the key service's audit log, and wrap a new one"
    )]
    WrappingTokenSpent,
    /// What the wrapping token wraps is no answer of this AppRole: `KeysForbidden`.
    #[error(
        "the wrapping token does not wrap a secret id as this AppRole gave it; somebody may have unwrapped it and wrapped it again: \
         destroy that secret id, look at the key service's audit log, and wrap a new one"
    )]
    WrapsSomethingElse,
    /// There is no transit key of this name: `KeysUnusable`.
    #[error(
        "the key service has no key of this name at this mount and namespace; create it, or mend the name"
    )]
    KeyMissing,
    /// The transit key is not made as it must be: `KeysInsecure`.
    #[error("the key at the key service is not fit for use: {0}")]
    KeyUnfit(&'static str),
    /// The service refuses a request that should be good: `KeysUnusable`.
    #[error("the key service refuses what was asked of the key; look at its settings and its log")]
    Refused,
    /// The KEK id names no key here: `KeysWrong`.
    #[error(
        "the key service has no key with the id that was asked for; this is another service, mount, namespace or key name"
    )]
    UnknownKey,
    /// The key's version is below `min_decryption_version`, or the key is soft-deleted, and still there: `KeyDisabled`.
    #[error(
        "the key's version is below min_decryption_version, or the key is soft-deleted; lower the one at the key service, or restore \
         the other, to enable it again"
    )]
    Disabled,
    /// The key's version was trimmed away: `KeyDestroyed`.
    #[error("the key's version was trimmed at the key service; it is gone for good")]
    Destroyed,
    /// Key, context or bytes don't fit: `Tampered`.
    #[error("the wrapped key does not open")]
    Rejected,
    /// A version was to be destroyed before an older one, or is primary: `Misuse`.
    #[error("versions are destroyed in order: retire the older ones first, and never the newest")]
    OutOfOrder,
    /// The call does not fit what was configured: `Misuse`.
    #[error("{0}")]
    Misuse(&'static str),
    /// A fault of another kind, which is its source.
    #[error("the call could not be made")]
    Other(#[source] Arc<Error>),
}

impl OpenBaoFailure {
    /// The failure that this error comes from, if it is one of a key service: also behind what epochs or a vault say of it.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(failure) = error.downcast_ref() {
                return Some(failure);
            }
            cause = error.source();
        }
        None
    }

    /// The kind of error that it becomes.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::Untrusted(_)
            | Self::Sealed
            | Self::NoActiveNode
            | Self::NotMounted
            | Self::Fault(_)
            | Self::Throttled(_)
            | Self::Garbage => ErrorKind::KeysUnavailable,
            Self::Forbidden
            | Self::TokenExpired
            | Self::LoginRefused
            | Self::WrappingTokenSpent
            | Self::WrapsSomethingElse => ErrorKind::KeysForbidden,
            Self::KeyMissing | Self::Refused => ErrorKind::KeysUnusable,
            Self::KeyUnfit(_) => ErrorKind::KeysInsecure,
            Self::UnknownKey => ErrorKind::KeysWrong,
            Self::Disabled => ErrorKind::KeyDisabled,
            Self::Destroyed => ErrorKind::KeyDestroyed,
            Self::Rejected => ErrorKind::Tampered,
            Self::OutOfOrder | Self::Misuse(_) => ErrorKind::Misuse,
            Self::Other(error) => error.kind(),
        }
    }
}

impl From<OpenBaoFailure> for Error {
    fn from(failure: OpenBaoFailure) -> Self {
        Self::new(failure.kind()).with_source(failure)
    }
}
