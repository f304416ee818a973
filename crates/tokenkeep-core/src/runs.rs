//! What was started at a provider, by the provider's own record.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use async_trait::async_trait;

use crate::{Credential, Error, ErrorKind, Provider, names};

/// A run as its provider lists it: something that was started in an account's name. Nothing in it is a secret; texts are
/// cleaned of what can't be printed, since whoever started the run chose some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRun {
    id: String,
    started_at: Option<i64>,
    by_token: bool,
    origin: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
}

impl ListedRun {
    /// The most bytes that each text has.
    pub const MAX_LEN: usize = 255;

    /// The run of this identifier, the same that [`Outcome::Created`](crate::Outcome::Created) tells, that was started this
    /// many milliseconds after 1970-01-01 UTC. That a token may have started it is assumed until
    /// [`without_token`](Self::without_token) is called.
    ///
    /// # Errors
    /// `ProviderMisbehaved` for an identifier that is not 1 to 255 bytes of printable text.
    pub fn new(id: impl AsRef<str>, started_at: i64) -> Result<Self, Error> {
        Ok(Self { started_at: Some(started_at), ..Self::without_time(id)? })
    }

    /// The run of this identifier, of which the provider tells no time that can be read. It is listed like any other: it must
    /// neither hide others nor be hidden.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn without_time(id: impl AsRef<str>) -> Result<Self, Error> {
        let id = id.as_ref();
        names::check_printable("run", id, Self::MAX_LEN)
            .map_err(|bad| Error::new(ErrorKind::ProviderMisbehaved).with_source(bad))?;
        Ok(Self {
            id: id.to_owned(),
            started_at: None,
            by_token: true,
            origin: None,
            address: None,
            user_agent: None,
        })
    }

    /// What started it, in the provider's words: `API`, `WEB`.
    #[must_use]
    pub fn with_origin(mut self, origin: impl AsRef<str>) -> Self {
        self.origin = Some(names::shown(origin.as_ref(), Self::MAX_LEN));
        self
    }

    /// No token started it: it came from the provider's own web pages, or its timetable.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.by_token = false;
        self
    }

    /// The network address that started it.
    #[must_use]
    pub fn with_address(mut self, address: impl AsRef<str>) -> Self {
        self.address = Some(names::shown(address.as_ref(), Self::MAX_LEN));
        self
    }

    /// What the program that started it says of itself.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl AsRef<str>) -> Self {
        self.user_agent = Some(names::shown(user_agent.as_ref(), Self::MAX_LEN));
        self
    }

    /// The provider's identifier of it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was started, by the provider's clock: milliseconds since 1970-01-01 UTC. `None` where it tells no time.
    #[must_use]
    pub fn started_at(&self) -> Option<i64> {
        self.started_at
    }

    /// Whether a token may have started it, as far as the provider tells. Which of the account's tokens it does not tell.
    #[must_use]
    pub fn may_be_by_token(&self) -> bool {
        self.by_token
    }

    /// What started it, in the provider's words.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The network address that started it, as the provider saw it.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What the program that started it says of itself; whoever started it can say anything.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

/// A part of a provider's list of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    /// The earliest of the runs that were asked for, in the order in which they were started; those without a time anywhere
    /// among them.
    pub runs: Vec<ListedRun>,
    /// Whether there may be more behind them.
    pub more: bool,
}

/// A provider that lists what was started in an account's name, by whomever.
#[async_trait]
pub trait RunList: Provider {
    /// The first runs of the account that were started in this time (milliseconds since 1970-01-01 UTC, the end not included).
    /// What comes next is asked for with the last one's time as the start: then nothing is skipped when something
    /// vanishes from the list meanwhile, as it would be by counting places.
    ///
    /// # Errors
    /// As [`Provider::check`].
    ///
    /// # Cancellation
    /// Safe: it only reads.
    async fn runs(&self, credential: &Credential, started: Range<i64>) -> Result<RunPage, Error>;
}
