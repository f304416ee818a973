//! A vault whose tokens are under epochs: they move from one to the next, the old one is retired, and what was sealed under it is gone.

mod common;
#[path = "common/service.rs"]
mod service;

use std::sync::Arc;
use std::time::Duration;

use common::{Scripted, TestClock, account, give, token};
use service::Service;
use tokenkeep::{
    Action, AuditChain, AuditDraft, Change, Destruction, EpochKeys, ErrorKind, KekId, KeysCheck, MemoryStore,
    Retirement, TokenStore, Vault,
};
use tokenkeep_keys::{EpochState, EpochStore, KekState, KeyProvider, MemoryEpochStore, RetirableKeys};
use tokenkeep_store::{Expected, RecordChange, Scan};

const MINUTE: Duration = Duration::from_secs(60);
const TEN: i64 = 600_000;

struct Home {
    service: Service,
    epochs: Arc<MemoryEpochStore>,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    provider: Scripted,
}

impl Home {
    fn new() -> Self {
        Self {
            service: Service::new(),
            epochs: Arc::default(),
            store: Arc::default(),
            clock: TestClock::new(),
            provider: Scripted::new(),
        }
    }

    fn keys(&self) -> EpochKeys {
        let options = EpochKeys::options().clock(Arc::clone(&self.clock));
        options.build(self.service.clone(), Arc::clone(&self.epochs)).unwrap()
    }

    async fn vault(&self, keys: &EpochKeys) -> Vault {
        let options = Vault::options().clock(Arc::clone(&self.clock));
        options.open(Arc::clone(&self.store), keys.clone()).await.unwrap()
    }

    async fn connect(&self, vault: &Vault, tenant: &str) {
        self.provider.answer(Ok(account(tenant)));
        let text = format!("example-token-of-{tenant}");
        vault.connection(tenant, "apify").unwrap().connect(&self.provider, token(&text)).await.unwrap();
    }

    async fn opens(&self, vault: &Vault, tenant: &str) -> Result<String, ErrorKind> {
        give(&vault.connection(tenant, "apify").unwrap().credential(), &self.provider).await
    }

    async fn under(&self, kek: &KekId) -> usize {
        self.store.scan(&Scan::UnderKek(*kek), None, 1000).await.unwrap().len()
    }
}

async fn active(keys: &EpochKeys) -> KekId {
    let keks = keys.keks().await.unwrap();
    keks.iter().find(|kek| kek.state == KekState::Primary).unwrap().id
}

/// 150 tokens move page by page; nothing of their payload changes, each has its entry, and the trail holds.
#[tokio::test]
async fn tokens_move_to_the_active_epoch() {
    let home = Home::new();
    let keys = home.keys();
    let vault = home.vault(&keys).await;
    for tenant in 0..150 {
        home.connect(&vault, &format!("tenant-{tenant}")).await;
    }
    let old = active(&keys).await;
    let before = home.store.scan(&Scan::All, None, 1000).await.unwrap();
    // The primary KEK is no place to move from.
    assert_eq!(vault.rewrap(old).next().await.unwrap_err().kind(), ErrorKind::Misuse);
    let new = keys.rotate().await.unwrap();

    // Stopped after a page, and begun anew.
    let mut first = vault.rewrap(old);
    assert_eq!(first.next().await.unwrap().unwrap().moved, 64);
    drop(first);
    let mut rewrap = vault.rewrap(old);
    while rewrap.next().await.unwrap().is_some() {}
    let progress = rewrap.progress();
    assert_eq!((progress.moved, progress.passed_over, progress.failed), (150 - 64, 0, 0));
    assert_eq!((home.under(&old).await, home.under(&new).await), (0, 150));

    for (before, after) in before.iter().zip(home.store.scan(&Scan::All, None, 1000).await.unwrap()) {
        let (old, new) = (before.sealed.as_ref().unwrap(), after.sealed.as_ref().unwrap());
        assert_eq!(old.envelope.len(), new.envelope.len());
        // What stands behind the wrapped DEK: nonce, ciphertext, tag, commitment.
        let payload = old.envelope.len() - 24 - 16 - 32 - "example-token-of-tenant-0".len();
        assert_eq!(old.envelope[payload..], new.envelope[payload..]);
        assert_eq!(after.revision, before.revision.next());
        assert_eq!(after.secret_version, before.secret_version);
    }
    let trail = vault.audit().of_tenant("tenant-7", 0, 10).await.unwrap();
    assert_eq!(trail.last().unwrap().draft.action, Action::Rewrapped);
    assert!(vault.verify().await.unwrap().is_whole());
    assert_eq!(home.opens(&vault, "tenant-7").await.unwrap(), "example-token-of-tenant-7");
}

