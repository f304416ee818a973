//! Answers that come piece by piece.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use tokenkeep_core::ErrorKind;
use tokenkeep_https::{
    AnswerStream, CallBoundary, CallFailure, Method, Passage, Projection, Retries, Transport,
};
use tokenkeep_testkit::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::boundary::Begins;
use crate::support::{Backlog, Scene, Scripted, Spy, spec};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";

async fn next(stream: &mut AnswerStream) -> Option<Result<bytes::Bytes, tokenkeep_core::Error>> {
    let piece = poll_fn(|context| Pin::new(&mut *stream).poll_next(context));
    tokio::time::timeout(Duration::from_secs(20), piece).await.expect("a piece, an error or the end")
}

/// A server that sends its second piece once the first one was read, and tells when its connection is closed.
async fn in_two_pieces() -> (Scripted, Arc<Notify>, Arc<Notify>) {
    let (go_on, closed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, tell) = (Arc::clone(&go_on), Arc::clone(&closed));
    let server = Scripted::start(move |_, mut socket| {
        let (wait, tell) = (Arc::clone(&wait), Arc::clone(&tell));
        async move {
            socket.write_all(HEAD).await?;
            socket.write_all(b"5\r\nfirst\r\n").await?;
            socket.flush().await?;
            tokio::select! {
                () = wait.notified() => {
                    socket.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await?;
                    socket.flush().await?;
                }
                read = socket.read_u8() => assert!(read.is_err(), "a client that has nothing to say"),
            }
            tell.notify_one();
            Ok(())
        }
    })
    .await;
    (server, go_on, closed)
}

#[tokio::test]
async fn pieces_come_as_they_are_sent_and_the_credential_is_told_at_the_first() {
    let (server, go_on, _) = in_two_pieces().await;
    let spy = Arc::new(Spy::new("an-example-token"));
    let transport = server.builder().build().unwrap();
    let mut stream = transport.get("/log").credential(&spy.credential()).stream().await.unwrap();
    assert_eq!((stream.status(), stream.content_type()), (200, Some("text/plain")));
    assert_eq!(spy.told(), ["Accepted"]);
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "first");
    // The server waits for this, so the first piece was not held back for the second.
    go_on.notify_one();
    assert_eq!(next(&mut stream).await.unwrap().unwrap(), "second");
    assert!(stream.chunk().await.unwrap().is_none());
    assert!(stream.chunk().await.unwrap().is_none());
    assert!(spy.told().is_empty());
}

#[tokio::test]
async fn a_stream_that_is_dropped_closes_its_connection() {
    let (server, _, closed) = in_two_pieces().await;
    let mut stream = server.builder().build().unwrap().get("/log").stream().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "first");
    drop(stream);
    tokio::time::timeout(Duration::from_secs(20), closed.notified()).await.expect("the connection is closed");
}

/// The clock runs while somebody waits, and not between.
#[tokio::test]
async fn a_piece_has_its_time_and_no_error_follows_an_error() {
    let (server, _, closed) = in_two_pieces().await;
    let transport = server.builder().idle_timeout(Duration::from_millis(200)).build().unwrap();
    let mut stream = transport.get("/log").stream().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "first");
    let error = next(&mut stream).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    let failure = CallFailure::of(&error).unwrap();
    assert!(failure.is_timeout() && failure.status() == Some(200), "{error:?}");
    assert!(next(&mut stream).await.is_none());
    // It is not kept open by the stream that is over.
    tokio::time::timeout(Duration::from_secs(20), closed.notified()).await.expect("the connection is closed");
}

/// The transport's own limit would be over by far.
#[tokio::test]
async fn a_call_may_have_an_idle_limit_of_its_own() {
    let (server, go_on, _) = in_two_pieces().await;
    let transport = server.builder().idle_timeout(Duration::from_millis(100)).build().unwrap();
    let mut stream = transport.get("/log").idle_timeout(Duration::from_secs(300)).stream().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "first");
    let (second, ()) = tokio::join!(stream.chunk(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        go_on.notify_one();
    });
    assert_eq!(second.unwrap().unwrap(), "second");
}

#[tokio::test]
async fn the_clock_of_a_piece_stands_while_nobody_waits_and_goes_on_where_it_stopped() {
    let idle = Duration::from_secs(1);
    let (server, _, _closed) = in_two_pieces().await;
    let transport = server.builder().idle_timeout(idle).build().unwrap();
    let mut stream = transport.get("/log").stream().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "first");
    let glance = Duration::from_millis(1);
    assert!(tokio::time::timeout(glance, stream.chunk()).await.is_err());
    // Longer than a piece may take, and nobody waits.
    tokio::time::sleep(2 * idle).await;
    assert!(tokio::time::timeout(glance, stream.chunk()).await.is_err(), "it still has time");

    // Who looks again and again, each time for a part of the time, has waited for all of it in the end.
    let mut ended = None;
    for _ in 0..100 {
        if let Ok(piece) = tokio::time::timeout(idle / 8, stream.chunk()).await {
            ended = Some(piece);
            break;
        }
    }
    let error = ended.expect("it ends").unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout());
}

