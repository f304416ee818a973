//! Apify as a provider.

use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{
    Account, Credential, Error, ErrorKind, Meaning, Origin, Provider, ProviderName, ProviderSpec,
};
use tokenkeep_https::{Proxy, Retries, Transport};

use crate::client::ClientTimes;
use crate::{ApifyClient, Boundary, meaning};

const NAME: &str = "apify";
const ORIGIN: &str = "https://api.apify.com";

/// How long an attempt may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a log that is followed may have nothing new unless told otherwise: programs that work may well print nothing.
const FOLLOWED_SILENCE: Duration = Duration::from_secs(600);
/// The longest that Apify holds an answer back, whatever it is asked.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a customer who connects waits for Apify at most, repeats included.
const CHECK_DEADLINE: Duration = Duration::from_secs(20);

/// Apify: the provider, and where clients come from. Make one per process; clones are cheap and share its connections.
#[derive(Debug, Clone)]
pub struct Apify {
    transport: Transport,
    times: ClientTimes,
}

impl Apify {
    /// Apify at `https://api.apify.com`, within [`Boundary::analytics`].
    ///
    /// # Errors
    /// As [`ApifyBuilder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Apify elsewhere, with another boundary, or with limits of one's own.
    #[must_use]
    pub fn builder() -> ApifyBuilder {
        ApifyBuilder {
            origin: None,
            extra_roots: Vec::new(),
            timeout: TIMEOUT,
            idle_timeout: None,
            max_body: None,
            deadline: None,
            retries: Retries::standard(),
            proxy: None,
            tls13_only: false,
            boundary: Boundary::analytics(),
        }
    }

    /// The provider to connect a vault's connection to.
    #[must_use]
    pub fn provider(&self) -> &dyn Provider {
        self
    }

    /// How long an attempt may take, as [`ApifyBuilder::timeout`] says.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.times.attempt
    }

    /// What an error answer of Apify's means, by its status and its `error.type`, for who got it another way than through the calls here:
    /// [its kind](Meaning::kind) is as [the crate's table](crate#errors) says.
    #[must_use]
    pub fn meaning(status: u16, error_type: Option<&str>) -> Meaning {
        meaning::of(status, error_type)
    }

    /// A client that uses this credential, within the boundary that was chosen when this was built.
    #[must_use]
    pub fn with(&self, credential: Credential) -> ApifyClient {
        ApifyClient::new(self.transport.clone(), credential, self.times)
    }
}

#[async_trait]
impl Provider for Apify {
    fn spec(&self) -> &ProviderSpec {
        self.transport.spec()
    }

    /// Asks `GET /v2/users/me`, for 20 s at most with all repeats.
    ///
    /// Whether a token with a narrow scope may ask that is an assumption. Where Apify says 403, the kind is
    /// `ScopeTooSmall`: the token works, but it can't be told whose it is.
    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        match self.with(credential.clone()).me_within(CHECK_DEADLINE).await {
            Ok(me) => Account::new(me.id, me.username),
            // Who asks is always there; this is not the API that it should be.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotFoundOrTokenRefused) => {
                Err(Error::new(ErrorKind::ProviderMisbehaved)
                    .because("it knows no /v2/users/me")
                    .with_source(error))
            }
            Err(error) => Err(error),
        }
    }
}

/// Sets up an [`Apify`].
#[derive(Debug, Clone)]
pub struct ApifyBuilder {
    origin: Option<Origin>,
    extra_roots: Vec<Vec<u8>>,
    timeout: Duration,
    idle_timeout: Option<Duration>,
    max_body: Option<usize>,
    deadline: Option<Duration>,
    retries: Retries,
    proxy: Option<Proxy>,
    tls13_only: bool,
    boundary: Boundary,
}

impl ApifyBuilder {
    /// The API is here, as a test's stand-in is. Tokens connected at one origin are never sent to another.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Trusts this authority too, a certificate in DER. May be given more than once.
    #[must_use]
    pub fn extra_root_der(mut self, der: &[u8]) -> Self {
        self.extra_roots.push(der.to_vec());
        self
    }

    /// How long an attempt may take, 30 s unless given; see [`TransportBuilder::timeout`](tokenkeep_https::TransportBuilder::timeout).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How long a log waits for its next piece. Unless given, as long as an attempt may take, and 10 minutes where it is
    /// [followed](crate::Log::follow): a program that works may print nothing for long.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// The longest answer that is taken, in bytes, 8 MiB unless given; see
    /// [`TransportBuilder::max_body`](tokenkeep_https::TransportBuilder::max_body). Not of logs, which come in pieces.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// How long a call may take with its repeats; see
    /// [`TransportBuilder::deadline`](tokenkeep_https::TransportBuilder::deadline). A token is checked for 20 s at most, whatever is given
    /// here.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Goes through this proxy; see [`TransportBuilder::proxy`](tokenkeep_https::TransportBuilder::proxy). None is taken from the
    /// environment.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Speaks TLS 1.3 alone. Else TLS 1.2 will do.
    #[must_use]
    pub fn tls13_only(mut self) -> Self {
        self.tls13_only = true;
        self
    }

    /// When a call that failed is made again. [`Retries::standard`] unless given.
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// What of the API may be reached at all. [`Boundary::analytics`] unless given: who needs more says so here, where it can be
    /// found.
    #[must_use]
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// The provider. Opens no connection.
    ///
    /// # Errors
    /// As [`TransportBuilder::build`](tokenkeep_https::TransportBuilder::build).
    pub fn build(self) -> Result<Apify, Error> {
        let origin = match self.origin {
            Some(origin) => origin,
            None => Origin::parse(ORIGIN)?,
        };
        let spec = ProviderSpec::new(ProviderName::new(NAME)?, origin).with_meaning(meaning::meaning);
        let mut transport = Transport::builder(spec).boundary(self.boundary).retries(self.retries);
        for root in &self.extra_roots {
            transport = transport.extra_root_der(root);
        }
        if let Some(limit) = self.deadline {
            transport = transport.deadline(limit);
        }
        if let Some(limit) = self.idle_timeout {
            transport = transport.idle_timeout(limit);
        }
        if let Some(bytes) = self.max_body {
            transport = transport.max_body(bytes);
        }
        if let Some(proxy) = self.proxy {
            transport = transport.proxy(proxy);
        }
        if self.tls13_only {
            transport = transport.tls13_only();
        }
        // A third of an attempt's time, 10 s at most, is for everything but waiting.
        let rest = (self.timeout / 3).min(Duration::from_secs(10));
        let longest_wait = Duration::from_secs((self.timeout - rest).min(LONGEST_WAIT).as_secs());
        let followed_silence = self.idle_timeout.unwrap_or(FOLLOWED_SILENCE.max(self.timeout));
        let times = ClientTimes { attempt: self.timeout, longest_wait, followed_silence };
        Ok(Apify { transport: transport.timeout(self.timeout).build()?, times })
    }
}
