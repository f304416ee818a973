//! Readiness: each part says what is wrong with it, in time, and holds up no other.

mod common;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use common::{Fixture, Sink, Unsteady, token};
use tokenkeep::{
    Action, DatabaseCheck, Ended, Error, ErrorKind, KeyProvider, KeysCheck, LocalKeyring, MemoryStore,
    Observed, Observer, SinkCheck, TokenStore, TrailCheck, Vault,
};
use tokenkeep_core::{Dek, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_keys::KekStatus;
use tokenkeep_store::{AuditHead, Change, SHARDS, conformance};
use tokenkeep_testkit::fake_token;

/// A key service: 0 works, 1 fails, 2 hangs, 3 opens with another key.
#[derive(Debug)]
struct Service {
    keys: LocalKeyring,
    other: LocalKeyring,
    does: AtomicU8,
}

#[async_trait]
impl KeyProvider for Service {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        match self.does.load(Ordering::SeqCst) {
            1 => Err(ErrorKind::KeysUnavailable.into()),
            2 => std::future::pending().await,
            _ => self.keys.wrap_dek(request).await,
        }
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        let other = self.does.load(Ordering::SeqCst) == 3;
        if other { self.other.unwrap_dek(request).await } else { self.keys.unwrap_dek(request).await }
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.keys.keks().await
    }
}

struct World {
    f: Fixture,
    service: Arc<Service>,
    store: Arc<Unsteady>,
    vault: Vault,
}

async fn world() -> World {
    let f = Fixture::new().await;
    let other = LocalKeyring::create(f.folder.path().join("other/keyring")).unwrap();
    let service = Arc::new(Service { keys: f.keys.clone(), other, does: AtomicU8::new(0) });
    let store = Unsteady::new(&f.store);
    let vault = Vault::open(Arc::clone(&store), Arc::clone(&service)).await.unwrap();
    World { f, service, store, vault }
}

#[tokio::test]
async fn all_is_well() {
    let w = world().await;
    let empty = w.vault.check().await;
    assert!(empty.is_ready(), "{empty}");
    for tenants in [1, 2, 40] {
        for n in 0..tenants {
            let connection = w.vault.connection(format!("t-{tenants}-{n}"), "apify").unwrap();
            connection.connect(&w.f.provider, token(&fake_token())).await.unwrap();
            connection.replace(&w.f.provider, token(&fake_token())).await.unwrap();
        }
        let readiness = w.vault.check().await;
        assert!(readiness.is_ready(), "{readiness}");
    }
    assert!(
        w.vault.check().await.to_string().starts_with("keys: open; database: reachable; audit trail: whole")
    );
}

#[tokio::test]
async fn each_part_fails_for_itself_and_in_time() {
    let w = world().await;
    let limit = Duration::from_millis(50);
    for does in [1, 2, 3] {
        w.service.does.store(does, Ordering::SeqCst);
        let began = Instant::now();
        let readiness = w.vault.check_within(limit).await;
        assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
        assert!(!readiness.is_ready());
        match (does, &readiness.keys) {
            (1, KeysCheck::Failed(error)) => assert_eq!(error.kind(), ErrorKind::KeysUnavailable),
            (2, KeysCheck::TimedOut) => {}
            (3, KeysCheck::Failed(error)) => assert_eq!(error.kind(), ErrorKind::KeysWrong),
            (_, keys) => panic!("{does}: {keys:?}"),
        }
        assert!(matches!(readiness.database, DatabaseCheck::Reachable), "{readiness}");
        assert!(matches!(readiness.trail, TrailCheck::Whole { checkpoint: None }), "{readiness}");
    }
    w.service.does.store(0, Ordering::SeqCst);
    for does in [1, 2, 3] {
        w.store.vault_row.store(does, Ordering::SeqCst);
        let readiness = w.vault.check_within(limit).await;
        assert!(!readiness.is_ready());
        match (does, &readiness.database) {
            (1, DatabaseCheck::Failed(error)) => assert_eq!(error.kind(), ErrorKind::StoreUnavailable),
            (2, DatabaseCheck::TimedOut) | (3, DatabaseCheck::OtherVault) => {}
            (_, database) => panic!("{does}: {database:?}"),
        }
        assert!(matches!(readiness.keys, KeysCheck::Open), "{readiness}");
    }
    w.store.vault_row.store(0, Ordering::SeqCst);
    assert!(w.vault.check_within(limit).await.is_ready());
    w.store.takes_no_writes.store(true, Ordering::SeqCst);
    let readiness = w.vault.check_within(limit).await;
    assert!(!readiness.is_ready());
    assert!(matches!(readiness.database, DatabaseCheck::Failed(_)), "{readiness}");
}

