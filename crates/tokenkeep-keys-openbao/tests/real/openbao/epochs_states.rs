//! The published rules on epochs over the real service, with a proxy between.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_core::{Envelope, KekId, Origin};
use tokenkeep_keys::conformance::{Circumstance, Rig, run_all, run_states};
use tokenkeep_keys::{
    Destruction, End, EpochKeys, EpochOptions, EpochStore, KeyProvider, MemoryEpochStore, RetirableKeys,
};
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::{InTheWay, TlsProxy};

use super::epochs::Hands;
use crate::support::{APPLICATION, EPOCHS, Place, own_path, token};

const MAX_AGE: Duration = Duration::from_secs(600);

struct EpochRig {
    place: Place,
    policies: [(String, &'static str); 2],
    proxy: TlsProxy,
    clock: Hands,
    store: Arc<MemoryEpochStore>,
    keys: EpochKeys,
}

fn options(clock: &Hands) -> EpochOptions {
    EpochKeys::options().max_age(MAX_AGE).clock(clock.clone())
}

impl EpochRig {
    async fn new() -> Self {
        let (place, clock, store) = (Place::new(), Hands::default(), Arc::new(MemoryEpochStore::new()));
        let policies = [APPLICATION, EPOCHS].map(|hcl| (place.policy(hcl), hcl));
        let text = place.server.token(&[&policies[0].0, &policies[1].0], "1h").unwrap();
        let proxy = TlsProxy::start(place.server.port(), place.server.ca_der()).await.unwrap();
        let service = OpenBaoKeys::builder(Origin::parse(&proxy.origin()).unwrap(), &place.key)
            .ca_der(&proxy.ca_der())
            .timeout(Duration::from_millis(2500))
            .token(token(&text))
            .own_keys()
            .build()
            .unwrap();
        let keys = options(&clock).build(service, Arc::clone(&store)).unwrap();
        Self { place, policies, proxy, clock, store, keys }
    }

    /// Where the service keeps the key that was made for this epoch.
    async fn path(&self, epoch: &KekId) -> String {
        let rows = self.store.epochs().await.unwrap();
        let row = rows.into_iter().find(|row| row.id == *epoch).expect("an epoch of ours");
        let id = *Envelope::decode(row.sealed).unwrap().kek();
        own_path(&self.place, &id)
    }

    /// The key's first version decrypts from here on, or does not.
    async fn lowest(&self, epoch: &KekId, version: u32) {
        let path = self.path(epoch).await;
        if version > 1 {
            self.place.server.write(&format!("{path}/rotate"), &json!({})).unwrap();
        }
        let config = json!({ "min_decryption_version": version });
        self.place.server.write(&format!("{path}/config"), &config).unwrap();
    }

    /// By an instance of the operator's.
    async fn destroy(&self, epoch: &KekId) {
        let operator = options(&self.clock).build(self.place.operator(), Arc::clone(&self.store)).unwrap();
        self.clock.pass(MAX_AGE);
        assert_eq!(operator.mark_drained(epoch).await.unwrap(), None);
        assert!(matches!(operator.destroy_kek(epoch).await.unwrap(), End::Settling(_)));
        self.clock.pass(MAX_AGE);
        let end = operator.destroy_kek(epoch).await.unwrap();
        assert_eq!(end, End::Destroyed(Destruction::Confirmed));
    }

    async fn trouble(&self, way: InTheWay) {
        self.proxy.set(way).await;
        // Nothing is held any more.
        self.clock.pass(MAX_AGE);
    }
}

#[async_trait]
impl Rig for EpochRig {
    fn provider(&self) -> &dyn KeyProvider {
        &self.keys
    }

    async fn other_keys(&self) -> Option<Box<dyn KeyProvider>> {
        let other = options(&self.clock).build(Place::new().keys(), MemoryEpochStore::new());
        Some(Box::new(other.unwrap()))
    }

    async fn bring_about(&self, what: Circumstance) -> bool {
        let answer =
            |status, body: &str| InTheWay::Answer { status, retry_after: None, body: body.to_owned() };
        match what {
            Circumstance::Rotated => drop(self.keys.rotate().await.unwrap()),
            Circumstance::Disabled(epoch) => {
                self.lowest(&epoch, 2).await;
                self.clock.pass(MAX_AGE);
            }
            Circumstance::Enabled(epoch) => {
                self.lowest(&epoch, 1).await;
                // So long does a refusal stand for the next calls.
                self.clock.pass(Duration::from_secs(1));
            }
            Circumstance::Destroyed(epoch) => self.destroy(&epoch).await,
            Circumstance::Forbidden => {
                let none = "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }";
                for (name, _) in &self.policies {
                    self.place.server.put_policy(name, none).unwrap();
                }
                self.clock.pass(MAX_AGE);
            }
            Circumstance::Silent => self.trouble(InTheWay::Silence).await,
            Circumstance::Unreachable => self.trouble(InTheWay::Hangup).await,
            Circumstance::Throttled => {
                self.trouble(answer(429, r#"{"errors":["request path exceeded"]}"#)).await;
            }
            Circumstance::Garbage => {
                self.trouble(answer(200, "<!doctype html><title>Welcome</title>")).await;
            }
            Circumstance::Slow => self.trouble(InTheWay::Slowness(Duration::from_millis(300))).await,
            Circumstance::Well => {
                for (name, hcl) in &self.policies {
                    self.place.server.put_policy(name, &self.place.hcl(hcl)).unwrap();
                }
                self.proxy.set(InTheWay::Nothing).await;
                self.clock.pass(Duration::from_secs(1));
            }
            _ => return false,
        }
        true
    }

    /// The list has the service's own KEKs, too.
    async fn takes_turns(&self, kek: &KekId) -> bool {
        self.store.epochs().await.unwrap().iter().any(|row| row.id == *kek)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[tokio::test]
async fn every_rule_is_checked_and_passes() {
    let rig = EpochRig::new().await;
    run_all(&rig.keys).await;
    assert_eq!(run_states(&rig).await.names(), [""; 0], "left out");
    run_all(&rig.keys).await;
}
