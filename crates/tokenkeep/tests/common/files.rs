//! A vault in a real SQLite file with checkpoints outside, edited with SQL behind its back.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};
use tempfile::TempDir;
use tokenkeep::{Checkpoint, Finding, LocalKeyring, SqliteStore, Vault};
use tokenkeep_testkit::fake_token;

use crate::common::{Scripted, Sink, token};

pub(crate) const TABLES: [&str; 9] = [
    "tokenkeep_vault",
    "tokenkeep_vault_key",
    "tokenkeep_sealed",
    "tokenkeep_connection",
    "tokenkeep_closed_kek",
    "tokenkeep_audit",
    "tokenkeep_audit_head",
    "tokenkeep_checkpoint",
    "tokenkeep_migration",
];

/// Three checkpoints, of a trail with 2, 4 and 6 entries of one tenant, all delivered; then a seventh entry.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) provider: Scripted,
    pub(crate) sink: Arc<Sink>,
    pub(crate) vault: Vault,
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl Files {
    pub(crate) async fn new() -> Self {
        let (folder, provider, sink) = (tempfile::tempdir().unwrap(), Scripted::new(), Sink::new());
        let vault = open(&folder, &sink).await;
        let mut f = Self { folder, provider, sink, vault, checkpoints: Vec::new() };
        f.vault.connection("t", "apify").unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
        for _ in 0..3 {
            f.replace(&f.vault).await;
            f.keep(&format!("kept_{}", f.checkpoints.len())).await;
            f.checkpoints.push(f.vault.checkpoint().await.unwrap());
            f.replace(&f.vault).await;
        }
        let found = f.vault.verify().await.unwrap();
        assert_eq!((found.entries, found.findings), (7, vec![]));
        f
    }

    pub(crate) async fn replace(&self, vault: &Vault) {
        let connection = vault.connection("t", "apify").unwrap();
        connection.replace(&self.provider, token(&fake_token())).await.unwrap();
    }

    /// A vault as a process that was just started sees it.
    pub(crate) async fn fresh(&self) -> Vault {
        open(&self.folder, &self.sink).await
    }

    pub(crate) async fn sql(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(database(&self.folder)).connect().await.unwrap()
    }

    /// Runs SQL behind the vault's back; it must do something.
    pub(crate) async fn edit(&self, sql: &str) {
        let mut connection = self.sql().await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql} changed nothing");
        connection.close().await.unwrap();
    }

    /// Keeps the whole database under a name.
    pub(crate) async fn keep(&self, name: &str) {
        let copy = |table| format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table};");
        let sql = TABLES.map(copy).concat();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.sql().await).await.unwrap();
    }

    /// Puts the whole database back.
    pub(crate) async fn put_back(&self, name: &str) {
        let copy = |table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {name}_{table};");
        self.edit(&TABLES.map(copy).concat()).await;
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        self.fresh().await.verify().await.unwrap().findings
    }
}

pub(crate) fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("db/tokenkeep.sqlite")
}

pub(crate) async fn open(folder: &TempDir, sink: &Arc<Sink>) -> Vault {
    let keys = LocalKeyring::open_or_create(folder.path().join("keys/keyring")).unwrap();
    let store = SqliteStore::open(database(folder)).await.unwrap();
    Vault::options().checkpoints(Arc::clone(sink)).open(store, keys).await.unwrap()
}
