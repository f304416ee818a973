//! A version as the target of a vault's sets: what it makes of answers that are not what was asked for.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_apify::{Apify, Boundary, EnvVars, Retries};
use tokenkeep_core::{ApiToken, Credential, EnvTarget, ErrorKind, Origin};
use tokenkeep_testkit::{Access, Fault, JsonStandIn, fake_token};

use crate::scene::{ACCOUNT, Scene, client};

const ACTOR: &str = "jane-doe~price-watch";

#[tokio::test]
async fn what_was_not_made_secret_is_an_error() {
    for (is_secret, expected) in [
        ("true", None),
        ("false", Some(ErrorKind::ProviderMisbehaved)),
        ("null", Some(ErrorKind::ProviderMisbehaved)),
    ] {
        let answer = format!(r#"{{"data": {{"name": "A", "isSecret": {is_secret}}}}}"#);
        let stand_in = JsonStandIn::start(move |_| (200, answer.clone())).await.unwrap();
        let client = client(&stand_in.origin(), &stand_in.ca_der(), &fake_token(), Boundary::all());
        let target = client.actor(ACTOR).env_vars("0.1");
        for done in [EnvTarget::create(&target, "A", "s3cret").await, target_update(&target).await] {
            assert_eq!(done.as_ref().err().map(|error| error.kind()), expected, "{is_secret}");
            if let Err(error) = done {
                assert!(error.report().contains("can be read there"), "{}", error.report());
                assert!(target.may_arrive(&error), "it was carried out");
            }
        }
    }
}

async fn target_update(target: &EnvVars) -> Result<(), tokenkeep_core::Error> {
    EnvTarget::update(target, "A", "s3cret").await
}

#[tokio::test]
async fn a_name_that_can_be_put_into_no_path_is_out_of_reach() {
    let items = r#"{"name": "A-B"}, {"name": "a\u200b", "isSecret": true}, {"name": ""}, {"name": "GOOD"}"#;
    let answer = format!(r#"{{"data": {{"total": 4, "items": [{items}]}}}}"#);
    let stand_in = JsonStandIn::start(move |_| (200, answer.clone())).await.unwrap();
    let client = client(&stand_in.origin(), &stand_in.ca_der(), &fake_token(), Boundary::all());
    let listed = EnvTarget::list(&client.actor(ACTOR).env_vars("0.1")).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|var| (var.name(), var.is_secret(), var.is_reachable())).collect();
    assert_eq!(
        listed,
        [("A-B", false, false), ("a\\u{200b}", true, false), ("", false, false), ("GOOD", false, true)]
    );
}

/// A refusal says nothing of an attempt before it that was not answered.
#[tokio::test]
async fn what_was_sent_before_a_refusal_may_arrive() {
    let scene = Scene::new().await;
    let origin = Origin::parse(&scene.stand_in.origin()).unwrap();
    let apify = Apify::builder()
        .origin(origin.clone())
        .extra_root_der(&scene.stand_in.ca_der())
        .retries(Retries::standard().first_wait(Duration::from_millis(1)))
        .boundary(Boundary::all())
        .build()
        .unwrap();
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    let target = apify.with(Credential::fixed(origin, token)).actor(ACTOR).env_vars("0.1");
    scene.stand_in.grant(&scene.token, Access::full(ACCOUNT, "jane-doe"));
    EnvTarget::create(&target, "A", "s3cret").await.unwrap();

    let refused = Fault::status(403, "insufficient-permissions");
    scene.stand_in.answer_next(refused.clone());
    let error = target_update(&target).await.unwrap_err();
    assert_eq!((error.kind(), target.may_arrive(&error)), (ErrorKind::ScopeTooSmall, false));

    scene.stand_in.answer_next(Fault::CloseWithoutAnswer);
    scene.stand_in.answer_next(refused);
    let error = target_update(&target).await.unwrap_err();
    assert_eq!((error.kind(), target.may_arrive(&error)), (ErrorKind::ScopeTooSmall, true));

    // What was never sent does not arrive.
    let error = EnvTarget::create(&target, "NOT-A-NAME", "s3cret").await.unwrap_err();
    assert_eq!((error.kind(), target.may_arrive(&error)), (ErrorKind::Misuse, false));
}
