//! A token and its lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenkeep_core::{ApiToken, Credential, Origin};

use crate::OpenBaoFailure;
use crate::client::Reply;

/// No lease is taken for longer, in seconds: a service that names an absurd time must not overflow a clock.
const LONGEST: u64 = 100 * 366 * 24 * 3600;

/// A token and its lease.
pub(crate) struct Session {
    credential: Credential,
    pub(crate) token: Arc<ApiToken>,
    /// `None`: it never ends.
    pub(crate) lease: Option<Lease>,
}

#[derive(Clone, Copy)]
pub(crate) struct Lease {
    /// From before it was asked for.
    since: Instant,
    pub(crate) length: Duration,
    renewable: bool,
}

impl Lease {
    pub(crate) fn new(since: Instant, seconds: u64, renewable: bool) -> Self {
        Self { since, length: Duration::from_secs(seconds.min(LONGEST)), renewable }
    }

    /// The same, not to be renewed.
    pub(crate) fn last(self) -> Self {
        Self { renewable: false, ..self }
    }
}

impl Session {
    /// With a token that is not renewed.
    pub(crate) fn lasting(origin: &Origin, token: Arc<ApiToken>) -> Arc<Self> {
        Self::new(origin, token, None)
    }

    pub(crate) fn new(origin: &Origin, token: Arc<ApiToken>, lease: Option<Lease>) -> Arc<Self> {
        Arc::new(Self { credential: Credential::fixed(origin.clone(), Arc::clone(&token)), token, lease })
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Two thirds of the lease are over.
    pub(crate) fn is_due(&self) -> bool {
        self.lease.is_some_and(|lease| lease.since.elapsed() >= lease.length * 2 / 3)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lease.is_some_and(|lease| lease.since.elapsed() >= lease.length)
    }

    pub(crate) fn is_renewable(&self) -> bool {
        self.lease.is_some_and(|lease| lease.renewable)
    }

    /// Of the lease.
    pub(crate) fn left(&self) -> Duration {
        self.lease.map_or(Duration::MAX, |lease| lease.length.saturating_sub(lease.since.elapsed()))
    }
}

/// What a login or a renewal gives.
#[derive(Deserialize)]
struct LoggedIn<'a> {
    #[serde(borrow)]
    auth: Auth<'a>,
}

#[derive(Deserialize)]
pub(crate) struct Auth<'a> {
    pub(crate) client_token: &'a str,
    /// In seconds; 0 never ends.
    pub(crate) lease_duration: u64,
    pub(crate) renewable: bool,
}

impl<'a> Auth<'a> {
    pub(crate) fn read(reply: &'a Reply) -> Result<Self, OpenBaoFailure> {
        let answer: LoggedIn<'_> =
            serde_json::from_slice(reply.body()).map_err(|_| OpenBaoFailure::Garbage)?;
        Ok(answer.auth)
    }
}

/// What a token that looks at itself sees.
#[derive(Deserialize)]
pub(crate) struct Looked {
    /// In seconds.
    ttl: u64,
    /// `null` for a token that never expires.
    expire_time: Option<IgnoredAny>,
    #[serde(default)]
    renewable: bool,
}

impl Looked {
    pub(crate) fn lease(&self, since: Instant) -> Option<Lease> {
        self.expire_time.map(|_| Lease::new(since, self.ttl, self.renewable))
    }
}
