//! A vault in a real SQLite file, edited with SQL behind its back.

use std::path::PathBuf;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};
use tempfile::TempDir;
use tokenkeep::{ConnectionId, Finding, LocalKeyring, SqliteStore, Vault, VaultOptions};
use tokenkeep_testkit::fake_token;

use crate::common::{Scripted, token};

pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) provider: Scripted,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), provider: Scripted::new() }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("db/tokenkeep.sqlite")
    }

    /// As [`fresh`](Self::fresh), otherwise opened.
    pub(crate) async fn fresh_with(&self, options: VaultOptions) -> Vault {
        let keys = LocalKeyring::open_or_create(self.folder.path().join("keys/keyring")).unwrap();
        options.open(SqliteStore::open(self.database()).await.unwrap(), keys).await.unwrap()
    }

    /// A vault as a process that was just started sees it.
    pub(crate) async fn fresh(&self) -> Vault {
        self.fresh_with(Vault::options()).await
    }

    pub(crate) async fn sql(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap()
    }

    /// Runs SQL behind the vault's back; it must do something.
    pub(crate) async fn edit(&self, sql: &str) {
        let mut connection = self.sql().await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql} changed nothing");
        connection.close().await.unwrap();
    }

    pub(crate) async fn connected(&self, tenant: &str) -> (Vault, String) {
        let vault = self.fresh().await;
        let text = fake_token();
        vault.connection(tenant, "apify").unwrap().connect(&self.provider, token(&text)).await.unwrap();
        (vault, text)
    }
}

pub(crate) fn id(tenant: &str) -> ConnectionId {
    ConnectionId::new(tenant, "apify").unwrap()
}

pub(crate) async fn findings(vault: &Vault) -> Vec<Finding> {
    vault.verify().await.unwrap().findings
}

/// Keeps the records and sealed bytes as they are now; [`PUT_BACK`] puts them back.
pub(crate) const KEEP: &str = "CREATE TABLE kept_c AS SELECT * FROM tokenkeep_connection;

     CREATE TABLE kept_s AS SELECT * FROM tokenkeep_sealed";
pub(crate) const PUT_BACK: &str = "DELETE FROM tokenkeep_connection; DELETE FROM tokenkeep_sealed;
     INSERT INTO tokenkeep_sealed SELECT * FROM kept_s; INSERT INTO tokenkeep_connection SELECT * FROM kept_c";
