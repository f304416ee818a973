//! A server on the loopback interface that answers every request alike, and does nothing else.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokenkeep::Origin;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Of the size and the shape of Apify's answer to "who am I", with fields that no boundary lets through. Made up.
const ANSWER: &str = include_str!("answer.json");

/// What the connections speak.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }

    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// It has a thread and a runtime of its own, which end when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    authority: Vec<u8>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(protocol: Protocol) -> Self {
        let (authority, tls) = tls(protocol);
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, TlsAcceptor::from(Arc::new(tls))) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, authority, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::parse(&format!("https://localhost:{}", self.address.port())).expect("an origin")
    }

    /// The authority to trust, in DER.
    pub(crate) fn authority(&self) -> &[u8] {
        &self.authority
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let (tcp, _) = listener.accept().await.expect("a connection");
        tokio::spawn(serve(tcp, tls.clone()));
    }
}

async fn serve(tcp: TcpStream, tls: TlsAcceptor) {
    tcp.set_nodelay(true).expect("an option of the socket");
    let Ok(tls) = tls.accept(tcp).await else { return };
    let service = service_fn(async |_: Request<_>| {
        let answer = Response::builder().header(CONTENT_TYPE, "application/json; charset=utf-8");
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(ANSWER.as_bytes()))).expect("an answer"))
    });
    // A client that goes away is no failure.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service).await;
}

fn tls(protocol: Protocol) -> (Vec<u8>, ServerConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = || KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    let (own, own_key) = (CertificateParams::new(vec!["localhost".to_owned()]).expect("a plain name"), key());
    let own = own.signed_by(&own_key, &authority).expect("a certificate");
    let own_key = PrivateKeyDer::try_from(own_key.serialize_der()).expect("its key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("it speaks them")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], own_key)
        .expect("they fit");
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    (authority.der().to_vec(), config)
}
