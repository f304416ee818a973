//! Logins and renewals at a service that does what no real one would on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::KeyProvider;
use tokenkeep_testkit::JsonStandIn;

use super::service::{Gate, builder, count, lease, looked, service, with_role};
use crate::support::{fails, token};

/// Until the service got so many requests with this end.
async fn until(service: &JsonStandIn, end: &str, requests: usize) {
    for _ in 0..6000 {
        if count(service, end) >= requests {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the service was not asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_give_up_leave_the_login_to_those_who_come() {
    let gate = Gate::default();
    let held = gate.clone();
    let service = service(move |request| {
        if request.path().ends_with("/login") {
            held.pass();
        }
        None
    })
    .await;
    let keys = with_role(&service);
    // Each that reached the service would hold a thread of the runtime's.
    for _ in 0..2 {
        let call = tokio::time::timeout(Duration::from_millis(100), keys.keks());
        assert!(call.await.is_err(), "nobody is in yet");
    }
    until(&service, "/login", 1).await;
    gate.open();
    keys.keks().await.unwrap();
    assert_eq!(count(&service, "/login"), 1, "each caller began a login of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_renewal_that_ends_late_does_not_put_the_former_token_back() {
    let gate = Gate::default();
    let held = gate.clone();
    let service = service(move |request| match request.path() {
        path if path.ends_with("lookup-self") => Some((200, json!({ "data": looked(12) }))),
        path if path.ends_with("renew-self") => {
            held.pass();
            Some(lease(3600))
        }
        _ => None,
    })
    .await;
    let keys = builder(&service).token(token("the-leaked-token")).build().unwrap();
    keys.keks().await.unwrap();
    // Due, and with a third left for a busy host to begin it in.
    tokio::time::sleep(Duration::from_millis(8100)).await;
    let renewing = keys.clone();
    let renewing = tokio::spawn(async move { renewing.keks().await.map(drop) });
    until(&service, "renew-self", 1).await;
    keys.set_token(token("the-new-token")).unwrap();
    gate.open();
    renewing.await.unwrap().unwrap();
    keys.keks().await.unwrap();
    let last = service.requests().pop().unwrap();
    assert_eq!(last.header("x-vault-token"), Some("the-new-token"));
    let of_former = |end: &str| {
        let requests = service.requests();
        let mut those = requests.iter().filter(|request| request.path().ends_with(end));
        those.any(|request| request.header("x-vault-token") == Some("the-new-token"))
    };
    assert!(of_former("lookup-self"), "the new token was never looked at");
}

#[tokio::test]
async fn an_absurd_lease_is_a_long_one() {
    for seconds in [u64::MAX, u64::MAX / 1000, 1 << 40] {
        let service = service(move |request| match request.path() {
            path if path.ends_with("lookup-self") => Some((200, json!({ "data": looked(seconds) }))),
            path if path.ends_with("/login") => Some(lease(seconds)),
            _ => None,
        })
        .await;
        let given = builder(&service).token(token("an-example-token")).build().unwrap();
        for keys in [given, with_role(&service)] {
            for _ in 0..2 {
                keys.keks().await.unwrap();
            }
        }
        assert_eq!(count(&service, "renew-self"), 0);
    }
}

/// At a real service five of them lock the role for everybody.
#[tokio::test]
async fn a_login_that_is_refused_is_not_tried_at_every_call() {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let service = service(move |request| {
        let refused = request.path().ends_with("/login") && !is_mended.load(Ordering::SeqCst);
        refused.then(|| (400, json!({ "errors": ["invalid role or secret ID"] })))
    })
    .await;
    let keys = with_role(&service);
    for _ in 0..8 {
        fails(keys.keks().await, ErrorKind::KeysForbidden, "LoginRefused");
    }
    assert_eq!(count(&service, "/login"), 1);
    mended.store(true, Ordering::SeqCst);
    fails(keys.keks().await, ErrorKind::KeysForbidden, "LoginRefused");
    keys.set_secret_id(token("another-secret-id")).unwrap();
    keys.keks().await.unwrap();
    let body = String::from_utf8(
        service.requests().iter().rfind(|r| r.path().ends_with("/login")).unwrap().body.to_vec(),
    );
    assert!(body.unwrap().contains("another-secret-id"));
    let given = builder(&service).token(token("an-example-token")).build().unwrap();
    fails(given.set_secret_id(token("another-secret-id")), ErrorKind::Misuse, "Misuse");
}

/// The pause after the refusal is the former one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_secret_id_that_is_given_while_the_former_one_is_refused_is_tried() {
    let gate = Gate::default();
    let held = gate.clone();
    let service = service(move |request| {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let former = request.path().ends_with("/login") && body.contains("the-secret-id");
        former.then(|| {
            held.pass();
            (400, json!({ "errors": ["invalid role or secret ID"] }))
        })
    })
    .await;
    let keys = with_role(&service);
    let calling = keys.clone();
    let calling = tokio::spawn(async move { calling.keks().await.map(drop) });
    until(&service, "/login", 1).await;
    keys.set_secret_id(token("another-secret-id")).unwrap();
    gate.open();
    calling.await.unwrap().unwrap();
    keys.keks().await.unwrap();
    assert_eq!(count(&service, "/login"), 2);
}

/// Such a token can't be told from one that is over by asking what it is.
#[tokio::test]
async fn a_token_that_may_do_nothing_is_not_replaced_at_every_call() {
    let allowed = Arc::new(AtomicBool::new(false));
    let is_allowed = Arc::clone(&allowed);
    let service = service(move |request| {
        let look = request.path().ends_with("lookup-self");
        let refused = !request.path().ends_with("/login") && (look || !is_allowed.load(Ordering::SeqCst));
        refused.then(|| (403, json!({ "errors": ["permission denied"] })))
    })
    .await;
    let keys = with_role(&service);
    for _ in 0..30 {
        fails(keys.keks().await, ErrorKind::KeysForbidden, "Forbidden");
    }
    // One at the start, one to find out.
    assert_eq!(count(&service, "/login"), 2);
    allowed.store(true, Ordering::SeqCst);
    keys.keks().await.unwrap();
}

/// It looked like the former one for a second, and was not asked about.
#[tokio::test]
async fn what_is_known_of_a_token_is_not_said_of_the_next() {
    let looks = Arc::new(AtomicUsize::new(0));
    let service = service(move |request| {
        let of_next = request.header("x-vault-token") == Some("the-next-token");
        let look = request.path().ends_with("lookup-self");
        // The next one ends right after it was looked at.
        let good = look && (!of_next || looks.fetch_add(1, Ordering::SeqCst) == 0);
        (!good).then(|| (403, json!({ "errors": ["permission denied"] })))
    })
    .await;
    let keys = builder(&service).token(token("the-former-token")).build().unwrap();
    fails(keys.keks().await, ErrorKind::KeysForbidden, "Forbidden");
    fails(keys.keks().await, ErrorKind::KeysForbidden, "Forbidden");
    assert_eq!(count(&service, "lookup-self"), 2, "once as it came, and once for both calls");
    keys.set_token(token("the-next-token")).unwrap();
    fails(keys.keks().await, ErrorKind::KeysForbidden, "TokenExpired");
}

#[tokio::test]
async fn what_stands_between_refuses_no_login() {
    let service = service(|request| {
        let login = request.path().ends_with("/login");
        login.then(|| (400, json!({ "message": "blocked by the firewall" })))
    })
    .await;
    fails(with_role(&service).keks().await, ErrorKind::KeysUnavailable, "Garbage");
}
