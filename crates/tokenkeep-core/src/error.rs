//! The one error that crosses the seams between the crates.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::error::Error as StdError;
use core::fmt::{self, Write};

use crate::{
    BadKekId, BadName, BadOrigin, CustomerAction, DecodeError, ErrorKind, Fault, OpenError,
    RandomUnavailable, SealError, SecretVarRejected, TokenRejected,
};

/// What went wrong, whose fault it is and what to do.
///
/// It is made of a kind, a fixed text and at most one error below it. No text made at run time fits in: the detail is
/// `&'static str`, and a source must be an error type. What a backend's own error type holds is that type's matter.
///
/// ```compile_fail
/// use tokenkeep_core::{Error, ErrorKind};
/// let text = String::from("what the customer typed");
/// let error = Error::new(ErrorKind::InvalidToken).with_source(text);
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    detail: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    of_variables: bool,
}

impl Error {
    /// An error of this kind.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind, detail: None, source: None, of_variables: false }
    }

    /// The same with a fixed text that says more than its kind does.
    #[must_use]
    pub fn because(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The same with its cause. The cause must hold no secret: it is shown in error chains.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The same, of a set of secret environment variables and not of a connection's token: what it says, and what the customer can do,
    /// is about those.
    #[must_use]
    pub fn of_variables(mut self) -> Self {
        self.of_variables = true;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.kind.fault()
    }

    /// Whether the same call may work later with nothing else changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// What the customer can do about it; `None` where it is not the customer's to mend.
    #[must_use]
    pub fn customer_action(&self) -> Option<CustomerAction> {
        match self.of_variables {
            true => self.kind.customer_action_of_variables(),
            false => self.kind.customer_action(),
        }
    }
}

impl Error {
    /// The error with all its causes in one line, for a log.
    #[must_use]
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a `String` does not fail.
            let _ = write!(line, ": {error}");
            cause = error.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.of_variables {
            true => self.kind.message_of_variables(),
            false => self.kind.message(),
        })?;
        match self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

macro_rules! from_typed {
    ($($typed:ty => $kind:ident),+ $(,)?) => {$(
        impl From<$typed> for Error {
            fn from(error: $typed) -> Self {
                Self::new(ErrorKind::$kind).with_source(error)
            }
        }
    )+};
}

from_typed! {
    TokenRejected => InvalidToken,
    SecretVarRejected => InvalidVariable,
    BadName => InvalidName,
    BadOrigin => InvalidName,
    BadKekId => Misuse,
    RandomUnavailable => RandomUnavailable,
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::UnknownVersion | DecodeError::UnknownSuite => ErrorKind::StoreUnusable,
            _ => ErrorKind::Tampered,
        };
        Self::new(kind).with_source(error)
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random(random) => random.into(),
            SealError::PayloadTooLong => Self::new(ErrorKind::Misuse).with_source(error),
            SealError::WrappedDekLength => Self::new(ErrorKind::KeysUnavailable).with_source(error),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Decode(decode) => decode.into(),
            OpenError::Rejected => Self::new(ErrorKind::Tampered).with_source(error),
            OpenError::OtherKek => Self::new(ErrorKind::KeysWrong).with_source(error),
        }
    }
}
