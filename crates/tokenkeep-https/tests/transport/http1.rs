//! A server of HTTP/1.1 that answers with one text and then waits.

use std::time::Duration;

use tokenkeep_core::ErrorKind;
use tokenkeep_https::{CallFailure, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::support::{Scene, raw_server, raw_transport};

/// Gives the request's text once the client has closed the connection.
async fn answers_with(text: &'static str) -> (Transport, oneshot::Receiver<String>) {
    let (transport, _, closed) = answers_and_tells(text).await;
    (transport, closed)
}

/// And tells when it has answered.
async fn answers_and_tells(
    text: &'static str,
) -> (Transport, oneshot::Receiver<()>, oneshot::Receiver<String>) {
    let (listener, acceptor, root) = raw_server("http/1.1").await;
    let transport = raw_transport(listener.local_addr().unwrap().port(), &root);
    let (closed, receiver) = oneshot::channel();
    let (answered, tells) = oneshot::channel();
    // Ends with the test's runtime.
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = acceptor.accept(socket).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(text.as_bytes()).await.unwrap();
        socket.flush().await.unwrap();
        let _ = answered.send(());
        let _ = socket.read_to_end(&mut request).await;
        let _ = closed.send(String::from_utf8(request).unwrap());
    });
    (transport, tells, receiver)
}

async fn at_last(closed: oneshot::Receiver<String>) -> String {
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the connection is closed").unwrap()
}

#[tokio::test]
async fn a_call_goes_over_http_1_1_too() {
    let scene = Scene::new().await;
    let (transport, closed) = answers_with("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(scene.me(&transport).await.unwrap().body(), b"hello");
    drop(transport);
    let request = at_last(closed).await;
    assert!(request.starts_with("GET /v2/users/me HTTP/1.1\r\n"));
    assert!(request.contains(&format!("authorization: Bearer {}\r\n", scene.token)));
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_not_waited_for() {
    let scene = Scene::new().await;
    let (transport, closed) = answers_with("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n").await;
    // Waiting for it would end as a time-out.
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{error:?}");
    at_last(closed).await;
}

#[tokio::test]
async fn memory_is_taken_for_what_comes_and_not_for_what_is_announced() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551613\r\n\r\nhello";
    let (transport, closed) = answers_with(text).await;
    let call = transport.get("/v2/users/me").max_body(usize::MAX).deadline(Duration::from_secs(1));
    let error = call.send().await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout(), "{error:?}");
    at_last(closed).await;
}

#[tokio::test]
async fn an_error_s_status_counts_though_its_body_breaks_off() {
    let scene = Scene::new().await;
    let (transport, closed) =
        answers_with("HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\nnot hex\r\n").await;
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeTooSmall);
    assert_eq!(CallFailure::of(&error).unwrap().status(), Some(403));
    at_last(closed).await;
}

/// Who asked for the body may find in it what the status does not say.
#[tokio::test]
async fn an_error_s_body_that_was_asked_for_and_is_late_timed_out() {
    let (transport, closed) =
        answers_with("HTTP/1.1 401 Unauthorized\r\ncontent-length: 99\r\n\r\n{\"errors\":").await;
    let scene = Scene::new().await;
    let call = transport.get("/v2/users/me").credential(&scene.credential()).errors_as_answers();
    let error = call.send().await.unwrap_err();
    let failure = CallFailure::of(&error).unwrap();
    assert!(failure.is_timeout() && failure.status() == Some(401), "{error:?}");
    assert_eq!(scene.spy.told(), ["Refused(TokenRefused)"]);
    at_last(closed).await;
}

#[tokio::test]
async fn a_success_that_breaks_off_is_none() {
    let scene = Scene::new().await;
    let (transport, closed) =
        answers_with("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\nnot hex\r\n").await;
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
    assert_eq!(scene.spy.told(), ["Accepted"]);
    at_last(closed).await;
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let scene = Scene::new().await;
    // Before the answer's head, and in the middle of its body.
    for text in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"] {
        let (transport, answered, closed) = answers_and_tells(text).await;
        let call = tokio::spawn(transport.get("/").credential(&scene.credential()).send());
        tokio::time::timeout(Duration::from_secs(20), answered).await.expect("it answers").unwrap();
        // Time to read what there is; the call goes on either way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        at_last(closed).await;
        drop(transport);
    }
    assert!(scene.spy.told().is_empty());
}
