//! A proxy that stands between a client and a real server, and gets in the way.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::client;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tasks::Tasks;
use crate::tls::{self, Authority};

/// How long a client may take to close a connection that is over.
const CLOSING: Duration = Duration::from_secs(10);

/// What a [`TlsProxy`] does with a request, or with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InTheWay {
    /// Nothing: the server answers.
    Nothing,
    /// The server answers after this long.
    Slowness(Duration),
    /// The request is read and never answered.
    Silence,
    /// The connection is closed once the request was read.
    Hangup,
    /// This status, with `Retry-After` when given, and this body.
    Answer {
        /// The HTTP status.
        status: u16,
        /// In seconds.
        retry_after: Option<u32>,
        /// Whatever it says.
        body: String,
    },
    /// The connection is reset after as many bytes of the server's.
    Reset {
        /// In bytes, of what TLS carries.
        after: u64,
    },
    /// After as many bytes of the server's nothing goes either way any more, and nothing is closed: a peer that vanished.
    Vanishing {
        /// In bytes, of what TLS carries.
        after: u64,
    },
    /// After as many bytes of the server's, one comes at a time.
    Drip {
        /// In bytes, of what TLS carries.
        after: u64,
        /// How long each takes.
        every: Duration,
    },
}

/// A proxy on 127.0.0.1 with TLS of its own on one side (for `localhost`) and the server's on the other. It speaks HTTP/1.1, unless
/// [started](Self::start_speaking) with another protocol.
///
/// Its tasks run on the runtime it was started on and end when it is dropped.
pub struct TlsProxy {
    port: u16,
    authority: Authority,
    way: watch::Sender<InTheWay>,
    open: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl TlsProxy {
    /// Stands before the server at this port of 127.0.0.1, whose certificate is for `localhost` and of this authority (in DER).
    ///
    /// # Errors
    /// When no port can be had or no certificate be made.
    pub async fn start(server: u16, server_ca_der: &[u8]) -> io::Result<Self> {
        Self::start_speaking("http/1.1", server, server_ca_der).await
    }

    /// As [`start`](Self::start), with this protocol on both sides: `h2`. [`InTheWay::Answer`] is HTTP/1.1 all the same.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_speaking(protocol: &str, server: u16, server_ca_der: &[u8]) -> io::Result<Self> {
        let (authority, mut config) = tls::make()?;
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (way, _) = watch::channel(InTheWay::Nothing);
        let proxy = Self {
            port: listener.local_addr()?.port(),
            authority,
            way,
            open: Arc::default(),
            connections: Arc::default(),
            tasks: Tasks::new(),
        };
        let path = Path {
            accept: TlsAcceptor::from(Arc::new(config)),
            connect: connector(server_ca_der, protocol)?,
            server,
            way: proxy.way.clone(),
            open: Arc::clone(&proxy.open),
        };
        let (tasks, connections) = (proxy.tasks.clone(), Arc::clone(&proxy.connections));
        proxy.tasks.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((tcp, _)) => {
                        connections.fetch_add(1, Ordering::SeqCst);
                        tasks.spawn(path.clone().serve(tcp));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Ok(proxy)
    }

    /// `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The certificate of the proxy's own authority in DER.
    #[must_use]
    pub fn ca_der(&self) -> Vec<u8> {
        self.authority.der.to_vec()
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// From now on it does this. Ends the connections that are open, and waits until the client has closed them, too: so no request
    /// goes an old way, or is sent on a connection that is over.
    pub async fn set(&self, way: InTheWay) {
        self.way.send_replace(way);
        while self.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        drop(self.tasks.take());
    }
}

impl fmt::Debug for TlsProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsProxy").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

fn connector(ca_der: &[u8], protocol: &str) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ca_der)).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Counts an open connection for as long as it lives.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Path {
    accept: TlsAcceptor,
    connect: TlsConnector,
    server: u16,
    way: watch::Sender<InTheWay>,
    open: Arc<AtomicUsize>,
}

