//! Each fault of the stand-in as a client meets it, and that nothing outlives it.

mod common;

use common::{builder, connected, get, tls};
use reqwest::{Client, StatusCode};
use std::time::Duration;
use tokenkeep_testkit::{ApifyStandIn, Fault};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client for each version of HTTP.
fn clients(apify: &ApifyStandIn) -> [Client; 2] {
    [&b"h2"[..], b"http/1.1"].map(|protocol| {
        builder(tls(apify.ca_der(), rustls::ALL_VERSIONS, &[protocol])).build().expect("a client")
    })
}

#[tokio::test]
async fn statuses_come_with_their_type_and_retry_after() {
    let (apify, client, token) = connected().await;
    apify.answer_next(Fault::rate_limited("7"));
    apify.answer_next(Fault::status(503, "internal-server-error"));
    let first = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(first.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(first.headers()["retry-after"], "7");
    assert!(first.text().await.expect("a body").contains(r#""type":"rate-limit-exceeded""#));
    let second = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(second.headers().get("retry-after").is_none());
    let third = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(third.status(), StatusCode::OK);
    assert_eq!(apify.requests().len(), 3);
}

#[tokio::test]
async fn a_lasting_fault_lasts_until_it_is_ended_and_gives_way_to_queued_ones() {
    let (apify, client, token) = connected().await;
    apify.answer_always(Some(Fault::status(500, "internal-server-error")));
    apify.answer_next(Fault::status(502, "internal-server-error"));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get(&client, &apify, &token, "/v2/users/me").await.status().as_u16());
    }
    apify.answer_always(None);
    statuses.push(get(&client, &apify, &token, "/v2/users/me").await.status().as_u16());
    assert_eq!(statuses, [502, 500, 500, 200]);
}

#[tokio::test]
async fn an_answer_that_is_not_json() {
    let (apify, client, token) = connected().await;
    apify.answer_next(Fault::NotJson);
    let answer = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.expect("a body");
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
}

#[tokio::test]
async fn an_endless_answer_gives_no_length_and_more_than_anyone_would_hold() {
    let (apify, _, token) = connected().await;
    for client in clients(&apify) {
        apify.answer_next(Fault::Endless);
        let mut answer = get(&client, &apify, &token, "/v2/users/me").await;
        assert_eq!(answer.content_length(), None);
        let mut received = 0;
        while received < 20_000_000 {
            received += answer.chunk().await.expect("it goes on").expect("it goes on").len();
        }
    }
}

#[tokio::test]
async fn a_huge_answer_says_how_huge() {
    let (apify, _, token) = connected().await;
    for client in clients(&apify) {
        apify.answer_next(Fault::Huge(10 << 30));
        let mut answer = get(&client, &apify, &token, "/v2/users/me").await;
        assert_eq!(answer.content_length(), Some(10 << 30));
        assert!(
            answer.chunk().await.expect("it begins").is_some_and(|chunk| chunk.starts_with(b"{\"data\""))
        );
        apify.answer_next(Fault::Huge(20_000));
        let answer = get(&client, &apify, &token, "/v2/users/me").await;
        assert_eq!(answer.bytes().await.expect("as long as it says").len(), 20_000);
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer() {
    let (apify, _, token) = connected().await;
    for client in clients(&apify) {
        apify.clear_requests();
        apify.answer_next(Fault::CloseWithoutAnswer);
        let request = client.get(format!("{}/v2/users/me", apify.origin())).bearer_auth(&token);
        let error = request.send().await.expect_err("no answer");
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert_eq!(apify.requests().len(), 1);
        assert_eq!(get(&client, &apify, &token, "/v2/users/me").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn silence_is_neither_an_answer_nor_an_end() {
    let (apify, _, token) = connected().await;
    for client in clients(&apify) {
        apify.clear_requests();
        apify.answer_next(Fault::Silence);
        let request = client.get(format!("{}/v2/users/me", apify.origin())).bearer_auth(&token);
        let error = request.timeout(Duration::from_millis(300)).send().await.expect_err("no answer");
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(apify.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_elsewhere() {
    let (apify, client, token) = connected().await;
    apify.answer_next(Fault::Redirect("https://elsewhere.example/v2/users/me".to_owned()));
    let answer = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(answer.headers()["location"], "https://elsewhere.example/v2/users/me");
}

#[tokio::test]
async fn a_hostile_answer_repeats_the_token() {
    let (apify, client, token) = connected().await;
    apify.answer_next(Fault::EchoAuthorization);
    let answer = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.headers()["x-echo"], *token);
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains(&token)));
    assert_eq!(body["error"]["type"], *token);
}

#[tokio::test]
#[should_panic(expected = "a fault's status is 200 to 599")]
async fn a_fault_that_http_has_no_status_for_is_refused() {
    let (apify, ..) = connected().await;
    apify.answer_next(Fault::status(99, "internal-server-error"));
}

#[tokio::test]
async fn stopping_closes_the_port_and_every_connection() {
    for protocol in 0..2 {
        let (apify, _, token) = connected().await;
        let client = clients(&apify)[protocol].clone();
        let port = apify.port();
        apify.answer_next(Fault::Silence);
        let request = client.get(format!("{}/v2/users/me", apify.origin())).bearer_auth(&token).send();
        let waiting = tokio::spawn(request);
        while apify.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        timeout(Duration::from_secs(5), apify.stop()).await.expect("it stops");
        let error = waiting.await.expect("no panic").expect_err("no answer");
        assert!(!error.is_timeout(), "{error:?}");
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }
}

#[tokio::test]
async fn dropping_closes_them_as_well() {
    let (apify, client, token) = connected().await;
    assert_eq!(get(&client, &apify, &token, "/v2/users/me").await.status(), StatusCode::OK);
    let port = apify.port();
    drop(apify);
    let closed = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), closed).await.expect("the port closes");
}
