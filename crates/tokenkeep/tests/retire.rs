//! The end of a KEK that the vault's own keys are under too: they move, then it goes, and what old copies hold opens no more.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Scripted, TestClock, account, give, token};
use tokenkeep::{
    Destruction, ErrorKind, KekId, LocalKeyring, MemoryStore, Retirement, RewrapProgress, TokenStore, Vault,
};
use tokenkeep_core::VaultKeyPurpose;
use tokenkeep_keys::{DestroyableKeys, KekState, KeyProvider};
use tokenkeep_store::{Scan, VaultRecord};

const GRACE: Duration = Duration::from_secs(60 * 60);
const HOUR: i64 = 60 * 60 * 1000;
const KEYS: u64 = VaultKeyPurpose::ALL.len() as u64;

struct Home {
    folder: tempfile::TempDir,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    provider: Scripted,
}

impl Home {
    fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
            store: Arc::default(),
            clock: TestClock::new(),
            provider: Scripted::new(),
        };
        LocalKeyring::create(home.keyring_file()).unwrap();
        home
    }

    fn keyring_file(&self) -> std::path::PathBuf {
        self.folder.path().join("keys/keyring")
    }

    /// As another process has it.
    fn keyring(&self) -> LocalKeyring {
        LocalKeyring::open(self.keyring_file()).unwrap()
    }

    async fn vault(&self) -> Vault {
        self.opened(self.keyring()).await.unwrap()
    }

    async fn opened(&self, keys: impl KeyProvider + 'static) -> Result<Vault, ErrorKind> {
        let options = Vault::options().clock(Arc::clone(&self.clock));
        options.open(Arc::clone(&self.store), keys).await.map_err(|error| error.kind())
    }

    async fn connect(&self, vault: &Vault, tenant: &str) {
        self.provider.answer(Ok(account(tenant)));
        let text = format!("example-token-of-{tenant}");
        vault.connection(tenant, "apify").unwrap().connect(&self.provider, token(&text)).await.unwrap();
    }

    async fn opens(&self, vault: &Vault, tenant: &str) -> Result<String, ErrorKind> {
        give(&vault.connection(tenant, "apify").unwrap().credential(), &self.provider).await
    }

    /// A step of an operator's program: a process of its own each time.
    async fn retire(&self, kek: &KekId) -> Retirement {
        let keyring = self.keyring();
        self.opened(keyring.clone()).await.unwrap().retire(&keyring, kek, GRACE).await.unwrap()
    }

    async fn row(&self) -> VaultRecord {
        self.store.vault().await.unwrap().unwrap()
    }
}

async fn primary(keys: &dyn KeyProvider) -> KekId {
    let keks = keys.keks().await.unwrap();
    keks.iter().find(|kek| kek.state == KekState::Primary).unwrap().id
}

async fn rewrap(vault: &Vault, from: &KekId) -> RewrapProgress {
    let mut rewrap = vault.rewrap(*from);
    while rewrap.next().await.unwrap().is_some() {}
    rewrap.progress()
}

#[tokio::test]
async fn a_keyrings_key_is_retired_with_the_vaults_own_keys_moved_first() {
    let home = Home::new();
    let vault = home.vault().await;
    for tenant in ["a", "b"] {
        home.connect(&vault, tenant).await;
    }
    let old = primary(&home.keyring()).await;
    let (old_row, old_records) = (home.row().await, home.store.scan(&Scan::All, None, 10).await.unwrap());

    // Not by a step: the operator keeps a copy of what rotating makes, first.
    let keyring = home.keyring();
    let primary_refused = vault.retire(&keyring, &old, GRACE).await.unwrap_err();
    assert_eq!(primary_refused.kind(), ErrorKind::Misuse);
    let new = keyring.rotate().unwrap();
    let Retirement::Needed(census) = home.retire(&old).await else { panic!() };
    assert_eq!((census.tokens, census.vault_keys, census.unreadable), (2, KEYS, 0));
    assert_eq!(home.retire(&old).await, Retirement::Needed(census));
    assert_eq!(primary(&home.keyring()).await, new);

    let vault = home.vault().await;
    let moved = rewrap(&vault, &old).await;
    assert_eq!((moved.vault_keys, moved.moved, moved.passed_over, moved.failed), (KEYS, 2, 0, 0));
    // Once more finds nothing.
    assert_eq!(rewrap(&vault, &old).await, RewrapProgress::default());
    let row = home.row().await;
    assert_eq!(row.id, old_row.id);
    for ((purpose, before), (same, after)) in old_row.keys.iter().zip(&row.keys) {
        assert!(purpose == same && before != after);
    }
    let Retirement::Waiting(over) = home.retire(&old).await else { panic!() };
    assert_eq!(over, tokenkeep::Clock::now(&*home.clock).after(GRACE));
    home.clock.advance(HOUR - 1);
    assert_eq!(home.retire(&old).await, Retirement::Waiting(over));
    home.clock.advance(1);
    for _ in 0..2 {
        assert_eq!(home.retire(&old).await, Retirement::Destroyed(Destruction::Unprovable));
    }

    // The vault is the same one, with the same trail; what it held opens.
    let vault = home.vault().await;
    assert!(vault.verify().await.unwrap().is_whole());
    for tenant in ["a", "b"] {
        assert_eq!(home.opens(&vault, tenant).await.unwrap(), format!("example-token-of-{tenant}"));
    }
    // An old copy of the database does not, with the keyring as it is now.
    let restored = MemoryStore::new();
    restored.init_vault(&old_row).await.unwrap();
    assert_eq!(old_records.len(), 2);
    let opened = Vault::options().open(restored, home.keyring()).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::KeyDestroyed);
}

