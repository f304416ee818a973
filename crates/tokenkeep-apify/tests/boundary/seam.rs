//! The boundary in a transport, in front of a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_apify::{Access, Apify, Boundary, CallFailure, Class, Refused};
use tokenkeep_core::{
    Account, ApiToken, Credential, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken, Origin,
    Outcome, Provider, ProviderSpec, SecretVersion, Use,
};
use tokenkeep_https::{Answer, Call, Method, Transport};
use tokenkeep_testkit::{ApifyStandIn, Fault, JsonStandIn, fake_token};

/// A token, and how often it was asked for.
#[derive(Clone)]
struct Counted(String, Arc<AtomicUsize>);

#[async_trait]
impl CredentialSource for Counted {
    async fn issue(&self, _: Use<'_>) -> Result<IssuedToken, Error> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(IssuedToken {
            token: ApiToken::new(self.0.clone())?,
            incarnation: Incarnation::from_bytes([1; 16]),
            secret_version: SecretVersion::FIRST,
        })
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, _: Outcome<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// A server that gives back what it is told, and a transport to it.
struct Scene {
    server: JsonStandIn,
    transport: Transport,
    counted: Counted,
}

impl Scene {
    async fn new(boundary: Option<Boundary>, status: u16, body: &str) -> Self {
        let body = body.to_owned();
        let server = JsonStandIn::start(move |_| (status, body.clone())).await.unwrap();
        let spec = ProviderSpec::new("apify".parse().unwrap(), Origin::parse(&server.origin()).unwrap());
        let mut builder =
            Transport::builder(spec).extra_root_der(&server.ca_der()).timeout(Duration::from_secs(5));
        if let Some(boundary) = boundary {
            builder = builder.boundary(boundary);
        }
        Self { server, transport: builder.build().unwrap(), counted: Counted(fake_token(), Arc::default()) }
    }

    async fn send(&self, call: Call) -> Result<Answer, Error> {
        call.credential(&Credential::new(self.counted.clone())).send().await
    }

    fn asked(&self) -> (usize, usize) {
        (self.counted.1.load(Ordering::SeqCst), self.server.requests().len())
    }
}

