//! What a call fails with whose time is over in the midst of something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{ApiToken, Credential, CredentialSource, Error, Incarnation, IssuedToken, Outcome};
use tokenkeep_core::{SecretVersion, Use};
use tokenkeep_https::{CallFailure, Method, Retries};
use tokenkeep_testkit::Fault;

use crate::support::{INCARNATION, Scene, VERSION};

/// At once, or nearly so.
const QUICK: Retries = Retries::standard().first_wait(Duration::from_millis(1));

/// Gives its token once, and then takes for ever over it.
struct Once(Arc<AtomicBool>, String);

#[async_trait]
impl CredentialSource for Once {
    async fn issue(&self, _: Use<'_>) -> Result<IssuedToken, Error> {
        if self.0.swap(true, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let token = ApiToken::new(self.1.clone())?;
        Ok(IssuedToken { token, incarnation: INCARNATION, secret_version: VERSION })
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, _: Outcome<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test]
async fn a_token_for_a_repeat_is_not_waited_for_beyond_it() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::status(503, "made-up")));
    let transport = scene.builder().retries(QUICK).deadline(Duration::from_secs(4)).build().unwrap();
    let credential = Credential::new(Once(Arc::default(), scene.token.clone()));
    let call = transport.get("/v2/users/me").credential(&credential).send();
    let error = tokio::time::timeout(Duration::from_secs(20), call).await.expect("it ends").unwrap_err();
    let failure = CallFailure::of(&error).unwrap();
    assert_eq!((failure.status(), failure.attempts()), (Some(503), 1));
}

/// The rest of the deadline says more about the deadline than about the provider, whose last word is worth more.
#[tokio::test]
async fn a_repeat_that_it_cuts_short_hides_no_answer() {
    let scene = Scene::new().await;
    let builder = scene.builder().retries(QUICK).timeout(Duration::from_secs(60));
    let transport = builder.deadline(Duration::from_secs(4)).build().unwrap();
    scene.me(&transport).await.unwrap();
    scene.spy.told();
    scene.stand_in.answer_next(Fault::status(503, "made-up"));
    scene.stand_in.answer_next(Fault::Silence);
    let error = scene.me(&transport).await.unwrap_err();
    let failure = CallFailure::of(&error).unwrap();
    assert_eq!((failure.status(), failure.attempts()), (Some(503), 2), "{error:?}");
    assert_eq!(scene.spy.told(), ["Refused(Unavailable)", "Unanswered"]);

    // But a "no" before it must not hide that this one may have been carried out.
    scene.stand_in.answer_next(Fault::rate_limited("0"));
    scene.stand_in.answer_next(Fault::Silence);
    let call = transport.request(Method::POST, "/v2/acts").credential(&scene.credential());
    let error = call.send().await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout(), "{error:?}");
}