/// Something comes back under the KEK while the time of grace runs: it is refused, and the time begins anew.
#[tokio::test]
async fn a_backup_that_is_restored_meanwhile_is_seen() {
    let home = Home::new();
    let vault = home.vault().await;
    let old = primary(&home.keyring()).await;
    let old_row = home.row().await;
    home.keyring().rotate().unwrap();
    assert!(matches!(home.retire(&old).await, Retirement::Needed(_)));
    let vault = {
        drop(vault);
        home.vault().await
    };
    rewrap(&vault, &old).await;
    assert!(matches!(home.retire(&old).await, Retirement::Waiting(_)));
    // As a restored table puts them back: under the closed KEK no program could.
    let row = home.row().await;
    let restored = MemoryStore::new();
    restored.init_vault(&old_row).await.unwrap();
    let closed = home.store.close_kek(&old, tokenkeep::Clock::now(&*home.clock)).await.unwrap();
    restored.close_kek(&old, closed.closed_at).await.unwrap();
    restored.note_drained(&old, closed.drained_at).await.unwrap();
    home.clock.advance(HOUR);
    let home = Home { store: Arc::new(restored), ..home };
    let Retirement::Needed(census) = home.retire(&old).await else { panic!() };
    assert_eq!((census.tokens, census.vault_keys), (0, KEYS));
    home.store.rewrap_vault(&old_row, &row, &primary(&home.keyring()).await).await.unwrap();
    assert!(matches!(home.retire(&old).await, Retirement::Waiting(_)));
    home.clock.advance(HOUR);
    assert_eq!(home.retire(&old).await, Retirement::Destroyed(Destruction::Unprovable));
}

/// The key of an epoch is not among what the census counts, so it is not to be retired by itself.
#[tokio::test]
async fn keys_of_epochs_are_refused() {
    let home = Home::new();
    let vault = home.vault().await;
    let keyring = home.keyring();
    let beside = keyring.make_key().await.unwrap();
    let refused = vault.retire(&keyring, &beside, Duration::ZERO).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Misuse, "{refused:?}");
    let state =
        |keks: Vec<tokenkeep_keys::KekStatus>| keks.iter().find(|kek| kek.id == beside).unwrap().state;
    assert_eq!(state(keyring.keks().await.unwrap()), KekState::OpenOnly);
    let unknown = KekId::random().unwrap();
    assert_eq!(vault.retire(&keyring, &unknown, GRACE).await.unwrap(), Retirement::Unknown);
}

/// Several move the vault's own keys at once: they come out whole, and under the primary KEK.
#[tokio::test]
async fn the_vaults_keys_are_moved_once() {
    let home = Home::new();
    let (one, other) = (home.vault().await, home.vault().await);
    let old = primary(&home.keyring()).await;
    // The primary KEK is no place to move from.
    assert_eq!(one.rewrap(old).next().await.unwrap_err().kind(), ErrorKind::Misuse);
    let keyring = home.keyring();
    keyring.rotate().unwrap();
    let (one, other) = {
        drop((one, other));
        (home.vault().await, home.vault().await)
    };
    let (first, second) = tokio::join!(rewrap(&one, &old), rewrap(&other, &old));
    assert!(first.vault_keys + second.vault_keys >= KEYS);
    home.vault().await;
    let before = home.row().await;
    assert_eq!(rewrap(&one, &old).await.vault_keys, 0);
    assert_eq!(home.row().await, before);
}
