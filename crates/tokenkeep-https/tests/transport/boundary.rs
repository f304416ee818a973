//! The seam of a boundary: when it is asked, of what, and what becomes of the answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, Meaning};
use tokenkeep_https::{CallBoundary, CallFailure, Method, Passage, Projection, Retries, Transport};

use crate::support::{Backlog, Scene, Spy, spec};

/// Allows what begins like this, and remembers what it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Begins(&'static str, Passage, Arc<Mutex<Vec<String>>>);

impl Begins {
    pub(crate) fn with(path: &'static str, passage: Passage) -> Self {
        Self(path, passage, Arc::default())
    }
}

impl Begins {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.2.lock().unwrap().clone()
    }
}

impl CallBoundary for Begins {
    fn judge(&self, method: &Method, target: &str) -> Result<Box<dyn Projection>, Error> {
        self.2.lock().unwrap().push(format!("{method} {target}"));
        if target.starts_with(self.0) {
            Ok(Box::new(Fixed(self.1)))
        } else {
            Err(Error::new(ErrorKind::Misuse).because("the test does not allow it"))
        }
    }
}

#[derive(Debug)]
struct Fixed(Passage);

impl Projection for Fixed {
    fn passage(&self, status: u16, content_type: Option<&str>) -> Passage {
        assert_eq!(status, 200);
        assert!(content_type.is_some_and(|kind| kind.starts_with("application/json")), "{content_type:?}");
        self.0
    }

    fn project(&self, status: u16, body: &[u8]) -> Result<Vec<u8>, &'static str> {
        assert!(!body.is_empty());
        match status {
            200 => Ok(b"projected".to_vec()),
            _ => Err("with an error that the test does not like"),
        }
    }
}

#[tokio::test]
async fn what_is_refused_opens_no_socket_and_asks_for_no_token() {
    let backlog = Backlog::new();
    let boundary = Begins::with("/v2/users", Passage::AsItIs);
    let transport = Transport::builder(spec(&format!("https://localhost:{}", backlog.port())))
        .timeout(Duration::from_millis(300))
        .retries(Retries::none())
        .boundary(boundary.clone())
        .build()
        .unwrap();
    let spy = Arc::new(Spy::new("an-example-token"));
    let call = transport.request(Method::POST, "/v2").segment("a b").query("x", "1&y=2");
    let error = call.credential(&spy.credential()).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert_eq!((spy.issued(), spy.told(), backlog.connections()), (0, Vec::new(), 0));
    assert_eq!(*boundary.2.lock().unwrap(), ["POST /v2/a%20b?x=1%26y%3D2"]);

    // What the transport itself refuses is not judged at all.
    assert!(transport.get("/v2/users").segment("..").send().await.is_err());
    assert_eq!(boundary.2.lock().unwrap().len(), 1);

    // The listener shows a call that is allowed.
    assert!(transport.get("/v2/users").credential(&spy.credential()).send().await.is_err());
    assert_eq!((spy.issued(), backlog.connections()), (1, 1));
}

#[tokio::test]
async fn what_is_judged_is_what_the_server_gets() {
    let scene = Scene::new().await;
    let boundary = Begins::with("/v2/users/me", Passage::Projected);
    let transport = scene.builder().boundary(boundary.clone()).build().unwrap();
    for call in [
        transport.get("/v2/users/me"),
        transport.get("/v2/users").segment("me"),
        transport.get("/v2/users/me").query("a'b", "c d/?#é+~"),
    ] {
        let answer = call.credential(&scene.credential()).send().await.unwrap();
        assert_eq!(answer.body(), b"projected");
    }
    let sent = scene.stand_in.requests().into_iter().map(|sent| format!("{} {}", sent.method, sent.target));
    assert_eq!(sent.collect::<Vec<_>>(), *boundary.2.lock().unwrap());
}

#[tokio::test]
async fn an_answer_becomes_what_the_projection_says() {
    let scene = Scene::new().await;
    let through = async |passage| {
        let transport = scene.builder().boundary(Begins::with("/", passage)).build().unwrap();
        scene.me(&transport).await
    };
    assert!(through(Passage::AsItIs).await.unwrap().body().starts_with(b"{"));
    assert_eq!(through(Passage::Projected).await.unwrap().body(), b"projected");
    let error = through(Passage::Refused("with what the test refuses")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
    assert!(error.report().ends_with("it answered with HTTP status 200 and with what the test refuses"));
    // The token was good, whatever became of the body.
    assert_eq!(scene.spy.told().last().map(String::as_str), Some("Accepted"));

    let transport = scene.builder().boundary(Begins::with("/", Passage::AsItIs)).build().unwrap();
    let call = transport.get("/v2/nowhere").credential(&scene.credential()).errors_as_answers();
    let error = call.send().await.unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().status(), Some(404));
}

/// Lets through nothing of what an error says.
#[derive(Debug)]
struct Quiet;

impl CallBoundary for Quiet {
    fn judge(&self, _: &Method, _: &str) -> Result<Box<dyn Projection>, Error> {
        Ok(Box::new(Self))
    }
}

impl Projection for Quiet {
    fn passage(&self, _: u16, _: Option<&str>) -> Passage {
        Passage::Projected
    }

    fn project(&self, _: u16, _: &[u8]) -> Result<Vec<u8>, &'static str> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn what_an_error_means_is_told_though_a_boundary_lets_nothing_of_it_through() {
    let scene = Scene::new().await;
    scene.stand_in.revoke(&scene.token);
    let spec = scene.spec().with_meaning(|_, body| match body {
        [] => Meaning::Unexpected,
        _ => Meaning::TokenRefused,
    });
    let builder = Transport::builder(spec).extra_root_der(&scene.stand_in.ca_der()).boundary(Quiet);
    let transport = builder.build().unwrap();
    let call = || transport.get("/v2/users/me").credential(&scene.credential());
    let answer = call().errors_as_answers().send().await.unwrap();
    assert_eq!((answer.status(), answer.body()), (401, &b""[..]));
    assert_eq!(call().send().await.unwrap_err().kind(), ErrorKind::TokenRefused);
    assert_eq!(scene.spy.told(), ["Refused(TokenRefused)", "Refused(TokenRefused)"]);
}
