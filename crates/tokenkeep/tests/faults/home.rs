//! A vault's database, keys and clock.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokenkeep::{
    Action, ConnectionId, Error, ErrorKind, Incarnation, LocalKeyring, PostgresStore, PurgeHook, SqliteStore,
    TokenStore, Vault,
};
use tokenkeep_testkit::ThrowawayPostgres;

use crate::common::{Scripted, TestClock, give};

/// One for all tests that do it no harm.
static SERVER: LazyLock<ThrowawayPostgres> = LazyLock::new(|| {
    ThrowawayPostgres::builder().setting("max_connections", "300").start().expect("PostgreSQL starts")
});

/// Remembers which incarnations it ran for.
#[derive(Debug, Default)]
pub(crate) struct Ran(pub(crate) Mutex<HashSet<Incarnation>>);

#[async_trait]
impl PurgeHook for Ran {
    async fn purge(
        &self,
        _connection: &ConnectionId,
        former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().insert(former);
        Ok(())
    }
}

/// Everything that a vault needs, and a second instance of it.
pub(crate) struct Home {
    _folder: TempDir,
    pub(crate) keys: LocalKeyring,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) provider: Scripted,
    pub(crate) hook: Arc<Ran>,
    /// PostgreSQL's; none for SQLite.
    pub(crate) url: Option<String>,
    /// How long a call waits for a connection of PostgreSQL's pool.
    pub(crate) patience: Duration,
    /// SQLite's folder.
    pub(crate) files: std::path::PathBuf,
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        Self::new(None)
    }

    pub(crate) fn postgres() -> Self {
        let name = SERVER.fresh_database().unwrap();
        Self::new(Some(SERVER.url(&name)))
    }

    pub(crate) fn new(url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        let files = folder.path().join("db");
        let (clock, provider) = (TestClock::new(), Scripted::new());
        Self {
            _folder: folder,
            keys,
            clock,
            provider,
            hook: Arc::default(),
            url,
            patience: Duration::from_secs(15),
            files,
        }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.files.join("tokenkeep.sqlite")
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.url.as_ref().unwrap().parse().unwrap()
    }

    pub(crate) async fn pool(&self) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(self.patience);
        pool.connect_with(self.options()).await.unwrap()
    }

    pub(crate) async fn store(&self) -> Arc<dyn TokenStore> {
        match self.url {
            None => Arc::new(SqliteStore::open(self.file()).await.unwrap()),
            Some(_) => Arc::new(PostgresStore::open(self.pool().await).await.unwrap()),
        }
    }

    pub(crate) async fn open(&self, store: Arc<dyn TokenStore>) -> Result<Vault, Error> {
        let options = Vault::options().clock(Arc::clone(&self.clock));
        options.on_disconnect("list", Arc::clone(&self.hook)).open(store, self.keys.clone()).await
    }

    pub(crate) async fn vault(&self) -> Vault {
        self.open(self.store().await).await.unwrap()
    }

    /// Alters a row of the tenant `t` behind the vault's back.
    pub(crate) async fn alter(&self, name: &str) {
        const SQLITE: &str = "UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE name = $1";
        const POSTGRES: &str =
            "UPDATE tokenkeep.connection SET mac = decode(repeat('00', 32), 'hex') WHERE name = $1";
        let altered = if self.url.is_none() {
            let mut database = SqliteConnectOptions::new().filename(self.file()).connect().await.unwrap();
            sqlx::query(SQLITE).bind(name).execute(&mut database).await.unwrap().rows_affected()
        } else {
            let mut database = self.options().connect().await.unwrap();
            sqlx::query(POSTGRES).bind(name).execute(&mut database).await.unwrap().rows_affected()
        };
        assert_eq!(altered, 1);
    }

    /// The token that the connection gives.
    pub(crate) async fn given(&self, vault: &Vault, name: &str) -> Result<String, ErrorKind> {
        give(&vault.connection("t", name).unwrap().credential(), &self.provider).await
    }
}

/// Nothing of the trail or of a record is amiss, and the instance can work.
pub(crate) async fn is_whole(vault: &Vault) {
    let verification = vault.verify().await.unwrap();
    assert!(verification.is_whole(), "{verification}");
    // Patient, as a busy host runs these.
    let readiness = vault.check_within(Duration::from_secs(30)).await;
    assert!(readiness.is_ready(), "{readiness}");
}

/// A retryable error of the database's, in a time that a caller can wait.
pub(crate) fn is_passing<T: std::fmt::Debug>(what: &str, began: Instant, result: Result<T, Error>) {
    let error = result.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{what}: {}", error.report());
    assert!(error.is_retryable(), "{what}");
    assert!(began.elapsed() < Duration::from_secs(20), "{what} took {:?}", began.elapsed());
}

/// How often something was done to a connection of the tenant `t`, as the trail has it.
pub(crate) async fn times(vault: &Vault, name: &str, action: Action) -> usize {
    let (mut found, mut after) = (0, 0);
    loop {
        let page = vault.audit().of_tenant("t", after, 500).await.unwrap();
        let Some(last) = page.last() else { return found };
        after = last.sequence;
        found +=
            page.iter().filter(|e| e.draft.action == action && e.draft.id.name().as_str() == name).count();
    }
}

/// Waits until the database is done with a call that was dropped: what was handed to it may be made a moment later.
pub(crate) struct Settle(Option<PgConnection>, Vault);

impl Settle {
    pub(crate) async fn new(home: &Home, vault: &Vault) -> Self {
        let observer = match home.url {
            None => None,
            Some(_) => Some(home.options().connect().await.unwrap()),
        };
        vault
            .connection("other", "one")
            .unwrap()
            .connect(&home.provider, crate::common::token("other-token-1"))
            .await
            .unwrap();
        Self(observer, vault.clone())
    }

    pub(crate) async fn wait(&mut self, home: &Home) {
        const BUSY: &str = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        let Some(observer) = &mut self.0 else {
            // SQLite's commits queue: one that comes back is behind the dropped one.
            let connection = self.1.connection("other", "one").unwrap();
            let next = crate::common::token(&tokenkeep_testkit::fake_token());
            connection.replace(&home.provider, next).await.unwrap();
            return;
        };
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let busy: i64 = sqlx::query_scalar(BUSY).fetch_one(&mut *observer).await.unwrap();
            if busy == 0 {
                return;
            }
            assert!(Instant::now() < until, "a dropped call is still at work");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
