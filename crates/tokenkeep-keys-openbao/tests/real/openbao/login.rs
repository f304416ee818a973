//! Getting in, staying in, and getting in again.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::{AppRole, OpenBaoKeys};

use crate::support::{APPLICATION, Place, Sample, fails, shared, token};

/// An AppRole of the test's own, at a mount of its own.
pub(crate) struct Role {
    pub(crate) place: Place,
    pub(crate) mount: String,
    role_id: String,
    secret_id: String,
    accessor: String,
}

impl Role {
    /// With these settings of the role, and a secret id that may be used so often; 0 is without end.
    pub(crate) fn new(settings: Value, uses: u32) -> Self {
        let place = Place::new();
        let server = place.server;
        let mount = server.fresh_name("approle");
        server.write(&format!("sys/auth/{mount}"), &json!({ "type": "approle" })).unwrap();
        let path = format!("auth/{mount}/role/app");
        let mut data = settings;
        data["token_policies"] = json!([place.policy(APPLICATION)]);
        data["secret_id_num_uses"] = json!(uses);
        server.write(&path, &data).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let role_id = text(&server.read(&format!("{path}/role-id")).unwrap()["data"]["role_id"]);
        let secret = server.write(&format!("{path}/secret-id"), &json!({})).unwrap();
        let (secret_id, accessor) =
            (text(&secret["data"]["secret_id"]), text(&secret["data"]["secret_id_accessor"]));
        Self { place, mount, role_id, secret_id, accessor }
    }

    pub(crate) fn keys(&self) -> OpenBaoKeys {
        self.keys_with(&self.secret_id)
    }

    pub(crate) fn keys_with(&self, secret_id: &str) -> OpenBaoKeys {
        let role = AppRole::new(token(&self.role_id), token(secret_id)).mount(&self.mount);
        assert!(!format!("{role:?}").contains(secret_id));
        self.place.builder().app_role(role).build().unwrap()
    }

    /// Revokes every token that the role gave.
    fn revoke_tokens(&self) {
        let path = format!("sys/leases/revoke-prefix/auth/{}/login", self.mount);
        self.place.server.write(&path, &json!({ "sync": true })).unwrap();
    }

    fn destroy_secret_id(&self) {
        let path = format!("auth/{}/role/app/secret-id-accessor/destroy", self.mount);
        self.place.server.write(&path, &json!({ "secret_id_accessor": self.accessor })).unwrap();
    }
}

/// Works without a break for so long.
pub(crate) async fn works_for(keys: &OpenBaoKeys, time: Duration) {
    let sample = Sample::new();
    let wrapped = sample.wrap(keys).await.unwrap();
    let until = Instant::now() + time;
    while Instant::now() < until {
        sample.unwrap(keys, &wrapped).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let place = Place::new();
    let keys = place.builder().token(place.token(&[APPLICATION], "3s")).build().unwrap();
    works_for(&keys, Duration::from_secs(7)).await;
}

#[tokio::test]
async fn an_approle_renews_its_token_and_does_not_log_in_again() {
    // The secret id is good for one login.
    let role = Role::new(json!({ "token_ttl": "3s", "token_max_ttl": "1h" }), 1);
    works_for(&role.keys(), Duration::from_secs(7)).await;
}

#[tokio::test]
async fn an_approle_gets_a_new_token_at_the_greatest_age_of_the_old_one() {
    let role = Role::new(json!({ "token_ttl": "2s", "token_max_ttl": "3s" }), 0);
    works_for(&role.keys(), Duration::from_secs(8)).await;
}

#[tokio::test]
async fn a_token_that_ended_is_told_from_a_policy_that_was_withdrawn() {
    let place = Place::new();
    let policy = place.policy(APPLICATION);
    let fresh = || place.server.token(&[&policy], "1h").unwrap();
    let first = fresh();
    let keys = place.builder().token(token(&first)).build().unwrap();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();

    let nothing = "path \"cubbyhole/*\" { capabilities = [\"read\"] }";
    place.server.put_policy(&policy, nothing).unwrap();
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysForbidden, "Forbidden");
    fails(sample.wrap(&keys).await, ErrorKind::KeysForbidden, "Forbidden");
    place.server.put_policy(&policy, &place.hcl(APPLICATION)).unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();

    // A moment later: what the service says of a token is believed for a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    place.server.write("auth/token/revoke", &json!({ "token": first })).unwrap();
    for _ in 0..2 {
        fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysForbidden, "TokenExpired");
    }
    keys.set_token(token(&fresh())).unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();

    let short = json!({ "policies": [policy], "ttl": "1s", "renewable": false });
    let short = place.server.write("auth/token/create-orphan", &short).unwrap();
    keys.set_token(token(short["auth"]["client_token"].as_str().unwrap())).unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysForbidden, "TokenExpired");
    keys.set_token(token(&fresh())).unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
}

