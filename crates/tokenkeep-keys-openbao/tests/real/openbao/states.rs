//! The published rules on states and troubles, with a proxy between provider and server.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_core::{KekId, Origin};
use tokenkeep_keys::conformance::{Circumstance, Rig, run_all, run_states};
use tokenkeep_keys::{Destruction, KeyProvider};
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::{InTheWay, TlsProxy};

use crate::support::{APPLICATION, Place, token};

struct OpenBaoRig {
    place: Place,
    policy: String,
    proxy: TlsProxy,
    keys: OpenBaoKeys,
}

impl OpenBaoRig {
    async fn new() -> Self {
        let place = Place::new();
        let policy = place.policy(APPLICATION);
        let token = token(&place.server.token(&[&policy], "1h").unwrap());
        let proxy = TlsProxy::start(place.server.port(), place.server.ca_der()).await.unwrap();
        let keys = OpenBaoKeys::builder(Origin::parse(&proxy.origin()).unwrap(), &place.key)
            .ca_der(&proxy.ca_der())
            .timeout(Duration::from_millis(2500))
            .token(token)
            .build()
            .unwrap();
        Self { place, policy, proxy, keys }
    }

    /// No version below this one decrypts.
    fn lowest(&self, version: u32) {
        let config = format!("{}/config", self.place.path());
        self.place.server.write(&config, &json!({ "min_decryption_version": version })).unwrap();
    }
}

fn version(id: &KekId) -> u32 {
    u32::from_be_bytes(id.as_bytes()[25..].try_into().unwrap())
}

#[async_trait]
impl Rig for OpenBaoRig {
    fn provider(&self) -> &dyn KeyProvider {
        &self.keys
    }

    async fn other_keys(&self) -> Option<Box<dyn KeyProvider>> {
        Some(Box::new(Place::new().keys()))
    }

    async fn bring_about(&self, what: Circumstance) -> bool {
        let answer =
            |status, body: &str| InTheWay::Answer { status, retry_after: None, body: body.to_owned() };
        match what {
            Circumstance::Rotated => {
                let rotated = self.place.server.write(&format!("{}/rotate", self.place.path()), &json!({}));
                rotated.unwrap();
            }
            Circumstance::Disabled(id) => self.lowest(version(&id) + 1),
            Circumstance::Enabled(_) => self.lowest(1),
            Circumstance::Destroyed(id) => {
                let destroyed = self.place.operator().destroy_version(&id).await.unwrap();
                assert_eq!(destroyed, Destruction::Confirmed);
            }
            Circumstance::Forbidden => {
                let none = "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }";
                self.place.server.put_policy(&self.policy, none).unwrap();
            }
            Circumstance::Silent => self.proxy.set(InTheWay::Silence).await,
            Circumstance::Unreachable => self.proxy.set(InTheWay::Hangup).await,
            Circumstance::Throttled => {
                self.proxy.set(answer(429, r#"{"errors":["request path exceeded"]}"#)).await;
            }
            Circumstance::Garbage => {
                self.proxy.set(answer(200, "<!doctype html><title>Welcome</title>")).await;
            }
            Circumstance::Slow => self.proxy.set(InTheWay::Slowness(Duration::from_millis(300))).await,
            Circumstance::Well => {
                self.place.server.put_policy(&self.policy, &self.place.hcl(APPLICATION)).unwrap();
                self.proxy.set(InTheWay::Nothing).await;
            }
            _ => return false,
        }
        true
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(6)
    }
}

#[tokio::test]
async fn every_rule_is_checked_and_passes() {
    let rig = OpenBaoRig::new().await;
    assert_eq!(run_states(&rig).await.names(), [""; 0], "left out");
    run_all(&rig.keys).await;
}
