//! What the tests share.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokenkeep_core::{
    ApiToken, Credential, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken, Origin, Outcome,
    ProviderSpec, SecretVersion, Use,
};
use tokenkeep_https::{Retries, Transport, TransportBuilder};
use tokenkeep_testkit::{Access, ApifyStandIn, fake_token};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) const INCARNATION: Incarnation = Incarnation::from_bytes([7; 16]);
pub(crate) const VERSION: SecretVersion = SecretVersion::from_u64(5);

/// A stand-in, a token that it takes, and a credential that tells what it was asked and told.
pub(crate) struct Scene {
    pub(crate) stand_in: ApifyStandIn,
    pub(crate) token: String,
    pub(crate) spy: Arc<Spy>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let (stand_in, token) = (ApifyStandIn::start().await.unwrap(), fake_token());
        stand_in.grant(&token, Access::full("FakeUser000000001", "jane-doe"));
        let spy = Arc::new(Spy::new(&token));
        Self { stand_in, token, spy }
    }

    pub(crate) fn spec(&self) -> ProviderSpec {
        spec(&self.stand_in.origin())
    }

    /// Trusts the stand-in, gives up after five seconds, and repeats nothing.
    pub(crate) fn builder(&self) -> TransportBuilder {
        Transport::builder(self.spec())
            .extra_root_der(&self.stand_in.ca_der())
            .timeout(Duration::from_secs(5))
            .retries(Retries::none())
    }

    pub(crate) fn transport(&self) -> Transport {
        self.builder().build().unwrap()
    }

    pub(crate) fn credential(&self) -> Credential {
        self.spy.credential()
    }

    /// `GET /v2/users/me` with the token.
    pub(crate) async fn me(&self, transport: &Transport) -> Result<tokenkeep_https::Answer, Error> {
        let call = transport.get("/v2/users/me").credential(&self.credential()).send();
        tokio::time::timeout(Duration::from_secs(20), call).await.expect("a call ends by itself")
    }
}

pub(crate) fn spec(origin: &str) -> ProviderSpec {
    ProviderSpec::new("example".parse().unwrap(), Origin::parse(origin).unwrap())
}

/// A listener whose backlog shows whether anyone connected.
pub(crate) struct Backlog(std::net::TcpListener);

impl Backlog {
    pub(crate) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// How many connected since this was last asked. The kernel counts them in before `connect` returns.
    pub(crate) fn connections(&self) -> usize {
        std::iter::from_fn(|| self.0.accept().ok()).count()
    }
}

/// A credential source that counts and remembers, and that can fail to record.
pub(crate) struct Spy {
    token: String,
    issued: AtomicUsize,
    told: Mutex<Vec<String>>,
    fails_to_record: bool,
}

impl Spy {
    pub(crate) fn new(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            issued: AtomicUsize::new(0),
            told: Mutex::default(),
            fails_to_record: false,
        }
    }

    pub(crate) fn failing_to_record(token: &str) -> Self {
        Self { fails_to_record: true, ..Self::new(token) }
    }

    pub(crate) fn credential(self: &Arc<Self>) -> Credential {
        Credential::new(Handle(Arc::clone(self)))
    }

    pub(crate) fn issued(&self) -> usize {
        self.issued.load(Ordering::SeqCst)
    }

    /// The outcomes reported, as text, since this was last asked.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl Spy {
    /// How many outcomes were reported and not asked for yet.
    pub(crate) fn told_so_far(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

struct Handle(Arc<Spy>);

#[async_trait]
impl CredentialSource for Handle {
    async fn issue(&self, _: Use<'_>) -> Result<IssuedToken, Error> {
        self.0.issued.fetch_add(1, Ordering::SeqCst);
        let token = ApiToken::new(self.0.token.clone())?;
        Ok(IssuedToken { token, incarnation: INCARNATION, secret_version: VERSION })
    }

    async fn report(
        &self,
        incarnation: Incarnation,
        secret_version: SecretVersion,
        outcome: Outcome<'_>,
    ) -> Result<(), Error> {
        assert_eq!((incarnation, secret_version), (INCARNATION, VERSION));
        self.0.told.lock().unwrap().push(format!("{outcome:?}"));
        if self.0.fails_to_record {
            return Err(Error::new(ErrorKind::StoreUnavailable).because("a test asked for it"));
        }
        Ok(())
    }
}

/// Everything that anyone could print of an error.
pub(crate) fn everything_in(error: &Error) -> String {
    let mut text = String::new();
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        write!(text, "{error}\n{error:?}\n{error:#?}\n").unwrap();
        next = error.source();
    }
    text
}

/// A TLS server of the test's own for `localhost`, and the certificate to trust.
pub(crate) async fn raw_server(protocol: &str) -> (TcpListener, TlsAcceptor, Vec<u8>) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let root = certified.cert.der().to_vec();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(root.clone())], key)
        .unwrap();
    tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener, TlsAcceptor::from(Arc::new(tls)), root)
}

/// A server of HTTP/1.1 that does what a test says once it has read the head of a request.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    pub(crate) root: Vec<u8>,
    /// How many requests were read.
    pub(crate) requests: Arc<AtomicUsize>,
}

impl Scripted {
    /// `script` is given the number of the request, from 0, and the connection.
    pub(crate) async fn start<F>(
        script: impl Fn(usize, TlsStream<TcpStream>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let (listener, acceptor, root) = raw_server("http/1.1").await;
        let port = listener.local_addr().unwrap().port();
        let (requests, script) = (Arc::new(AtomicUsize::new(0)), Arc::new(script));
        let counter = Arc::clone(&requests);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, counter, script) =
                    (acceptor.clone(), Arc::clone(&counter), Arc::clone(&script));
                tokio::spawn(async move {
                    let mut socket = acceptor.accept(socket).await?;
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(socket.read_u8().await?);
                    }
                    script(counter.fetch_add(1, Ordering::SeqCst), socket).await
                });
            }
        });
        Self { port, root, requests }
    }

    pub(crate) fn builder(&self) -> TransportBuilder {
        let spec = spec(&format!("https://localhost:{}", self.port));
        let builder = Transport::builder(spec).extra_root_der(&self.root);
        builder.timeout(Duration::from_secs(5)).retries(Retries::none())
    }
}

/// Trusts that certificate for that port.
pub(crate) fn raw_transport(port: u16, root: &[u8]) -> Transport {
    let spec = spec(&format!("https://localhost:{port}"));
    let builder = Transport::builder(spec).extra_root_der(root).timeout(Duration::from_secs(5));
    builder.retries(Retries::none()).build().unwrap()
}
