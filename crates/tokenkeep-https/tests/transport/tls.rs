//! Servers that can't prove who they are or speak no TLS as it should be: what they get, on the wire and decrypted.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokenkeep_core::ErrorKind;
use tokenkeep_https::{CallFailure, Retries, Transport, TransportBuilder};
use tokenkeep_testkit::LeakScanner;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::{Spy, everything_in, spec};

const TOKEN: &str = "an-example-token-that-nobody-is-to-see-1234567890";

/// What a server does with its connections.
enum Server {
    Tls(Arc<ServerConfig>, &'static str),
    /// Waits for the client's first bytes, sends these, and keeps the connection or closes it.
    Raw(Vec<u8>, Close),
    /// Hands everything on to this port.
    Before(u16),
}

#[derive(Clone, Copy, PartialEq)]
enum Close {
    AtOnce,
    Never,
}

/// A server that keeps what it is sent.
struct Wire {
    port: u16,
    sent: Arc<Sent>,
}

#[derive(Default)]
struct Sent {
    connections: AtomicUsize,
    open: AtomicUsize,
    raw: Mutex<Vec<u8>>,
    decrypted: Mutex<Vec<u8>>,
}

impl Wire {
    async fn start(server: Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sent, server) = (Arc::new(Sent::default()), Arc::new(server));
        let keep = Arc::clone(&sent);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                keep.connections.fetch_add(1, Ordering::SeqCst);
                keep.open.fetch_add(1, Ordering::SeqCst);
                let (keep, server) = (Arc::clone(&keep), Arc::clone(&server));
                tokio::spawn(async move {
                    // Whatever the client does to it is no failure of the server.
                    let _ = serve(Kept(socket, Arc::clone(&keep)), &server, &keep).await;
                    keep.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, sent }
    }

    fn builder(&self) -> TransportBuilder {
        let spec = spec(&format!("https://localhost:{}", self.port));
        Transport::builder(spec).timeout(Duration::from_secs(5)).retries(quick())
    }

