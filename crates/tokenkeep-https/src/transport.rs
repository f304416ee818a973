//! The transport and how it is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokenkeep_core::{Error, ErrorKind, ProviderSpec};

use crate::pool::{Pool, Settings};
use crate::retries::Budget;
use crate::{Call, CallBoundary, Proxy, Retries, tls};

const TIMEOUT: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY: usize = 8 * 1024 * 1024;
/// For both parts of [`TransportBuilder::ping`].
const PING: Duration = Duration::from_secs(5);

/// The way to one provider: its origin, and a pool of connections to it.
///
/// Make one per process and provider; that takes a few milliseconds. Clones are cheap and share everything.
/// It runs on tokio, with I/O and time enabled.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) client: Pool,
    pub(crate) spec: ProviderSpec,
    pub(crate) header: HeaderName,
    /// For an attempt.
    pub(crate) timeout: Duration,
    /// For all attempts of a call, where somebody said so.
    deadline: Option<Duration>,
    pub(crate) retries: Retries,
    pub(crate) budget: Budget,
    /// Between the pieces of a stream.
    pub(crate) idle_timeout: Duration,
    /// In bytes.
    pub(crate) max_body: usize,
    pub(crate) boundary: Option<Arc<dyn CallBoundary>>,
}

impl Shared {
    /// How long a call may take in all, whose attempts may take so long each.
    pub(crate) fn deadline(&self, timeout: Duration) -> Duration {
        self.deadline.unwrap_or(DEADLINE.max(timeout))
    }
}

impl Transport {
    /// A transport with the usual limits.
    ///
    /// # Errors
    /// As [`TransportBuilder::build`].
    pub fn new(spec: ProviderSpec) -> Result<Self, Error> {
        Self::builder(spec).build()
    }

    /// Limits and roots of one's own.
    #[must_use]
    pub fn builder(spec: ProviderSpec) -> TransportBuilder {
        TransportBuilder {
            spec,
            extra_roots: Vec::new(),
            public_roots: true,
            tls13_only: false,
            proxy: None,
            timeout: TIMEOUT,
            idle_timeout: None,
            deadline: None,
            retries: Retries::standard(),
            connect_timeout: CONNECT_TIMEOUT,
            ping_after: PING,
            ping_within: PING,
            max_body: MAX_BODY,
            boundary: None,
        }
    }

    /// The provider that it is for.
    #[must_use]
    pub fn spec(&self) -> &ProviderSpec {
        &self.0.spec
    }

    /// A `GET` of this path. See [`request`](Self::request).
    pub fn get(&self, path: &str) -> Call {
        self.request(Method::GET, path)
    }

    /// A call of this path with this method.
    ///
    /// The path starts with a slash and is sent as it stands. A call is refused before anything is sent when its path
    /// has empty or dot segments, a slash at its end, or characters that would have to be encoded; such parts, and
    /// everything that is not a literal of the program, are given with [`Call::segment`] and [`Call::query`].
    pub fn request(&self, method: Method, path: &str) -> Call {
        Call::new(Arc::clone(&self.0), method, path)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("spec", &self.0.spec)
            .field("boundary", &self.0.boundary)
            .finish_non_exhaustive()
    }
}

/// Limits and roots for a [`Transport`].
#[derive(Clone)]
pub struct TransportBuilder {
    spec: ProviderSpec,
    extra_roots: Vec<Vec<u8>>,
    public_roots: bool,
    tls13_only: bool,
    proxy: Option<Proxy>,
    timeout: Duration,
    idle_timeout: Option<Duration>,
    deadline: Option<Duration>,
    retries: Retries,
    connect_timeout: Duration,
    ping_after: Duration,
    ping_within: Duration,
    max_body: usize,
    boundary: Option<Arc<dyn CallBoundary>>,
}

impl TransportBuilder {
    /// Trusts this authority too, a certificate in DER: of a private CA, or of a test's. May be given more than once.
    #[must_use]
    pub fn extra_root_der(mut self, der: &[u8]) -> Self {
        self.extra_roots.push(der.to_vec());
        self
    }

