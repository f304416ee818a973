//! Where a token goes, and where it does not.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ApiToken, Credential, ErrorKind, Origin};
use tokenkeep_https::{CallFailure, Method, Retries, Transport};
use tokenkeep_testkit::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Backlog, Scene, spec};

#[tokio::test]
async fn a_call_is_sent_as_it_was_put_together() {
    let scene = Scene::new().await;
    let transport = scene.transport();
    let call = transport
        .get("/v2/acts")
        .segment("jane~price watch")
        .segment("runs")
        .query("status", "A&method=DELETE")
        .query("limit", 3);
    assert_eq!(call.credential(&scene.credential()).send().await.unwrap_err().kind(), ErrorKind::NotFound);

    let sent = scene.stand_in.requests().remove(0);
    assert_eq!(sent.method, "GET");
    assert_eq!(sent.target, "/v2/acts/jane~price%20watch/runs?status=A%26method%3DDELETE&limit=3");
    assert_eq!(sent.version, "HTTP/2.0");
    assert_eq!(sent.header("authorization"), Some(&*format!("Bearer {}", scene.token)));
    let names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [":authority", "authorization", "accept", "user-agent"]);
}

#[tokio::test]
async fn a_provider_may_take_its_token_in_another_header() {
    let scene = Scene::new().await;
    let transport = Transport::builder(scene.spec().with_header("x-api-key", ""))
        .extra_root_der(&scene.stand_in.ca_der())
        .build()
        .unwrap();
    scene.me(&transport).await.unwrap_err();
    let sent = scene.stand_in.requests().remove(0);
    assert_eq!(sent.header("x-api-key"), Some(&*scene.token));
    assert_eq!(sent.header("authorization"), None);

    for (header, prefix) in [("X-Api-Key", ""), ("x api key", ""), ("x-api-key", "a\r\nb: ")] {
        let error = Transport::new(scene.spec().with_header(header, prefix)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
    }
}

#[tokio::test]
async fn without_a_credential_no_token_is_sent() {
    let scene = Scene::new().await;
    let error = scene.transport().get("/v2/users/me").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused);
    assert_eq!(scene.stand_in.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn what_is_refused_opens_no_socket() {
    let scene = Scene::new().await;
    let backlog = Backlog::new();
    let transport = Transport::builder(spec(&format!("https://localhost:{}", backlog.port())))
        .timeout(Duration::from_millis(300))
        .retries(Retries::none())
        .build()
        .unwrap();

    // A path: the credential isn't even asked.
    for call in [
        transport.get("/v2/../secret"),
        transport.get("//evil.example/"),
        transport.get("/v2/acts").segment(".."),
        transport.request(Method::DELETE, "/v2/acts/a%2Fb"),
    ] {
        let error = call.credential(&scene.credential()).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
    }
    assert_eq!((scene.spy.issued(), backlog.connections()), (0, 0));

    // A token of another origin.
    let elsewhere = Origin::parse(&scene.stand_in.origin()).unwrap();
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    let credential = Credential::fixed(elsewhere, token);
    let error = transport.get("/v2/users/me").credential(&credential).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert_eq!(backlog.connections(), 0);

    // The counters do count.
    scene.me(&transport).await.unwrap_err();
    assert_eq!((scene.spy.issued(), backlog.connections()), (1, 1));
}

#[tokio::test]
async fn an_unknown_authority_gets_nothing() {
    let scene = Scene::new().await;
    let error = scene.me(&Transport::new(scene.spec()).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    assert!(CallFailure::of(&error).unwrap().to_string().contains("issuer that is not trusted"), "{error:?}");
    assert!(scene.stand_in.requests().is_empty());
    assert_eq!(scene.spy.told(), ["Unanswered"]);

    let other = Scene::new().await;
    let trusts_another =
        Transport::builder(scene.spec()).extra_root_der(&other.stand_in.ca_der()).build().unwrap();
    scene.me(&trusts_another).await.unwrap_err();
    assert!(scene.stand_in.requests().is_empty());

    scene.me(&scene.transport()).await.unwrap();
    assert_eq!(scene.stand_in.requests().len(), 1);
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing() {
    let scene = Scene::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut received = vec![0; 16 * 1024];
        let length = socket.read(&mut received).await.unwrap();
        received.truncate(length);
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        let _ = tokio::time::timeout(Duration::from_secs(2), socket.read_to_end(&mut received)).await;
        received
    });
    let transport = Transport::builder(spec(&origin)).timeout(Duration::from_secs(5)).build().unwrap();
    let error = scene.me(&transport).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{error:?}");
    assert_eq!(CallFailure::of(&error).unwrap().status(), None);
    let received = server.await.unwrap();
    assert!(!received.is_empty());
    assert!(!received.windows(scene.token.len()).any(|window| window == scene.token.as_bytes()));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    let transport = Transport::builder(scene.spec())
        .extra_root_der(&scene.stand_in.ca_der())
        .extra_root_der(&other.stand_in.ca_der())
        .build()
        .unwrap();
    let backlog = Backlog::new();
    for target in [
        format!("{}/v2/users/me", other.stand_in.origin()),
        format!("{}/v2/acts", scene.stand_in.origin()),
        "/v2/acts".to_owned(),
        format!("http://localhost:{}/", backlog.port()),
    ] {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(Fault::Redirect(target.clone()));
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{target}");
        assert_eq!(CallFailure::of(&error).unwrap().status(), Some(307));
        assert_eq!(scene.spy.told(), ["Refused(Unexpected)"]);
        assert_eq!(scene.stand_in.requests().len(), 1, "{target}");
    }
    assert!(other.stand_in.requests().is_empty());
    assert_eq!(backlog.connections(), 0);
}

#[tokio::test]
async fn an_extra_root_that_is_none_is_refused() {
    let error = Transport::builder(spec("https://localhost")).extra_root_der(b"no certificate").build();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn the_process_has_no_default_tls_provider_of_ours() {
    let scene = Scene::new().await;
    scene.me(&scene.transport()).await.unwrap();
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}