#[tokio::test]
async fn a_call_is_judged_by_what_is_sent_and_before_the_token_is_asked_for() {
    let scene = Scene::new(Some(Boundary::analytics()), 200, r#"{"data":{}}"#).await;
    let get = |path: &str| scene.transport.get(path);
    let refused: Vec<Call> = vec![
        get("/v2/datasets/d1/items"),
        get("/v2").segment("datasets").segment("d1").segment("items"),
        get("/v2/datasets").segment("d1").query("method", "DELETE"),
        get("/v2/datasets").segment("d1").query("token", "x"),
        get("/v2/actors").query("limit", 1).query("limit", 2),
        get("/v2/actors").query("limit", "1&method=DELETE"),
        get("/v2/datasets"),
        get("/v2/datasets").query("ownership", "sharedWithMe"),
        get("/v2/datasets").segment("d1;x"),
        get("/v2/datasets").segment("d 1"),
        get("/v2/users").segment("ME"),
        get("/v2/acts"),
        get("/"),
        scene.transport.request(Method::POST, "/v2/actors/a1/runs"),
        scene.transport.request(Method::DELETE, "/v2/datasets/d1"),
        scene.transport.request(Method::PATCH, "/v2/datasets/d1"),
        get("/v2/datasets/d1").header("x-http-method-override", "DELETE"),
        get("/v2/datasets/d1").header("x-method-override", "DELETE"),
        get("/v2/datasets/d1").header("x-http-method", "DELETE"),
    ];
    for call in refused {
        let text = format!("{call:?}");
        let error = scene.send(call).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{text}");
        assert_eq!(scene.asked(), (0, 0), "{text}");
    }
    let error = scene.send(get("/v2/datasets/d1/items")).await.unwrap_err();
    let why = std::error::Error::source(&error).unwrap().downcast_ref::<Refused>();
    assert_eq!(why, Some(&Refused::NotAllowed(Class::DatasetItems, Access::Read)));

    // Without a credential too.
    assert!(get("/v2/datasets/d1/items").send().await.is_err());
    assert_eq!(scene.asked(), (0, 0));

    scene.send(get("/v2/datasets").segment("d1")).await.unwrap();
    scene.send(get("/v2/actor-runs").query("status", "FAILED,READY").query("limit", 1)).await.unwrap();
    assert_eq!(scene.asked(), (2, 2));
    for request in scene.server.requests() {
        assert!(Boundary::analytics().judge(&request.method, &request.target).is_ok(), "{}", request.target);
    }
}

#[tokio::test]
async fn an_answer_is_projected_before_the_caller_gets_it() {
    let full = json!({ "data": { "id": "d1", "urlSigningSecretKey": "key", "itemsPublicUrl": "https://x" } })
        .to_string();
    let scene = Scene::new(Some(Boundary::analytics()), 200, &full).await;
    let answer = scene.send(scene.transport.get("/v2/datasets/d1")).await.unwrap();
    assert_eq!(answer.body(), br#"{"data":{"id":"d1"}}"#);
    // With another boundary, or none, nothing is different from before.
    for boundary in [Some(Boundary::all()), None] {
        let scene = Scene::new(boundary, 200, &full).await;
        let answer = scene.send(scene.transport.get("/v2/datasets/d1")).await.unwrap();
        assert_eq!(answer.body(), full.as_bytes());
    }
    let scene = Scene::new(None, 200, &full).await;
    assert!(scene.send(scene.transport.get("/v1/elsewhere").query("method", "x")).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_can_not_be_projected_fails_the_call() {
    for body in ["<html>key</html>", r#"{"data":{"id":1,"id":2}}"#, "[]"] {
        let scene = Scene::new(Some(Boundary::analytics()), 200, body).await;
        let error = scene.send(scene.transport.get("/v2/datasets/d1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{body}");
        assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
        assert!(
            error.report().contains("it answered with HTTP status 200 and not with"),
            "{}",
            error.report()
        );
    }
    // JSON where a log should be.
    let scene = Scene::new(Some(Boundary::analytics()), 200, r#"{"a":"secret"}"#).await;
    let error = scene.send(scene.transport.get("/v2/actor-builds/b1/log")).await.unwrap_err();
    assert!(error.report().contains("another content type"), "{}", error.report());
    assert!(!error.report().contains("secret"));
}

#[tokio::test]
async fn of_an_error_that_is_taken_for_an_answer_the_type_is_left() {
    let body = r#"{"error":{"type":"invalid-token","message":"apify_api_secret"},"x":1}"#;
    let scene = Scene::new(Some(Boundary::analytics()), 401, body).await;
    let answer = scene.send(scene.transport.get("/v2/datasets/d1").errors_as_answers()).await.unwrap();
    assert_eq!((answer.status(), answer.body()), (401, &br#"{"error":{"type":"invalid-token"}}"#[..]));
    assert_eq!(
        scene.send(scene.transport.get("/v2/datasets/d1")).await.unwrap_err().kind(),
        ErrorKind::TokenRefused
    );
}

#[tokio::test]
async fn a_token_is_checked_under_every_boundary() {
    let (stand_in, token) = (ApifyStandIn::start().await.unwrap(), fake_token());
    stand_in.grant(&token, tokenkeep_testkit::Access::full("FakeUser000000001", "jane-doe"));
    for boundary in [Boundary::none(), Boundary::analytics(), Boundary::all()] {
        let apify = Apify::builder()
            .origin(Origin::parse(&stand_in.origin()).unwrap())
            .extra_root_der(&stand_in.ca_der())
            .boundary(boundary)
            .build()
            .unwrap();
        let origin = apify.spec().origin.clone();
        let credential = Credential::fixed(origin, ApiToken::new(token.clone()).unwrap());
        let account = apify.provider().check(&credential).await.unwrap();
        assert_eq!(account, Account::new("FakeUser000000001", "jane-doe").unwrap());
        let runs = apify.with(credential.clone()).runs().list().await;
        assert_eq!(runs.is_ok(), boundary.access(Class::Runs).is_some(), "{boundary:?}");
        stand_in.answer_next(Fault::status(401, "invalid-token"));
        assert_eq!(apify.provider().check(&credential).await.unwrap_err().kind(), ErrorKind::TokenRefused);
    }
    // Nobody who says nothing gets more than metadata.
    let apify = Apify::builder().origin(Origin::parse(&stand_in.origin()).unwrap()).build().unwrap();
    assert!(format!("{apify:?}").contains(&format!("{:?}", Boundary::analytics())), "{apify:?}");
}
