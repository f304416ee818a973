//! A place at a provider that secret environment variables are sent to.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use async_trait::async_trait;

use crate::{Error, ErrorKind, ProviderSpec, names};

/// An environment variable as a target lists it: its name, and whether its value can be read there. Its name is printable text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVar {
    name: String,
    is_secret: bool,
    is_reachable: bool,
}

impl TargetVar {
    /// The most bytes that a name has.
    pub const MAX_LEN: usize = 256;

    /// The variable of this name; `is_secret` where nobody can read its value there any more.
    ///
    /// # Errors
    /// `ProviderMisbehaved` for a name that is not 1 to 256 bytes of printable text.
    pub fn new(name: impl AsRef<str>, is_secret: bool) -> Result<Self, Error> {
        let name = name.as_ref();
        names::check_printable("variable", name, Self::MAX_LEN)
            .map_err(|bad| Error::new(ErrorKind::ProviderMisbehaved).with_source(bad))?;
        Ok(Self { name: name.to_owned(), is_secret, is_reachable: true })
    }

    /// One that is there and that nothing can be sent to or removed by its name, whatever that is: it is listed and left alone. Its name is
    /// kept as [`str::escape_debug`] shows it, cut to its first 256 bytes.
    #[must_use]
    pub fn out_of_reach(name: impl AsRef<str>, is_secret: bool) -> Self {
        let mut shown = String::new();
        for character in name.as_ref().chars() {
            let escaped = character.escape_debug();
            let length: usize = escaped.clone().map(char::len_utf8).sum();
            if shown.len() + length > Self::MAX_LEN {
                break;
            }
            shown.extend(escaped);
        }
        Self { name: shown, is_secret, is_reachable: false }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can be changed and removed by its name.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.is_reachable
    }

    /// Whether nobody can read its value there any more.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.is_secret
    }
}

/// A place at a provider that a vault's sets of secret environment variables are sent to, such as a version of a program. It is reached
/// with a credential that it was made with.
///
/// Of two programs that send to one place, each must know it by the same [`id`](Self::id): the vault keeps, for each set, what was sent by
/// that, and by that lets one push of the set send at a time. Two sets that are sent to one place are not told apart: send one.
#[async_trait]
pub trait EnvTarget: Send + Sync + fmt::Debug {
    /// The provider that it is at. A set goes to its own provider and origin alone.
    fn spec(&self) -> &ProviderSpec;

    /// Which of the provider's places it is: 1 to 255 bytes of printable text, the same at every call, no secret.
    fn id(&self) -> String;

    /// The variables that are there, secret or not, also those [out of reach](TargetVar::out_of_reach). Values are never asked for.
    ///
    /// # Errors
    /// Those of a call of the provider's API.
    async fn list(&self) -> Result<Vec<TargetVar>, Error>;

    /// Makes a secret variable of this name with this value. An implementation makes no copy of the value but the request, whose body wipes
    /// itself; what is below it, such as the buffers of HTTP and TLS, may have others.
    ///
    /// # Errors
    /// `AlreadyExists` where there is one of that name; `ProviderMisbehaved` also where it was made and is not secret; else those of a call
    /// of the provider's API. Whether it may have been made all the same, or may be made still, says [`may_arrive`](Self::may_arrive).
    async fn create(&self, name: &str, value: &str) -> Result<(), Error>;

    /// Gives the variable of this name this value, and makes it secret if it was not. As [`create`](Self::create).
    ///
    /// # Errors
    /// `NotFound` where there is none of that name; else as [`create`](Self::create).
    async fn update(&self, name: &str, value: &str) -> Result<(), Error>;

    /// Removes the variable of this name.
    ///
    /// # Errors
    /// `NotFound` where there is none of that name; else as [`create`](Self::create).
    async fn remove(&self, name: &str) -> Result<(), Error>;

    /// Whether a change that failed so may have been carried out all the same, or may be still: then nobody else sends to the target for a
    /// while. By itself it is `false` for what says that the provider refused, or that nothing was asked. A target that sends a change
    /// again by itself, or whose client does, must say more: a refusal tells nothing of an attempt before it.
    fn may_arrive(&self, error: &Error) -> bool {
        use ErrorKind::{
            AlreadyExists, Misuse, NotFound, NotFoundOrTokenRefused, PaymentRequired, RateLimited,
            ScopeTooSmall, TokenRefused,
        };
        !matches!(
            error.kind(),
            AlreadyExists
                | Misuse
                | NotFound
                | NotFoundOrTokenRefused
                | PaymentRequired
                | RateLimited
                | ScopeTooSmall
                | TokenRefused
        )
    }
}
