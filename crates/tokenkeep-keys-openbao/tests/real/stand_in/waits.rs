//! How long a call takes and how often it asks, whatever the service does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokenkeep_core::{ErrorKind, KekId, Origin, WrappedDek};
use tokenkeep_keys::{DestroyableKeys, KeyProvider};
use tokenkeep_keys_openbao::{OpenBaoFailure, OpenBaoKeys};
use tokenkeep_testkit::JsonStandIn;

use super::service::{builder, count, service};
use crate::support::{Sample, envelope, fails, token, under};

const LIMIT: Duration = Duration::from_millis(500);
/// Of the limit: four times is what is promised, and as much again is a busy host's.
const FACTOR: u32 = 8;

/// Takes connections and says nothing.
struct Silent {
    listener: std::net::TcpListener,
    ca_der: Vec<u8>,
}

impl Silent {
    async fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self { listener, ca_der: service(|_| None).await.ca_der() }
    }

    fn keys(&self) -> OpenBaoKeys {
        let origin = format!("https://localhost:{}", self.listener.local_addr().unwrap().port());
        let builder = OpenBaoKeys::builder(Origin::parse(&origin).unwrap(), "key").ca_der(&self.ca_der);
        builder.own_keys().timeout(LIMIT).token(token("an-example-token")).build().unwrap()
    }
}

fn at(service: &JsonStandIn) -> OpenBaoKeys {
    builder(service).own_keys().timeout(LIMIT).token(token("an-example-token")).build().unwrap()
}

/// The same under as many keys of their own.
async fn under_own_keys(wrapped: &WrappedDek, keys: &OpenBaoKeys, count: u8) -> Vec<WrappedDek> {
    let id = keys.make_key().await.unwrap();
    let other = |number: u8| {
        let mut bytes = id.as_bytes().to_vec();
        *bytes.last_mut().unwrap() ^= number;
        KekId::from_slice(&bytes).unwrap()
    };
    (0..count).map(|number| under(&other(number), wrapped)).collect()
}

async fn unwraps_in_time(keys: &OpenBaoKeys, sample: &Sample, wrapped: &[WrappedDek]) {
    let envelopes: Vec<_> = wrapped.iter().map(envelope).collect();
    let requests: Vec<_> =
        envelopes.iter().map(|envelope| envelope.unwrap_request(&sample.context)).collect();
    let begin = Instant::now();
    let answers = keys.unwrap_deks(&requests).await;
    assert!(begin.elapsed() < LIMIT * FACTOR, "{} took {:?}", wrapped.len(), begin.elapsed());
    assert_eq!(answers.len(), wrapped.len());
    for answer in answers {
        assert!(OpenBaoFailure::of(&answer.unwrap_err()).is_some());
    }
}

#[tokio::test]
async fn a_batch_takes_no_longer_than_one_at_a_silent_service() {
    let well = service(|_| None).await;
    let sample = Sample::new();
    let wrapped = sample.wrap(&at(&well)).await.unwrap();
    let silent = Silent::new().await;
    let versions: Vec<_> = (0..40).map(|_| under(wrapped.kek(), &wrapped)).collect();
    unwraps_in_time(&silent.keys(), &sample, &versions).await;
    let own = under_own_keys(&wrapped, &at(&well), 40).await;
    unwraps_in_time(&silent.keys(), &sample, &own).await;
}

#[tokio::test]
async fn who_waits_for_a_login_takes_its_failure() {
    let sample = Sample::new();
    let wrapped = sample.wrap(&at(&service(|_| None).await)).await.unwrap();
    let silent = Silent::new().await;
    all_time_out(&silent.keys(), sample, wrapped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_for_a_question_takes_its_failure() {
    let sample = Sample::new();
    let wrapped = sample.wrap(&at(&service(|_| None).await)).await.unwrap();
    let silent = service(|request| {
        if !request.path().ends_with("lookup-self") {
            std::thread::sleep(2 * LIMIT);
        }
        None
    })
    .await;
    let keys = at(&silent);
    all_time_out(&keys, sample, wrapped).await;
    assert_eq!(count(&silent, "/keys/key"), 1, "they asked one after the other");
}

async fn all_time_out(keys: &OpenBaoKeys, sample: Sample, wrapped: WrappedDek) {
    let shared = Arc::new((sample, wrapped));
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let (keys, shared) = (keys.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                let begin = Instant::now();
                let result = shared.0.unwrap(&keys, &shared.1).await;
                fails(result, ErrorKind::KeysUnavailable, "TimedOut");
                begin.elapsed()
            })
        })
        .collect();
    for call in calls {
        let took = call.await.unwrap();
        assert!(took < LIMIT * FACTOR, "one took {took:?}");
    }
}

#[tokio::test]
async fn a_batch_asks_a_sealed_service_once() {
    let well = service(|_| None).await;
    let sample = Sample::new();
    let wrapped = sample.wrap(&at(&well)).await.unwrap();
    let sealed = service(|request| {
        let looks = request.path().ends_with("lookup-self");
        (!looks).then(|| (503, json!({ "errors": ["Vault is sealed"] })))
    })
    .await;
    let own = under_own_keys(&wrapped, &at(&well), 50).await;
    let versions: Vec<_> = (0..50).map(|_| under(wrapped.kek(), &wrapped)).collect();
    for wrapped in [versions, own] {
        let before = sealed.requests().len();
        unwraps_in_time(&at(&sealed), &sample, &wrapped).await;
        assert_eq!(sealed.requests().len() - before, 2, "a login, and a question");
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_asks_why_once() {
    let well = service(|_| None).await;
    let keys = at(&well);
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    let own = keys.make_key().await.unwrap();
    for kek in [wrapped.kek(), &own] {
        let before = well.requests().len();
        let wrapped: Vec<_> = (0..100).map(|_| under(kek, &wrapped)).collect();
        unwraps_in_time(&keys, &sample, &wrapped).await;
        // And once more, as the key may have been enabled in between.
        assert_eq!(well.requests().len() - before, 4, "it, and why, each twice");
    }
}

/// Each answer comes in time, and there are many.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_adds_up_has_an_end() {
    let well = service(|_| None).await;
    let sample = Sample::new();
    let wrapped = sample.wrap(&at(&well)).await.unwrap();
    let own = under_own_keys(&wrapped, &at(&well), 20).await;
    let slow = service(|_| {
        std::thread::sleep(LIMIT * 6 / 10);
        None
    })
    .await;
    unwraps_in_time(&at(&slow), &sample, &own).await;
}

#[tokio::test]
async fn a_refusal_of_somebody_in_between_is_not_the_services() {
    let sample = Sample::new();
    for (body, failure) in [
        (json!({ "message": "blocked by the firewall" }), "Garbage"),
        (json!({}), "Garbage"),
        (json!({ "errors": null, "data": null }), "Garbage"),
        (json!({ "errors": ["no"] }), "Refused"),
    ] {
        let said = body.clone();
        let service =
            service(move |request| request.path().contains("/decrypt/").then(|| (400, said.clone()))).await;
        let keys = at(&service);
        let wrapped = sample.wrap(&keys).await.unwrap();
        let kind = if failure == "Garbage" { ErrorKind::KeysUnavailable } else { ErrorKind::KeysUnusable };
        fails(sample.unwrap(&keys, &wrapped).await, kind, failure);
    }
}
