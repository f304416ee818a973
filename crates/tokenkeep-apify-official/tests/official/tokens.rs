//! The credential: asked at every attempt, told what came of it, and heeded at once.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_apify::{Boundary, Retries};
use tokenkeep_apify_official::{error_of, official_client};
use tokenkeep_core::{ApiToken, Credential, Error, ErrorKind};
use tokenkeep_testkit::{Fault, JsonStandIn, fake_token};

use crate::scene::{ACTOR, RUN, Scene, Spy, apify};

#[tokio::test]
async fn what_was_disconnected_makes_no_call_from_then_on() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    client.me().get().await.unwrap();
    let before = scene.asked();
    assert!(!before.is_empty());

    scene.spy.refuse(ErrorKind::NotConnected);
    // A client that was made before, one that is made now, and a stream.
    let new = scene.client(Boundary::all());
    for error in [
        client.me().get().await.err(),
        client.clone().actor(ACTOR).get().await.err(),
        new.me().get().await.err(),
        client.run(RUN).log().stream().await.err(),
        client.key_value_store("store1").record_exists("OUTPUT").await.err(),
    ] {
        let error = error.expect("it was disconnected");
        assert_eq!(error_of(&error).map(Error::kind), Some(ErrorKind::NotConnected));
    }
    assert_eq!(scene.asked(), before, "something was sent");
}

#[tokio::test]
async fn a_disconnect_between_two_attempts_counts() {
    let scene = Scene::new().await;
    let retries = Retries::standard().first_wait(Duration::from_millis(1));
    let apify = scene.apify(Boundary::all(), retries);
    let client = official_client(&apify, scene.spy.credential());
    scene.stand_in.answer_always(Some(Fault::status(503, "down")));
    scene.spy.refuse_from(2, ErrorKind::NotConnected);
    let error = client.me().get().await.unwrap_err();
    assert_eq!(error_of(&error).unwrap().kind(), ErrorKind::NotConnected);
    assert_eq!((scene.asked().len(), scene.spy.issued()), (1, 2));
}

#[tokio::test]
async fn the_credential_is_told_what_came_of_each() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    client.me().get().await.unwrap();
    drop(client.run(RUN).log().stream().await.unwrap());
    let run = client.actor(ACTOR).start(Some(&serde_json::json!({})), Default::default()).await.unwrap();
    assert_eq!(scene.spy.told(), ["Accepted", "Accepted", &format!("Created({:?})", run.id)]);

    scene.stand_in.revoke(&scene.token);
    let error = client.me().get().await.unwrap_err();
    assert!(error.as_api_error().unwrap().is_unauthorized());
    assert!(client.run(RUN).log().stream().await.is_err());
    assert_eq!(scene.spy.told(), ["Refused(TokenRefused)", "Refused(TokenRefused)"]);
    scene.stand_in.answer_next(Fault::CloseWithoutAnswer);
    assert!(client.me().get().await.is_err());
    assert_eq!(scene.spy.told(), ["Unanswered"]);
}

#[tokio::test]
async fn a_run_of_a_task_is_told_too_and_what_starts_none_is_not() {
    let run = r#"{"data": {"id": "FakeRun0000000009", "status": "READY"}}"#;
    let server = JsonStandIn::start(move |_| (201, run.to_owned())).await.unwrap();
    let spy = Spy::new(&fake_token());
    let apify = apify(&server.origin(), &server.ca_der(), Boundary::all(), Retries::none());
    let client = official_client(&apify, spy.credential());
    client.task("task1").start::<()>(None, Default::default()).await.unwrap();
    client.run(RUN).abort(None).await.unwrap();
    client.task("task1").last_run(None).get().await.unwrap();
    assert_eq!(spy.told(), ["Created(\"FakeRun0000000009\")", "Accepted", "Accepted"]);
}

#[tokio::test]
async fn a_token_of_another_origin_is_not_sent() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    let credential = Credential::fixed(scene.origin(), token);
    let client = official_client(&other.apify(Boundary::all(), Retries::none()), credential);
    let error = client.actors().list(Default::default()).await.unwrap_err();
    assert_eq!(error_of(&error).unwrap().kind(), ErrorKind::Misuse);
    assert_eq!(other.asked().len(), 0);
}
