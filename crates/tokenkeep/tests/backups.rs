//! What old copies of the databases open, before an epoch is destroyed and after: tokens and epochs in SQLite files, copied whole.

mod common;
#[path = "common/service.rs"]
mod service;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Scripted, TestClock, account, give, token};
use service::Service;
use tokenkeep::{
    Backups, Destruction, EpochKeys, ErrorKind, KekId, LocalKeyring, Retirement, SqliteEpochStore,
    SqliteStore, Vault,
};
use tokenkeep_keys::{DestroyableKeys, KekState, KeyProvider};

const GRACE: Duration = Duration::from_secs(60 * 60);
const TEN_MINUTES: i64 = 600_000;

/// Where tokens and epochs are, each in a file.
struct Site {
    folder: PathBuf,
    clock: Arc<TestClock>,
}

/// One process that uses a site's tokens with the epochs of the same or of another one.
struct Process {
    store: SqliteStore,
    epochs: SqliteEpochStore,
    keys: EpochKeys,
    vault: Vault,
}

impl Site {
    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.sqlite")
    }

    fn epochs(&self) -> PathBuf {
        self.folder.join("epochs.sqlite")
    }

    async fn process(&self, service: &(impl DestroyableKeys + Clone + 'static)) -> Process {
        self.process_with(service, &self.epochs()).await.unwrap()
    }

    async fn process_with(
        &self,
        service: &(impl DestroyableKeys + Clone + 'static),
        epochs: &Path,
    ) -> Result<Process, ErrorKind> {
        let store = SqliteStore::open(self.tokens()).await.unwrap();
        let epochs = SqliteEpochStore::open(epochs).await.unwrap();
        let options = EpochKeys::options().clock(Arc::clone(&self.clock));
        let keys = options.build(service.clone(), epochs.clone()).unwrap();
        let options = Vault::options().clock(Arc::clone(&self.clock));
        let vault = options.open(store.clone(), keys.clone()).await.map_err(|error| error.kind())?;
        Ok(Process { store, epochs, keys, vault })
    }

    /// Every byte of both files, and of the files beside them.
    fn copy(&self, to: &str) -> Self {
        let folder = self.folder.join(to);
        fs::create_dir(&folder).unwrap();
        for file in fs::read_dir(&self.folder).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), folder.join(file.file_name())).unwrap();
            }
        }
        Self { folder, clock: Arc::clone(&self.clock) }
    }
}

impl Process {
    async fn connect(&self, tenant: &str) {
        let provider = Scripted::new();
        provider.answer(Ok(account(tenant)));
        let text = format!("example-token-of-{tenant}");
        self.vault.connection(tenant, "apify").unwrap().connect(&provider, token(&text)).await.unwrap();
    }

    async fn opens(&self, tenant: &str) -> Result<(), ErrorKind> {
        let provider = Scripted::new();
        let shown = give(&self.vault.connection(tenant, "apify").unwrap().credential(), &provider).await?;
        assert_eq!(shown, format!("example-token-of-{tenant}"));
        Ok(())
    }

    async fn primary(&self) -> KekId {
        let keks = self.keys.keks().await.unwrap();
        keks.iter().find(|kek| kek.state == KekState::Primary).unwrap().id
    }

    async fn close(self) {
        self.store.close().await;
        self.epochs.close().await;
    }
}

/// With a key service in memory; it forgets nothing that was not destroyed.
#[tokio::test]
async fn old_copies_open_until_the_epoch_is_destroyed_and_not_after() {
    let service = Service::new();
    what_old_copies_open(service, Service::new()).await;
}

