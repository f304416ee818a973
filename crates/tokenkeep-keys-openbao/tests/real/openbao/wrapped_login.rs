//! A secret id that comes behind a token which is good for one look.

use serde_json::{Value, json};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_keys_openbao::{AppRole, OpenBaoKeys};
use tokenkeep_testkit::{LeakScanner, ThrowawayOpenBao};

use crate::support::{APPLICATION, Place, Sample, fails, token};

struct Role {
    place: Place,
    mount: String,
    role_id: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Role {
    fn new() -> Self {
        let place = Place::new();
        let server = place.server;
        let mount = server.fresh_name("approle");
        server.write(&format!("sys/auth/{mount}"), &json!({ "type": "approle" })).unwrap();
        let path = format!("auth/{mount}/role/app");
        // The tokens are short, so that the secret id is needed again.
        let settings = json!({
            "token_policies": [place.policy(APPLICATION)], "token_ttl": "1s", "token_max_ttl": "1s",
        });
        server.write(&path, &settings).unwrap();
        let role_id = text(&server.read(&format!("{path}/role-id")).unwrap()["data"]["role_id"]);
        Self { place, mount, role_id }
    }

    fn server(&self) -> &'static ThrowawayOpenBao {
        self.place.server
    }

    /// A wrapping token for a new secret id.
    fn wrapping_token(&self, ttl: &str) -> String {
        let path = format!("auth/{}/role/app/secret-id", self.mount);
        let wrapped = self.server().write_wrapped(&path, &json!({}), ttl).unwrap();
        text(&wrapped["wrap_info"]["token"])
    }

    async fn start(&self, wrapping_token: &str) -> Result<OpenBaoKeys, Error> {
        let role = AppRole::wrapped(token(&self.role_id), token(wrapping_token)).mount(&self.mount);
        assert!(!format!("{role:?}").contains(wrapping_token));
        self.place.builder().app_role(role).build_unwrapping().await
    }
}

#[tokio::test]
async fn it_is_unwrapped_once_and_lasts() {
    let role = Role::new();
    let keys = role.start(&role.wrapping_token("60s")).await.unwrap();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    // The token of the first login is over: the second takes the secret id again, not the wrapping token.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    sample.unwrap(&keys, &wrapped).await.unwrap();
}

#[tokio::test]
async fn a_look_that_somebody_else_had_is_told() {
    let role = Role::new();
    let stolen = role.wrapping_token("60s");
    role.server().write_as(&stolen, "sys/wrapping/unwrap", &Value::Null).unwrap();
    let own = role.wrapping_token("60s");
    role.start(&own).await.unwrap();
    for spent in [&stolen, &own] {
        let error = fails(role.start(spent).await, ErrorKind::KeysForbidden, "WrappingTokenSpent");
        assert!(error.report().contains("somebody else may have the secret id"), "{}", error.report());
        let printed = format!("{error:?} {error} {}", error.report());
        let scanner = LeakScanner::new().token("the wrapping token", spent);
        assert!(scanner.scan_bytes("text", printed.as_bytes()).is_empty());
    }
}

#[tokio::test]
async fn a_look_that_comes_too_late_is_told() {
    let role = Role::new();
    let late = role.wrapping_token("1s");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    fails(role.start(&late).await, ErrorKind::KeysForbidden, "WrappingTokenSpent");
}

/// Who unwraps the secret id and wraps it again leaves the application a token that is good for a look.
#[tokio::test]
async fn what_was_wrapped_again_is_not_taken() {
    let role = Role::new();
    let stolen = role.wrapping_token("60s");
    let secret = role.server().write_as(&stolen, "sys/wrapping/unwrap", &Value::Null).unwrap();
    let again = role.server().write_wrapped("sys/wrapping/wrap", &secret["data"], "60s").unwrap();
    let again = text(&again["wrap_info"]["token"]);
    fails(role.start(&again).await, ErrorKind::KeysForbidden, "WrapsSomethingElse");
    // Looked at, not unwrapped: it is evidence.
    let left = role.server().write_as(&again, "sys/wrapping/unwrap", &Value::Null).unwrap();
    assert_eq!(left["data"]["secret_id"], secret["data"]["secret_id"]);

    // Nor what another auth method, or another path of this one, gave.
    let other = Role::new();
    fails(role.start(&other.wrapping_token("60s")).await, ErrorKind::KeysForbidden, "WrapsSomethingElse");
}

#[tokio::test]
async fn without_the_look_there_is_no_provider() {
    let role = Role::new();
    let wrapped = AppRole::wrapped(token(&role.role_id), token("an-example-token")).mount(&role.mount);
    fails(role.place.builder().app_role(wrapped).build(), ErrorKind::Misuse, "Misuse");
    // A token that is not wrapped needs none.
    let plain = role.place.builder().token(role.place.token(&[APPLICATION], "1h"));
    Sample::new().wrap(&plain.build_unwrapping().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn it_is_unwrapped_in_a_namespace_too() {
    let place = Place::new();
    let server = place.server;
    let team = server.fresh_name("team");
    server.write(&format!("sys/namespaces/{team}"), &json!({})).unwrap();
    server.write(&format!("{team}/sys/auth/approle"), &json!({ "type": "approle" })).unwrap();
    let path = format!("{team}/auth/approle/role/app");
    server.write(&path, &json!({ "token_policies": ["default"] })).unwrap();
    let role_id = text(&server.read(&format!("{path}/role-id")).unwrap()["data"]["role_id"]);
    let wrapped = server.write_wrapped(&format!("{path}/secret-id"), &json!({}), "60s").unwrap();
    let wrapping_token = text(&wrapped["wrap_info"]["token"]);
    let start = || {
        let role = AppRole::wrapped(token(&role_id), token(&wrapping_token));
        place.builder().namespace(&team).app_role(role).build_unwrapping()
    };
    let keys = start().await.unwrap();
    // It gets in; the engine is not there.
    fails(Sample::new().wrap(&keys).await, ErrorKind::KeysForbidden, "Forbidden");
    fails(start().await, ErrorKind::KeysForbidden, "WrappingTokenSpent");
}
