//! Keys of their own whose making fails: the next call goes on with the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::DestroyableKeys;
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::{JsonStandIn, RecordedRequest};

use super::service::{Gate, builder, service};
use crate::support::{fails, token};

/// The paths that keys of their own were made at.
fn made(service: &JsonStandIn) -> BTreeSet<String> {
    let requests = service.requests();
    let made = requests.iter().filter(|request| is_make(request));
    made.map(|request| request.path().to_owned()).collect()
}

fn is_own(request: &RecordedRequest) -> bool {
    request.path().contains("/key-epoch-")
}

fn is_make(request: &RecordedRequest) -> bool {
    is_own(request) && !request.body.to_vec().is_empty()
}

fn at(service: &JsonStandIn) -> OpenBaoKeys {
    builder(service).own_keys().token(token("an-example-token")).build().unwrap()
}

#[tokio::test]
async fn a_key_that_can_not_be_looked_at_is_the_next_calls() {
    for (status, body, kind, failure) in [
        (404, json!({ "errors": [] }), ErrorKind::KeysUnavailable, "Lags"),
        (503, json!({ "errors": ["Vault is sealed"] }), ErrorKind::KeysUnavailable, "Sealed"),
        (403, json!({ "errors": ["permission denied"] }), ErrorKind::KeysForbidden, "Forbidden"),
    ] {
        let fail = Arc::new(AtomicUsize::new(5));
        let left = Arc::clone(&fail);
        let service = service(move |request| {
            let fails = is_own(request) && !is_make(request) && left.load(Ordering::SeqCst) > 0;
            fails.then(|| (status, body.clone()))
        })
        .await;
        let keys = at(&service);
        while fail.load(Ordering::SeqCst) > 0 {
            fails(keys.make_key().await, kind, failure);
            fail.fetch_sub(1, Ordering::SeqCst);
        }
        let first = keys.make_key().await.unwrap();
        assert_eq!(made(&service).len(), 1, "each call made a key of its own");
        assert_ne!(keys.make_key().await.unwrap(), first, "one key was given twice");
        assert_eq!(made(&service).len(), 2);
    }
}

/// The service did it, and nobody heard of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_is_dropped_leaves_its_key_to_the_next() {
    let gate = Gate::default();
    let held = gate.clone();
    let service = service(move |request| {
        if is_make(request) {
            held.pass();
        }
        None
    })
    .await;
    let keys = at(&service);
    let call = tokio::time::timeout(Duration::from_millis(300), keys.make_key());
    assert!(call.await.is_err(), "it is held back");
    gate.open();
    keys.make_key().await.unwrap();
    assert_eq!(made(&service).len(), 1, "the next call made another one");
}

/// What an operator took for an orphan, or made unfit, meanwhile.
#[tokio::test]
async fn a_key_that_is_not_new_any_more_is_left() {
    let key = |latest: u32, lowest: u32, exportable: bool| {
        json!({ "data": {
            "type": "aes256-gcm96", "derived": true, "exportable": exportable, "allow_plaintext_backup": false,
            "latest_version": latest, "min_decryption_version": lowest, "min_available_version": lowest,
            "keys": { latest.to_string(): 1 },
        } })
    };
    for then in [key(2, 2, false), key(2, 1, false), key(1, 1, true)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let service = service(move |request| {
            let looks = is_own(request) && !is_make(request);
            let answer: Option<(u16, Value)> = match looks.then(|| asked.fetch_add(1, Ordering::SeqCst)) {
                Some(0) => Some((503, json!({ "errors": ["Vault is sealed"] }))),
                Some(1) => Some((200, then.clone())),
                _ => None,
            };
            answer
        })
        .await;
        let keys = at(&service);
        fails(keys.make_key().await, ErrorKind::KeysUnavailable, "Sealed");
        keys.make_key().await.unwrap();
        assert_eq!(made(&service).len(), 2);
        keys.make_key().await.unwrap();
        assert_eq!(made(&service).len(), 3, "it was taken up again");
    }
}