async fn what_old_copies_open(
    service: impl DestroyableKeys + Clone + 'static,
    others: impl DestroyableKeys + Clone + 'static,
) {
    let folder = tempfile::tempdir().unwrap();
    let live = Site { folder: folder.path().to_path_buf(), clock: TestClock::new() };
    let first = live.process(&service).await;
    first.connect("leaves").await;
    first.connect("stays").await;
    let epoch = first.primary().await;
    first.close().await;
    let backup = live.copy("backup");

    // Stolen, with the epochs' rows: nothing without the service.
    let stolen = live.copy("stolen");
    for file in [stolen.tokens(), stolen.epochs()] {
        let bytes = fs::read(file).unwrap();
        assert!(bytes.windows(12).all(|part| part != b"example-toke"));
    }
    let opened = stolen.process_with(&others, &stolen.epochs()).await;
    assert_eq!(opened.err(), Some(ErrorKind::KeysWrong));

    let process = live.process(&service).await;
    let receipt = process.vault.connection("leaves", "apify").unwrap().disconnect().await.unwrap();
    // It does not claim what is not so: the backup, opened by whoever may, still gives it.
    assert_eq!(receipt.backups, Backups::BoundedByRetention);
    assert!(receipt.to_string().contains("hold the sealed token for as long as you keep them"));
    let warm = backup.process(&service).await;
    warm.opens("leaves").await.unwrap();
    let before = backup.process_with(&service, &live.epochs()).await.unwrap();
    before.opens("leaves").await.unwrap();
    before.close().await;

    assert!(matches!(retire(&process, &epoch).await, Retirement::Waiting(_)));
    live.clock.advance(TEN_MINUTES);
    let Retirement::Needed(census) = retire(&process, &epoch).await else { panic!() };
    assert_eq!((census.tokens, census.unreadable), (1, 0));
    let mut rewrap = process.vault.rewrap(epoch);
    while rewrap.next().await.unwrap().is_some() {}
    assert_eq!(rewrap.progress().moved, 1);
    assert!(matches!(retire(&process, &epoch).await, Retirement::Waiting(_)));
    live.clock.advance(6 * TEN_MINUTES);
    warm.opens("leaves").await.unwrap();
    let Retirement::Waiting(until) = retire(&process, &epoch).await else { panic!() };
    assert_eq!(until, tokenkeep::Clock::now(&*live.clock).after(Duration::from_secs(600)));

    // (a) The whole old backup, with the live provider.
    let restored = backup.copy("restored").process(&service).await;
    for tenant in ["leaves", "stays"] {
        assert_eq!(restored.opens(tenant).await, Err(ErrorKind::KeyDestroyed), "{tenant}");
    }
    // (c) A warm instance, past the maximum age; until then it may, and nobody claimed otherwise.
    warm.opens("leaves").await.unwrap();
    live.clock.advance(TEN_MINUTES);
    assert_eq!(warm.opens("leaves").await, Err(ErrorKind::KeyDestroyed));
    assert_eq!(retire(&process, &epoch).await, Retirement::Destroyed(Destruction::Confirmed));
    // (b) The old records, with the live epochs.
    let old_records = backup.process_with(&service, &live.epochs()).await.unwrap();
    for tenant in ["leaves", "stays"] {
        assert_eq!(old_records.opens(tenant).await, Err(ErrorKind::KeysWrong), "{tenant}");
    }
    // What was not disconnected lives on, here and in a process of its own.
    process.opens("stays").await.unwrap();
    live.process(&service).await.opens("stays").await.unwrap();
    assert!(process.vault.verify().await.unwrap().is_whole());
}

/// A date is the operator's plan, said as one, and not to be had of keys in a file.
#[tokio::test]
async fn receipts_tell_a_planned_date_as_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site { folder: folder.path().to_path_buf(), clock: TestClock::new() };
    let process = site.process(&Service::new()).await;
    process.connect("leaves").await;
    let opened = |days: u32| {
        let options = Vault::options().clock(Arc::clone(&site.clock)).keks_end_within(days);
        options.open(process.store.clone(), process.keys.clone())
    };
    let vault = opened(45).await.unwrap();
    let receipt = vault.connection("leaves", "apify").unwrap().disconnect().await.unwrap();
    let until = receipt.removed_at.after(Duration::from_secs(45 * 24 * 60 * 60));
    assert_eq!(receipt.backups, Backups::PlannedUntil(until));
    let text = format!("hold the sealed token; its keys are planned to end by {until}");
    assert!(receipt.to_string().contains(&text), "{receipt}");
    // Told again later, it is the same date.
    site.clock.advance(TEN_MINUTES);
    let again = vault.connection("leaves", "apify").unwrap().disconnect().await.unwrap();
    assert_eq!(again.backups, receipt.backups);
    for days in [0, 3651] {
        assert_eq!(opened(days).await.unwrap_err().kind(), ErrorKind::Misuse);
    }
    let keyring = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let epochs = EpochKeys::new(keyring.clone(), process.epochs.clone()).unwrap();
    let refused = async |keys: Box<dyn KeyProvider>| {
        let store = SqliteStore::open(folder.path().join("other/tokens.sqlite")).await.unwrap();
        let opened = Vault::options().keks_end_within(45).open(store, keys).await;
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Misuse);
    };
    refused(Box::new(keyring)).await;
    refused(Box::new(epochs)).await;
}

