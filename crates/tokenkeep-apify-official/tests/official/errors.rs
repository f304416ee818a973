//! What the official client makes of what went wrong.

use std::time::Duration;

use tokenkeep_apify::{Boundary, CallFailure, Retries};
use tokenkeep_apify_official::apify_client::ApifyClientError;
use tokenkeep_apify_official::{error_of, into_error, official_client};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::Fault;

use crate::scene::{ACTOR, DATASET, RUN, STORE, Scene};

/// Every way in which the official client takes a 404 for "there is nothing".
async fn not_there(scene: &Scene, error_type: &str) -> Vec<(&'static str, Result<bool, ApifyClientError>)> {
    scene.stand_in.answer_always(Some(Fault::status(404, error_type)));
    let client = scene.client(Boundary::all());
    let (store, run) = (client.key_value_store(STORE), client.run(RUN));
    let version = client.actor(ACTOR).version("0.1");
    vec![
        ("me", client.me().get().await.map(|it| it.is_some())),
        ("Actor", client.actor(ACTOR).get().await.map(|it| it.is_some())),
        ("version", version.get().await.map(|it| it.is_some())),
        ("variable", version.env_var("NAME").get().await.map(|it| it.is_some())),
        ("run", run.get().await.map(|it| it.is_some())),
        ("build", client.build("build1").get().await.map(|it| it.is_some())),
        ("dataset", client.dataset(DATASET).get().await.map(|it| it.is_some())),
        ("store", store.get().await.map(|it| it.is_some())),
        ("record", store.get_record("OUTPUT").await.map(|it| it.is_some())),
        ("record_exists", store.record_exists("OUTPUT").await),
        ("queue", client.request_queue("queue1").get().await.map(|it| it.is_some())),
        ("request", client.request_queue("queue1").get_request("r1").await.map(|it| it.is_some())),
        ("task", client.task("task1").get().await.map(|it| it.is_some())),
        ("schedule", client.schedule("schedule1").get().await.map(|it| it.is_some())),
        ("webhook", client.webhook("webhook1").get().await.map(|it| it.is_some())),
        ("log", client.log(RUN).get().await.map(|it| it.is_some())),
        ("log as a stream", client.log(RUN).stream().await.map(|it| it.is_some())),
        // Gone, or never there: as good as deleted.
        ("delete", client.dataset(DATASET).delete().await.map(|()| false)),
    ]
}

#[tokio::test]
async fn a_404_that_may_be_about_the_token_is_an_error() {
    let scene = Scene::new().await;
    for (what, result) in not_there(&scene, "record-or-token-not-found").await {
        let error = result.expect_err(what);
        let ours = error_of(&error).unwrap_or_else(|| panic!("{what}: {error:?}"));
        assert_eq!(ours.kind(), ErrorKind::NotFoundOrTokenRefused, "{what}");
        assert_eq!(CallFailure::of(ours).unwrap().status(), Some(404), "{what}");
        assert_eq!(error.status_code(), None, "{what}");
        assert_eq!(into_error(error).kind(), ErrorKind::NotFoundOrTokenRefused, "{what}");
    }
}

#[tokio::test]
async fn a_404_that_is_not_is_nothing_there() {
    let scene = Scene::new().await;
    for (what, result) in not_there(&scene, "record-not-found").await {
        assert_eq!(result.ok(), Some(false), "{what}");
    }
    // A HEAD's 404 can't say which, so a GET was asked.
    let record = format!("/v2/key-value-stores/{STORE}/records/OUTPUT");
    let asked: Vec<String> = scene.asked().into_iter().filter(|it| it.ends_with(&record)).collect();
    assert_eq!(asked, [format!("HEAD {record}"), format!("GET {record}")]);
}

