//! What the credential's source is told. That incarnation and version are those of the token sent, the spy checks.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, Meaning};
use tokenkeep_https::{CallBoundary, CallFailure, Method, Passage, Projection, Transport};
use tokenkeep_testkit::Fault;

use crate::support::{Scene, Spy, everything_in};

#[tokio::test]
async fn each_attempt_asks_once_and_tells_once() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    scene.me(&transport).await.unwrap();
    assert_eq!((scene.spy.issued(), scene.spy.told()), (1, vec!["Accepted".to_owned()]));

    scene.stand_in.revoke(&scene.token);
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused);
    assert_eq!((scene.spy.issued(), scene.spy.told()), (2, vec!["Refused(TokenRefused)".to_owned()]));

    scene.stand_in.answer_next(Fault::status(503, "made-up"));
    scene.me(&transport).await.unwrap_err();
    assert_eq!((scene.spy.issued(), scene.spy.told()), (3, vec!["Refused(Unavailable)".to_owned()]));
}

#[tokio::test]
async fn the_spec_alone_says_what_an_error_means() {
    let scene = Scene::new().await;
    let spec = scene.spec().with_meaning(|status, body| {
        assert!((status, std::str::from_utf8(body).unwrap().contains("made-up-type")) == (401, true));
        Meaning::RateLimited
    });
    let transport = Transport::builder(spec).extra_root_der(&scene.stand_in.ca_der()).build().unwrap();
    scene.stand_in.answer_next(Fault::status(401, "made-up-type"));
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(scene.spy.told(), ["Refused(RateLimited)"]);
}

#[tokio::test]
async fn what_a_call_made_is_told_by_its_identifier() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    let call = |path| transport.get(path).credential(&scene.credential());
    let made = |body: &[u8]| {
        assert!(std::str::from_utf8(body).unwrap().contains("jane-doe"));
        Some("a-run".to_owned())
    };
    call("/v2/users/me").makes(made).send().await.unwrap();
    call("/v2/users/me").makes(|_| None).send().await.unwrap();
    call("/v2/nowhere").makes(|_| Some("of an error".to_owned())).send().await.unwrap_err();
    assert_eq!(scene.spy.told(), [r#"Created("a-run")"#, "Accepted", "Refused(NotFound)"]);
}

/// Projects nothing.
#[derive(Debug)]
struct NotThis;

impl CallBoundary for NotThis {
    fn judge(&self, _: &Method, _: &str) -> Result<Box<dyn Projection>, Error> {
        Ok(Box::new(Self))
    }
}

impl Projection for NotThis {
    fn passage(&self, _: u16, _: Option<&str>) -> Passage {
        Passage::Projected
    }

    fn project(&self, _: u16, _: &[u8]) -> Result<Vec<u8>, &'static str> {
        Err("with what it can't project")
    }
}

#[tokio::test]
async fn what_a_call_made_is_told_though_nobody_may_see_the_answer() {
    let scene = Scene::new().await;
    let transport = scene.builder().boundary(NotThis).build().unwrap();
    let call = transport.get("/v2/users/me").credential(&scene.credential());
    let error = call.makes(|_| Some("a-run".to_owned())).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    assert_eq!(scene.spy.told(), [r#"Created("a-run")"#]);
    // It is of the other side's body.
    assert!(!everything_in(&error).contains("a-run"));
}

#[tokio::test]
async fn what_can_t_be_recorded_changes_no_answer_but_is_not_lost() {
    let mut scene = Scene::new().await;
    scene.spy = Arc::new(Spy::failing_to_record(&scene.token));
    let transport = scene.transport();
    assert_eq!(scene.me(&transport).await.unwrap().status(), 200);

    scene.stand_in.revoke(&scene.token);
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused);
    let failure = CallFailure::of(&error).unwrap();
    assert_eq!(failure.status(), Some(401));
    assert!(failure.to_string().ends_with("could not be recorded"));
    let why = failure.source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(why.kind(), ErrorKind::StoreUnavailable);
}

#[tokio::test]
async fn a_dropped_call_tells_nothing_and_spoils_nothing() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    scene.me(&transport).await.unwrap();
    scene.spy.told();
    for dropped in 1..=20 {
        scene.stand_in.answer_next(Fault::Silence);
        let call = transport.get("/v2/users/me").credential(&scene.credential()).send();
        let call = tokio::spawn(call);
        let sent = async {
            while scene.stand_in.requests().len() < 1 + dropped {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), sent).await.expect("the request arrives");
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    assert!(scene.spy.told().is_empty());
    scene.me(&transport).await.unwrap();
    assert_eq!(scene.spy.told(), ["Accepted"]);
}
