//! What fails in one disconnect, in its hook or its record, keeps no other from being finished.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::{Fixture, Unsteady, finish, token};
use tokenkeep::{
    ConnectionId, Ended, ErrorKind, Incarnation, Incident, Observed, Observer, Operation, PurgeHook,
    Timestamp, TokenStore, Vault,
};
use tokenkeep_store::{Change, Expected, RecordChange, conformance};
use tokenkeep_testkit::fake_token;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Fails, or panics, until it is told not to.
#[derive(Default)]
struct Faulty {
    well: AtomicBool,
    panics: AtomicBool,
    ran_for: Mutex<Vec<String>>,
}

#[async_trait]
impl PurgeHook for Faulty {
    async fn purge(&self, connection: &ConnectionId, _: Incarnation) -> Outcome {
        // Also one that panics when it was at work for a while.
        tokio::task::yield_now().await;
        if self.well.load(Ordering::SeqCst) {
            self.ran_for.lock().unwrap().push(connection.name().to_string());
            return Ok(());
        }
        assert!(!self.panics.load(Ordering::SeqCst), "a fault of the hook's own");
        Err("the cache is down".into())
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn operation(&self, done: &Observed<'_>) {
        match (done.operation, done.ended) {
            (Operation::FinishDisconnects, Ended::Failed(kind)) => {
                self.0.lock().unwrap().push(format!("{kind:?}"));
            }
            (Operation::FinishDisconnects, ended) => self.0.lock().unwrap().push(format!("{ended:?}")),
            _ => {}
        }
    }

    fn incident(&self, incident: &Incident<'_>) {
        self.0.lock().unwrap().push(incident.kind.to_string());
    }
}

struct Scene {
    f: Fixture,
    store: Arc<Unsteady>,
    vault: Vault,
    failing: Arc<Faulty>,
    healthy: Arc<Faulty>,
    told: Arc<Told>,
}

impl Scene {
    async fn new() -> Self {
        let (f, told) = (Fixture::new().await, Arc::new(Told::default()));
        let (failing, healthy) = (Arc::new(Faulty::default()), Arc::new(Faulty::default()));
        healthy.well.store(true, Ordering::SeqCst);
        let store = Unsteady::new(&f.store);
        let options = Vault::options().clock(Arc::clone(&f.clock)).observer(Arc::clone(&told));
        let options = options.on_disconnect("first", Arc::clone(&failing));
        let options = options.on_disconnect("second", Arc::clone(&healthy));
        let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
        Self { f, store, vault, failing, healthy, told }
    }

    /// Connects and disconnects it; the first hook fails.
    async fn disconnected(&self, name: &str) {
        let connection = self.vault.connection("t", name).unwrap();
        connection.connect(&self.f.provider, token(&fake_token())).await.unwrap();
        let receipt = connection.disconnect().await.unwrap();
        assert_eq!((&receipt.hooks_pending[..], &receipt.hooks_done[..]), (&["first"][..], &["second"][..]));
        assert_eq!(self.told(), ["hook-failed"]);
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.0.lock().unwrap())
    }
}

#[tokio::test]
async fn an_altered_tombstone_spares_no_other() {
    let scene = Scene::new().await;
    for name in ["a", "b", "c"] {
        scene.disconnected(name).await;
    }
    let id = ConnectionId::new("t", "b").unwrap();
    let mut record = scene.f.store.record(&id).await.unwrap().unwrap();
    let expected = Expected::Revision(record.revision);
    record.token_set_at = Timestamp::from_millis(1);
    let entry = scene.vault.audit().of_tenant("t", 0, 1).await.unwrap()[0].draft.clone();
    let change = Change { record: Some(RecordChange { record, expected }), entry };
    scene.f.store.commit(&[change], &conformance::sample_chain_of(scene.vault.id())).await.unwrap();

    scene.failing.well.store(true, Ordering::SeqCst);
    let finished = scene.vault.finish_disconnects().await.unwrap();
    assert!(finished[1].to_string().starts_with("The disconnect of t/b can't be finished: "));
    let outcomes: Vec<_> = finished
        .iter()
        .map(|one| (one.id.name().as_str(), one.receipt.as_ref().map(|receipt| receipt.hooks_complete())))
        .map(|(name, complete)| (name, complete.map_err(tokenkeep::Error::kind)))
        .collect();
    assert_eq!(outcomes, [("a", Ok(true)), ("b", Err(ErrorKind::Tampered)), ("c", Ok(true))]);
    assert_eq!(*scene.failing.ran_for.lock().unwrap(), ["a", "c"]);
    assert_eq!(scene.told(), ["Tampered"], "whoever is to be woken is");
    assert_eq!(scene.vault.finish_disconnects().await.unwrap().len(), 1, "what is done is not done again");
}

#[tokio::test]
async fn a_hook_that_panics_failed_and_the_others_run() {
    let scene = Scene::new().await;
    scene.failing.panics.store(true, Ordering::SeqCst);
    for name in ["a", "b"] {
        scene.disconnected(name).await;
    }
    let connection = scene.vault.connection("t", "a").unwrap();
    let error = connection.connect(&scene.f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PurgePending);
    scene.told();

    for receipt in finish(&scene.vault).await {
        assert_eq!((&receipt.hooks_pending[..], receipt.hooks_elsewhere), (&["first"][..], false));
    }
    assert_eq!(scene.told(), ["hook-failed", "hook-failed", "Done"]);
    assert_eq!(*scene.healthy.ran_for.lock().unwrap(), ["a", "b", "a", "a", "b"]);

    scene.failing.well.store(true, Ordering::SeqCst);
    let receipts = finish(&scene.vault).await;
    assert_eq!(receipts.iter().map(|receipt| receipt.hooks_complete()).collect::<Vec<_>>(), [true, true]);
    assert!(scene.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn receipts_are_not_lost_to_a_database_that_goes_away() {
    let scene = Scene::new().await;
    for n in 0..70 {
        scene.disconnected(&format!("name-{n:02}")).await;
    }
    scene.failing.well.store(true, Ordering::SeqCst);
    // The second page of what is pending can't be read, and then not the first.
    let reads = scene.store.reads.load(Ordering::SeqCst);
    scene.store.hiccup.store(reads + 1, Ordering::SeqCst);
    assert_eq!(finish(&scene.vault).await.len(), 64);
    scene.store.hiccup.store(1, Ordering::SeqCst);
    let error = scene.vault.finish_disconnects().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    scene.store.hiccup.store(0, Ordering::SeqCst);
    assert_eq!(finish(&scene.vault).await.len(), 6);
    assert_eq!(scene.failing.ran_for.lock().unwrap().len(), 70);
}