async fn retire(process: &Process, kek: &KekId) -> Retirement {
    process.vault.retire(&process.keys, kek, GRACE).await.unwrap()
}

/// The same with a real key service: an epoch's own key is one of its transit keys.
#[cfg(feature = "openbao")]
mod openbao {
    use serde_json::json;
    use tokenkeep::openbao::OpenBaoKeys;
    use tokenkeep_core::{ApiToken, Origin};
    use tokenkeep_testkit::ThrowawayOpenBao;

    use super::common::{Scripted, TestClock, account, give, token};
    use super::what_old_copies_open;
    use super::{Arc, Destruction, Duration, KekState, KeyProvider, Retirement, Vault};
    use tokenkeep::{Clock, MemoryStore};

    fn keys(server: &ThrowawayOpenBao, key: &str) -> OpenBaoKeys {
        server
            .write(&format!("transit/keys/{key}"), &json!({ "type": "aes256-gcm96", "derived": true }))
            .unwrap();
        let origin = Origin::parse(&server.origin()).unwrap();
        let token = ApiToken::new(server.root_token().to_owned()).unwrap();
        let builder = OpenBaoKeys::builder(origin, key).ca_pem(server.ca_pem()).unwrap();
        builder.own_keys().token(token).build().unwrap()
    }

    #[tokio::test]
    async fn old_copies_open_until_the_services_key_is_destroyed_and_not_after() {
        let server = ThrowawayOpenBao::start().unwrap();
        what_old_copies_open(keys(&server, "ours"), keys(&server, "theirs")).await;
    }

    /// Without epochs: a version of the transit key, which the vault's own keys and its tokens are under.
    #[tokio::test]
    async fn a_version_is_retired() {
        let server = ThrowawayOpenBao::start().unwrap();
        let keys = keys(&server, "ours");
        let (store, clock, provider) = (Arc::new(MemoryStore::new()), TestClock::new(), Scripted::new());
        let open = async || {
            let options = Vault::options().clock(Arc::clone(&clock));
            options.open(Arc::clone(&store), keys.clone()).await.unwrap()
        };
        let vault = open().await;
        provider.answer(Ok(account("a")));
        let connection = vault.connection("a", "apify").unwrap();
        connection.connect(&provider, token("example-token-of-a")).await.unwrap();
        let listed = keys.keks().await.unwrap();
        let old = listed.iter().find(|kek| kek.state == KekState::Primary).unwrap().id;
        let retire = async || vault.retire(&keys, &old, Duration::from_secs(3600)).await.unwrap();

        let Retirement::Waiting(until) = retire().await else { panic!() };
        clock.advance(until.as_millis() - clock.now().as_millis());
        let Retirement::Needed(census) = retire().await else { panic!() };
        assert_eq!((census.tokens, census.unreadable), (1, 0));
        let mut rewrap = vault.rewrap(old);
        while rewrap.next().await.unwrap().is_some() {}
        assert_eq!((rewrap.progress().moved, rewrap.progress().vault_keys), (1, census.vault_keys));
        assert!(census.vault_keys > 0);
        assert!(matches!(retire().await, Retirement::Waiting(_)));
        clock.advance(3_600_000);
        for _ in 0..2 {
            assert_eq!(retire().await, Retirement::Destroyed(Destruction::Confirmed));
        }
        let vault = open().await;
        let credential = vault.connection("a", "apify").unwrap().credential();
        assert_eq!(give(&credential, &provider).await.unwrap(), "example-token-of-a");
    }
}
