//! What an application that has this crate alone is told of its keys: calls to their provider, how long each took, how often an
//! epoch was at hand, how many wraps are left, how old each epoch is.

mod common;
#[path = "common/service.rs"]
mod service;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Scripted, TestClock, account, give};
use service::Service;
use tokenkeep::{
    ApiToken, EpochEvent, EpochKeys, EpochObserver, EpochState, ErrorKind, KekId, MemoryEpochStore,
    MemoryStore, Observed, Observer, ProviderCall, Vault,
};

const MINUTE: Duration = Duration::from_secs(60);
/// A call to the key service takes so long.
const CALL: Duration = Duration::from_millis(40);

/// One registry, told by the vault and by its epochs.
#[derive(Default)]
struct Metrics {
    operations: Mutex<BTreeMap<&'static str, u64>>,
    /// By what the service was asked: how often, and for how long in all.
    calls: Mutex<BTreeMap<&'static str, (u64, Duration)>>,
    failed: Mutex<BTreeMap<&'static str, ErrorKind>>,
    hits: Mutex<BTreeMap<KekId, u64>>,
    /// By epoch: its state, its age, the wraps that are left for it.
    epochs: Mutex<BTreeMap<KekId, (EpochState, Duration, u64)>>,
}

impl Observer for Metrics {
    fn operation(&self, done: &Observed<'_>) {
        *self.operations.lock().unwrap().entry(done.operation.name()).or_default() += 1;
    }
}

impl EpochObserver for Metrics {
    fn event(&self, event: &EpochEvent) {
        match event {
            EpochEvent::Called { call, took, failed } => {
                let mut calls = self.calls.lock().unwrap();
                let (times, all) = calls.entry(call.name()).or_default();
                (*times, *all) = (*times + 1, *all + *took);
                self.failed.lock().unwrap().extend(failed.map(|kind| (call.name(), kind)));
            }
            EpochEvent::Hit { epoch } => *self.hits.lock().unwrap().entry(*epoch).or_default() += 1,
            EpochEvent::Read(epoch) => {
                let seen = (epoch.state, epoch.age, epoch.wraps_left);
                self.epochs.lock().unwrap().insert(epoch.id, seen);
            }
            _ => {}
        }
    }
}

impl Metrics {
    fn called(&self, call: ProviderCall) -> u64 {
        self.calls.lock().unwrap().get(call.name()).map_or(0, |(times, _)| *times)
    }

    fn hits(&self) -> u64 {
        self.hits.lock().unwrap().values().sum()
    }
}

struct Home {
    service: Service,
    clock: Arc<TestClock>,
    provider: Scripted,
    metrics: Arc<Metrics>,
    keys: EpochKeys,
    vault: Vault,
}

impl Home {
    async fn new() -> Self {
        let (clock, metrics) = (TestClock::new(), Arc::new(Metrics::default()));
        let service = Service::slow(&clock, CALL);
        let options = EpochKeys::options().wraps(1600).clock(Arc::clone(&clock));
        let keys = options.observer(Arc::clone(&metrics)).build(service.clone(), MemoryEpochStore::new());
        let keys = keys.unwrap();
        let options = Vault::options().clock(Arc::clone(&clock)).observer(Arc::clone(&metrics));
        let vault = options.open(MemoryStore::new(), keys.clone()).await.unwrap();
        Self { service, clock, provider: Scripted::new(), metrics, keys, vault }
    }

    async fn connect(&self, tenant: &str) {
        self.provider.answer(Ok(account(tenant)));
        let token = ApiToken::new(format!("example-token-of-{tenant}")).unwrap();
        self.vault.connection(tenant, "apify").unwrap().connect(&self.provider, token).await.unwrap();
    }

    async fn opens(&self, tenant: &str) {
        give(&self.vault.connection(tenant, "apify").unwrap().credential(), &self.provider).await.unwrap();
    }

