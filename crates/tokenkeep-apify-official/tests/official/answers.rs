//! What comes back through a boundary.

use tokenkeep_apify::Boundary;

use crate::scene::{ACTOR, BUILD, DATASET, RUN, STORE, Scene};

#[tokio::test]
async fn under_analytics_metadata_comes_and_nothing_else_of_it() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::analytics());
    let me = client.me().get().await.unwrap().unwrap();
    assert_eq!(me.username.as_deref(), Some("jane-doe"));
    let actor = client.actor(ACTOR).get().await.unwrap().unwrap();
    let run = client.run(RUN).get().await.unwrap().unwrap();
    let build = client.build(BUILD).get().await.unwrap().unwrap();
    let dataset = client.dataset(DATASET).get().await.unwrap().unwrap();
    let store = client.key_value_store(STORE).get().await.unwrap().unwrap();
    assert_eq!((run.id.as_str(), build.id.as_str()), (RUN, BUILD));
    let shown = format!("{me:?} {actor:?} {run:?} {build:?} {dataset:?} {store:?}");
    for never in ["password", "urlSigningSecretKey", "sourceFiles", "envVars", "example.com", "FAKE"] {
        assert!(!shown.contains(never), "{never} in {shown}");
    }
    assert_eq!(scene.asked()[1], "GET /v2/actors/jane-doe~price-watch");
    assert_eq!(scene.spy.issued(), 6);
}
