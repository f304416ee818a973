//! What a login may not do to others, and what it must go on with.

use std::time::Duration;

use serde_json::json;
use tokenkeep_core::ErrorKind;

use super::login::{Role, works_for};
use crate::support::{APPLICATION, Place, Sample, fails, token};

impl Role {
    /// How many of its tokens the service keeps.
    fn leases(&self) -> usize {
        let path = format!("sys/leases/lookup/auth/{}/login?list=true", self.mount);
        self.place.server.read(&path).unwrap()["data"]["keys"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_withdrawn_policy_makes_no_storm_of_logins() {
    let role = Role::new(json!({ "token_ttl": "1h", "token_no_default_policy": true }), 0);
    let keys = role.keys();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    assert_eq!(role.leases(), 1);
    let path = format!("auth/{}/role/app", role.mount);
    let role_now = role.place.server.read(&path).unwrap();
    let policy = role_now["data"]["token_policies"][0].as_str().unwrap();
    let nothing = "path \"cubbyhole/*\" { capabilities = [\"read\"] }";
    role.place.server.put_policy(policy, nothing).unwrap();
    for _ in 0..30 {
        fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysForbidden, "Forbidden");
    }
    assert_eq!(role.leases(), 2, "one to find out");
    role.place.server.put_policy(policy, &role.place.hcl(APPLICATION)).unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
}

/// The service locks a role at the fifth.
#[tokio::test]
async fn an_instance_with_a_stale_secret_id_locks_nobody_out() {
    let role = Role::new(json!({ "token_ttl": "1h" }), 0);
    let stale = role.keys_with("11111111-2222-3333-4444-555555555555");
    for _ in 0..8 {
        fails(Sample::new().wrap(&stale).await, ErrorKind::KeysForbidden, "LoginRefused");
    }
    Sample::new().wrap(&role.keys()).await.unwrap();
}

#[tokio::test]
async fn a_token_whose_period_was_shortened_is_renewed_on() {
    let place = Place::new();
    let server = place.server;
    let policy = place.policy(APPLICATION);
    let name = server.fresh_name("token-role");
    let path = format!("auth/token/roles/{name}");
    let period = |time: &str| json!({ "allowed_policies": [policy], "orphan": true, "token_period": time });
    server.write(&path, &period("8s")).unwrap();
    let made = json!({ "policies": [policy] });
    let made = server.write(&format!("auth/token/create/{name}"), &made).unwrap();
    let text = made["auth"]["client_token"].as_str().unwrap();
    let keys = place.builder().token(token(text)).build().unwrap();
    Sample::new().wrap(&keys).await.unwrap();
    server.write(&path, &period("3s")).unwrap();
    // Renewed after some five seconds for three: less than half of what it had. Not renewed again it would be over after eight.
    works_for(&keys, Duration::from_secs(11)).await;
}