/// A record that was altered is counted and left as it is, and the others move.
#[tokio::test]
async fn an_altered_record_stops_no_other() {
    let home = Home::new();
    let keys = home.keys();
    let vault = home.vault(&keys).await;
    for tenant in ["a", "b", "c"] {
        home.connect(&vault, tenant).await;
    }
    let old = active(&keys).await;
    let mut record = home.store.scan(&Scan::All, None, 10).await.unwrap().remove(1);
    let expected = Expected::Revision(record.revision);
    record.mac[0] ^= 1;
    let entry = AuditDraft {
        at: record.updated_at,
        action: Action::Replaced,
        id: record.id.clone(),
        incarnation: record.incarnation,
        secret_version: record.secret_version,
        revision: record.revision,
        record_mac: Some(record.mac),
        count: 1,
        subject: None,
    };
    let change = Change { record: Some(RecordChange { record, expected }), entry };
    let chain = AuditChain::new(vault.id(), zeroize::Zeroizing::new([0; 32]));
    home.store.commit(&[change], &chain).await.unwrap();
    keys.rotate().await.unwrap();
    let mut rewrap = vault.rewrap(old);
    while rewrap.next().await.unwrap().is_some() {}
    assert_eq!((rewrap.progress().moved, rewrap.progress().failed), (2, 1));
}

/// Step by step, by several processes, and refused with numbers while anything needs it.
#[tokio::test]
async fn an_epoch_is_retired_in_order() {
    let home = Home::new();
    let keys = home.keys();
    let vault = home.vault(&keys).await;
    for tenant in ["a", "b"] {
        home.connect(&vault, tenant).await;
    }
    let kek = active(&keys).await;
    let retire = async || {
        // A process of its own each time.
        let keys = home.keys();
        home.vault(&keys).await.retire(&keys, &kek, MINUTE * 60).await.unwrap()
    };
    let Retirement::Waiting(until) = retire().await else { panic!() };
    assert_eq!(until, vault_now(&home).after(MINUTE * 10));
    assert_ne!(active(&keys).await, kek);
    home.clock.advance(TEN - 1);
    assert_eq!(retire().await, Retirement::Waiting(until));
    home.clock.advance(1);
    let Retirement::Needed(census) = retire().await else { panic!() };
    assert_eq!((census.tokens, census.vault_keys, census.unreadable, census.looked_at), (2, 0, 0, 2));

    let mut rewrap = vault.rewrap(kek);
    while rewrap.next().await.unwrap().is_some() {}
    let Retirement::Waiting(until) = retire().await else { panic!() };
    assert_eq!(until, vault_now(&home).after(MINUTE * 60));
    home.clock.advance(6 * TEN);
    let Retirement::Waiting(until) = retire().await else { panic!() };
    assert_eq!(until, vault_now(&home).after(MINUTE * 10));
    home.clock.advance(TEN);
    assert_eq!(retire().await, Retirement::Destroyed(Destruction::Confirmed));
    assert_eq!(retire().await, Retirement::Unknown);
    for tenant in ["a", "b"] {
        assert_eq!(home.opens(&vault, tenant).await.unwrap(), format!("example-token-of-{tenant}"));
    }
}

fn vault_now(home: &Home) -> tokenkeep::Timestamp {
    tokenkeep::Clock::now(&*home.clock)
}

