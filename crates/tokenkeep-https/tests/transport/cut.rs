//! A body that is cut over HTTP/2, where hyper takes an end without an error's code for the end of the body.

use std::sync::Arc;

use tokenkeep_core::ErrorKind;
use tokenkeep_https::{CallFailure, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::support::{Spy, raw_server, raw_transport};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const TOKEN: &str = "a1b2c3d4e5f6g7h8i9j0-example-token";
/// HPACK: `:status: 200`, `:status: 400`, and `content-length: 500`.
const OK: u8 = 0x88;
const BAD_REQUEST: u8 = 0x8c;
const LENGTH: &[u8] = b"\x5c\x03500";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What follows the first piece of a body.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    End,
    /// `RST_STREAM` with the code for "no error".
    Reset,
    /// The same of `GOAWAY`, with the stream among those that it takes care of, or not.
    GoAway {
        after_it: bool,
    },
}

async fn serve(mut socket: TlsStream<TcpStream>, head: Vec<u8>, then: Then) -> Option<()> {
    let mut preface = [0; PREFACE.len()];
    socket.read_exact(&mut preface).await.ok()?;
    frame(&mut socket, 4, 0, [0; 4], &[]).await?;
    loop {
        let mut start = [0; 9];
        socket.read_exact(&mut start).await.ok()?;
        let mut payload = vec![0; usize::from(start[1]) << 8 | usize::from(start[2])];
        socket.read_exact(&mut payload).await.ok()?;
        if start[3] != 1 {
            continue;
        }
        let stream = [start[5], start[6], start[7], start[8]];
        frame(&mut socket, 1, END_HEADERS, stream, &head).await?;
        let said = format!("said {}", &TOKEN[..TOKEN.len() - 1]);
        let flags = if then == Then::End { END_STREAM } else { 0 };
        frame(&mut socket, 0, flags, stream, said.as_bytes()).await?;
        match then {
            Then::End => {}
            Then::Reset => frame(&mut socket, 3, 0, stream, &[0; 4]).await?,
            Then::GoAway { after_it } => {
                let last = if after_it { stream } else { [0; 4] };
                frame(&mut socket, 7, 0, [0; 4], &[last, [0; 4]].concat()).await?;
                return socket.shutdown().await.ok();
            }
        }
    }
}

async fn frame(
    socket: &mut TlsStream<TcpStream>,
    kind: u8,
    flags: u8,
    stream: [u8; 4],
    payload: &[u8],
) -> Option<()> {
    let length = u8::try_from(payload.len()).unwrap();
    socket.write_all(&[&[0, 0, length, kind, flags][..], &stream, payload].concat()).await.ok()?;
    socket.flush().await.ok()
}

async fn server(head: Vec<u8>, then: Then) -> Transport {
    let (listener, acceptor, root) = raw_server("h2").await;
    let port = listener.local_addr().unwrap().port();
    // Ends with the test's runtime.
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, head) = (acceptor.clone(), head.clone());
            tokio::spawn(async move { serve(acceptor.accept(socket).await.ok()?, head, then).await });
        }
    });
    raw_transport(port, &root)
}

const CUTS: [Then; 3] = [Then::Reset, Then::GoAway { after_it: true }, Then::GoAway { after_it: false }];

#[tokio::test]
async fn a_success_that_is_cut_is_none() {
    for head in [vec![OK], [&[OK], LENGTH].concat()] {
        for then in CUTS {
            let transport = server(head.clone(), then).await;
            let error = transport.get("/").send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{then:?}");
        }
    }
    let whole = server(vec![OK], Then::End).await.get("/").send().await.unwrap();
    assert_eq!(whole.body(), format!("said {}", &TOKEN[..TOKEN.len() - 1]).as_bytes());
}

#[tokio::test]
async fn a_stream_that_is_cut_says_so_and_gives_nothing_of_a_token() {
    for then in CUTS {
        let transport = server(vec![OK], then).await;
        let spy = Arc::new(Spy::new(TOKEN));
        let Ok(mut stream) = transport.get("/").credential(&spy.credential()).stream().await else {
            continue;
        };
        let mut all = Vec::new();
        let error = loop {
            match stream.chunk().await {
                Ok(piece) => all.extend_from_slice(&piece.expect("not the end of the body")),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{then:?}");
        assert!(b"said ".starts_with(&all), "{then:?}");
    }
    let mut stream = server(vec![OK], Then::End).await.get("/").stream().await.unwrap();
    while stream.chunk().await.unwrap().is_some() {}
}

#[tokio::test]
async fn an_error_s_body_that_is_cut_shows_nothing_of_a_token() {
    let transport = server(vec![BAD_REQUEST], Then::Reset).await;
    let spy = Arc::new(Spy::new(TOKEN));
    let error = transport.get("/").credential(&spy.credential()).send().await.unwrap_err();
    let failure = CallFailure::of(&error).unwrap();
    assert_eq!(failure.status(), Some(400));
    assert!(!String::from_utf8_lossy(failure.said().unwrap()).contains(&TOKEN[..8]));
}
