//! Calls of operations that have no method.

use std::sync::Arc;

use tokenkeep_apify::{Apify, Boundary, Method, Refused, Retries};
use tokenkeep_core::{ApiToken, Credential, ErrorKind, Origin};
use tokenkeep_testkit::Fault;

use crate::scene::Scene;

#[tokio::test]
async fn a_call_by_its_target_is_within_the_boundary() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::analytics());
    let answer = client.request(Method::GET, "/v2/datasets/FakeItems00000000").unwrap().send().await.unwrap();
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(text.contains("FakeItems00000000") && !text.contains("urlSigningSecretKey"), "{text}");
    assert_eq!(scene.stand_in.requests()[0].bearer(), Some(scene.token.as_str()));

    for (method, target) in [
        (Method::GET, "/v2/datasets/FakeItems00000000/items"),
        (Method::DELETE, "/v2/datasets/FakeItems00000000"),
        (Method::POST, "/v2/actors/jane-doe~price-watch/runs"),
        (Method::GET, "/v2/datasets/FakeItems00000000?method=DELETE"),
    ] {
        let error = client.request(method, target).unwrap().send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{target}");
    }
    let error = client.request(Method::GET, "/v2/datasets/FakeItems00000000/../x").unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.downcast_ref::<Refused>(), Some(&Refused::Target));
    assert_eq!(scene.stand_in.requests().len(), 1);
}

/// `run-sync` starts a run by `GET`, too: what may have started one is not asked again, and what only reads is.
#[tokio::test]
async fn a_get_that_starts_a_run_is_sent_once() {
    let scene = Scene::new().await;
    let origin = Origin::parse(&scene.stand_in.origin()).unwrap();
    let apify = Apify::builder().origin(origin.clone()).extra_root_der(&scene.stand_in.ca_der());
    let apify = apify.boundary(Boundary::all()).retries(Retries::standard()).build().unwrap();
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    let client = apify.with(Credential::fixed(origin, token));
    for (target, asked) in [
        ("/v2/actors/jane-doe~price-watch/run-sync", 1),
        ("/v2/actors/jane-doe~price-watch/run-sync-get-dataset-items", 1),
        ("/v2/actor-tasks/jane-doe~daily/run-sync", 1),
        ("/v2/datasets/FakeItems00000000", 2),
    ] {
        let before = scene.stand_in.requests().len();
        scene.stand_in.answer_next(Fault::CloseWithoutAnswer);
        let answer = client.request(Method::GET, target).unwrap().send().await;
        assert_eq!(answer.is_err(), asked == 1, "{target}");
        assert_eq!(scene.stand_in.requests().len() - before, asked, "{target}");
    }
}
