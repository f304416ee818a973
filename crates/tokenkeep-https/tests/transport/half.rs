//! An answer that something is not there, and that breaks off before it says what.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokenkeep_core::{ErrorKind, Meaning};
use tokenkeep_https::{CallFailure, Method, Retries, Transport};
use tokio::io::AsyncWriteExt;

use crate::support::{Scripted, Spy, spec};

/// Half of what tells whether it is the record or the token.
const HALF: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\nrecord-or-tok";
const WHOLE: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\ntoken";

fn meaning(status: u16, body: &[u8]) -> Meaning {
    match (status, body) {
        (404, b"token") => Meaning::NotFoundOrTokenRefused,
        _ => Meaning::of_status(status),
    }
}

/// Answers like this so often, and then with the whole of it.
async fn half(times: usize) -> Scripted {
    Scripted::start(move |number, mut socket| async move {
        socket.write_all(if number < times { HALF } else { WHOLE }).await?;
        socket.shutdown().await
    })
    .await
}

fn transport(server: &Scripted, repeats: u32) -> Transport {
    let spec = spec(&format!("https://localhost:{}", server.port)).with_meaning(meaning);
    let retries = Retries::standard().at_most(repeats).first_wait(Duration::from_millis(1));
    let builder = Transport::builder(spec).extra_root_der(&server.root).retries(retries);
    builder.timeout(Duration::from_secs(20)).build().unwrap()
}

#[tokio::test]
async fn half_a_404_says_of_nothing_that_it_is_not_there() {
    let server = half(usize::MAX).await;
    let (transport, spy) = (transport(&server, 0), Arc::new(Spy::new("an-example-token")));
    for (keep, streamed) in [(false, false), (true, false), (false, true)] {
        let call = transport.request(Method::DELETE, "/x").credential(&spy.credential());
        let error = match (keep, streamed) {
            (true, _) => call.errors_as_answers().send().await.err(),
            (_, true) => call.stream().await.err(),
            _ => call.send().await.err(),
        };
        let error = error.expect("no answer");
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{keep} {streamed}");
        let failure = CallFailure::of(&error).unwrap();
        assert_eq!(
            (failure.status(), failure.said(), failure.may_have_been_done()),
            (Some(404), None, false)
        );
        assert!(failure.to_string().contains("broke off"), "{failure}");
        assert_eq!(spy.told(), ["Refused(Unavailable)"]);
    }
}

#[tokio::test]
async fn it_is_asked_again_where_that_does_no_harm() {
    let server = half(1).await;
    let spy = Arc::new(Spy::new("an-example-token"));
    let call = transport(&server, 2).get("/x").credential(&spy.credential());
    assert_eq!(call.send().await.unwrap_err().kind(), ErrorKind::NotFoundOrTokenRefused);
    assert_eq!(spy.told(), ["Refused(Unavailable)", "Refused(NotFoundOrTokenRefused)"]);

    let server = half(usize::MAX).await;
    assert!(transport(&server, 2).request(Method::POST, "/x").send().await.is_err());
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}
