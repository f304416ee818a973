//! PostgreSQL, in a server of the benchmark's own on this machine: each commit on the disk (`fsync` and `synchronous_commit`
//! are on, as they are by default), reached over TCP without TLS.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::postgres::{PgPool, PgPoolOptions};
use tokenkeep::PostgresStore;
use tokenkeep_testkit::ThrowawayPostgres;

use crate::fixture::{Keys, StillClock};
use crate::floors::{READ_POSTGRES, RawPostgres};
use crate::rounds::{Effort, note};
use crate::{Places, TASKS};

pub(crate) fn server() -> ThrowawayPostgres {
    let server = ThrowawayPostgres::builder().fsync(true).setting("shared_buffers", "2GB");
    server.setting("max_wal_size", "4GB").start().expect("a server starts")
}

/// A pool on a new database: a connection for each task.
pub(crate) async fn pool(server: &ThrowawayPostgres) -> PgPool {
    let url = server.url(&server.fresh_database().expect("a database is made"));
    let pool = PgPoolOptions::new().max_connections(TASKS as u32);
    pool.connect(&url).await.expect("it is there")
}

pub(crate) async fn measure(effort: Effort, only: &str) {
    let server = server();
    note(&format!("server\t{}", server.sql("postgres", "SHOW server_version").expect("it answers").trim()));
    let keys = Arc::new(Keys::new());
    let clock = StillClock::new();
    let (pool, apart) = (pool(&server).await, pool(&server).await);
    let store = PostgresStore::open(pool.clone()).await.expect("it opens");
    let apart_store = PostgresStore::open(apart.clone()).await.expect("it opens");
    let vault = keys.vault(store.clone(), &clock).await;
    drop(keys.vault(apart_store.clone(), &clock).await);
    let places = Places {
        name: "postgres",
        beside: RawPostgres(pool.clone()),
        apart: RawPostgres(apart),
        keys,
        clock,
        vault,
        store,
        apart_store,
    };
    places.measure(effort, only).await;
    if "postgres use".contains(only) {
        assert_floor_reads_as_the_store(&pool).await;
    }
}

/// The server has prepared one statement that reads a record, and it is the floor's.
async fn assert_floor_reads_as_the_store(pool: &PgPool) {
    const READS: &str = "SELECT statement FROM pg_prepared_statements WHERE statement LIKE \
        'SELECT tenant%FROM tokenkeep.connection WHERE tenant = $1 AND name = $2'";
    // All of them: which connections did both is for the pool to say.
    let mut held = Vec::new();
    let mut reads = BTreeSet::new();
    while held.len() < pool.size() as usize {
        let mut connection = pool.acquire().await.expect("it is free");
        let prepared: Vec<String> =
            sqlx::query_scalar(READS).fetch_all(&mut *connection).await.expect("it answers");
        reads.extend(prepared);
        held.push(connection);
    }
    assert_eq!(reads, BTreeSet::from([READ_POSTGRES.to_owned()]), "the floor reads what the store reads");
}