/// Nobody is turned away for it, but it is told.
#[tokio::test]
async fn a_sink_that_does_not_answer_is_told_and_takes_no_instance_away() {
    let f = Fixture::new().await;
    assert!(matches!(f.vault.check().await.sink, SinkCheck::NotSet));
    let (sink, observed) = (Sink::new(), Arc::new(Ends::default()));
    let options = Vault::options().checkpoints(Arc::clone(&sink)).observer(Arc::clone(&observed));
    let vault = options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    for (does, ended) in [
        (0, Ended::Done),
        (1, Ended::Failed(ErrorKind::SinkUnavailable)),
        (2, Ended::Failed(ErrorKind::SinkUnavailable)),
    ] {
        sink.silent.store(does, Ordering::SeqCst);
        let readiness = vault.check_within(Duration::from_millis(50)).await;
        let told = readiness.to_string();
        match (does, &readiness.sink) {
            (0, SinkCheck::Reachable) | (2, SinkCheck::TimedOut) => {}
            (1, SinkCheck::Failed(error)) => assert_eq!(error.kind(), ErrorKind::SinkUnavailable),
            _ => panic!("{does}: {told}"),
        }
        assert!(readiness.is_ready() && told.contains("; sink: "), "{told}");
        assert_eq!(observed.0.lock().unwrap().last(), Some(&ended));
    }
}

#[derive(Debug, Default)]
struct Ends(Mutex<Vec<Ended>>);

impl Observer for Ends {
    fn operation(&self, done: &Observed<'_>) {
        self.0.lock().unwrap().push(done.ended);
    }
}

#[tokio::test]
async fn a_chain_with_another_end_is_named() {
    let w = world().await;
    let id = w.vault.connection("t", "apify").unwrap();
    id.connect(&w.f.provider, token(&fake_token())).await.unwrap();
    assert!(w.vault.check().await.is_ready());
    let shard = tokenkeep_store::shard_of(id.id().tenant());
    // Someone who can write to the database, but has not the key, adds an entry.
    let mut draft = w.vault.audit().of_tenant("t", 0, 1).await.unwrap()[0].draft.clone();
    (draft.action, draft.record_mac) = (Action::Used, None);
    let forged = Change { record: None, entry: draft };
    w.f.store.commit(&[forged], &conformance::sample_chain_of(w.vault.id())).await.unwrap();
    let readiness = w.vault.check().await;
    assert!(matches!(readiness.trail, TrailCheck::Broken { shard: found } if found == shard), "{readiness}");
    assert!(!readiness.is_ready() && readiness.to_string().contains("run verify"));
    let ends: Vec<AuditHead> = w.f.store.audit_heads().await.unwrap();
    assert_eq!(ends.len(), usize::from(SHARDS));
}

#[tokio::test]
async fn a_trail_that_ends_before_its_checkpoint_is_broken() {
    let f = Fixture::new().await;
    let whole = Arc::new(MemoryStore::new());
    let cut = Arc::new(MemoryStore::new());
    let open = async |store: &Arc<MemoryStore>| {
        let options = Vault::options().checkpoints(Sink::new());
        options.open(Arc::clone(store), f.keys.clone()).await.unwrap()
    };
    let vault = open(&whole).await;
    cut.init_vault(&whole.vault().await.unwrap().unwrap()).await.unwrap();
    let mut commits = Vec::new();
    for n in 0..40 {
        let connection = vault.connection(format!("t-{n}"), "apify").unwrap();
        let prepared = connection.prepare_connect(&f.provider, token(&fake_token())).await.unwrap();
        prepared.commit().await.unwrap();
        commits.push(prepared);
    }
    vault.checkpoint().await.unwrap();
    let readiness = vault.check().await;
    assert!(matches!(readiness.trail, TrailCheck::Whole { checkpoint: Some(1) }), "{readiness}");
    // Another database with the same vault and all but the last entry, chained anew by who has the key.
    let chain = open(&cut).await.connection("t", "apify").unwrap();
    let chain = chain.prepare_connect(&f.provider, token(&fake_token())).await.unwrap();
    for prepared in &commits[..39] {
        cut.commit(std::slice::from_ref(prepared.change()), chain.chain()).await.unwrap();
    }
    assert!(open(&cut).await.check().await.is_ready(), "by itself it is whole");
    cut.put_checkpoint(&whole.checkpoint().await.unwrap().unwrap()).await.unwrap();
    let readiness = open(&cut).await.check().await;
    let last = tokenkeep_store::shard_of(commits[39].change().entry.id.tenant());
    assert!(matches!(readiness.trail, TrailCheck::Broken { shard } if shard == last), "{readiness}");
}

#[tokio::test]
async fn a_trail_that_ends_before_what_this_process_saw_is_broken() {
    let w = world().await;
    let connection = w.vault.connection("t", "apify").unwrap();
    connection.connect(&w.f.provider, token(&fake_token())).await.unwrap();
    let earlier = w.f.store.audit_heads().await.unwrap();
    connection.replace(&w.f.provider, token(&fake_token())).await.unwrap();
    assert!(w.vault.check().await.is_ready());
    *w.store.heads.lock().unwrap() = Some(earlier);
    let readiness = w.vault.check().await;
    let shard = tokenkeep_store::shard_of(connection.id().tenant());
    assert!(matches!(readiness.trail, TrailCheck::Broken { shard: found } if found == shard), "{readiness}");
}