/// Nothing but the wait for each piece is limited.
#[tokio::test]
async fn a_stream_may_take_longer_than_a_call() {
    let server = Scripted::start(|_, mut socket| async move {
        socket.write_all(HEAD).await?;
        for _ in 0..4 {
            socket.write_all(b"1\r\nx\r\n").await?;
            socket.flush().await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        socket.write_all(b"0\r\n\r\n").await
    })
    .await;
    let builder = server.builder().timeout(Duration::from_millis(1500)).idle_timeout(Duration::from_secs(5));
    let transport = builder.build().unwrap();
    let mut stream = transport.get("/log").stream().await.unwrap();
    let mut length = 0;
    while let Some(piece) = stream.chunk().await.unwrap() {
        length += piece.len();
    }
    assert_eq!(length, 4);
    let error = transport.get("/log").send().await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout(), "a whole answer has its limit");
}

#[tokio::test]
async fn a_stream_without_end_has_the_limit_that_it_is_given() {
    let scene = Scene::new().await;
    // The transport's own limit is for whole answers.
    let transport = scene.builder().max_body(10).build().unwrap();
    let stream = async |call: tokenkeep_https::Call| {
        scene.stand_in.answer_next(Fault::Endless);
        call.credential(&scene.credential()).stream().await.unwrap()
    };
    let mut endless = stream(transport.get("/v2/acts")).await;
    let mut length = 0;
    while length < 1 << 20 {
        length += next(&mut endless).await.unwrap().unwrap().len();
    }
    drop(endless);

    let mut limited = stream(transport.get("/v2/acts").max_body(100_000)).await;
    let mut given = 0;
    let error = loop {
        match limited.chunk().await {
            Ok(_) if given > 100_000 => panic!("it has no limit"),
            Ok(piece) => given += piece.expect("it has no end").len(),
            Err(error) => break error,
        }
    };
    assert!(given <= 100_000, "{given}");
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    assert!(error.report().ends_with("over 100000 bytes"), "{}", error.report());
    // The connection, of HTTP/2, is good for others.
    scene.stand_in.clear_requests();
    let whole = transport.get("/v2/users/me").max_body(1 << 20).credential(&scene.credential()).send();
    assert_eq!(whole.await.unwrap().status(), 200);
}

#[tokio::test]
async fn errors_come_as_without_a_stream() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    let stream = || transport.get("/v2/users/me").credential(&scene.credential()).stream();
    for (fault, kind, told) in [
        (Fault::status(403, "made-up"), ErrorKind::ScopeTooSmall, "Refused(ScopeTooSmall)"),
        (Fault::rate_limited("7"), ErrorKind::RateLimited, "Refused(RateLimited)"),
        (Fault::Redirect("/v2/acts".to_owned()), ErrorKind::ProviderMisbehaved, "Refused(Unexpected)"),
        (Fault::CloseWithoutAnswer, ErrorKind::ProviderUnavailable, "Unanswered"),
    ] {
        scene.stand_in.answer_next(fault.clone());
        assert_eq!(stream().await.unwrap_err().kind(), kind, "{fault:?}");
        assert_eq!(scene.spy.told(), [told], "{fault:?}");
    }
    let silent = scene.builder().timeout(Duration::from_millis(200)).build().unwrap();
    scene.stand_in.answer_next(Fault::Silence);
    let error = silent.get("/v2/users/me").stream().await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout());

    scene.stand_in.clear_requests();
    let error = transport.get("/v2/users/me").errors_as_answers().stream().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(scene.stand_in.requests().is_empty());
}

/// Projects all, and says so beforehand.
#[derive(Debug)]
struct NeverInPieces;

impl CallBoundary for NeverInPieces {
    fn judge(&self, _: &Method, _: &str) -> Result<Box<dyn Projection>, tokenkeep_core::Error> {
        Ok(Box::new(Self))
    }
}

impl Projection for NeverInPieces {
    fn passage(&self, _: u16, _: Option<&str>) -> Passage {
        Passage::Projected
    }

    fn may_stream(&self) -> bool {
        false
    }

    fn project(&self, _: u16, body: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok(body.to_vec())
    }
}

#[tokio::test]
async fn only_what_passes_as_it_is_comes_in_pieces() {
    let scene = Scene::new().await;
    let with = |passage| scene.builder().boundary(Begins::with("/", passage)).build().unwrap();
    let stream = async |transport: Transport| {
        transport.get("/v2/users/me").credential(&scene.credential()).stream().await
    };
    let mut passed = stream(with(Passage::AsItIs)).await.unwrap();
    assert!(passed.chunk().await.unwrap().unwrap().starts_with(b"{"));
    scene.spy.told();

    let error = stream(with(Passage::Projected)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
    let error = stream(with(Passage::Refused("with what the test refuses"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    // The token was good.
    assert_eq!(scene.spy.told(), ["Accepted", "Accepted"]);

    let backlog = Backlog::new();
    let transport = Transport::builder(spec(&format!("https://localhost:{}", backlog.port())))
        .timeout(Duration::from_millis(300))
        .retries(Retries::none())
        .boundary(NeverInPieces)
        .build()
        .unwrap();
    let asked = scene.spy.issued();
    assert_eq!(stream(transport.clone()).await.unwrap_err().kind(), ErrorKind::Misuse);
    assert_eq!((scene.spy.issued() - asked, backlog.connections()), (0, 0));
    assert!(transport.get("/").send().await.is_err());
    assert_eq!(backlog.connections(), 1);
}
