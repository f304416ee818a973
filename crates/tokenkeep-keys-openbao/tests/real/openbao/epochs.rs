//! Epochs over the real service while it is in trouble: what is held opens and asks nobody, what is not held says what is wrong, and
//! the same instances work once it is mended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokenkeep_core::{ErrorKind, WrappedDek};
use tokenkeep_keys::{
    EpochClock, EpochEvent, EpochKeys, EpochObserver, EpochTime, KeyProvider, MemoryEpochStore,
};
use tokenkeep_keys_openbao::{OpenBaoFailure, OpenBaoKeys};
use tokenkeep_testkit::ThrowawayOpenBao;

use crate::support::{APPLICATION, EPOCHS, Place, Sample, builder, fails, token};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const MAX_AGE: Duration = Duration::from_secs(600);

/// A clock that a test moves on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl EpochClock for Hands {
    fn now(&self) -> EpochTime {
        let millis = self.0.load(Ordering::SeqCst);
        let unix_millis = 1_795_315_548_123 + i64::try_from(millis).unwrap();
        EpochTime { steady: Duration::from_millis(millis), unix_millis }
    }
}

/// Counts the calls to the provider.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl EpochObserver for Calls {
    fn event(&self, event: &EpochEvent) {
        if let EpochEvent::Called { .. } = event {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// One process of an application.
struct Instance {
    /// Its way to the service.
    service: OpenBaoKeys,
    epochs: EpochKeys,
    calls: Calls,
}

/// Two processes of an application, and a token under an epoch that the first holds and the second never saw.
struct Home {
    clock: Hands,
    warm: Instance,
    cold: Instance,
    sample: Sample,
    wrapped: WrappedDek,
}

impl Home {
    async fn with(service: impl Fn() -> OpenBaoKeys) -> Self {
        let (clock, store) = (Hands::default(), Arc::new(MemoryEpochStore::new()));
        let instance = || {
            let (service, calls) = (service(), Calls::default());
            let options = EpochKeys::options().max_age(MAX_AGE).clock(clock.clone()).observer(calls.clone());
            let epochs = options.build(service.clone(), Arc::clone(&store)).unwrap();
            Instance { service, epochs, calls }
        };
        let (warm, cold) = (instance(), instance());
        let sample = Sample::of_a_token();
        let wrapped = sample.wrap(&warm.epochs).await.unwrap();
        let home = Self { clock, warm, cold, sample, wrapped };
        home.warm_goes_on("at first").await;
        assert_eq!(home.cold.calls.so_far(), 0);
        home
    }

    /// It opens and seals, and asks nobody.
    async fn warm_goes_on(&self, when: &str) {
        let before = self.warm.calls.so_far();
        for _ in 0..20 {
            let opened = self.sample.unwrap(&self.warm.epochs, &self.wrapped).await;
            opened.unwrap_or_else(|error| panic!("{when}: {}", error.report()));
        }
        let other = Sample::of_a_token();
        let wrapped = other.wrap(&self.warm.epochs).await;
        let wrapped = wrapped.unwrap_or_else(|error| panic!("{when}: {}", error.report()));
        other.unwrap(&self.warm.epochs, &wrapped).await.unwrap();
        assert_eq!(self.warm.calls.so_far(), before, "{when}: the provider was asked");
    }

    async fn refuses(&self, instance: &Instance, kind: ErrorKind, failure: &str) {
        for _ in 0..2 {
            let asked = instance.calls.so_far();
            let error = fails(self.sample.unwrap(&instance.epochs, &self.wrapped).await, kind, failure);
            let why = OpenBaoFailure::of(&error).unwrap().to_string();
            assert!(error.report().contains(&why), "the report does not say whose part it is: {why}");
            assert_eq!(instance.calls.so_far(), asked + 1);
            // For a moment what failed is not asked for again, and is told by the same name.
            fails(self.sample.unwrap(&instance.epochs, &self.wrapped).await, kind, failure);
            assert_eq!(instance.calls.so_far(), asked + 1);
            self.clock.pass(SECOND);
        }
    }

    async fn is_well(&self) {
        self.clock.pass(SECOND);
        for instance in [&self.warm, &self.cold] {
            self.sample.unwrap(&instance.epochs, &self.wrapped).await.unwrap();
            let other = Sample::of_a_token();
            let wrapped = other.wrap(&instance.epochs).await.unwrap();
            other.unwrap(&instance.epochs, &wrapped).await.unwrap();
        }
    }

    /// In trouble, which has begun, and after it.
    async fn bears(&self, kind: ErrorKind, failure: &str, mend: impl AsyncFn()) {
        self.warm_goes_on(failure).await;
        self.refuses(&self.cold, kind, failure).await;
        self.clock.pass(MINUTE);
        self.warm_goes_on(failure).await;
        // Nothing is held beyond its time, whatever is in the way.
        self.clock.pass(MAX_AGE);
        self.refuses(&self.warm, kind, failure).await;
        mend().await;
        self.is_well().await;
    }
}

fn server_with_key() -> ThrowawayOpenBao {
    let server = ThrowawayOpenBao::start().unwrap();
    server.write("transit/keys/key", &json!({ "type": "aes256-gcm96", "derived": true })).unwrap();
    server
}

fn as_root(server: &ThrowawayOpenBao) -> OpenBaoKeys {
    builder(server, "key").own_keys().token(token(server.root_token())).build().unwrap()
}

#[tokio::test]
async fn a_sealed_service() {
    let server = server_with_key();
    let home = Home::with(|| as_root(&server)).await;
    server.seal().unwrap();
    home.bears(ErrorKind::KeysUnavailable, "Sealed", async || server.unseal().unwrap()).await;
}

/// The server's process is killed; the minute is one of the epochs' clock.
#[tokio::test]
async fn a_service_that_is_gone_for_a_minute() {
    let server = server_with_key();
    let home = Home::with(|| as_root(&server)).await;
    // The minute lies around the time at which the epoch is due to be renewed: trying to is nobody's delay, and no failure.
    home.clock.pass(MAX_AGE / 5 * 4 - MINUTE / 2);
    home.warm_goes_on("before").await;
    server.kill().unwrap();
    for second in 0..60 {
        home.sample.unwrap(&home.warm.epochs, &home.wrapped).await.unwrap();
        if second % 20 == 0 {
            home.refuses(&home.cold, ErrorKind::KeysUnavailable, "Unreachable").await;
        }
        home.clock.pass(SECOND);
    }
    server.start_again().unwrap();
    home.is_well().await;

    server.kill().unwrap();
    home.clock.pass(MAX_AGE);
    home.refuses(&home.warm, ErrorKind::KeysUnavailable, "Unreachable").await;
    server.start_again().unwrap();
    home.is_well().await;
}

#[tokio::test]
async fn a_policy_that_is_withdrawn() {
    let place = Place::new();
    let policies = [APPLICATION, EPOCHS].map(|hcl| (place.policy(hcl), hcl));
    let names: Vec<&str> = policies.iter().map(|(name, _)| name.as_str()).collect();
    let service = || {
        let text = place.server.token(&names, "1h").unwrap();
        place.builder().own_keys().token(token(&text)).build().unwrap()
    };
    let home = Home::with(service).await;
    for name in &names {
        place.server.put_policy(name, "path \"cubbyhole/*\" { capabilities = [\"read\"] }").unwrap();
    }
    let grant = async || {
        for (name, hcl) in &policies {
            place.server.put_policy(name, &place.hcl(hcl)).unwrap();
        }
    };
    home.bears(ErrorKind::KeysForbidden, "Forbidden", grant).await;
}

#[tokio::test]
async fn a_token_that_is_over() {
    let place = Place::new();
    let names = [APPLICATION, EPOCHS].map(|hcl| place.policy(hcl));
    let fresh = || place.server.token(&[&names[0], &names[1]], "1h").unwrap();
    let first = fresh();
    let home = Home::with(|| place.builder().own_keys().token(token(&first)).build().unwrap()).await;
    place.server.write("auth/token/revoke", &json!({ "token": first })).unwrap();
    let renew = async || {
        for instance in [&home.warm, &home.cold] {
            instance.service.set_token(token(&fresh())).unwrap();
        }
    };
    home.bears(ErrorKind::KeysForbidden, "TokenExpired", renew).await;
}

/// A vault's own keys are under no epoch, and need the service each time.
#[tokio::test]
async fn a_vaults_own_keys_go_to_the_service() {
    let server = server_with_key();
    let home = Home::with(|| as_root(&server)).await;
    let own = Sample::new();
    let before = home.warm.calls.so_far();
    let wrapped = own.wrap(&home.warm.epochs).await.unwrap();
    own.unwrap(&home.warm.epochs, &wrapped).await.unwrap();
    assert_eq!(home.warm.calls.so_far(), before + 2);
    assert_eq!(wrapped.kek(), own.wrap(&home.warm.service).await.unwrap().kek());
    server.seal().unwrap();
    fails(own.unwrap(&home.warm.epochs, &wrapped).await, ErrorKind::KeysUnavailable, "Sealed");
    fails(home.warm.epochs.keks().await, ErrorKind::KeysUnavailable, "Sealed");
    home.warm_goes_on("sealed").await;
    server.unseal().unwrap();
    own.unwrap(&home.warm.epochs, &wrapped).await.unwrap();
}
