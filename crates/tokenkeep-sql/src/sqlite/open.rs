//! Opening the database: its file, its tables, its connections.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, Migration, MigrationType};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::Scrub;

use super::failure::{OTHER_TABLES, failure, is_busy, migration_failure};
use super::{SqliteStore, file};

/// How long a commit waits for another process's.
const BUSY: Duration = Duration::from_secs(5);
const BUSY_STEP: Duration = Duration::from_millis(10);
/// How long one waits that is not a commit: a scrub, which waits for readers and holds up every commit meanwhile.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(250);
/// How long a call waits for its turn on this process's own connections.
const TURN: Duration = Duration::from_secs(15);
const READERS: u32 = 4;

/// What a store keeps in its file.
pub(crate) struct Schema {
    /// Where its migrations are listed. Not under sqlx's own name: an application that shares the file has migrations too.
    pub(crate) list: &'static str,
    pub(crate) migrations: fn() -> Vec<Migration>,
}

const TOKENS: Schema = Schema { list: "tokenkeep_migration", migrations };

pub(crate) async fn open(path: &Path) -> Result<SqliteStore, Error> {
    let file = made(path).await?;
    let options = options(&file);

    let mut first = options.connect().await.map_err(failure)?;
    let prepared = prepare(&mut first, &TOKENS).await;
    // Closed only once the pools have theirs: closing the last connection would write the log back for nothing.
    let pools = match prepared {
        Ok(()) => (pool(1, &options).await, pool(READERS, &options).await),
        Err(error) => {
            let _ = first.close().await;
            return Err(error);
        }
    };
    let _ = first.close().await;
    Ok(SqliteStore {
        writer: pools.0?,
        readers: pools.1?,
        impatient: Arc::new(options.busy_timeout(IMPATIENT)),
        file: file.into(),
        wiping: Arc::default(),
    })
}

/// Another store's file, and its one connection.
pub(crate) async fn open_one(path: &Path, schema: &Schema) -> Result<sqlx::SqlitePool, Error> {
    let options = options(&made(path).await?);
    let mut first = options.connect().await.map_err(failure)?;
    let prepared = prepare(&mut first, schema).await;
    let pool = match prepared {
        Ok(()) => pool(1, &options).await,
        Err(error) => Err(error),
    };
    let _ = first.close().await;
    pool
}

async fn made(path: &Path) -> Result<std::path::PathBuf, Error> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || file::prepare(&path))
        .await
        .map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        // An acknowledged commit is on the disk; on Apple's systems that takes fullfsync.
        .synchronous(SqliteSynchronous::Full)
        .pragma("fullfsync", "ON")
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

async fn pool(connections: u32, options: &SqliteConnectOptions) -> Result<sqlx::SqlitePool, Error> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN)
        .idle_timeout(None)
        .max_lifetime(None)
        // No network lies between, so a connection does not go stale, and a test would cost a turn of its thread.
        .test_before_acquire(false)
        // A full disk and the like make SQLite roll back by itself. sqlx does not notice, and would take the connection to be
        // in that transaction for ever.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_with(options.clone())
        .await
        .map_err(failure)
}

async fn prepare(connection: &mut SqliteConnection, schema: &Schema) -> Result<(), Error> {
    refuse_newer(connection, schema).await?;
    let mode = write_ahead(connection).await?;
    if mode != "wal" {
        return Err(
            Error::new(ErrorKind::StoreUnusable).because("its file system can't hold a write-ahead log")
        );
    }
    // All migrations in one transaction that locks first: of two that open a new file at once, one waits.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failure)?;
    migrate(&mut transaction, schema).await?;
    transaction.commit().await.map_err(failure)
}

/// SQLite doesn't wait by itself for the lock that this takes on a new file.
async fn write_ahead(db: &mut SqliteConnection) -> Result<String, Error> {
    let until = Instant::now() + BUSY;
    loop {
        let mode = sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut *db).await.map_err(failure);
        match mode {
            Err(error) if error.kind() == ErrorKind::StoreUnavailable && Instant::now() < until => {
                tokio::time::sleep(BUSY_STEP).await;
            }
            mode => return mode,
        }
    }
}

/// Looks before anything is written, be it the journal's mode.
async fn refuse_newer(db: &mut SqliteConnection, schema: &Schema) -> Result<(), Error> {
    const TABLES: &str = "SELECT count(*) FROM sqlite_schema WHERE name = ?";
    let tables = sqlx::query_scalar(TABLES).bind(schema.list).fetch_one(&mut *db);
    let tables: i64 = tables.await.map_err(failure)?;
    if tables > 0 { missing_migrations(db, schema).await.map(drop) } else { Ok(()) }
}

/// The migrations that the database has not seen yet.
async fn missing_migrations(db: &mut SqliteConnection, schema: &Schema) -> Result<Vec<Migration>, Error> {
    let applied = db.list_applied_migrations(schema.list).await.map_err(migration_failure)?;
    let mut known = (schema.migrations)();
    for applied in applied {
        let unusable = |detail| Error::new(ErrorKind::StoreUnusable).because(detail);
        let Some(place) = known.iter().position(|known| known.version == applied.version) else {
            return Err(unusable("a newer tokenkeep wrote this database"));
        };
        if known.remove(place).checksum != applied.checksum {
            return Err(unusable(OTHER_TABLES));
        }
    }
    Ok(known)
}

async fn migrate(db: &mut SqliteConnection, schema: &Schema) -> Result<(), Error> {
    db.ensure_migrations_table(schema.list).await.map_err(migration_failure)?;
    for migration in missing_migrations(db, schema).await? {
        db.apply(schema.list, &migration).await.map_err(migration_failure)?;
    }
    Ok(())
}

/// Without sqlx's macro, which would compile SQLite a second time, into the compiler, and without its `Migrator`, whose
/// future can't be spawned.
fn migrations() -> Vec<Migration> {
    let tables = include_str!("../../migrations/sqlite/0001_tables.sql").into_sql_str();
    vec![Migration::new(1, "tables".into(), MigrationType::Simple, tables, false)]
}

/// Writes the log back into the database and empties it. On a connection of its own, which is less patient.
pub(crate) async fn empty_wal(options: &SqliteConnectOptions) -> Result<Scrub, Error> {
    let mut connection = options.connect().await.map_err(failure)?;
    let busy: Result<i64, _> =
        sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await;
    let _ = connection.close().await;
    Ok(if busy.map_err(failure)? == 0 { Scrub::Done } else { Scrub::Pending })
}

/// Whether it takes writes. It asks for the lock that a commit takes, and has nothing to write under it: `BEGIN IMMEDIATE` would
/// not do, for on a database that is only read SQLite makes a plain `BEGIN` of it. Whoever holds that lock does write.
pub(crate) async fn writable(options: &SqliteConnectOptions) -> Result<(), Error> {
    let mut connection = options.connect().await.map_err(failure)?;
    let nothing = sqlx::query("DELETE FROM tokenkeep_closed_kek WHERE FALSE");
    let done = nothing.execute(&mut connection).await;
    let _ = connection.close().await;
    match done {
        Err(error) if is_busy(&error) => Ok(()),
        done => done.map(drop).map_err(failure),
    }
}