    /// As [`extra_root_der`](Self::extra_root_der), for every certificate in this text in PEM.
    ///
    /// # Errors
    /// `Misuse` when there is none, or one that can't be read.
    pub fn extra_roots_pem(mut self, pem: &str) -> Result<Self, Error> {
        let before = self.extra_roots.len();
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let root = root.map_err(|_| bad_pem())?;
            self.extra_roots.push(root.to_vec());
        }
        if self.extra_roots.len() == before { Err(bad_pem()) } else { Ok(self) }
    }

    /// Trusts the extra roots alone: no public authority, and nobody who deceives one, can vouch for this provider.
    #[must_use]
    pub fn without_public_roots(mut self) -> Self {
        self.public_roots = false;
        self
    }

    /// Speaks TLS 1.3 alone. Else TLS 1.2 will do, with forward secrecy and authenticated encryption; never an older one.
    #[must_use]
    pub fn tls13_only(mut self) -> Self {
        self.tls13_only = true;
        self
    }

    /// Goes through this proxy. Only what is given here counts: `HTTPS_PROXY`, `NO_PROXY` and the like are never looked at.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// How long one attempt may take, from the moment it has its token to the last byte of the answer. 30 s unless given.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How long a call may take with all its attempts, the waits and the tokens between them, from the moment it has its first token. What
    /// of it is left is also a limit of each attempt. Outside it is what the credential's source takes to give the first token and to
    /// record what came of an attempt: that has to come to its end. Of a [stream](Call::stream), to the moment its status is there. 2 minutes unless given, or the
    /// [`timeout`](Self::timeout) if that is longer.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// When a call that failed is made again. [`Retries::standard`] unless given.
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// How long a [stream](Call::stream) waits for its next piece. As long as the [`timeout`](Self::timeout) unless given;
    /// [`Call::idle_timeout`] says otherwise for one call.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// How long of the [`timeout`](Self::timeout) a connection, with its TLS handshake, may take. 10 s unless given.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Asks for a sign of life on a connection of HTTP/2 that a call waits on and that nothing came over for `after`, and gives the
    /// connection up when none comes `within` that time: the calls on it end, and the next ones take a new connection. 5 s each
    /// unless given, and never more than a third of [`timeout`](Self::timeout): so a call knows that its peer hangs before its
    /// time is over.
    ///
    /// HTTP/1.1 has no such sign. There, and wherever the whole time of an attempt runs out, no later call goes over the connections
    /// that there were. What is left of a deadline is not the whole of it.
    #[must_use]
    pub fn ping(mut self, after: Duration, within: Duration) -> Self {
        (self.ping_after, self.ping_within) = (after, within);
        self
    }

    /// The longest body of an answer that is taken, in bytes. 8 MiB unless given; [`Call::max_body`] says otherwise for one call.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Every call is judged by this boundary, and every answer projected. Unless one is given, all calls are made and all
    /// answers given on as they are.
    #[must_use]
    pub fn boundary(mut self, boundary: impl CallBoundary + 'static) -> Self {
        self.boundary = Some(Arc::new(boundary));
        self
    }

    /// The transport. Opens no connection.
    ///
    /// # Errors
    /// `Misuse` when an extra root is no certificate, when there is no root at all, or when the provider's header or prefix can't be
    /// sent. `Internal` when the HTTP client can't be set up.
    pub fn build(self) -> Result<Transport, Error> {
        let misuse = |why| Error::new(ErrorKind::Misuse).because(why);
        let header = HeaderName::from_lowercase(self.spec.header.as_bytes())
            .map_err(|_| misuse("the provider's header is no header name in lower case"))?;
        HeaderValue::from_str(self.spec.prefix)
            .map_err(|_| misuse("the provider's prefix can't stand in a header"))?;
        let settings = Settings {
            tls: tls::config(&self.extra_roots, self.public_roots, self.tls13_only)?,
            proxy: self.proxy,
            connect_timeout: self.connect_timeout,
            ping_after: self.ping_after.min(self.timeout / 3),
            ping_within: self.ping_within.min(self.timeout / 3),
        };
        let client = Pool::new(settings)?;
        let idle_timeout = self.idle_timeout.unwrap_or(self.timeout);
        let Self { spec, timeout, deadline, retries, max_body, boundary, .. } = self;
        let budget = Budget::of(&retries);
        Ok(Transport(Arc::new(Shared {
            client,
            spec,
            header,
            timeout,
            deadline,
            retries,
            budget,
            idle_timeout,
            max_body,
            boundary,
        })))
    }
}

fn bad_pem() -> Error {
    Error::new(ErrorKind::Misuse).because("the extra roots are no certificates in PEM")
}

impl fmt::Debug for TransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder")
            .field("spec", &self.spec)
            .field("public_roots", &self.public_roots)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}
