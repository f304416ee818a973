//! Nothing that anyone prints holds the token, after calls that repeat it too.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use futures_util::StreamExt;
use tokenkeep_apify::{Boundary, Retries};
use tokenkeep_apify_official::apify_client::http_client::{HttpMethod, HttpRequest};
use tokenkeep_apify_official::{into_error, official_backend, official_client};
use tokenkeep_testkit::{Fault, JsonStandIn, LeakScanner, fake_token};

use crate::scene::{ACTOR, BUILD, DATASET, RUN, Scene, Spy, apify, everything_in};

#[tokio::test]
async fn nothing_that_is_printed_shows_the_token() {
    let scene = Scene::new().await;
    let scanner = LeakScanner::new().token("the token", &scene.token);
    let mut text = String::new();
    for boundary in [Boundary::analytics(), Boundary::all()] {
        let apify = scene.apify(boundary, Retries::none());
        let client = official_client(&apify, scene.spy.credential());
        let backend = official_backend(&apify, scene.spy.credential());
        let me = client.me().get().await.unwrap();
        write!(text, "{client:?} {client:#?} {backend:?} {me:?} {:?}", client.stats()).unwrap();
        let (actor, build, run) = (client.actor(ACTOR), client.build(BUILD), client.run(RUN));
        write!(text, "{actor:?} {:?} {build:?} {run:?} {:?}", actor.version("0.1"), run.log()).unwrap();
        write!(text, "{:?} {:?}", client.dataset(DATASET), client.me()).unwrap();

        for fault in [
            Fault::EchoAuthorization,
            Fault::NotJson,
            Fault::CloseWithoutAnswer,
            Fault::status(401, "invalid-token"),
            Fault::status(404, "record-or-token-not-found"),
            Fault::Redirect("/v2".to_owned()),
        ] {
            scene.stand_in.answer_always(Some(fault));
            for error in [
                client.me().get().await.err(),
                build.log().get().await.err(),
                build.log().stream().await.err(),
                client.dataset(DATASET).delete().await.err(),
            ] {
                let Some(error) = error else { continue };
                text.push_str(&everything_in(&error));
                let ours = into_error(error);
                text.push_str(&ours.report());
                text.push_str(&everything_in(&ours));
            }
        }
        scene.stand_in.answer_always(None);
    }
    assert!(text.len() > 10_000, "{}", text.len());
    assert_eq!(scanner.scan_bytes("what was printed", text.as_bytes()), []);
    // The scanner would see it.
    write!(text, "{}", scene.token).unwrap();
    assert!(!scanner.scan_bytes("what was printed", text.as_bytes()).is_empty());
}

/// A provider that repeats the token in what it answers to everything.
#[tokio::test]
async fn what_is_repeated_is_starred_out_of_answers_and_streams() {
    let token = fake_token();
    let echo = token.clone();
    let server = JsonStandIn::start(move |sent| {
        assert_eq!(sent.bearer(), Some(&*echo));
        (200, format!(r#"[{{"said": "{echo}"}}]"#))
    });
    let server = server.await.unwrap();
    let apify = apify(&server.origin(), &server.ca_der(), Boundary::all(), Retries::none());
    let backend = official_backend(&apify, Spy::new(&token).credential());
    let request = || HttpRequest {
        method: HttpMethod::Get,
        url: format!("{}/v2/datasets/{DATASET}/items", server.origin()),
        headers: HashMap::new(),
        body: None,
        timeout: Duration::from_secs(60),
    };
    let answer = backend.send(request()).await.unwrap();
    let mut streamed = backend.send_streaming(request()).await.unwrap().body;
    let mut pieces = Vec::new();
    while let Some(piece) = streamed.next().await {
        pieces.extend(piece.unwrap());
    }
    let shown = format!("{answer:?} {:?} {}", request(), String::from_utf8_lossy(&answer.body));
    let scanner = LeakScanner::new().token("the token", &token);
    assert!(scanner.scan_bytes("an answer", shown.as_bytes()).is_empty());
    assert!(scanner.scan_bytes("a stream", &pieces).is_empty());
    assert_eq!(answer.body, pieces);
    assert!(answer.body.starts_with(br#"[{"said": "***"#), "{shown}");
}
