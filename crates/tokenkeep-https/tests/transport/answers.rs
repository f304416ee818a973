//! Answers: right ones, wrong ones, endless ones and none.

use std::time::{Duration, Instant};

use serde::Deserialize;
use tokenkeep_core::ErrorKind;
use tokenkeep_https::{CallFailure, Retries, Transport};
use tokenkeep_testkit::Fault;

use crate::support::{Backlog, Scene, spec};

#[derive(Debug, Deserialize)]
struct Me {
    data: Account,
}

#[derive(Debug, Deserialize)]
struct Account {
    username: String,
}

#[tokio::test]
async fn json_is_read() {
    let scene = Scene::new().await;
    let answer = scene.me(&scene.transport()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Me>().unwrap().data.username, "jane-doe");

    let error = answer.json::<Vec<u8>>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
}

#[tokio::test]
async fn an_error_is_sent_once_and_says_its_status() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    for (status, kind) in [
        (400, ErrorKind::Misuse),
        (403, ErrorKind::ScopeTooSmall),
        (404, ErrorKind::NotFound),
        (429, ErrorKind::RateLimited),
        (500, ErrorKind::ProviderUnavailable),
        (503, ErrorKind::ProviderUnavailable),
    ] {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(Fault::status(status, "made-up"));
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        let failure = CallFailure::of(&error).unwrap();
        assert_eq!((failure.status(), failure.retry_after()), (Some(status), None));
        assert_eq!(scene.stand_in.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    let scene = Scene::new().await;
    for (value, expected) in [("7", Some(Duration::from_secs(7))), ("-1", None), ("soon", None)] {
        scene.stand_in.answer_next(Fault::rate_limited(value));
        let error = scene.me(&scene.transport()).await.unwrap_err();
        assert_eq!(CallFailure::of(&error).unwrap().retry_after(), expected, "{value}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let scene = Scene::new().await;
    let length = scene.me(&scene.transport()).await.unwrap().body().len();
    let exact = scene.builder().max_body(length).build().unwrap();
    assert_eq!(scene.me(&exact).await.unwrap().body().len(), length);
    scene.spy.told();

    let small = scene.builder().max_body(length - 1).build().unwrap();
    scene.stand_in.answer_next(Fault::Huge(length as u64));
    let error = scene.me(&small).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    // The status came: the token was accepted.
    assert_eq!(scene.spy.told(), ["Accepted"]);

    // Not so much that its time would run out first where nothing is optimized.
    let transport = scene.builder().max_body(1 << 20).timeout(Duration::from_secs(300)).build().unwrap();
    for fault in [Fault::Endless, Fault::Huge(10 << 30)] {
        scene.stand_in.answer_next(fault.clone());
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{fault:?} {error:?}");
        assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
    }
    scene.me(&transport).await.unwrap();
}

#[tokio::test]
async fn silence_ends_in_time() {
    let scene = Scene::new().await;
    let transport = scene.builder().timeout(Duration::from_millis(300)).build().unwrap();
    scene.stand_in.answer_next(Fault::Silence);
    let start = Instant::now();
    let error = scene.me(&transport).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert!(error.is_retryable());
    assert_eq!(CallFailure::of(&error).unwrap().to_string(), "no answer came in time");
    assert_eq!(scene.spy.told(), ["Unanswered"]);

    // A server that takes the connection and says nothing at all.
    let backlog = Backlog::new();
    let transport = Transport::builder(spec(&format!("https://localhost:{}", backlog.port())))
        .connect_timeout(Duration::from_millis(300))
        .timeout(Duration::from_secs(60))
        .retries(Retries::none())
        .build()
        .unwrap();
    let start = Instant::now();
    assert_eq!(scene.me(&transport).await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn no_answer_is_no_second_try() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    // On a new connection, and on one that was used before.
    for _ in 0..2 {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(Fault::CloseWithoutAnswer);
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{error:?}");
        assert_eq!(CallFailure::of(&error).unwrap().status(), None);
        assert_eq!(scene.stand_in.requests().len(), 1);
        assert_eq!(scene.spy.told(), ["Unanswered"]);
        scene.me(&transport).await.unwrap();
        scene.spy.told();
    }
}

fn once(origin: &str) -> Transport {
    Transport::builder(spec(origin)).retries(Retries::none()).build().unwrap()
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let scene = Scene::new().await;
    let port = Backlog::new().port(); // closed again
    let transport = once(&format!("https://localhost:{port}"));
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(
        CallFailure::of(&error).unwrap().to_string(),
        "no connection could be made: connection refused"
    );

    let transport = once("https://nobody.invalid");
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(CallFailure::of(&error).unwrap().to_string(), "its host name could not be resolved");
}
