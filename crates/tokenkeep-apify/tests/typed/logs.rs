//! Logs.

use futures_util::StreamExt;
use tokenkeep_apify::{Access, Boundary, Class};
use tokenkeep_core::ErrorKind;
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
