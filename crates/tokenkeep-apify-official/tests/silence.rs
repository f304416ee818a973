//! What logs hold at the finest level. A program of its own: a log that a test shares with others running beside it misses events.

use std::time::Duration;

use tokenkeep_apify::{Boundary, Retries};
use tokenkeep_apify_official::{into_error, official_builder};
use tokenkeep_testkit::{CapturedLog, Fault, JsonStandIn, LeakScanner, fake_token};
use tracing_subscriber::fmt;

#[path = "official/scene.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod scene;

use scene::{DATASET, RUN, STORE, Scene, Spy, apify, everything_in};

#[tokio::test]
async fn neither_our_token_nor_one_that_a_caller_gives_is_logged() {
    let captured = CapturedLog::new();
    let writer = captured.clone();
    let subscriber = fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (scene, other) = (Scene::new().await, fake_token());
    let scanner = LeakScanner::new().token("ours", &scene.token).token("the caller's", &other);
    let once_more = Retries::standard().at_most(1).first_wait(Duration::from_millis(1));
    let builder = official_builder(&scene.apify(Boundary::all(), once_more), scene.spy.credential());
    let client = builder.token(&other).build();
    let mut shown = String::new();
    for fault in [
        Fault::EchoAuthorization,
        Fault::status(401, "invalid-token"),
        Fault::status(503, "down"),
        Fault::NotJson,
        Fault::CloseWithoutAnswer,
        Fault::Redirect("/v2".to_owned()),
    ] {
        scene.stand_in.answer_always(Some(fault));
        for error in [
            client.me().get().await.err(),
            client.key_value_store(STORE).record_exists("OUTPUT").await.err(),
            client.run(RUN).log().stream().await.err(),
        ] {
            let Some(error) = error else { continue };
            shown += &everything_in(&error);
            shown += &everything_in(&into_error(error));
        }
    }

    // One that repeats in every answer what it was sent.
    let token = scene.token.clone();
    let echo = JsonStandIn::start(move |sent| {
        assert_eq!(sent.bearer(), Some(&*token));
        (200, format!(r#"[{{"said": "{token}"}}]"#))
    });
    let echo = echo.await.unwrap();
    let apify = apify(&echo.origin(), &echo.ca_der(), Boundary::all(), Retries::none());
    let client = official_builder(&apify, Spy::new(&scene.token).credential()).token(&other).build();
    let items = client.dataset(DATASET).list_items::<serde_json::Value>(Default::default()).await.unwrap();
    shown += &format!("{:?}", items.items);
    assert!(shown.contains("***"), "it did repeat it");
    assert!(scanner.scan_bytes("shown", shown.as_bytes()).is_empty());

    let log = captured.bytes();
    let text = String::from_utf8_lossy(&log);
    assert!(text.contains("status=503") && text.contains("attempt=2"), "calls are logged");
    assert!(text.contains("TRACE"), "so are the libraries below, at the finest level");
    assert!(scanner.scan_bytes("log", &log).is_empty());
    // The scanner would see either.
    for token in [&scene.token, &other] {
        assert!(!scanner.scan_bytes("log", format!("{text}{token}").as_bytes()).is_empty());
    }
}
