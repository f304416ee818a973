mod cancellation;
mod closing;
mod conformance;
mod epochs;
mod errors;
mod failures;
mod plans;
mod schema;
mod tampering;
mod tls;
mod transactions;

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, SqlSafeStr};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::Timestamp;
use tokenkeep_testkit::ThrowawayPostgres;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1);

/// One for all tests: it ends with this process.
static SERVER: LazyLock<ThrowawayPostgres> = LazyLock::new(|| {
    ThrowawayPostgres::builder().setting("max_connections", "300").start().expect("PostgreSQL starts")
});

/// A database with the store's tables, which is copied for each test: three times as fast as to make them.
static TABLES: LazyLock<String> = LazyLock::new(|| {
    let name = SERVER.fresh_database().unwrap();
    for migration in PostgresStore::MIGRATIONS {
        SERVER.sql(&name, migration.sql).unwrap();
    }
    name
});

/// A test's own database.
struct Database {
    url: String,
}

impl Database {
    /// With the store's tables, and nothing in them.
    fn fresh() -> Self {
        Self { url: SERVER.url(&SERVER.fresh_copy(&TABLES).unwrap()) }
    }

    fn empty() -> Self {
        Self { url: SERVER.url(&SERVER.fresh_database().unwrap()) }
    }

    fn options(&self) -> PgConnectOptions {
        self.url.parse().unwrap()
    }

    async fn pool(&self) -> PgPool {
        pool(self.options()).await
    }

    async fn store(&self) -> PostgresStore {
        PostgresStore::open(self.pool().await).await.unwrap()
    }

    /// Somebody else's connection.
    async fn stranger(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }
}

async fn pool(options: PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(5));
    pool.connect_with(options).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: impl SqlSafeStr) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}
