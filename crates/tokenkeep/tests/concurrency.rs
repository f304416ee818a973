//! Many tasks on one connection: no false alarm, no use after a disconnect was told, every use counted.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{Fixture, Scripted, Unsteady, give, token};
use tokenkeep::{
    Action, Error, ErrorKind, KeyProvider, LocalKeyring, Meaning, Outcome, Provider, SqliteStore, Use, Vault,
};
use tokenkeep_core::{Dek, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_keys::KekStatus;
use tokenkeep_testkit::fake_token;

async fn on_sqlite(strict: bool) -> (tempfile::TempDir, Vault, Arc<Scripted>) {
    let folder = tempfile::tempdir().unwrap();
    let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let store = SqliteStore::open(folder.path().join("db/tokenkeep.sqlite")).await.unwrap();
    let options = if strict { Vault::options().strict_audit() } else { Vault::options() };
    let vault = options.open(store, keys).await.unwrap();
    let provider = Arc::new(Scripted::new());
    vault.connection("t", "apify").unwrap().connect(&*provider, token(&fake_token())).await.unwrap();
    (folder, vault, provider)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_beside_a_writer_raise_no_false_alarm() {
    let (_folder, vault, provider) = on_sqlite(false).await;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..6)
        .map(|_| {
            let (vault, provider, stop, reads) =
                (vault.clone(), provider.clone(), stop.clone(), reads.clone());
            tokio::spawn(async move {
                let connection = vault.connection("t", "apify").unwrap();
                while !stop.load(Ordering::SeqCst) {
                    connection.status().await.unwrap();
                    assert_eq!(vault.connections("t", None, 5).await.unwrap()[0].state.name(), "connected");
                    give(&connection.credential(), &provider).await.unwrap();
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..60 {
        let connection = vault.connection("t", "apify").unwrap();
        connection.replace(&*provider, token(&fake_token())).await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(reads.load(Ordering::SeqCst) > 60, "they did run beside it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn verify_cries_wolf_under_no_load() {
    let (_folder, vault, provider) = on_sqlite(true).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let (vault, provider, stop) = (vault.clone(), provider.clone(), stop.clone());
            tokio::spawn(async move {
                let connection = vault.connection(format!("t{n}"), "apify").unwrap();
                connection.connect(&*provider, token(&fake_token())).await.unwrap();
                while !stop.load(Ordering::SeqCst) {
                    give(&connection.credential(), &provider).await.unwrap();
                    connection.replace(&*provider, token(&fake_token())).await.unwrap();
                }
            })
        })
        .collect();
    // Verifying a short trail is quicker than a commit: until the writers have done something too.
    let (mut times, mut entries) = (0, 0);
    while (times < 25 || entries <= 50) && times < 5000 {
        let verification = vault.verify().await.unwrap();
        assert!(verification.is_whole(), "{verification}");
        (times, entries) = (times + 1, verification.entries);
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    let verification = vault.verify().await.unwrap();
    assert!(verification.is_whole() && verification.entries > 50, "{verification}");
}

#[tokio::test]
async fn a_read_that_a_change_overtakes_is_no_tampering() {
    let f = Fixture::new().await;
    let store = Unsteady::new(&f.store);
    let vault = Vault::open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    store.lags.store(true, Ordering::SeqCst);
    let (status, replaced) = tokio::join!(connection.status(), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        connection.replace(&f.provider, token(&fake_token())).await
    });
    replaced.unwrap();
    assert_eq!(status.unwrap().secret_version.unwrap().get(), 1, "as it was when it was read");
}

/// Keys that take their time, as a remote service may.
#[derive(Debug)]
struct Slow(LocalKeyring);

#[async_trait]
impl KeyProvider for Slow {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.0.wrap_dek(request).await
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.0.unwrap_dek(request).await
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.0.keks().await
    }
}

#[tokio::test]
async fn no_token_is_given_after_a_disconnect_was_told() {
    let f = Fixture::new().await;
    let vault = Vault::open(Arc::clone(&f.store), Slow(f.keys.clone())).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    // The first use of a minute, and one that waits for no commit.
    for _ in 0..2 {
        let usage = Use::at(f.provider.spec());
        let (issued, receipt) = tokio::join!(credential.issue(usage), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.disconnect().await
        });
        assert!(receipt.is_ok());
        assert_eq!(issued.unwrap_err().kind(), ErrorKind::NotConnected);
        connection.connect(&f.provider, token(&fake_token())).await.unwrap();
        give(&credential, &f.provider).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_replaced_meanwhile_is_given_as_the_new_one() {
    let f = Fixture::new().await;
    let vault = Vault::open(Arc::clone(&f.store), Slow(f.keys.clone())).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let new = fake_token();
    let credential = connection.credential();
    let (given, replaced) = tokio::join!(give(&credential, &f.provider), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        connection.replace(&f.provider, token(&new)).await
    });
    replaced.unwrap();
    assert_eq!(given, Ok(new));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refusals_pause_once() {
    let (_folder, vault, provider) = on_sqlite(false).await;
    let credential = vault.connection("t", "apify").unwrap().credential();
    let issued = credential.issue(Use::at(provider.spec())).await.unwrap();
    let reports: Vec<_> = (0..16)
        .map(|_| {
            let credential = credential.clone();
            let (incarnation, version) = (issued.incarnation, issued.secret_version);
            tokio::spawn(async move {
                credential.report(incarnation, version, Outcome::Refused(Meaning::TokenRefused)).await
            })
        })
        .collect();
    for report in reports {
        report.await.unwrap().unwrap();
    }
    let entries = vault.audit().of_tenant("t", 0, 100).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.draft.action == Action::Paused).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uses_of_many_tasks_are_all_counted() {
    let (_folder, vault, provider) = on_sqlite(false).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (credential, provider) =
                (vault.connection("t", "apify").unwrap().credential(), provider.clone());
            tokio::spawn(async move { give(&credential, &provider).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    vault.flush().await.unwrap();
    let entries = vault.audit().of_tenant("t", 0, 100).await.unwrap();
    let uses = entries.iter().filter(|entry| matches!(entry.draft.action, Action::Used | Action::UsedAgain));
    assert_eq!(uses.map(|entry| entry.draft.count).sum::<u64>(), 20);
}

/// A provider that keeps the credential it was given to check with.
#[derive(Debug)]
struct Hoarder {
    inner: Scripted,
    kept: std::sync::Mutex<Option<tokenkeep::Credential>>,
}

#[async_trait]
impl Provider for Hoarder {
    fn spec(&self) -> &tokenkeep::ProviderSpec {
        self.inner.spec()
    }

    async fn check(&self, credential: &tokenkeep::Credential) -> Result<tokenkeep::Account, Error> {
        *self.kept.lock().unwrap() = Some(credential.clone());
        self.inner.check(credential).await
    }
}

#[tokio::test]
async fn a_credential_for_a_check_is_worth_nothing_after_it() {
    let f = Fixture::new().await;
    let provider = Hoarder { inner: Scripted::new(), kept: std::sync::Mutex::new(None) };
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&provider, token(&fake_token())).await.unwrap();
    let kept = provider.kept.lock().unwrap().take().unwrap();
    assert_eq!(give(&kept, &provider.inner).await, Err(ErrorKind::NotConnected));
    connection.recheck(&provider).await.unwrap();
    let kept = provider.kept.lock().unwrap().take().unwrap();
    assert_eq!(give(&kept, &provider.inner).await, Err(ErrorKind::Misuse));
}
