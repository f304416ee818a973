//! Each failure of the service has its own name, and passes without a restart.

use std::time::Duration;

use serde_json::json;
use tokenkeep_core::{ApiToken, ErrorKind, Fault, Origin};
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::{OpenBaoFailure, OpenBaoKeys};
use tokenkeep_testkit::{InTheWay, JsonStandIn, LeakScanner, ThrowawayOpenBao, TlsProxy};

use crate::support::{APPLICATION, Place, Sample, builder, fails, shared, token};

#[tokio::test]
async fn sealed_and_gone_are_told_and_pass() {
    let server = ThrowawayOpenBao::start().unwrap();
    server.write("transit/keys/key", &json!({ "derived": true })).unwrap();
    let keys = builder(&server, "key").token(token(server.root_token())).build().unwrap();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    server.seal().unwrap();
    for _ in 0..2 {
        let error = fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysUnavailable, "Sealed");
        assert!(error.is_retryable() && error.fault() == Fault::Operator);
        fails(sample.wrap(&keys).await, ErrorKind::KeysUnavailable, "Sealed");
    }
    let cold = builder(&server, "key").token(token(server.root_token())).build().unwrap();
    fails(sample.unwrap(&cold, &wrapped).await, ErrorKind::KeysUnavailable, "Sealed");
    server.unseal().unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
    sample.unwrap(&cold, &wrapped).await.unwrap();

    server.kill().unwrap();
    for _ in 0..2 {
        fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysUnavailable, "Unreachable");
        fails(keys.keks().await, ErrorKind::KeysUnavailable, "Unreachable");
    }
    server.start_again().unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
    sample.unwrap(&keys, &sample.wrap(&keys).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_can_not_prove_who_it_is_gets_nothing() {
    let place = Place::new();
    let origin = || Origin::parse(&place.server.origin()).unwrap();
    let other_root = TlsProxy::start(place.server.port(), place.server.ca_der()).await.unwrap().ca_der();
    let without = OpenBaoKeys::builder(origin(), &place.key);
    let wrong = OpenBaoKeys::builder(origin(), &place.key).ca_der(&other_root);
    for builder in [without, wrong] {
        let keys = builder.token(place.token(&[APPLICATION], "1h")).build().unwrap();
        fails(Sample::new().wrap(&keys).await, ErrorKind::KeysUnavailable, "Untrusted");
    }
    assert!(
        Origin::parse(&place.server.origin().replace("https", "http")).is_err(),
        "there is no way without TLS"
    );
}

#[tokio::test]
async fn what_stands_between_is_told_by_its_name() {
    let place = Place::new();
    let proxy = TlsProxy::start(place.server.port(), place.server.ca_der()).await.unwrap();
    let token = place.token(&[APPLICATION], "1h");
    let build = |timeout| {
        let builder = OpenBaoKeys::builder(Origin::parse(&proxy.origin()).unwrap(), &place.key);
        let token = ApiToken::new(token.expose_secret().to_owned()).unwrap();
        builder.ca_der(&proxy.ca_der()).timeout(timeout).token(token).build().unwrap()
    };
    // On a busy host everything but silence takes its time.
    let (keys, hasty) = (build(Duration::from_secs(30)), build(Duration::from_millis(500)));
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    let html = "<!doctype html><title>Bad gateway</title>";
    let zeros = r#"{"data":{"batch_results":[{"plaintext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}}"#;
    for (status, body, failure) in [
        (200, html, "Garbage"),
        (200, "", "Garbage"),
        (200, r#"{"data":{"batch_results":[]}}"#, "Garbage"),
        (200, r#"{"data":{"batch_results":[{}]}}"#, "Garbage"),
        (200, zeros, "Garbage"),
        (200, r#"{"errors":[]}"#, "Garbage"),
        (204, "", "Garbage"),
        (302, "", "Garbage"),
        // A standby that can't pass a call on.
        (307, "", "NoActiveNode"),
        (400, html, "Garbage"),
        // Never a key that is gone: a gateway says so of anything.
        (404, html, "Garbage"),
        (404, r#"{"message":"no route matched"}"#, "Garbage"),
        // What a node says before its engines are there.
        (404, r#"{"errors":["no handler for route"]}"#, "NotMounted"),
        (418, html, "Garbage"),
        (429, html, "Throttled"),
        (500, html, "Fault"),
        (500, r#"{"errors":["local node not active but active cluster node not found"]}"#, "NoActiveNode"),
        (502, html, "Fault"),
        (503, html, "Fault"),
        (503, r#"{"errors":["Vault is sealed"]}"#, "Sealed"),
    ] {
        proxy.set(InTheWay::Answer { status, retry_after: Some(7), body: body.to_owned() }).await;
        let error = fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysUnavailable, failure);
        if let Some(OpenBaoFailure::Throttled(wait)) = OpenBaoFailure::of(&error) {
            assert_eq!(*wait, Some(Duration::from_secs(7)));
        }
        assert!(!error.report().contains("doctype"), "the other side's words are in an error");
        // The same of the key itself, which must not be taken for one that is gone.
        fails(keys.keks().await, ErrorKind::KeysUnavailable, failure);
    }
    proxy.set(InTheWay::Hangup).await;
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysUnavailable, "Unreachable");
    proxy.set(InTheWay::Silence).await;
    fails(sample.unwrap(&hasty, &wrapped).await, ErrorKind::KeysUnavailable, "TimedOut");
    proxy.set(InTheWay::Nothing).await;
    sample.unwrap(&keys, &wrapped).await.unwrap();
}

/// A service whose key is well, and which refuses to decrypt: a body that is too complex for it, say.
async fn refusing_service() -> JsonStandIn {
    JsonStandIn::start(|request| {
        let key = json!({
            "type": "aes256-gcm96", "derived": true, "exportable": false, "allow_plaintext_backup": false,
            "latest_version": 1, "min_decryption_version": 1, "min_available_version": 0, "keys": { "1": 1 },
        });
        let data = match request.path().split('/').nth(3) {
            Some("keys") => key,
            Some("encrypt") => json!({ "batch_results": [{ "ciphertext": "vault:v1:AAAA" }] }),
            Some("token") => json!({ "ttl": 0, "expire_time": null }),
            _ => {
                return (400, json!({ "errors": ["refused JSON input due to high complexity"] }).to_string());
            }
        };
        (200, json!({ "data": data }).to_string())
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_refusal_of_the_whole_call_is_not_called_tampering() {
    let service = refusing_service().await;
    let keys = OpenBaoKeys::builder(Origin::parse(&service.origin()).unwrap(), "key")
        .ca_der(&service.ca_der())
        .token(token("an-example-token"))
        .build()
        .unwrap();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysUnusable, "Refused");
}

#[tokio::test]
async fn the_service_is_told_no_tenant() {
    let service = refusing_service().await;
    let keys = OpenBaoKeys::builder(Origin::parse(&service.origin()).unwrap(), "key")
        .ca_der(&service.ca_der())
        .token(token("an-example-token"))
        .build()
        .unwrap();
    let sample = Sample::of_a_token();
    let wrapped = sample.wrap(&keys).await.unwrap();
    assert!(sample.unwrap(&keys, &wrapped).await.is_err());
    let names = ["customer-number-17", "main-account", "api.apify.com"];
    let scanner = names.iter().fold(LeakScanner::new(), |scanner, name| scanner.token(name, name));
    let requests = service.requests();
    assert!(requests.len() >= 3);
    for request in requests {
        let seen = [
            request.target.as_bytes(),
            &request.body,
            &request.headers.iter().flat_map(|h| h.1.clone()).collect::<Vec<u8>>(),
        ]
        .concat();
        assert!(scanner.scan_bytes("request", &seen).is_empty(), "{request:?}");
        assert_eq!(request.header("x-vault-token"), Some("an-example-token"));
    }
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_no_key_that_is_gone() {
    let place = Place::new();
    let builder = place.builder().mount("elsewhere").token(token(place.server.root_token()));
    fails(Sample::new().wrap(&builder.build().unwrap()).await, ErrorKind::KeysUnavailable, "NotMounted");
}

#[tokio::test]
async fn nothing_that_can_be_printed_shows_a_token() {
    let place = Place::new();
    let text = shared().token(&["default"], "1h").unwrap();
    let keys = place.builder().token(token(&text)).build().unwrap();
    let error = fails(Sample::new().wrap(&keys).await, ErrorKind::KeysForbidden, "Forbidden");
    let builder = place.builder().token(token(&text));
    let printed = format!("{error:?} {error} {} {keys:?} {builder:?}", error.report());
    assert!(
        LeakScanner::new()
            .token("the service's token", &text)
            .scan_bytes("text", printed.as_bytes())
            .is_empty()
    );
    assert!(printed.contains("policy"), "it says what to do: {printed}");
}

#[tokio::test]
async fn settings_that_can_not_be_are_refused_before_anything_is_sent() {
    let build =
        |change: fn(tokenkeep_keys_openbao::OpenBaoBuilder) -> tokenkeep_keys_openbao::OpenBaoBuilder| {
            let builder = OpenBaoKeys::builder(Origin::parse("https://bao.example").unwrap(), "key");
            change(builder.token(token("an-example-token"))).build()
        };
    assert!(build(|builder| builder.mount("team/transit").namespace("a/b/")).is_ok());
    fails(build(|builder| builder.mount("")), ErrorKind::Misuse, "Misuse");
    fails(build(|builder| builder.mount("../sys")), ErrorKind::Misuse, "Misuse");
    fails(build(|builder| builder.mount("/transit")), ErrorKind::Misuse, "Misuse");
    fails(build(|builder| builder.namespace("a b")), ErrorKind::Misuse, "Misuse");
    for key in ["", ".", "a/b", "a?b", "a%2fb"] {
        let builder = OpenBaoKeys::builder(Origin::parse("https://bao.example").unwrap(), key);
        fails(builder.token(token("an-example-token")).build(), ErrorKind::Misuse, "Misuse");
    }
    let nobody = OpenBaoKeys::builder(Origin::parse("https://bao.example").unwrap(), "key").build();
    fails(nobody, ErrorKind::Misuse, "Misuse");
}
