//! What is made again, by our layer alone.

use std::time::Duration;

use serde_json::json;
use tokenkeep_apify::{Boundary, CallFailure, Retries};
use tokenkeep_apify_official::apify_client::{ActorCallOptions, ApifyClient, LogRedirect};
use tokenkeep_apify_official::{error_of, official_client};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::Fault;

use crate::scene::{ACTOR, RUN, Scene};

fn client(scene: &Scene) -> ApifyClient {
    let retries = Retries::standard().at_most(3).first_wait(Duration::from_millis(1));
    official_client(&scene.apify(Boundary::all(), retries), scene.spy.credential())
}

#[tokio::test]
async fn each_attempt_asks_for_the_token_and_only_ours_are_made() {
    let scene = Scene::new().await;
    let client = client(&scene);
    for _ in 0..2 {
        scene.stand_in.answer_next(Fault::status(503, "down"));
    }
    client.me().get().await.unwrap();
    assert_eq!((scene.asked().len(), scene.spy.issued()), (3, 3));

    scene.stand_in.answer_always(Some(Fault::status(503, "down")));
    let error = client.me().get().await.unwrap_err();
    assert_eq!((error.status_code(), error.as_api_error().unwrap().attempt), (Some(503), 1));
    assert_eq!((scene.asked().len(), scene.spy.issued()), (7, 7));
    assert!(client.run(RUN).log().stream().await.is_err());
    assert_eq!(scene.asked().len(), 11);
    assert_eq!((client.stats().calls(), client.stats().requests()), (3, 3));
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again() {
    let scene = Scene::new().await;
    let client = client(&scene);
    let start = async || {
        scene.stand_in.clear_requests();
        let result = client.actor(ACTOR).start(Some(&json!({})), Default::default()).await;
        (result.is_ok(), scene.asked().len())
    };
    for fault in [Fault::status(503, "down"), Fault::CloseWithoutAnswer] {
        scene.stand_in.answer_next(fault);
        assert_eq!(start().await, (false, 1));
    }
    // It says that it did not do it.
    scene.stand_in.answer_next(Fault::rate_limited("0"));
    assert_eq!(start().await, (true, 2));

    // Deleting twice is as good as once.
    scene.stand_in.clear_requests();
    scene.stand_in.answer_next(Fault::status(503, "down"));
    let error = client.key_value_store("store1").delete().await.unwrap_err();
    // The stand-in deletes nothing.
    assert_eq!((error.status_code(), scene.asked().len()), (Some(405), 2));
}

/// Nobody is to turn the official client's own repeats on. Who does so starts nothing twice all the same.
#[tokio::test]
async fn repeats_of_the_official_client_start_nothing_twice() {
    let scene = Scene::new().await;
    let client = scene.builder(Boundary::all()).max_retries(2);
    let client = client.min_delay_between_retries(Duration::from_millis(1)).build();
    for fault in [Fault::status(503, "down"), Fault::status(500, "internal-error"), Fault::CloseWithoutAnswer]
    {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(fault);
        let error = client.actor(ACTOR).start(Some(&json!({})), Default::default()).await.unwrap_err();
        let ours = error_of(&error).unwrap();
        assert_eq!(ours.kind(), ErrorKind::ProviderUnavailable);
        assert!(CallFailure::of(ours).unwrap().may_have_been_done());
        assert_eq!(scene.asked().len(), 1);
    }
    // They are on.
    scene.stand_in.clear_requests();
    scene.stand_in.answer_next(Fault::status(503, "down"));
    client.me().get().await.unwrap();
    assert_eq!(scene.asked().len(), 2);
}

#[tokio::test]
async fn what_is_started_is_waited_for() {
    let scene = Scene::new().await;
    let options = ActorCallOptions { log: LogRedirect::Disabled, ..Default::default() };
    let run = client(&scene).actor(ACTOR).call(Some(&json!({})), options).await.unwrap();
    assert_eq!(run.status.as_deref(), Some("SUCCEEDED"));
    let asked = scene.asked();
    assert_eq!(asked[0], "POST /v2/actors/jane-doe~price-watch/runs");
    assert_eq!(asked[1], format!("GET /v2/actor-runs/{}?waitForFinish=60", run.id));
}
