//! A place at a provider that secret environment variables are sent to.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use async_trait::async_trait;

use crate::{Error, ErrorKind, ProviderSpec, names};

/// An environment variable as a target lists it: its name, and whether its value can be read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVar {
    name: String,
    is_secret: bool,
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
        Ok(Self { name: name.to_owned(), is_secret })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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
/// Of two programs that send to one place, each must know it by the same [`id`](Self::id): the vault keeps what was sent by that, and by
/// that lets one of them send at a time.
#[async_trait]
pub trait EnvTarget: Send + Sync + fmt::Debug {
    /// The provider that it is at. A set goes to its own provider and origin alone.
    fn spec(&self) -> &ProviderSpec;

    /// Which of the provider's places it is: 1 to 255 bytes of printable text, the same at every call, no secret.
    fn id(&self) -> String;

    /// The variables that are there, secret or not. Values are never asked for.
    ///
    /// # Errors
    /// Those of a call of the provider's API.
    async fn list(&self) -> Result<Vec<TargetVar>, Error>;

    /// Makes a secret variable of this name with this value. The value is copied to nowhere but the request, which wipes itself.
    ///
    /// # Errors
    /// `AlreadyExists` where there is one of that name; else those of a call of the provider's API. `ProviderUnavailable` and
    /// `ProviderMisbehaved` mean that it may have been made, or may be made still.
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
}
