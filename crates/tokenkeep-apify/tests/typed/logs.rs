//! Logs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokenkeep_apify::{Access, Apify, ApifyBuilder, ApifyClient, Boundary, Class};
use tokenkeep_core::{ApiToken, Credential, ErrorKind, Origin};
use tokenkeep_testkit::Fault;

use crate::scene::Scene;

fn logs() -> Boundary {
    Boundary::none().allow(Class::RunLogs, Access::Read).allow(Class::BuildLogs, Access::Read)
}

#[tokio::test]
async fn a_log_comes_in_pieces_and_as_one_text() {
    let scene = Scene::new().await;
    let client = scene.client(logs());
    let (run, build) = (client.run("FakeRun0000000001"), client.build("FakeBuild00000001"));
    let whole = run.log().text(1 << 20).await.unwrap();
    assert!(
        whole.is_whole && whole.text.contains("log of FakeRun0000000001") && whole.text.ends_with("here.\n")
    );

    let mut stream = build.log().follow().stream().await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    assert!(String::from_utf8(text).unwrap().contains("log of FakeBuild00000001"));
    let targets: Vec<String> = scene.stand_in.requests().into_iter().map(|sent| sent.target).collect();
    assert_eq!(
        targets,
        ["/v2/actor-runs/FakeRun0000000001/log", "/v2/actor-builds/FakeBuild00000001/log?stream=true"]
    );

    // The dash has three bytes; the limit is in its middle, at its end, and at the end of all.
    let dash = whole.text.find('—').unwrap();
    for (most, length, is_whole) in [
        (dash + 1, dash, false),
        (dash + 3, dash + 3, false),
        (whole.text.len(), whole.text.len(), true),
        (0, 0, false),
    ] {
        let cut = run.log().text(most).await.unwrap();
        assert_eq!((cut.text.as_str(), cut.is_whole), (&whole.text[..length], is_whole), "{most}");
    }
    assert!(!format!("{whole:?}").contains("log of"));
}

#[tokio::test]
async fn what_is_no_log_is_not_given_as_one() {
    let scene = Scene::new().await;
    let log = scene.client(logs()).run("FakeRun0000000001").log();
    for (fault, kind) in [
        (Fault::NotJson, ErrorKind::ProviderMisbehaved),
        (Fault::Endless, ErrorKind::ProviderMisbehaved),
        (Fault::status(404, "record-or-token-not-found"), ErrorKind::NotFoundOrTokenRefused),
        (Fault::status(403, "insufficient-permissions"), ErrorKind::ScopeTooSmall),
    ] {
        scene.stand_in.answer_next(fault.clone());
        assert_eq!(log.clone().text(1000).await.unwrap_err().kind(), kind, "{fault:?}");
    }
    // Under a boundary that lets everything through, too much of it is still cut.
    scene.stand_in.answer_next(Fault::Endless);
    let cut = scene.client(Boundary::all()).run("FakeRun0000000001").log().text(100_000).await.unwrap();
    assert_eq!((cut.text.len(), cut.is_whole), (100_000, false));
}

/// With the repeats that there are, so that a slow start is no failure.
fn client(scene: &Scene, limits: impl FnOnce(ApifyBuilder) -> ApifyBuilder) -> ApifyClient {
    let origin = Origin::parse(&scene.stand_in.origin()).unwrap();
    let builder = Apify::builder().origin(origin.clone()).extra_root_der(&scene.stand_in.ca_der());
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    limits(builder.boundary(Boundary::all())).build().unwrap().with(Credential::fixed(origin, token))
}

#[tokio::test]
async fn a_followed_log_outlives_the_silence_of_its_program() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Pause(Duration::from_secs(2))));
    let log =
        client(&scene, |builder| builder.timeout(Duration::from_secs(1))).run("FakeRun0000000001").log();
    let followed = log.clone().follow().text(1000).await.unwrap();
    assert_eq!((followed.text.as_str(), followed.is_whole), ("The first line.\nThe second line.\n", true));
    // One that is not followed is all there, so nothing is waited for.
    let cut = log.text(1000).await.unwrap();
    assert_eq!((cut.text.as_str(), cut.is_whole), ("The first line.\n", false));
}

#[tokio::test]
async fn what_was_read_of_a_log_that_breaks_off_is_given() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Pause(Duration::from_secs(3600))));
    let log =
        client(&scene, |builder| builder.idle_timeout(Duration::from_secs(2))).run("FakeRun0000000001").log();
    let cut = log.clone().follow().text(1000).await.unwrap();
    assert_eq!((cut.text.as_str(), cut.is_whole), ("The first line.\n", false));
    let mut stream = log.follow().stream().await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::ProviderUnavailable);
}

#[tokio::test]
async fn an_answer_is_as_long_as_it_may_be() {
    let scene = Scene::new().await;
    let small = client(&scene, |builder| builder.max_body(10));
    assert_eq!(small.me().await.unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
    // A log comes in pieces.
    assert!(small.run("FakeRun0000000001").log().text(1000).await.unwrap().is_whole);
}
