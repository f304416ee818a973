//! A vault in a file, its keyring and its files of checkpoints.

use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};
use tempfile::TempDir;
use tokenkeep::{CheckpointFile, ErrorKind, LocalKeyring, SqliteStore, Vault};
use tokenkeep_testkit::fake_token;

use crate::common::{Scripted, account, give, token};

pub(crate) struct Site {
    folder: TempDir,
    pub(crate) provider: Scripted,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), provider: Scripted::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("db/tokenkeep.sqlite")
    }

    /// A process that was just started, with this file of checkpoints. The application has no hooks.
    pub(crate) async fn start(&self, checkpoints: &str) -> (Vault, SqliteStore) {
        let keys = LocalKeyring::open_or_create(self.path("keys/keyring")).unwrap();
        self.start_with(keys, checkpoints).await
    }

    /// The same of a process that keeps its keyring at hand.
    pub(crate) async fn start_with(&self, keys: LocalKeyring, checkpoints: &str) -> (Vault, SqliteStore) {
        let sink = CheckpointFile::open_or_create(self.path(checkpoints)).await.unwrap();
        let store = SqliteStore::open(self.database()).await.unwrap();
        let vault =
            Vault::options().hooks_nowhere().checkpoints(sink).open(store.clone(), keys).await.unwrap();
        (vault, store)
    }

    pub(crate) async fn connect(&self, vault: &Vault, tenant: &str) -> String {
        let text = fake_token();
        self.provider.answer(Ok(account(tenant)));
        vault.connection(tenant, "apify").unwrap().connect(&self.provider, token(&text)).await.unwrap();
        text
    }

    /// Whether the tenant's token would be used.
    pub(crate) async fn given(&self, vault: &Vault, tenant: &str) -> Result<String, ErrorKind> {
        give(&vault.connection(tenant, "apify").unwrap().credential(), &self.provider).await
    }

    /// Behind the vault's back.
    pub(crate) async fn sql(&self, sql: &str) {
        let mut database = SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    /// Keeps the tenant's row and its sealed bytes as they are.
    pub(crate) async fn keep(&self, tenant: &str) {
        self.sql(&format!(
            "CREATE TABLE kept_c AS SELECT * FROM tokenkeep_connection WHERE tenant = '{tenant}';
             CREATE TABLE kept_s AS SELECT * FROM tokenkeep_sealed WHERE slot = (SELECT slot FROM kept_c)"
        ))
        .await;
    }

    /// Puts back what was kept, where the row is gone.
    pub(crate) async fn put_back(&self) {
        self.sql(
            "REPLACE INTO tokenkeep_sealed SELECT * FROM kept_s;
             INSERT INTO tokenkeep_connection SELECT * FROM kept_c",
        )
        .await;
    }

    /// A copy of the live database, as the page says to make one.
    pub(crate) async fn back_up(&self, name: &str) {
        let options = SqliteConnectOptions::new().filename(self.database());
        let mut database = options.connect().await.unwrap();
        let copy = self.path(name).to_str().unwrap().to_owned();
        sqlx::query("VACUUM INTO ?").bind(copy).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    pub(crate) fn restore(&self, name: &str) {
        for ending in ["-wal", "-shm"] {
            let mut file = self.database().into_os_string();
            file.push(ending);
            let _ = std::fs::remove_file(file);
        }
        std::fs::copy(self.path(name), self.database()).unwrap();
    }
}
