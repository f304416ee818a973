//! Every call against Prism, which serves Apify's own API description: it refuses a request that the description does not allow, and
//! answers with the description's examples.
//!
//! `cargo xtask test --only prism` installs it, starts it and runs these tests, which nothing else does.

use std::collections::BTreeSet;

use tokenkeep_apify::{ApifyClient, Boundary, CallFailure, ErrorType};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_testkit::{Exchange, TlsFront, fake_token};

use crate::boundaries::{allowing, allows, operations};
use crate::calls::{CASES, Case};
use crate::promised::DESCRIPTION;
use crate::scene::client;

struct Prism {
    front: TlsFront,
    token: String,
}

impl Prism {
    async fn new() -> Self {
        let port = std::env::var("PRISM_PORT")
            .expect("PRISM_PORT names Prism's port; `cargo xtask test --only prism` sets it");
        let front = TlsFront::start(port.parse().expect("PRISM_PORT is a port")).await.unwrap();
        Self { front, token: fake_token() }
    }

    fn client(&self, boundary: Boundary) -> ApifyClient {
        client(&self.front.origin(), &self.front.ca_der(), &self.token, boundary)
    }

    /// Makes a call, and gives what went over the wire with what came of it.
    async fn call(&self, case: &Case, boundary: Boundary) -> (Result<(), Error>, Vec<Exchange>) {
        let result = case.call(self.client(boundary)).await;
        (result, self.front.take_exchanges())
    }
}

#[tokio::test]
#[ignore = "needs Prism: cargo xtask test --only prism"]
async fn prism_takes_every_call_and_its_answer_is_read() {
    let prism = Prism::new().await;
    let (mut asked, mut wrong) = (BTreeSet::new(), Vec::new());
    for case in CASES {
        let mut boundaries = vec![allowing(case.needs), Boundary::all()];
        if allows(Boundary::analytics(), case) {
            boundaries.push(Boundary::analytics());
        }
        for boundary in boundaries {
            let (result, exchanges) = prism.call(case, boundary).await;
            assert!(!exchanges.is_empty(), "{}", case.name);
            if let Err(error) = result {
                wrong.push(format!("{}: {} under {boundary:?}", case.name, error.report()));
            }
            for exchange in &exchanges {
                let violations = exchange.header("sl-violations");
                if !(200..300).contains(&exchange.status) || violations.is_some() {
                    wrong.push(format!("{}: {} {violations:?}", case.name, exchange.status));
                }
                let sent = &exchange.request;
                let found = operations(std::iter::once((sent.method.as_str(), sent.target.as_str())));
                asked.extend(found.into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let known =
        ApifyClient::OPERATIONS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(asked, known.collect());
}

/// The kind that each status of the description's error answers becomes, by their examples.
fn kind_of(status: u16) -> ErrorKind {
    match status {
        400 | 405 | 413 | 415 => ErrorKind::Misuse,
        401 => ErrorKind::TokenRefused,
        402 => ErrorKind::PaymentRequired,
        403 => ErrorKind::ScopeTooSmall,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::ProviderUnavailable,
        429 => ErrorKind::RateLimited,
        _ => panic!("no kind is expected of status {status}"),
    }
}

#[tokio::test]
#[ignore = "needs Prism: cargo xtask test --only prism"]
async fn prism_gives_each_documented_error_and_it_becomes_its_kind() {
    let prism = Prism::new().await;
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for case in CASES {
        let (result, exchanges) = prism.call(case, Boundary::all()).await;
        result.unwrap();
        let sent = &exchanges[0].request;
        let admitted = Boundary::all().judge(&sent.method, &sent.target).unwrap();
        let operation = &DESCRIPTION["paths"][admitted.path()][admitted.method().to_lowercase()];
        let documented = operation["responses"].as_object().unwrap().keys();
        let statuses: Vec<u16> =
            documented.filter_map(|status| status.parse().ok()).filter(|it| *it >= 400).collect();
        assert!(statuses.len() >= 4, "{}: {statuses:?}", case.name);
        for status in statuses {
            seen.insert(status);
            prism.front.add_header("prefer", Some(&format!("code={status}")));
            let (result, exchanges) = prism.call(case, allowing(case.needs)).await;
            prism.front.add_header("prefer", None);
            // A wait goes on after a 408.
            let once = exchanges.len() == 1 || (case.name == "run(..).wait(..)" && status == 408);
            assert!(once && exchanges.iter().all(|it| it.status == status), "{}: {exchanges:?}", case.name);
            let error = result.expect_err("an error");
            let (kind, error_type) = (error.kind(), ErrorType::of(&error));
            let told = CallFailure::of(&error).and_then(CallFailure::status);
            if kind != kind_of(status) || error_type.is_none() || told != Some(status) {
                wrong.push(format!("{}: {status} became {kind:?}, {error_type:?}, {told:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [400, 401, 402, 403, 404, 405, 408, 413, 415, 429]);
}

/// The check itself: Prism refuses what the description does not allow.
#[tokio::test]
#[ignore = "needs Prism: cargo xtask test --only prism"]
async fn prism_refuses_what_the_description_does_not_allow() {
    let prism = Prism::new().await;
    let client = prism.client(Boundary::all());
    // An input is an object; a limit of keys is 1000 at most.
    let start = client.actor("a1").start(&serde_json::json!([1])).await.unwrap_err();
    let keys = client.key_value_store("s1").keys().limit(1001).await.unwrap_err();
    for error in [start, keys] {
        assert!(CallFailure::of(&error).unwrap().status().is_some_and(|status| status >= 400), "{error:?}");
    }
    for exchange in prism.front.take_exchanges() {
        assert!(exchange.header("sl-violations").is_some(), "{exchange:?}");
    }
}
