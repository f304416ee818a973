//! A server that refuses streams at the level of HTTP/2, where clients like to try again unasked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenkeep_core::ErrorKind;
use tokenkeep_https::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::support::{Scene, everything_in, raw_server, raw_transport};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

/// What a server may say in a `GOAWAY`: anything, also what it was sent.
const SAID: &str = "text-that-the-server-put-into-its-goaway";

#[derive(Clone, Copy)]
enum Refusal {
    Stream,
    Connection,
}

#[tokio::test]
async fn a_refused_stream_is_not_sent_again() {
    let server = Nack::start(Refusal::Stream).await;
    let scene = Scene::new().await;
    let error = scene.me(&server.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!((server.requests.load(Ordering::SeqCst), scene.spy.issued()), (1, 1));
    assert_eq!(scene.spy.told(), ["Unanswered"]);
}

#[tokio::test]
async fn what_a_server_says_when_it_closes_is_in_no_error() {
    let server = Nack::start(Refusal::Connection).await;
    let scene = Scene::new().await;
    let error = scene.me(&server.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
    assert!(!everything_in(&error).contains(SAID));
}

struct Nack {
    port: u16,
    root: Vec<u8>,
    requests: Arc<AtomicUsize>,
}

impl Nack {
    async fn start(refusal: Refusal) -> Self {
        let (listener, acceptor, root) = raw_server("h2").await;
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    serve(acceptor.accept(socket).await.unwrap(), refusal, &counter).await
                });
            }
        });
        Self { port, root, requests }
    }

    fn transport(&self) -> Transport {
        raw_transport(self.port, &self.root)
    }
}

/// Speaks as much HTTP/2 as it takes to refuse each request.
async fn serve(mut socket: TlsStream<TcpStream>, refusal: Refusal, requests: &AtomicUsize) -> Option<()> {
    let mut preface = [0; PREFACE.len()];
    socket.read_exact(&mut preface).await.ok()?;
    assert_eq!(preface, PREFACE);
    send(&mut socket, SETTINGS, [0; 4], &[]).await?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        socket.read_exact(&mut payload).await.ok()?;
        if head[3] != HEADERS {
            continue;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        let stream = [head[5], head[6], head[7], head[8]];
        match refusal {
            Refusal::Stream => send(&mut socket, RST_STREAM, stream, &REFUSED_STREAM).await?,
            Refusal::Connection => {
                // The last stream that the server took care of: none.
                let payload = [&[0; 4][..], &ENHANCE_YOUR_CALM, SAID.as_bytes()].concat();
                send(&mut socket, GOAWAY, [0; 4], &payload).await?;
            }
        }
    }
}

async fn send(socket: &mut TlsStream<TcpStream>, kind: u8, stream: [u8; 4], payload: &[u8]) -> Option<()> {
    let length = u8::try_from(payload.len()).unwrap();
    let frame = [&[0, 0, length, kind, 0][..], &stream, payload].concat();
    socket.write_all(&frame).await.ok()?;
    socket.flush().await.ok()
}
