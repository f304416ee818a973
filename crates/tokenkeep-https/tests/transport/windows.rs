//! HTTP/2 has one connection for all calls: what one of them leaves unread stops no other.

use std::time::Duration;

use tokenkeep_testkit::JsonStandIn;

use tokenkeep_https::{Retries, Transport};

use crate::support::spec;

/// The calls beside the streams have bodies of their own, so that the server has time to send what the windows let it.
#[tokio::test]
async fn streams_that_nobody_reads_stop_no_call() {
    let server = JsonStandIn::start(|request| {
        let length = if request.target.contains("log") { 4 << 20 } else { 1 << 20 };
        (200, "x".repeat(length))
    })
    .await
    .unwrap();
    let builder = Transport::builder(spec(&server.origin())).extra_root_der(&server.ca_der());
    let transport = builder.timeout(Duration::from_secs(10)).retries(Retries::none()).build().unwrap();
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(transport.get("/log").stream().await.unwrap());
    }
    for call in 0..10 {
        let answer = transport.get("/other").send().await;
        assert_eq!(answer.map(|answer| answer.body().len()).ok(), Some(1 << 20), "call {call}");
    }
    for mut stream in held {
        let mut length = 0;
        while let Some(piece) = stream.chunk().await.unwrap() {
            length += piece.len();
        }
        assert_eq!(length, 4 << 20);
    }
}