/// An instance that does not know yet that the epoch is closed: its commit is refused, and it seals under the new one by itself.
#[tokio::test]
async fn a_stale_sealer_finds_the_new_epoch() {
    let home = Home::new();
    let (keys, stale_keys) = (home.keys(), home.keys());
    let (vault, stale) = (home.vault(&keys).await, home.vault(&stale_keys).await);
    home.connect(&stale, "before").await;
    let old = active(&keys).await;
    let connection = stale.connection("prepared", "apify").unwrap();
    home.provider.answer(Ok(account("prepared")));
    let prepared =
        connection.prepare_connect(&home.provider, token("example-token-of-prepared")).await.unwrap();

    vault.retire(&keys, &old, MINUTE).await.unwrap();
    let new = active(&keys).await;
    prepared.commit().await.unwrap();
    assert!(vault.verify().await.unwrap().is_whole());
    // Repeating it finds it done.
    prepared.commit().await.unwrap();
    home.connect(&stale, "after").await;
    assert_eq!((home.under(&old).await, home.under(&new).await), (1, 2));
    for tenant in ["before", "prepared", "after"] {
        assert_eq!(home.opens(&vault, tenant).await.unwrap(), format!("example-token-of-{tenant}"));
    }
    // A change that really was overtaken stays refused.
    let connection = stale.connection("prepared", "apify").unwrap();
    home.provider.answer(Ok(account("prepared")));
    let one = connection.prepare_replace(&home.provider, token("example-token-number-2")).await.unwrap();
    let two = connection.prepare_replace(&home.provider, token("example-token-number-3")).await.unwrap();
    two.commit().await.unwrap();
    assert_eq!(one.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(vault.verify().await.unwrap().is_whole());
}

/// An application that commits in a transaction of its own gets no more than a refusal from the database: so what it prepares after a
/// closing is under the new epoch at once.
#[tokio::test]
async fn what_is_prepared_after_a_closing_is_under_the_new_epoch() {
    let home = Home::new();
    let (keys, stale_keys) = (home.keys(), home.keys());
    let (vault, stale) = (home.vault(&keys).await, home.vault(&stale_keys).await);
    home.connect(&stale, "before").await;
    let old = active(&keys).await;
    vault.retire(&keys, &old, MINUTE).await.unwrap();
    let new = active(&keys).await;

    let connection = stale.connection("own", "apify").unwrap();
    home.provider.answer(Ok(account("own")));
    let prepared = connection.prepare_connect(&home.provider, token("example-token-of-own")).await.unwrap();
    home.store.commit(&[prepared.change().clone()], prepared.chain()).await.unwrap();
    prepared.committed().await.unwrap();
    home.provider.answer(Ok(account("own")));
    let prepared = connection.prepare_replace(&home.provider, token("example-token-number-2")).await.unwrap();
    home.store.commit(&[prepared.change().clone()], prepared.chain()).await.unwrap();
    prepared.committed().await.unwrap();
    assert_eq!((home.under(&old).await, home.under(&new).await), (1, 1));
    assert_eq!(home.opens(&vault, "own").await.unwrap(), "example-token-number-2");
    assert!(vault.verify().await.unwrap().is_whole());
}

/// A process that knows neither of two rotations moves everything all the same, to where it may go.
#[tokio::test]
async fn a_stale_process_rewraps_to_the_new_epoch() {
    let home = Home::new();
    let (keys, stale_keys) = (home.keys(), home.keys());
    let (vault, stale) = (home.vault(&keys).await, home.vault(&stale_keys).await);
    for tenant in 0..70 {
        home.connect(&stale, &format!("tenant-{tenant}")).await;
    }
    let first = active(&keys).await;
    vault.retire(&keys, &first, MINUTE).await.unwrap();
    let mut rewrap = stale.rewrap(first);
    while rewrap.next().await.unwrap().is_some() {}
    assert_eq!((rewrap.progress().moved, rewrap.progress().passed_over), (70, 0));

    // The KEK that it moves them to is closed when it is half-way.
    let second = active(&keys).await;
    keys.rotate().await.unwrap();
    let mut rewrap = stale.rewrap(second);
    assert_eq!(rewrap.next().await.unwrap().unwrap().moved, 64);
    let third = active(&keys).await;
    vault.retire(&keys, &third, MINUTE).await.unwrap();
    while rewrap.next().await.unwrap().is_some() {}
    assert_eq!((rewrap.progress().moved, rewrap.progress().passed_over), (70, 0));
    assert_eq!((home.under(&third).await, home.under(&active(&keys).await).await), (64, 6));
    for tenant in ["tenant-7", "tenant-69"] {
        assert_eq!(home.opens(&vault, tenant).await.unwrap(), format!("example-token-of-{tenant}"));
    }
}

/// Somebody else said that it is to be destroyed, be it a vault that shares the epochs or whoever writes to their store: what
/// this vault has under it is counted before it goes, and its time of grace runs.
#[tokio::test]
async fn what_another_hand_destroys_is_counted_first() {
    let home = Home::new();
    let keys = home.keys();
    let vault = home.vault(&keys).await;
    home.connect(&vault, "a").await;
    let kek = active(&keys).await;
    keys.rotate().await.unwrap();
    for _ in 0..2 {
        let row = home.epochs.epochs().await.unwrap().into_iter().find(|row| row.id == kek).unwrap();
        home.epochs.update_epoch(&row.in_next_state(row.state_since)).await.unwrap();
    }
    keys.refresh().await.unwrap();
    assert_eq!(keys.kek_state(&kek).await.unwrap(), Some(KekState::Destroyed));
    let retire = async || vault.retire(&keys, &kek, MINUTE * 60).await.unwrap();
    assert!(matches!(retire().await, Retirement::Waiting(_)));
    home.clock.advance(TEN);
    let Retirement::Needed(census) = retire().await else { panic!() };
    assert_eq!(census.tokens, 1);
    // It is set back, and the token saved.
    let row = home.epochs.epochs().await.unwrap().into_iter().find(|row| row.id == kek).unwrap();
    let restored = MemoryEpochStore::new();
    for mut row in home.epochs.epochs().await.unwrap() {
        if row.id == kek {
            row.state = EpochState::OpenOnly;
        }
        restored.insert_epoch(&row, None).await.unwrap();
    }
    assert_eq!(row.state, EpochState::Destroying);
    let home = Home { epochs: Arc::new(restored), ..home };
    let keys = home.keys();
    let vault = home.vault(&keys).await;
    assert_eq!(home.opens(&vault, "a").await.unwrap(), "example-token-of-a");
}

/// The probe asks what tokens ask: no key service while an epoch is held; and it goes on saying that tokens open while the
/// service is away and they do.
#[tokio::test]
async fn readiness_asks_the_service_no_more_than_tokens_do() {
    let home = Home::new();
    let options = EpochKeys::options().clock(Arc::clone(&home.clock)).grace(MINUTE * 30);
    let keys = options.build(home.service.clone(), Arc::clone(&home.epochs)).unwrap();
    let vault = home.vault(&keys).await;
    assert!(vault.check().await.is_ready());
    home.connect(&vault, "a").await;
    let before = home.service.calls();
    for _ in 0..100 {
        assert!(matches!(vault.check().await.keys, KeysCheck::Open));
    }
    assert_eq!(home.service.calls(), before);

    home.service.fails(Some(ErrorKind::KeysUnavailable));
    assert!(matches!(vault.check().await.keys, KeysCheck::Open));
    home.clock.advance(TEN + 1000);
    let readiness = vault.check().await;
    let KeysCheck::OpenOnly(error) = &readiness.keys else { panic!("{readiness}") };
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable);
    assert!(readiness.is_ready());
    assert_eq!(home.opens(&vault, "a").await.unwrap(), "example-token-of-a");
    home.clock.advance(3 * TEN);
    let readiness = vault.check().await;
    assert!(matches!(&readiness.keys, KeysCheck::Failed(_)), "{readiness}");
    assert!(!readiness.is_ready());
    home.service.fails(None);
    home.clock.advance(2000);
    assert!(matches!(vault.check().await.keys, KeysCheck::Open));
}
