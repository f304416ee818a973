//! What a key service needs: JSON bodies, another header beside the token, and the body of an error.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ApiToken, Credential, ErrorKind, Meaning, Origin, ProviderSpec};
use tokenkeep_https::{Method, Transport};
use tokenkeep_testkit::JsonStandIn;
use zeroize::Zeroizing;

use crate::support::Spy;

async fn echo(status: u16) -> JsonStandIn {
    JsonStandIn::start(move |request| (status, String::from_utf8_lossy(&request.body).into_owned()))
        .await
        .unwrap()
}

fn transport(server: &JsonStandIn) -> Transport {
    let origin = Origin::parse(&server.origin()).unwrap();
    let spec = ProviderSpec::new("example".parse().unwrap(), origin).with_header("x-vault-token", "");
    Transport::builder(spec).extra_root_der(&server.ca_der()).timeout(Duration::from_secs(5)).build().unwrap()
}

fn body() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(br#"{"a":1}"#.to_vec())
}

#[tokio::test]
async fn a_body_and_a_header_arrive_beside_the_token() {
    let server = echo(200).await;
    let transport = transport(&server);
    let origin = transport.spec().origin.clone();
    let credential = Credential::fixed(origin, ApiToken::new("an-example-token".to_owned()).unwrap());
    let call = transport.request(Method::POST, "/v1/x").header("x-vault-namespace", "team").json(body());
    let answer = call.credential(&credential).send().await.unwrap();
    assert_eq!((answer.status(), answer.body()), (200, &br#"{"a":1}"#[..]));
    let request = server.requests().remove(0);
    let header = |name: &str| request.header(name);
    assert_eq!(header("x-vault-namespace"), Some("team"));
    assert_eq!(header("x-vault-token"), Some("an-example-token"));
    assert_eq!(header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn headers_that_are_taken_or_hostile_send_nothing() {
    let server = echo(200).await;
    let transport = transport(&server);
    let taken = [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        // The provider's own.
        "x-vault-token",
        "X-Upper",
        "with space",
        "",
    ];
    let hostile = taken.map(|name| (name, "a")).into_iter().chain([("x-a", "b\r\nx-c: d"), ("x-a", "\0")]);
    for (name, value) in hostile {
        let error = transport.get("/v1/x").header(name, value).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{name}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn what_is_no_path_is_not_shown() {
    let origin = Origin::parse("https://a.example").unwrap();
    let spec = ProviderSpec::new("example".parse().unwrap(), origin);
    let transport = Transport::builder(spec).build().unwrap();
    for path in ["/v2/me?token=a-secret", "/v2/me#a-secret", "a-secret", "/v2/../a-secret", "/v2/a-secret/"] {
        assert!(!format!("{:?}", transport.get(path)).contains("a-secret"), "{path}");
    }
    assert!(!format!("{:?}", transport.get("/v2").segment("../a-secret")).contains("a-secret"));
    assert!(format!("{:?}", transport.get("/v2/me").query("a", 1)).contains("\"/v2/me\""));
}

#[tokio::test]
async fn an_errors_body_comes_only_where_it_is_asked_for() {
    let server = echo(400).await;
    let transport = transport(&server);
    let call = || transport.request(Method::POST, "/v1/x").json(body());
    assert_eq!(call().send().await.unwrap_err().kind(), ErrorKind::Misuse);
    let answer = call().errors_as_answers().send().await.unwrap();
    assert_eq!((answer.status(), answer.body()), (400, &br#"{"a":1}"#[..]));
}

/// What an error means stands where the service likes to put it, and not where the caller stops reading.
#[tokio::test]
async fn a_limit_of_the_caller_s_changes_no_meaning() {
    let body = r#"{"error":{"type":"token-not-valid"}}"#;
    let server = JsonStandIn::start(move |_| (401, body.to_owned())).await.unwrap();
    let origin = Origin::parse(&server.origin()).unwrap();
    let spec = ProviderSpec::new("example".parse().unwrap(), origin).with_meaning(|_, body| {
        let is_of_token = body.windows(15).any(|part| part == b"token-not-valid");
        if is_of_token { Meaning::TokenRefused } else { Meaning::Unexpected }
    });
    let transport = Transport::builder(spec).extra_root_der(&server.ca_der()).build().unwrap();
    let spy = Arc::new(Spy::new("an-example-token"));
    let call = || transport.get("/").credential(&spy.credential()).errors_as_answers();
    for (limit, shown) in [(10, 10), (body.len(), body.len()), (1 << 20, body.len())] {
        let answer = call().max_body(limit).send().await.unwrap();
        assert_eq!((answer.status(), answer.body()), (401, &body.as_bytes()[..shown]));
        assert_eq!(spy.told(), ["Refused(TokenRefused)"]);
    }
}

#[test]
fn roots_in_pem_are_read_or_refused() {
    let spec = || ProviderSpec::new("example".parse().unwrap(), Origin::parse("https://a.example").unwrap());
    let pem = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    assert!(Transport::builder(spec()).extra_roots_pem(&format!("{pem}{pem}")).unwrap().build().is_ok());
    for bad in ["", "no pem", &pem[..pem.len() / 2]] {
        let error = Transport::builder(spec()).extra_roots_pem(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
    }
}
