//! TLS before a plain server: what goes through, and what is kept of it.

#[allow(dead_code, reason = "other tests use the rest of it")]
mod common;

use common::{builder, tls};
use std::net::Ipv4Addr;
use tokenkeep_testkit::TlsFront;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers one request with what it was sent, and is gone.
async fn echo_once(listener: TcpListener) {
    let (mut tcp, _) = listener.accept().await.expect("a connection");
    let mut request = Vec::new();
    while !request.ends_with(b"the body") {
        tcp.read_buf(&mut request).await.expect("a request");
    }
    let head = format!("HTTP/1.1 201 Made\r\nx-kept: yes\r\nContent-Length: {}\r\n\r\n", request.len());
    tcp.write_all(&[head.as_bytes(), &request].concat()).await.expect("a client");
}

#[tokio::test]
async fn a_request_goes_through_as_it_came_with_what_is_added() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let front = TlsFront::start(listener.local_addr().expect("its port").port()).await.expect("a port");
    let server = tokio::spawn(echo_once(listener));
    let client =
        builder(tls(front.ca_der(), rustls::ALL_VERSIONS, &[b"h2", b"http/1.1"])).build().expect("a client");
    let post = || client.post(format!("{}/a?b=%2C", front.origin())).bearer_auth("a-token").body("the body");

    front.add_header("prefer", Some("code=404"));
    let answer = post().send().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-kept"]),
        (201, &"yes".parse().expect("a value"))
    );
    let echoed = String::from_utf8(answer.bytes().await.expect("a body").to_vec()).expect("text");
    assert!(echoed.starts_with("POST /a?b=%2C HTTP/1.1\r\n"), "{echoed}");
    for header in ["authorization: Bearer a-token\r\n", "prefer: code=404\r\n", "content-length: 8\r\n"] {
        assert!(echoed.contains(header), "{echoed}");
    }
    server.await.expect("it ends");

    // Nobody is behind it any more.
    front.add_header("prefer", None);
    assert_eq!(post().send().await.expect("an answer").status().as_u16(), 502);
    let exchanges = front.take_exchanges();
    let statuses: Vec<_> =
        exchanges.iter().map(|exchange| (exchange.status, exchange.header("x-kept"))).collect();
    assert_eq!(statuses, [(201, Some("yes")), (502, None)]);
    assert_eq!(
        (exchanges[0].request.target.as_str(), exchanges[0].request.body.as_slice()),
        ("/a?b=%2C", &b"the body"[..])
    );
    assert!(front.take_exchanges().is_empty());
    assert!(!format!("{exchanges:?}").contains("a-token"));
}

#[tokio::test]
async fn a_reworded_target_is_asked_for_and_the_clients_is_kept() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let front = TlsFront::start(listener.local_addr().expect("its port").port()).await.expect("a port");
    front.reword_targets(|target| target.replace("b=1", "b=true"));
    let server = tokio::spawn(echo_once(listener));
    let client =
        builder(tls(front.ca_der(), rustls::ALL_VERSIONS, &[b"h2", b"http/1.1"])).build().expect("a client");
    let post = client.post(format!("{}/a?b=1", front.origin())).body("the body");
    let answer = post.send().await.expect("an answer").bytes().await.expect("a body");
    assert!(answer.starts_with(b"POST /a?b=true HTTP/1.1\r\n"), "{answer:?}");
    assert_eq!(front.take_exchanges()[0].request.target, "/a?b=1");
    server.await.expect("it ends");
}
