//! Environment variables: made, changed, deleted, and never read back where they are secret.

use tokenkeep_apify::{Boundary, ErrorType, NewEnvVar};
use tokenkeep_core::ErrorKind;

use crate::scene::Scene;

#[tokio::test]
async fn a_secret_one_is_sent_as_one_and_never_read_back() {
    let scene = Scene::new().await;
    let env_vars = scene.client(Boundary::all()).actor("jane-doe~price-watch").env_vars("0.1");
    assert_eq!(env_vars.list().await.unwrap(), []);

    let secret = NewEnvVar::secret("API_KEY", "s3cret ž".to_owned());
    let made = env_vars.create(&secret).await.unwrap();
    assert_eq!((made.name.as_str(), made.is_secret, made.value), ("API_KEY", true, None));
    let sent = &scene.stand_in.requests()[1];
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body, serde_json::json!({ "name": "API_KEY", "value": "s3cret ž", "isSecret": true }));
    assert_eq!(sent.header("content-type"), Some("application/json"));

    env_vars.create(&NewEnvVar::plain("MODE", "fast".to_owned())).await.unwrap();
    let all = env_vars.list().await.unwrap();
    let values: Vec<_> = all.iter().map(|it| it.value.as_ref().map(|value| value.expose_secret())).collect();
    assert_eq!(values, [None, Some("fast")]);
    assert_eq!(env_vars.get("API_KEY").await.unwrap().value, None);
    assert!(!format!("{all:?}").contains("fast"));

    // What was secret stays unread, what becomes secret is no longer read.
    let changed = env_vars.update(&NewEnvVar::secret("MODE", "slow".to_owned())).await.unwrap();
    assert_eq!((changed.is_secret, changed.value), (true, None));
    env_vars.delete("MODE").await.unwrap();
    assert_eq!(env_vars.get("MODE").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(env_vars.list().await.unwrap().len(), 1);
    // Another version has its own.
    let other = scene.client(Boundary::all()).actor("jane-doe~price-watch").env_vars("0.2");
    assert_eq!(other.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_name_that_is_taken_is_an_error_of_its_own() {
    let scene = Scene::furnished().await;
    let env_vars = scene.client(Boundary::all()).actor("jane-doe~price-watch").env_vars("0.1");
    let error = env_vars.create(&NewEnvVar::secret("MY_KEY", "s3cret".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(ErrorType::of(&error).unwrap().as_str(), "env-var-already-exists");
    assert!(!format!("{error:?} {}", error.report()).contains("s3cret"));
    let error = env_vars.update(&NewEnvVar::plain("OTHER", String::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Nothing is sent under a name that could be read as another path.
    scene.stand_in.clear_requests();
    for name in ["../x", "a/b", "a-b", "", "a%2fb"] {
        assert_eq!(env_vars.get(name).await.unwrap_err().kind(), ErrorKind::Misuse, "{name}");
        let variable = NewEnvVar::secret(name, "s3cret".to_owned());
        for error in
            [env_vars.create(&variable).await.unwrap_err(), env_vars.update(&variable).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Misuse, "{name}");
            assert!(error.report().to_string().contains("letters, digits and underscores"), "{name}");
        }
    }
    assert!(scene.stand_in.requests().is_empty());
}
