//! What of a request reaches the server, seen there, and what is refused before it.

use std::collections::HashMap;
use std::time::Duration;

use tokenkeep_apify::{Boundary, Refused, Retries};
use tokenkeep_apify_official::apify_client::http_client::{HttpMethod, HttpRequest};
use tokenkeep_apify_official::apify_client::{ApifyClientBuilder, ApifyClientError, RunChargeOptions};
use tokenkeep_apify_official::{error_of, official_backend};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_testkit::{RecordedRequest, fake_token};

use crate::scene::{ACTOR, DATASET, RUN, STORE, Scene, refused};

/// What a careless or hostile caller sets.
const UNWANTED: [&str; 14] = [
    "Authorization",
    "Cookie",
    "Host",
    "Proxy-Authorization",
    "Connection",
    "TE",
    "Transfer-Encoding",
    "Content-Length",
    "Accept-Encoding",
    "X-HTTP-Method-Override",
    "X-Original-URL",
    "X-Forwarded-Host",
    "X-Apify-Something",
    "Referer",
];

fn careless(builder: ApifyClientBuilder, token: &str) -> ApifyClientBuilder {
    let builder = builder.token(token);
    UNWANTED.into_iter().fold(builder, |builder, name| builder.default_header(name, "unwanted"))
}

/// The names of the headers, but for the one by which HTTP/2 and HTTP/1.1 name the host.
fn names(sent: &RecordedRequest) -> Vec<&str> {
    let mut names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| !matches!(*name, ":authority" | "host"));
    names.sort_unstable();
    names
}

#[tokio::test]
async fn of_a_callers_headers_those_that_are_known_pass() {
    let scene = Scene::new().await;
    let other = fake_token();
    let client = careless(scene.builder(Boundary::all()), &other).build();
    client.me().get().await.unwrap();
    let mut log = Box::pin(client.run(RUN).log().stream().await.unwrap().unwrap());
    futures_util::StreamExt::next(&mut log).await.unwrap().unwrap();
    client.actor(ACTOR).start(Some(&serde_json::json!({})), Default::default()).await.unwrap();

    let sent = scene.stand_in.requests();
    let host = scene.stand_in.origin().replace("https://", "");
    for (sent, expected) in sent.iter().zip([
        &["accept", "authorization", "user-agent"][..],
        &["accept", "authorization", "user-agent"],
        &["accept", "authorization", "content-length", "content-type", "user-agent"],
    ]) {
        assert_eq!(names(sent), expected, "{sent:?}");
        assert_eq!(sent.bearer(), Some(scene.token.as_str()));
        assert_eq!(sent.header(":authority").or(sent.header("host")), Some(host.as_str()));
        let values = sent.headers.iter().map(|(_, value)| String::from_utf8_lossy(value));
        assert!(values.into_iter().all(|value| !value.contains("unwanted") && !value.contains(&other)));
    }
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[2].header("content-type"), Some("application/json"));
    let agent = sent[0].header("user-agent").unwrap();
    assert_eq!(agent, client.user_agent());
    assert!(agent.starts_with("ApifyClient/0.15") && agent.contains("tokenkeep/"), "{agent}");
}

#[tokio::test]
async fn a_charge_has_its_idempotency_key() {
    let scene = Scene::new().await;
    let options = RunChargeOptions {
        event_name: "a-page".to_owned(),
        idempotency_key: Some("a-key".to_owned()),
        ..RunChargeOptions::default()
    };
    // The stand-in knows no charges.
    let error = scene.client(Boundary::all()).run(RUN).charge(options).await.unwrap_err();
    assert_eq!(error.status_code(), Some(404));
    assert_eq!(scene.stand_in.requests()[0].header("idempotency-key"), Some("a-key"));
}

#[tokio::test]
async fn a_header_that_passes_must_be_one() {
    let scene = Scene::new().await;
    let client = scene.builder(Boundary::all()).default_header("Accept", "text/plain\r\nx: y").build();
    let error = client.me().get().await.unwrap_err();
    assert_eq!(error_of(&error).unwrap().kind(), ErrorKind::Misuse);
    assert_eq!((scene.asked().len(), scene.spy.issued()), (0, 0));
}

