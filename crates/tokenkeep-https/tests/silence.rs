//! What errors, logs and `{:?}` show. A program of its own: a log that a test shares with others running beside it
//! misses events.

use std::time::Duration;

use tokenkeep_testkit::{CapturedLog, Fault, LeakScanner};
use tracing_subscriber::fmt;

#[path = "transport/support.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;

use support::{Scene, everything_in};
use tokenkeep_https::{Proxy, Retries};
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
    let log = CapturedLog::new();
    let writer = log.clone();
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

    // A proxy that repeats what it is told, and has a login of its own.
    let proxy = Proxy::new(&scene.stand_in.origin()).unwrap();
    let proxy = proxy.login("jane", Zeroizing::new(QUERY_VALUE.to_owned())).unwrap();
    let proxied = scene.builder().retries(once_more).proxy(proxy.clone()).build().unwrap();
    shown += &format!("{proxy:?} {proxied:?} {:?}", scene.builder().proxy(proxy.clone()));
    shown += &everything_in(&scene.me(&proxied).await.unwrap_err());
    assert!(shown.contains("the proxy did not make the connection"));
    assert!(shown.contains("HTTP status 500"), "the echo's error is among them");
    assert!(scanner.scan_bytes("shown", shown.as_bytes()).is_empty());

    let log = log.bytes();
    let text = String::from_utf8_lossy(&log);
    assert!(text.contains("status=500") && text.contains("path=\"/v2/acts\""), "calls are logged");
    assert!(text.contains("call{provider=") && text.contains("attempt=2"), "in a span, attempt by attempt");
    assert!(text.contains("TRACE"), "so are the libraries below, at the finest level");
    assert!(scanner.scan_bytes("log", &log).is_empty());
}