#[tokio::test]
async fn an_approle_logs_in_again_when_its_token_was_revoked() {
    let role = Role::new(json!({ "token_ttl": "1h" }), 0);
    let keys = role.keys();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    role.revoke_tokens();
    sample.unwrap(&keys, &wrapped).await.unwrap();
    role.revoke_tokens();
    role.destroy_secret_id();
    for _ in 0..2 {
        fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysForbidden, "LoginRefused");
    }
    fails(keys.set_token(token("an-example-token")), ErrorKind::Misuse, "Misuse");
}

#[tokio::test]
async fn many_calls_make_one_login() {
    // One for each of: cold, the lease over, the token revoked.
    let role = Role::new(json!({ "token_ttl": "2s", "token_max_ttl": "2s" }), 3);
    let keys = role.keys();
    let sample = Sample::new();
    let wrapped = Arc::new((sample.wrap(&keys).await.unwrap(), sample));
    for circumstance in ["warm", "over", "revoked"] {
        match circumstance {
            "over" => tokio::time::sleep(Duration::from_millis(2100)).await,
            "revoked" => role.revoke_tokens(),
            _ => {}
        }
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let (keys, wrapped) = (keys.clone(), Arc::clone(&wrapped));
                tokio::spawn(async move { wrapped.1.unwrap(&keys, &wrapped.0).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap_or_else(|error| panic!("{circumstance}: {}", error.report()));
        }
    }
}

#[tokio::test]
async fn a_login_that_is_dropped_holds_nobody_up() {
    let role = Role::new(json!({ "token_ttl": "1h" }), 0);
    let keys = role.keys();
    for polls in 1..6 {
        let mut call = pin!(keys.keks());
        for _ in 0..polls {
            // The login goes on without the call that began it, so that a later one may be done.
            if poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    works_for(&keys, Duration::from_millis(1)).await;
}

#[tokio::test]
async fn a_namespace_has_keys_of_its_own() {
    let server = shared();
    let team = server.fresh_name("team");
    server.write(&format!("sys/namespaces/{team}"), &json!({})).unwrap();
    server.write(&format!("{team}/sys/mounts/deep/transit"), &json!({ "type": "transit" })).unwrap();
    let place = Place::new();
    let path = format!("{team}/deep/transit/keys/{}", place.key);
    server.write(&path, &json!({ "derived": true })).unwrap();
    let hcl = place.hcl(APPLICATION).replace("\"transit/", "\"deep/transit/");
    server.write(&format!("{team}/sys/policies/acl/app"), &json!({ "policy": hcl })).unwrap();
    let made = json!({ "policies": ["app"], "ttl": "1h" });
    let made = server.write(&format!("{team}/auth/token/create-orphan"), &made).unwrap();
    let text = made["auth"]["client_token"].as_str().unwrap();
    let builder = || place.builder().mount("deep/transit").token(token(text));
    let keys = builder().namespace(&team).build().unwrap();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
    fails(sample.unwrap(&place.keys(), &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    let outside = builder().build().unwrap();
    let error = sample.unwrap(&outside, &wrapped).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::KeysWrong | ErrorKind::KeysForbidden), "{}", error.report());
    assert!(sample.wrap(&outside).await.is_err());
}
