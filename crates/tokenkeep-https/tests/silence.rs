//! What errors, logs and `{:?}` show. A program of its own: a log that a test shares with others running beside it
//! misses events.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_testkit::{CapturedLog, Fault, LeakScanner};
use tracing_subscriber::fmt;

#[path = "transport/support.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;

use support::{Scene, Spy, everything_in, raw_server, raw_transport};
use tokenkeep_https::{Proxy, Retries, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

const QUERY_VALUE: &str = "query-value-that-nobody-may-see";

/// What it is not is a value of the answer's, which a JSON parser likes to repeat.
#[derive(Debug, serde::Deserialize)]
struct OtherShape {
    #[serde(rename = "error")]
    _error: Detail,
}

#[derive(Debug, serde::Deserialize)]
struct Detail {
    #[serde(rename = "type")]
    _kind: u8,
}

#[tokio::test]
async fn neither_token_nor_query_value_is_shown() {
    let captured = CapturedLog::new();
    let writer = captured.clone();
    let subscriber = fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let scene = Scene::new().await;
    let scanner = LeakScanner::new().token("token", &scene.token).secret(
        "query",
        QUERY_VALUE.as_bytes(),
        QUERY_VALUE.len(),
    );
    let once_more = Retries::standard().at_most(1).first_wait(Duration::from_millis(1));
    let builder = scene.builder().timeout(Duration::from_secs(2)).max_body(100_000).retries(once_more);
    let transport = builder.build().unwrap();
    let mut shown = format!("{transport:?} {once_more:?} {:?} {:?}", scene.builder(), scene.credential());

    for fault in [
        Fault::EchoAuthorization,
        Fault::status(401, QUERY_VALUE),
        Fault::NotJson,
        Fault::status(200, QUERY_VALUE), // a success in an unexpected shape
        Fault::Endless,
        Fault::Huge(1 << 30),
        Fault::CloseWithoutAnswer,
        Fault::Silence,
        Fault::Redirect(format!("https://localhost/?token={QUERY_VALUE}")),
    ] {
        scene.stand_in.answer_always(Some(fault.clone()));
        let call = transport.get("/v2/acts").query("name", QUERY_VALUE).credential(&scene.credential());
        shown += &format!("{call:?}");
        match call.send().await {
            Ok(answer) => {
                shown += &format!("{answer:?}");
                shown += &everything_in(&answer.json::<OtherShape>().unwrap_err());
            }
            Err(error) => shown += &everything_in(&error),
        }
    }
    scene.stand_in.answer_always(None);
    // Three of them twice.
    assert_eq!(scene.stand_in.requests().len(), 9 + 3);
    let call = transport.get("/v2/acts").query("name", QUERY_VALUE).credential(&scene.credential());
    let mut stream = call.stream().await.unwrap();
    shown += &format!("{:?} {stream:?}", stream.chunk().await.map(|piece| piece.is_some()));

    // What a call made is the provider's word, also where it can't be recorded.
    let forgetful = Arc::new(Spy::failing_to_record(&scene.token)).credential();
    let call = transport.get("/v2/users/me").credential(&forgetful).makes(|_| Some(QUERY_VALUE.to_owned()));
    shown += &format!("{:?}", call.send().await.unwrap());

    // A proxy that repeats what it is told, and has a login of its own.
    let proxy = Proxy::new(&scene.stand_in.origin()).unwrap();
    let proxy = proxy.login("jane", Zeroizing::new(QUERY_VALUE.to_owned())).unwrap();
    let proxied = scene.builder().retries(once_more).proxy(proxy.clone()).build().unwrap();
    shown += &format!("{proxy:?} {proxied:?} {:?}", scene.builder().proxy(proxy.clone()));
    shown += &everything_in(&scene.me(&proxied).await.unwrap_err());
    assert!(shown.contains("the proxy did not make the connection"));
    assert!(shown.contains("HTTP status 500"), "the echo's error is among them");
    assert!(scanner.scan_bytes("shown", shown.as_bytes()).is_empty());

    let log = captured.bytes();
    let text = String::from_utf8_lossy(&log);
    assert!(text.contains("status=500") && text.contains("path=\"/v2/acts\""), "calls are logged");
    assert!(text.contains("call{provider=") && text.contains("attempt=2"), "in a span, attempt by attempt");
    assert!(text.contains("TRACE"), "so are the libraries below, at the finest level");
    assert!(text.contains("could not be recorded"), "that is logged");
    assert!(scanner.scan_bytes("log", &log).is_empty());

    // The one exception that is known, and promised nowhere: what a server says when it closes a connection. Where this fails as nothing
    // is found any more, the exception goes from the crate's page and from SECURITY.md.
    let error = scene.me(&says_the_token_when_it_closes(scene.token.clone()).await).await.unwrap_err();
    assert!(scanner.scan_bytes("error", everything_in(&error).as_bytes()).is_empty());
    let log = captured.bytes();
    let text = String::from_utf8_lossy(&log);
    let found: Vec<_> = text.lines().filter(|line| line.contains(&scene.token)).collect();
    assert!(!found.is_empty(), "h2 logs it");
    for line in found {
        assert!(line.contains(" h2::") && (line.contains("DEBUG") || line.contains("TRACE")), "{line}");
    }
}

/// A server of HTTP/2 that puts this into the text of its `GOAWAY`, as soon as it gets a request.
async fn says_the_token_when_it_closes(token: String) -> Transport {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (listener, acceptor, root) = raw_server("h2").await;
    let port = listener.local_addr().unwrap().port();
    // Ends with the test's runtime.
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await?;
        let mut socket = acceptor.accept(socket).await?;
        socket.read_exact(&mut [0; PREFACE.len()]).await?;
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await?;
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            socket.read_exact(&mut payload).await?;
            if head[3] == 1 {
                let length = u8::try_from(8 + token.len()).unwrap();
                // For the whole connection, no stream was taken care of, "enhance your calm".
                let frame =
                    [&[0, 0, length, 7, 0, 0, 0, 0, 0][..], &[0; 7], &[11], token.as_bytes()].concat();
                socket.write_all(&frame).await?;
                socket.flush().await?;
            }
        }
        #[allow(unreachable_code, reason = "says what kind of error the others are")]
        std::io::Result::Ok(())
    });
    raw_transport(port, &root)
}