#[tokio::test]
async fn what_a_heads_refusal_means_is_asked_again() {
    let scene = Scene::new().await;
    let store = scene.client(Boundary::all()).key_value_store(STORE);
    for (fault, kind) in [
        (Fault::status(401, "user-or-token-not-found"), ErrorKind::TokenRefused),
        (Fault::status(403, "insufficient-permissions"), ErrorKind::ScopeTooSmall),
    ] {
        scene.stand_in.answer_always(Some(fault));
        let error = store.record_exists("OUTPUT").await.unwrap_err();
        assert_eq!(into_error(error).kind(), kind);
        assert_eq!(scene.spy.told(), ["Refused(Unexpected)", &format!("Refused({kind:?})")]);
    }
    // Of what else it may be the status says enough.
    scene.stand_in.clear_requests();
    scene.stand_in.answer_always(Some(Fault::status(503, "down")));
    assert_eq!(store.record_exists("OUTPUT").await.unwrap_err().status_code(), Some(503));
    assert_eq!(scene.asked().len(), 1);
}

#[tokio::test]
async fn errors_of_apify_are_the_official_clients_own() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::analytics());
    for (fault, kind) in [
        (Fault::status(401, "user-or-token-not-found"), ErrorKind::TokenRefused),
        (Fault::status(401, "token-not-provided"), ErrorKind::ProviderMisbehaved),
        (Fault::status(402, "x402-payment-required"), ErrorKind::PaymentRequired),
        (Fault::status(403, "insufficient-permissions"), ErrorKind::ScopeTooSmall),
        (Fault::status(400, "invalid-input"), ErrorKind::Misuse),
        (Fault::rate_limited("3"), ErrorKind::RateLimited),
        (Fault::status(500, "internal-error"), ErrorKind::ProviderUnavailable),
    ] {
        let Fault::Status { status, error_type, .. } = fault.clone() else { unreachable!() };
        for streamed in [false, true] {
            scene.stand_in.answer_next(fault.clone());
            let error = match streamed {
                false => client.me().get().await.unwrap_err(),
                true => client.build("FakeBuild00000001").log().stream().await.err().unwrap(),
            };
            let api = error.as_api_error().unwrap();
            assert_eq!((api.status_code, api.error_type.as_deref()), (status, Some(&*error_type)));
            // Messages repeat what was sent: a boundary lets none through.
            assert_eq!(api.message, format!("Unexpected error with status {status}"));
            assert!(error_of(&error).is_none());
            assert_eq!(into_error(error).kind(), kind, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_of_ours() {
    let scene = Scene::new().await;
    let short = scene.builder(Boundary::analytics()).timeout_short(Duration::from_millis(1500)).build();
    for (fault, kind) in [
        (Fault::CloseWithoutAnswer, ErrorKind::ProviderUnavailable),
        (Fault::Silence, ErrorKind::ProviderUnavailable),
        (Fault::Endless, ErrorKind::ProviderMisbehaved),
        (Fault::Huge(10 << 30), ErrorKind::ProviderMisbehaved),
        (Fault::NotJson, ErrorKind::ProviderMisbehaved),
    ] {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(fault.clone());
        let client = match fault {
            Fault::Silence => &short,
            _ => &scene.client(Boundary::analytics()),
        };
        let error = client.me().get().await.unwrap_err();
        let ours = error_of(&error).unwrap_or_else(|| panic!("{fault:?}: {error:?}"));
        assert_eq!(ours.kind(), kind, "{fault:?}");
        assert!(CallFailure::of(ours).is_some(), "{fault:?}");
        assert_eq!(scene.asked().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failure_that_was_not_recorded_says_so() {
    let scene = Scene::new().await;
    scene.spy.fail_to_record();
    scene.stand_in.revoke(&scene.token);
    let error = scene.client(Boundary::all()).me().get().await.unwrap_err();
    let ours = error_of(&error).unwrap();
    assert_eq!(ours.kind(), ErrorKind::TokenRefused);
    assert!(ours.report().contains("could not be recorded"), "{}", ours.report());
}

#[tokio::test]
async fn what_the_official_client_refuses_by_itself_is_misuse() {
    let scene = Scene::new().await;
    let apify = scene.apify(Boundary::all(), Retries::none());
    let error = official_client(&apify, scene.spy.credential()).actor("..").get().await.unwrap_err();
    assert!(matches!(error, ApifyClientError::InvalidArgument(_)));
    assert_eq!(into_error(error).kind(), ErrorKind::Misuse);
    assert_eq!(scene.asked().len(), 0);
}