    /// What it was sent, on the wire and decrypted, once the client has closed all of it.
    async fn sent(&self) -> (Vec<u8>, Vec<u8>) {
        while self.sent.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        (self.sent.raw.lock().unwrap().clone(), self.sent.decrypted.lock().unwrap().clone())
    }
}

fn quick() -> Retries {
    Retries::standard().first_wait(Duration::from_millis(1)).at_most(1)
}

async fn serve(mut socket: Kept, server: &Server, keep: &Sent) -> io::Result<()> {
    match server {
        Server::Tls(config, answer) => {
            let mut socket = TlsAcceptor::from(Arc::clone(config)).accept(socket).await?;
            let mut bytes = [0; 4096];
            loop {
                let length = socket.read(&mut bytes).await?;
                let asked = {
                    let mut all = keep.decrypted.lock().unwrap();
                    all.extend_from_slice(&bytes[..length]);
                    all.ends_with(b"\r\n\r\n")
                };
                if length == 0 {
                    return Ok(());
                }
                if asked {
                    socket.write_all(answer.as_bytes()).await?;
                    socket.flush().await?;
                }
            }
        }
        Server::Raw(bytes, close) => {
            let _ = socket.read(&mut [0; 4096]).await?;
            socket.write_all(bytes).await?;
            if *close == Close::AtOnce {
                socket.shutdown().await?;
            }
            socket.read_to_end(&mut Vec::new()).await.map(drop)
        }
        Server::Before(port) => {
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await?;
            tokio::io::copy_bidirectional(&mut socket, &mut server).await.map(drop)
        }
    }
}

/// A connection that keeps what is read from it.
struct Kept(TcpStream, Arc<Sent>);

impl AsyncRead for Kept {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(context, into);
        self.1.raw.lock().unwrap().extend_from_slice(&into.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Kept {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// An authority, and what signs in its name.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// A server with a certificate for this host that is valid from one year to another.
    fn server(
        &self,
        host: &str,
        (from, to): (i32, i32),
        versions: &[&'static SupportedProtocolVersion],
        answer: &'static str,
    ) -> Server {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Server::Tls(Arc::new(config), answer)
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const VALID: (i32, i32) = (2020, 4000);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// Asks, and gives the error and what the server was sent.
async fn refused(wire: &Wire, builder: TransportBuilder) -> (tokenkeep_core::Error, Vec<u8>, Vec<u8>) {
    let spy = Arc::new(Spy::new(TOKEN));
    let transport = builder.build().unwrap();
    let call = transport.get("/v2/users/me").credential(&spy.credential()).send();
    let error = tokio::time::timeout(Duration::from_secs(20), call).await.unwrap().unwrap_err();
    assert!(spy.told().iter().all(|told| told == "Unanswered"), "nothing is blamed on the token");
    drop(transport);
    let (raw, decrypted) = wire.sent().await;
    (error, raw, decrypted)
}

fn no_token_in(raw: &[u8], decrypted: &[u8]) {
    let scanner = LeakScanner::new().token("token", TOKEN);
    assert!(scanner.scan_bytes("wire", raw).is_empty());
    assert!(scanner.scan_bytes("decrypted", decrypted).is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_gets_no_token() {
    let (authority, other) = (Authority::named("trusted"), Authority::named("another"));
    let impostor = Authority::named("trusted");
    // rcgen's own: an end entity that vouches for itself.
    let lone = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(lone.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let self_signed = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![lone.cert.der().clone()], key)
        .unwrap();
    let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let cases = [
        ("expired", authority.server("localhost", (2000, 2001), BOTH, OK), "has expired"),
        ("not yet valid", authority.server("localhost", (3000, 4000), BOTH, OK), "is not valid yet"),
        ("wrong host", authority.server("other.example", VALID, BOTH, OK), "is for another host"),
        ("look-alike", authority.server("localhost.example", VALID, BOTH, OK), "is for another host"),
        ("unknown authority", other.server("localhost", VALID, BOTH, OK), "issuer that is not trusted"),
        ("its name, another key", impostor.server("localhost", VALID, BOTH, OK), "is not acceptable"),
        ("self-signed", Server::Tls(Arc::new(self_signed), OK), "issuer that is not trusted"),
        ("plain HTTP", Server::Raw(plain, Close::Never), "does not speak TLS as it should"),
        ("TLS 1.1", Server::Raw(server_hello(0x0302), Close::Never), "does not speak TLS as it should"),
        ("TLS 1.0", Server::Raw(server_hello(0x0301), Close::Never), "does not speak TLS as it should"),
        ("SSL 3", Server::Raw(server_hello(0x0300), Close::Never), "does not speak TLS as it should"),
    ];
    for (name, server, text) in cases {
        let wire = Wire::start(server).await;
        let (error, raw, decrypted) = refused(&wire, wire.builder().extra_root_der(&authority.der())).await;
        assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{name}: {}", everything_in(&error));
        let failure = CallFailure::of(&error).unwrap();
        assert!(failure.is_untrusted() && failure.to_string().contains(text), "{name}: {failure}");
        assert_eq!(wire.sent.connections.load(Ordering::SeqCst), 1, "{name} is not tried again");
        assert!(raw.len() > 100, "{name}: the client's first message is recorded");
        assert_eq!(decrypted, b"", "{name}");
        no_token_in(&raw, &decrypted);
    }
}

/// A `ServerHello` of this version, with a cipher suite that is taken.
fn server_hello(version: u16) -> Vec<u8> {
    let [high, low] = version.to_be_bytes();
    let hello = [&[high, low][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
    let message = [&[2, 0, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat();
    [&[22, high, low, 0, u8::try_from(message.len()).unwrap()][..], &message].concat()
}

#[tokio::test]
async fn a_handshake_that_breaks_off_or_stalls_is_no_answer() {
    let hello = server_hello(0x0303);
    for (name, bytes, close) in [
        ("closed at once", Vec::new(), Close::AtOnce),
        ("closed within a record", hello[..20].to_vec(), Close::AtOnce),
        ("closed after a message", hello.clone(), Close::AtOnce),
        ("stalled within a record", hello[..20].to_vec(), Close::Never),
    ] {
        let wire = Wire::start(Server::Raw(bytes, close)).await;
        let builder = wire.builder().connect_timeout(Duration::from_millis(1500));
        let (error, raw, decrypted) = refused(&wire, builder).await;
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{name}: {}", everything_in(&error));
        let failure = CallFailure::of(&error).unwrap();
        assert!(failure.to_string().starts_with("no connection could be made"), "{name}: {failure}");
        assert_eq!(failure.is_timeout(), close == Close::Never, "{name}");
        // Nothing was sent over it, so that it is tried again.
        assert_eq!(wire.sent.connections.load(Ordering::SeqCst), 2, "{name}");
        no_token_in(&raw, &decrypted);
    }
}

#[tokio::test]
async fn tls_1_2_will_do_unless_it_is_refused() {
    let authority = Authority::named("trusted");
    for (versions, of_old) in [(&[&TLS12][..], true), (&[&TLS13][..], false)] {
        let wire = Wire::start(authority.server("localhost", VALID, versions, OK)).await;
        let builder = || wire.builder().extra_root_der(&authority.der());
        let spy = Arc::new(Spy::new(TOKEN));
        for (builder, works) in [(builder(), true), (builder().tls13_only(), !of_old)] {
            let transport = builder.build().unwrap();
            let before = wire.sent.decrypted.lock().unwrap().len();
            let result = transport.get("/").credential(&spy.credential()).send().await;
            drop(transport);
            let (raw, decrypted) = wire.sent().await;
            if works {
                assert_eq!(result.unwrap().body(), b"{}");
                assert!(String::from_utf8_lossy(&decrypted[before..]).contains(TOKEN), "it is recorded");
            } else {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
                assert!(CallFailure::of(&error).unwrap().is_untrusted());
                assert_eq!(decrypted.len(), before);
            }
            no_token_in(&raw, b"");
        }
    }
}

/// What a redirect names gets nothing, over whatever way, and the one that redirects is asked once.
#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let authority = Authority::named("trusted");
    let elsewhere = Wire::start(authority.server("localhost", VALID, BOTH, OK)).await;
    let plain = Wire::start(Server::Raw(OK.as_bytes().to_vec(), Close::Never)).await;
    for location in [
        format!("http://localhost:{}/", plain.port),
        format!("https://localhost:{}/", elsewhere.port),
        format!("//localhost:{}/", elsewhere.port),
        "/v2/users/me".to_owned(),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let answer =
                format!("HTTP/1.1 {status} Over There\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            let wire = Wire::start(authority.server("localhost", VALID, BOTH, answer.leak())).await;
            let spy = Arc::new(Spy::new(TOKEN));
            let transport = wire.builder().extra_root_der(&authority.der()).build().unwrap();
            let call = transport.get("/v2/users/me").credential(&spy.credential());
            let error = call.send().await.unwrap_err();
            drop(transport);
            assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
            assert_eq!(CallFailure::of(&error).unwrap().status(), Some(status));
            assert_eq!(spy.told(), ["Refused(Unexpected)"]);
            let (raw, decrypted) = wire.sent().await;
            no_token_in(&raw, b"");
            let heads = String::from_utf8_lossy(&decrypted).matches("GET ").count();
            assert_eq!(heads, 1, "{location} {status}");
        }
    }
    for unasked in [&elsewhere, &plain] {
        assert_eq!(unasked.sent.connections.load(Ordering::SeqCst), 0);
    }
}

/// The same with what OpenSSL makes of TLS 1.1, where it is installed; the table above has it by hand.
#[tokio::test]
async fn openssl_s_tls_1_1_gets_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    for (version, works) in [("-tls1_1", false), ("-tls1_2", true)] {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", "-quiet", "-www", version, "-cipher", "ALL:@SECLEVEL=0", "-accept"]);
        openssl.arg(format!("127.0.0.1:{port}")).arg("-cert").arg(&cert).arg("-key").arg(&key);
        let openssl = openssl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = openssl.expect("openssl is installed");
        let _child = Killed(child);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let wire = Wire::start(Server::Before(port)).await;
        let transport = wire.builder().extra_root_der(certified.cert.der()).build().unwrap();
        let spy = Arc::new(Spy::new(TOKEN));
        let result = transport.get("/").credential(&spy.credential()).send().await;
        drop(transport);
        let (raw, _) = wire.sent().await;
        assert!(raw.len() > 100);
        no_token_in(&raw, b"");
        if works {
            result.unwrap();
            continue;
        }
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{}", everything_in(&error));
        assert!(CallFailure::of(&error).unwrap().is_untrusted());
        assert_eq!(spy.told(), ["Unanswered"]);
    }
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
