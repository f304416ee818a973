//! Where a vault lies: what both processes must know of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tokenkeep::{
    CheckpointFile, Error, ErrorKind, LocalKeyring, PostgresStore, SqliteStore, TokenStore, Vault,
};

use crate::application::Application;
use crate::parts::{Ahead, Listed};
use crate::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Sqlite, Self::Postgres].into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// How many connections are worked on.
pub(crate) const SLOTS: usize = 16;

/// The tenant and the name of a connection. Some tenants have several.
pub(crate) fn names(slot: usize) -> (String, String) {
    (format!("tenant-{}", slot % 5), format!("apify-{slot}"))
}

/// A vault, its database, and the application that shares it, where it is PostgreSQL.
pub(crate) struct Opened {
    pub(crate) vault: Vault,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) application: Option<Application>,
}

#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Of keys, checkpoints, hooks, and of SQLite's file.
    pub(crate) folder: PathBuf,
    /// PostgreSQL's URL; without one it is SQLite.
    pub(crate) url: Option<String>,
    /// How far ahead the process's clock is.
    pub(crate) ahead: Duration,
    pub(crate) seed: u64,
}

impl Place {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let url = self.url.clone().unwrap_or_else(|| "-".into());
        let (ahead, seed) = (self.ahead.as_secs().to_string(), self.seed.to_string());
        vec!["work".into(), self.folder.display().to_string(), url, ahead, seed]
    }

    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let [folder, url, ahead, seed] = arguments else { return None };
        Some(Self {
            folder: folder.into(),
            url: (url != "-").then(|| url.clone()),
            ahead: Duration::from_secs(ahead.parse().ok()?),
            seed: seed.parse().ok()?,
        })
    }

    /// Makes the keys, which are there before everything else.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        LocalKeyring::create(self.keyring()).map(drop).map_err(|error| format!("no keyring: {error}"))
    }

    fn keyring(&self) -> PathBuf {
        self.folder.join("keys/keyring")
    }

    /// What the hooks were run for.
    pub(crate) fn hooks(&self) -> PathBuf {
        self.folder.join("hooks")
    }

    /// Opens the database and the vault in it, or makes both. `steady`: its hook never fails.
    pub(crate) async fn open(&self, steady: bool) -> Result<Opened, Error> {
        let keys = LocalKeyring::open(self.keyring())?;
        let mut application = None;
        let store: Arc<dyn TokenStore> = match &self.url {
            None => Arc::new(SqliteStore::open(self.database()).await?),
            Some(url) => {
                // Patience with a server that is being started is the caller's.
                let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(5));
                let pool = pool.connect_lazy(url).map_err(|_| ErrorKind::Misuse)?;
                let store = PostgresStore::open(pool.clone()).await?;
                application = Some(Application::new(pool, store.clone()).await?);
                Arc::new(store)
            }
        };
        let fails = (!steady).then(|| Mutex::new(Random::new(self.seed)));
        let vault = Vault::options()
            .strict_audit()
            .on_disconnect("list", Listed { file: self.hooks(), fails })
            .checkpoints(CheckpointFile::open_or_create(self.folder.join("sink/checkpoints")).await?)
            .clock(Ahead(self.ahead));
        Ok(Opened { vault: vault.open(Arc::clone(&store), keys).await?, store, application })
    }

    fn database(&self) -> PathBuf {
        Path::new(&self.folder).join("db/tokenkeep.sqlite")
    }
}
