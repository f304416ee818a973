//! Calls of operations that have no method.

use tokenkeep_apify::{Boundary, Method, Refused};
use tokenkeep_core::ErrorKind;

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