    /// What is renewed beside an open.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn calls_and_their_latency_are_told() {
    let home = Home::new().await;
    home.connect("a").await;
    for _ in 0..10 {
        home.opens("a").await;
    }
    assert_eq!(home.metrics.called(ProviderCall::MakeKey), 1);
    assert_eq!(home.metrics.called(ProviderCall::WrapEpoch), 1);
    assert_eq!(home.metrics.called(ProviderCall::UnwrapEpoch), 1);
    let told: BTreeMap<_, _> = home.metrics.calls.lock().unwrap().clone();
    let times: u64 = told.values().map(|(times, _)| times).sum();
    assert_eq!(times, home.service.calls(), "each call is told once: {told:?}");
    for (call, (times, took)) in &told {
        assert_eq!(*took, CALL * u32::try_from(*times).unwrap(), "{call}");
    }
    assert!(home.metrics.failed.lock().unwrap().is_empty());
    // The vault's own hook has the vault's own numbers.
    assert_eq!(home.metrics.operations.lock().unwrap()["use"], 10);
}

#[tokio::test]
async fn a_failed_call_is_told_with_its_kind() {
    let home = Home::new().await;
    home.connect("a").await;
    home.service.fails(Some(ErrorKind::KeysForbidden));
    home.clock.advance(11 * 60_000);
    let credential = home.vault.connection("a", "apify").unwrap().credential();
    assert_eq!(give(&credential, &home.provider).await.unwrap_err(), ErrorKind::KeysForbidden);
    assert_eq!(home.metrics.failed.lock().unwrap()["unwrap-epoch"], ErrorKind::KeysForbidden);
}

/// As many as there were wraps and unwraps under an epoch that was held, by epoch.
#[tokio::test]
async fn hits_are_told_by_epoch() {
    let home = Home::new().await;
    home.connect("a").await;
    let before = home.metrics.hits();
    for _ in 0..10 {
        home.opens("a").await;
    }
    assert_eq!(home.metrics.hits() - before, 10);
    let new = home.keys.rotate().await.unwrap();
    home.connect("b").await;
    let of_new = home.metrics.hits.lock().unwrap()[&new];
    home.opens("a").await;
    assert_eq!(home.metrics.hits.lock().unwrap()[&new], of_new, "the old epoch's");
    home.opens("b").await;
    assert_eq!(home.metrics.hits.lock().unwrap()[&new], of_new + 1);
}

/// By the hook when the records are read, and whenever they are asked for.
#[tokio::test]
async fn wraps_left_and_the_age_of_each_epoch_are_told() {
    let home = Home::new().await;
    for tenant in ["a", "b", "c"] {
        home.connect(tenant).await;
    }
    let [first] = home.keys.status().await.unwrap()[..] else { panic!("one epoch") };
    assert_eq!((first.state, first.wraps_left), (EpochState::Active, 1600 - 3));
    assert!(first.age < MINUTE);

    // Nobody asks for the status: the records are read again while they are opened.
    home.clock.advance(9 * 60_000);
    home.opens("a").await;
    home.settle().await;
    let (state, age, left) = home.metrics.epochs.lock().unwrap()[&first.id];
    assert_eq!((state, left), (EpochState::Active, 1600 - 3));
    assert_eq!(age.saturating_sub(first.age).as_secs() / 60, 9);

    let second = home.keys.rotate().await.unwrap();
    home.connect("d").await;
    let told = home.metrics.epochs.lock().unwrap().clone();
    assert_eq!((told[&first.id].0, told[&first.id].2), (EpochState::OpenOnly, 0));
    assert_eq!((told[&second].0, told[&second].2), (EpochState::Active, 1600));
    assert!(told[&first.id].1 > MINUTE * 9 && told[&second].1 < MINUTE);
    let status = home.keys.status().await.unwrap();
    let left: BTreeMap<KekId, u64> = status.iter().map(|epoch| (epoch.id, epoch.wraps_left)).collect();
    assert_eq!(left, BTreeMap::from([(first.id, 0), (second, 1600 - 1)]));
}
