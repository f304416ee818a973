//! Two instances of one vault, whose keyrings are one file: what one rotates, the other finds by itself.

mod common;

use std::sync::Arc;

use common::{Scripted, account, give, token};
use tempfile::TempDir;
use tokenkeep::{ErrorKind, KekId, LocalKeyring, MemoryStore, PreparedChange, Timestamp, TokenStore, Vault};
use tokenkeep_store::Scan;

struct Home {
    folder: TempDir,
    store: Arc<MemoryStore>,
    provider: Scripted,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), store: Arc::default(), provider: Scripted::new() }
    }

    async fn instance(&self) -> (Vault, LocalKeyring) {
        let keyring = LocalKeyring::open_or_create(self.folder.path().join("keys/keyring")).unwrap();
        (Vault::open(Arc::clone(&self.store), keyring.clone()).await.unwrap(), keyring)
    }

    async fn prepare(&self, vault: &Vault, tenant: &str) -> PreparedChange {
        self.provider.answer(Ok(account(tenant)));
        let connection = vault.connection(tenant, "apify").unwrap();
        let text = token(&format!("example-token-of-{tenant}"));
        connection.prepare_connect(&self.provider, text).await.unwrap()
    }

    async fn opens(&self, vault: &Vault, tenant: &str) -> Result<String, ErrorKind> {
        give(&vault.connection(tenant, "apify").unwrap().credential(), &self.provider).await
    }

    async fn kek_of(&self, tenant: &str) -> Option<KekId> {
        let records = self.store.scan(&Scan::All, None, 100).await.unwrap();
        let record = records.into_iter().find(|record| record.id.tenant().as_str() == tenant)?;
        record.sealed.map(|sealed| sealed.kek)
    }
}

/// The one that does not know yet that its key is closed: its commit is refused, and it reads the keyring and seals under the new key.
#[tokio::test]
async fn a_stale_sealer_reads_the_keyring_again() {
    let home = Home::new();
    let ((stale, _keyring), (vault, keyring)) = (home.instance().await, home.instance().await);
    home.prepare(&stale, "before").await.commit().await.unwrap();
    let old = home.kek_of("before").await.unwrap();
    let prepared = home.prepare(&stale, "prepared").await;

    let new = keyring.rotate().unwrap();
    home.store.close_kek(&old, Timestamp::from_millis(1)).await.unwrap();
    prepared.commit().await.unwrap();
    assert_eq!(home.kek_of("prepared").await, Some(new));
    // Repeating it finds it done.
    prepared.commit().await.unwrap();
    home.prepare(&stale, "after").await.commit().await.unwrap();
    assert_eq!((home.kek_of("before").await, home.kek_of("after").await), (Some(old), Some(new)));
    for instance in [&stale, &vault] {
        for tenant in ["before", "prepared", "after"] {
            assert_eq!(home.opens(instance, tenant).await.unwrap(), format!("example-token-of-{tenant}"));
        }
    }
    assert!(vault.verify().await.unwrap().is_whole());
}

/// A keyring that can't be read is told as what it is; nothing is committed, and the same commit goes on once it is back.
#[tokio::test]
async fn a_stale_sealer_without_its_file_commits_nothing() {
    let home = Home::new();
    let ((stale, _keyring), (vault, keyring)) = (home.instance().await, home.instance().await);
    let prepared = home.prepare(&stale, "prepared").await;
    let old = prepared.change().record.as_ref().unwrap().record.sealed.as_ref().unwrap().kek;
    let new = keyring.rotate().unwrap();
    home.store.close_kek(&old, Timestamp::from_millis(1)).await.unwrap();

    let (path, away) = (home.folder.path().join("keys/keyring"), home.folder.path().join("away"));
    std::fs::rename(&path, &away).unwrap();
    for _ in 0..2 {
        assert_eq!(prepared.commit().await.unwrap_err().kind(), ErrorKind::KeysUnusable);
        assert_eq!(home.kek_of("prepared").await, None);
    }
    std::fs::rename(&away, &path).unwrap();
    prepared.commit().await.unwrap();
    assert_eq!(home.kek_of("prepared").await, Some(new));
    assert!(vault.verify().await.unwrap().is_whole());
}