async fn send(scene: &Scene, method: HttpMethod, target: &str) -> Result<u16, ApifyClientError> {
    let apify = scene.apify(Boundary::all(), Retries::none());
    let backend = official_backend(&apify, scene.spy.credential());
    let url = format!("{}{target}", scene.stand_in.origin());
    let timeout = Duration::from_secs(60);
    let request = || HttpRequest { method, url: url.clone(), headers: HashMap::new(), body: None, timeout };
    // Both ways in.
    let streamed = backend.send_streaming(request()).await.map(|answer| answer.status);
    let sent = backend.send(request()).await.map(|answer| answer.status);
    match (sent, streamed) {
        (Ok(status), Ok(other)) => {
            assert_eq!(status, other);
            Ok(status)
        }
        (sent, streamed) => Err(sent.and(streamed).unwrap_err()),
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_or_is_not_known_is_refused() {
    let scene = Scene::new().await;
    let run = format!("/v2/actor-runs/{RUN}/log");
    assert_eq!(send(&scene, HttpMethod::Get, &run).await.unwrap(), 200);
    let before = (scene.asked(), scene.spy.issued());
    assert_eq!(before.1, 2);
    for (target, why) in [
        ("?token=abc", Refused::UnknownQuery),
        ("?method=DELETE", Refused::UnknownQuery),
        ("?METHOD=DELETE", Refused::UnknownQuery),
        ("?raw=1&method=DELETE", Refused::UnknownQuery),
        ("?m%65thod=DELETE", Refused::Query),
        ("?raw=1&raw=1", Refused::Query),
        // A tab, and letters beyond ASCII.
        ("?raw=%09", Refused::Query),
        ("?raw=%C3%A9", Refused::Query),
        ("?raw=1%26method%3DDELETE", Refused::Query),
        ("?raw=1#?method=DELETE", Refused::Query),
        ("?raw", Refused::Query),
        ("?", Refused::Query),
        ("/", Refused::Target),
        ("/../../..", Refused::Target),
        ("/%2e%2e", Refused::Target),
        ("%2Flog", Refused::Target),
        ("#", Refused::Target),
        ("\\..\\..", Refused::Target),
        ("//", Refused::Target),
        ("\t", Refused::Target),
        ("/more", Refused::UnknownPath),
    ] {
        let error = send(&scene, HttpMethod::Get, &format!("{run}{target}")).await.unwrap_err();
        assert_eq!(refused(&error), Some(why), "{target}: {error:?}");
        assert_eq!(error_of(&error).map(Error::kind), Some(ErrorKind::Misuse), "{target}");
    }
    let error = send(&scene, HttpMethod::Delete, &run).await.unwrap_err();
    assert_eq!(refused(&error), Some(Refused::UnknownMethod));
    let long = format!("{run}?raw={}", "1".repeat(8192));
    assert_eq!(refused(&send(&scene, HttpMethod::Get, &long).await.unwrap_err()), Some(Refused::TooLong));
    assert_eq!((scene.asked(), scene.spy.issued()), before);
}

#[tokio::test]
async fn what_the_boundary_does_not_allow_is_not_sent() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::analytics());
    let variable = || client.actor(ACTOR).version("0.1").env_vars();
    let (dataset, store, run) = (client.dataset(DATASET), client.key_value_store(STORE), client.run(RUN));
    type Value = serde_json::Value;
    for (what, error) in [
        ("items", dataset.list_items::<Value>(Default::default()).await.err()),
        ("pushed items", dataset.push_items(&serde_json::json!({})).await.err()),
        (
            "items as a stream",
            dataset.download_items_stream(crate::streams::FORMAT, Default::default()).await.err(),
        ),
        ("a deleted dataset", dataset.delete().await.err()),
        ("a record", store.get_record("OUTPUT").await.err()),
        ("whether a record is there", store.record_exists("OUTPUT").await.err()),
        ("a record that is set", store.set_record_json("OUTPUT", &1).await.err()),
        ("the log of a run", run.log().get().await.err()),
        ("the log of a run as a stream", run.log().stream().await.err()),
        ("an ended run", run.abort(None).await.err()),
        ("a started run", client.actor(ACTOR).start::<Value>(None, Default::default()).await.err()),
        ("variables", variable().list().await.err()),
        ("tasks", client.tasks().list(Default::default()).await.err()),
        ("a request queue", client.request_queue("queue1").get().await.err()),
        ("webhooks", client.webhooks().list(Default::default()).await.err()),
    ] {
        let error = error.unwrap_or_else(|| panic!("{what}: it was let through"));
        assert!(matches!(refused(&error), Some(Refused::NotAllowed(..))), "{what}: {error:?}");
    }
    assert_eq!((scene.asked(), scene.spy.issued()), (Vec::new(), 0));
}