impl Path {
    async fn serve(self, tcp: TcpStream) {
        self.open.fetch_add(1, Ordering::SeqCst);
        let _open = Open(Arc::clone(&self.open));
        let mut changes = self.way.subscribe();
        let way = changes.borrow_and_update().clone();
        let accepted = tokio::select! {
            accepted = self.accept.accept(tcp) => accepted,
            _ = changes.changed() => return,
        };
        let Ok(mut client) = accepted else { return };
        let gone = tokio::select! {
            // Either side's going away is no failure of the proxy.
            gone = Box::pin(self.go(&mut client, way)) => gone,
            _ = changes.changed() => Ok(()),
        };
        if gone.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
            return;
        }
        // A client that is late to notice could send on it, and closing a socket with something unread in it would reset it before the
        // client has read its answer.
        let _ = tokio::time::timeout(CLOSING, Box::pin(until_closed(&mut client))).await;
    }

    async fn go(&self, client: &mut TlsStream<TcpStream>, way: InTheWay) -> io::Result<()> {
        match way {
            InTheWay::Nothing
            | InTheWay::Reset { .. }
            | InTheWay::Vanishing { .. }
            | InTheWay::Drip { .. } => {}
            InTheWay::Slowness(time) => tokio::time::sleep(time).await,
            InTheWay::Silence => std::future::pending().await,
            InTheWay::Hangup => {
                let _ = client.read(&mut [0; 4096]).await?;
                return Ok(());
            }
            InTheWay::Answer { status, retry_after, body } => {
                let _ = client.read(&mut [0; 4096]).await?;
                let retry = retry_after.map_or(String::new(), |wait| format!("Retry-After: {wait}\r\n"));
                let head = format!(
                    "HTTP/1.1 {status} made up\r\n{retry}Content-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                client.write_all(head.as_bytes()).await?;
                return client.write_all(body.as_bytes()).await;
            }
        }
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)).await?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut server = self.connect.connect(name, tcp).await?;
        match way {
            InTheWay::Reset { after } => {
                copy_so_far(client, &mut server, after).await?;
                client.get_ref().0.set_zero_linger()?;
                // Not said by TLS: the caller closes, and so resets, what is no TLS any more.
                Err(io::ErrorKind::ConnectionReset.into())
            }
            InTheWay::Vanishing { after } => {
                copy_so_far(client, &mut server, after).await?;
                std::future::pending().await
            }
            InTheWay::Drip { after, every } => {
                copy_so_far(client, &mut server, after).await?;
                let (mut from_client, mut to_client) = tokio::io::split(client);
                let (mut from_server, mut to_server) = tokio::io::split(server);
                let drip = async {
                    loop {
                        let byte = from_server.read_u8().await?;
                        to_client.write_all(&[byte]).await?;
                        to_client.flush().await?;
                        tokio::time::sleep(every).await;
                    }
                };
                tokio::select! {
                    dripped = drip => dripped,
                    copied = tokio::io::copy(&mut from_client, &mut to_server) => copied.map(drop),
                }
            }
            _ => copy_bidirectional(client, &mut server).await.map(drop),
        }
    }
}

/// Carries what the client says, until as many bytes of the server's have gone the other way.
async fn copy_so_far(
    client: &mut TlsStream<TcpStream>,
    server: &mut client::TlsStream<TcpStream>,
    after: u64,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_server, mut to_server) = tokio::io::split(server);
    let mut from_server = from_server.take(after);
    tokio::select! {
        copied = tokio::io::copy(&mut from_server, &mut to_client) => copied.map(drop),
        copied = tokio::io::copy(&mut from_client, &mut to_server) => {
            copied?;
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// Says that nothing more comes, and takes what does until the client has closed.
async fn until_closed(client: &mut TlsStream<TcpStream>) -> io::Result<()> {
    client.shutdown().await?;
    let mut rest = [0; 16 * 1024];
    while client.read(&mut rest).await? > 0 {}
    Ok(())
}
