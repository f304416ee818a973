//! A service of the test's own.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep_core::Origin;
use tokenkeep_keys_openbao::{AppRole, OpenBaoBuilder, OpenBaoKeys};
use tokenkeep_testkit::{JsonStandIn, RecordedRequest};

use crate::support::token;

/// Answers as `special` says, else as a service whose key is well. It refuses to decrypt.
pub(crate) async fn service(
    special: impl Fn(&RecordedRequest) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> JsonStandIn {
    let answer = move |request: &RecordedRequest| {
        let (status, answer) = special(request).unwrap_or_else(|| as_usual(request));
        (status, answer.to_string())
    };
    JsonStandIn::start(answer).await.unwrap()
}

fn as_usual(request: &RecordedRequest) -> (u16, Value) {
    let data = match request.path() {
        path if path.ends_with("lookup-self") => looked(0),
        path if path.ends_with("/login") || path.ends_with("renew-self") => return lease(3600),
        path if path.contains("/encrypt/") => json!({ "batch_results": [{ "ciphertext": "vault:v1:AAAA" }] }),
        path if path.contains("/decrypt/") => return (400, json!({ "errors": ["refused"] })),
        _ => json!({
            "type": "aes256-gcm96", "derived": true, "exportable": false, "allow_plaintext_backup": false,
            "latest_version": 1, "min_decryption_version": 1, "min_available_version": 0, "keys": { "1": 1 },
        }),
    };
    (200, json!({ "data": data }))
}

/// What a login or a renewal gives.
pub(crate) fn lease(seconds: u64) -> (u16, Value) {
    let auth = json!({ "client_token": "token-of-a-login", "lease_duration": seconds, "renewable": true });
    (200, json!({ "auth": auth }))
}

/// What a token sees of itself; 0 seconds are without end.
pub(crate) fn looked(seconds: u64) -> Value {
    let expires = (seconds > 0).then_some("2099-01-01T00:00:00Z");
    json!({ "ttl": seconds, "expire_time": expires, "renewable": true })
}

pub(crate) fn builder(service: &JsonStandIn) -> OpenBaoBuilder {
    OpenBaoKeys::builder(Origin::parse(&service.origin()).unwrap(), "key").ca_der(&service.ca_der())
}

pub(crate) fn with_role(service: &JsonStandIn) -> OpenBaoKeys {
    let role = AppRole::new(token("the-role-id"), token("the-secret-id"));
    builder(service).app_role(role).build().unwrap()
}

/// How many requests had a path with this end.
pub(crate) fn count(service: &JsonStandIn, end: &str) -> usize {
    service.requests().iter().filter(|request| request.path().ends_with(end)).count()
}

/// Holds an answer back until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Blocks the thread, for a minute at most: the runtime needs several. The worker's part goes to another one meanwhile, or it might
    /// be the one that looks after time and sockets for all.
    pub(crate) fn pass(&self) {
        let (open, changed) = &*self.0;
        let minute = Duration::from_secs(60);
        tokio::task::block_in_place(|| {
            drop(changed.wait_timeout_while(open.lock().unwrap(), minute, |open| !*open).unwrap());
        });
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}
