//! What a call says for itself: a body of any type, headers that it wants to see, a time limit of its own.

use std::time::Duration;

use tokenkeep_core::ErrorKind;
use tokenkeep_https::{Call, CallFailure, Passage, Retries, Transport, TransportBuilder};
use tokenkeep_testkit::{Fault, fake_token};
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use crate::boundary::Begins;
use crate::support::{Scene, Scripted, Spy};

#[tokio::test]
async fn a_body_has_the_type_that_it_is_said_to_have() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    let put = || transport.request(tokenkeep_https::Method::PUT, "/v2/users/me");
    let body = || Zeroizing::new(b"a,b".to_vec());
    let call = put().body("text/csv; charset=utf-8", body()).credential(&scene.credential());
    assert!(call.send().await.is_err(), "the stand-in takes none");
    let sent = &scene.stand_in.requests()[0];
    assert_eq!((sent.header("content-type"), &sent.body[..]), (Some("text/csv; charset=utf-8"), &b"a,b"[..]));

    let refused = put().body("text/csv\r\nx-y: z", body()).send().await.unwrap_err();
    assert_eq!((refused.kind(), scene.stand_in.requests().len()), (ErrorKind::Misuse, 1));
}

/// A server that answers with these headers, and a call of it that repeats the token.
async fn server(headers: String) -> Scripted {
    Scripted::start(move |_, mut socket| {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n{headers}connection: close\r\n\r\n{{}}"
        );
        async move { socket.write_all(answer.as_bytes()).await }
    })
    .await
}

fn keeping(transport: &Transport) -> Call {
    ["x-total", "x-echo", "x-twice", "x-odd", "x-none"]
        .into_iter()
        .fold(transport.get("/v2/users/me"), Call::keep_header)
}

#[tokio::test]
async fn headers_come_that_were_asked_for_and_can_be_told() {
    let token = fake_token();
    let headers = format!(
        "x-total: 70\r\nx-echo: <{token}>\r\nx-twice: 1\r\nx-twice: 2\r\nx-odd: \u{ff}\r\nset-cookie: a=b\r\nx-other: c\r\n"
    );
    let server = server(headers).await;
    let credential = std::sync::Arc::new(Spy::new(&token)).credential();
    let ask = async |builder: TransportBuilder| {
        keeping(&builder.build().unwrap()).credential(&credential).send().await.unwrap()
    };
    let answer = ask(server.builder()).await;
    assert_eq!(answer.header("x-total"), Some("70"));
    assert_eq!(answer.header("x-echo"), Some(format!("<{}>", "*".repeat(token.len())).as_str()));
    for name in ["x-twice", "x-odd", "x-none", "x-other", "set-cookie", "content-type"] {
        assert_eq!(answer.header(name), None, "{name}");
    }

    // A boundary lets them through with what it lets through as it is, and with nothing else.
    let within = |passage| server.builder().boundary(Begins::with("/v2/users", passage));
    assert_eq!(ask(within(Passage::AsItIs)).await.header("x-total"), Some("70"));
    let projected = ask(within(Passage::Projected)).await;
    assert_eq!((projected.header("x-total"), projected.body()), (None, &b"projected"[..]));

    let call = server.builder().build().unwrap().get("/v2/users/me").keep_header("X-Total");
    assert_eq!(call.send().await.unwrap_err().kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn a_call_may_have_more_time_than_others_or_less() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Pause(Duration::from_secs(3))));
    let ask = async |transport: &Transport, limit: u64| {
        let call = transport.get("/v2/users/me").timeout(Duration::from_millis(limit));
        call.credential(&scene.credential()).send().await
    };
    let short = scene.builder().timeout(Duration::from_millis(500)).build().unwrap();
    assert!(ask(&short, 60_000).await.is_ok());
    let long = scene.builder().timeout(Duration::from_secs(60)).build().unwrap();
    assert!(CallFailure::of(&ask(&long, 500).await.unwrap_err()).unwrap().is_timeout());
    // A deadline that somebody gave stands.
    let hurried = scene.builder().deadline(Duration::from_millis(500)).build().unwrap();
    assert!(CallFailure::of(&ask(&hurried, 60_000).await.unwrap_err()).unwrap().is_timeout());

    // It is an attempt's: there is another one.
    let again = scene.builder().retries(Retries::standard().at_most(1)).build().unwrap();
    let error = ask(&again, 500).await.unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().attempts(), 2);
}
