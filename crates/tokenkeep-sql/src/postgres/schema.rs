//! The schema `tokenkeep`, and how it comes about.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool, Row};
use tokenkeep_core::Error;

use super::borrowed::{Borrowed, in_time, within};
use super::failure::{OTHER_TABLES, failure, unavailable, unusable};
use crate::columns::Columns;

/// One step of the schema, as SQL for whoever runs it under another role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresMigration {
    /// From 1, without gaps, in the order in which they run.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// The statements, to be run in one transaction. The last one says in `tokenkeep.migration` that it was done.
    pub sql: &'static str,
}

/// `needs` in each says the lowest version that a program must know to work with the schema after it. It is asked when a store is
/// opened, not later: a program that runs already goes on. So a name that is new in a column (a status, an action, a purge's
/// state, a key's purpose) comes in two releases: one that reads it, with a migration of its own, be it an empty one, and a later one
/// that writes it, whose migration `needs` the first. To a program that doesn't know the name, the row was altered.
pub(crate) const MIGRATIONS: &[PostgresMigration] = &[PostgresMigration {
    version: 1,
    name: "tables",
    sql: include_str!("../../migrations/postgres/0001_tables.sql"),
}];

/// A lock for the whole database, so that of several instances that start at once one migrates and the others wait: its
/// number is random, and means nothing.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(5417826041894262541)";

/// A migration's own waiting for the locks that the application holds is short: while it waits, others queue behind it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
    SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '60s'";
const SHORT: &str = "SET LOCAL lock_timeout = '3s'";
const MIGRATION: Duration = Duration::from_secs(600);

/// Brings the schema up to date.
pub(crate) async fn migrate(pool: &PgPool, known: &[PostgresMigration]) -> Result<(), Error> {
    // Looked at first: where nothing is to be done, no privilege to do it is needed.
    while let Some(next) = in_time(missing(pool, known)).await?.first() {
        within(MIGRATION, apply(pool, known, next)).await?;
    }
    Ok(())
}

/// Refuses a database whose schema is not one that this program can work with.
pub(crate) async fn check(pool: &PgPool) -> Result<(), Error> {
    match in_time(missing(pool, MIGRATIONS)).await? {
        [] => Ok(()),
        _ => Err(unusable("its schema is missing or older than this tokenkeep; run its migrations")),
    }
}

async fn apply(pool: &PgPool, known: &[PostgresMigration], next: &PostgresMigration) -> Result<(), Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let db = &mut *transaction;
    let made = async {
        sqlx::query(LOCK).execute(&mut *db).await.map_err(failure)?;
        // Another instance may have been quicker.
        if applied(&mut *db).await?.iter().all(|(version, _)| *version != next.version) {
            sqlx::raw_sql(SHORT).execute(&mut *db).await.map_err(failure)?;
            sqlx::raw_sql(next.sql).execute(&mut *db).await.map_err(failure)?;
            still_missing(&applied(&mut *db).await?, known)?;
        }
        Ok(())
    };
    let made = made.await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

/// The migrations that the database has not seen yet.
async fn missing<'k>(
    pool: &PgPool,
    known: &'k [PostgresMigration],
) -> Result<&'k [PostgresMigration], Error> {
    let mut connection = Borrowed::of(pool).await?;
    let server = sqlx::query(
        "SELECT pg_catalog.current_setting('server_encoding') AS encoding, pg_catalog.pg_is_in_recovery() AS standby",
    );
    let server = server.fetch_one(&mut *connection).await.map_err(failure)?;
    if server.text("encoding")? != "UTF8" {
        return Err(unusable("its encoding is not UTF-8: it could not keep every name"));
    }
    if server.try_get("standby").map_err(failure)? {
        return Err(unavailable(STANDBY));
    }
    let applied = applied(&mut connection).await?;
    connection.done();
    still_missing(&applied, known)
}

pub(crate) const STANDBY: &str = "a standby answers, which may be behind; the pool must lead to the primary";

/// Versions and what each needs, in order.
async fn applied(db: &mut PgConnection) -> Result<Vec<(i64, i64)>, Error> {
    let there: bool = sqlx::query_scalar("SELECT pg_catalog.to_regclass('tokenkeep.migration') IS NOT NULL")
        .fetch_one(&mut *db)
        .await
        .map_err(failure)?;
    if !there {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT version, needs FROM tokenkeep.migration ORDER BY version");
    let rows = rows.fetch_all(db).await.map_err(failure)?;
    rows.iter().map(|row| Ok((row.integer("version")?, row.integer("needs")?))).collect()
}

fn still_missing<'k>(
    applied: &[(i64, i64)],
    known: &'k [PostgresMigration],
) -> Result<&'k [PostgresMigration], Error> {
    let mut versions = 1..;
    if applied.iter().any(|(version, _)| versions.next() != Some(*version)) {
        return Err(unusable(OTHER_TABLES));
    }
    let latest = known.last().map_or(0, |known| known.version);
    let newer = applied.iter().filter(|(version, _)| *version > latest);
    if newer.map(|(_, needs)| needs).any(|needs| *needs > latest) {
        return Err(unusable("a newer tokenkeep changed its schema in a way that this one doesn't know"));
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sqlx::postgres::PgPoolOptions;
    use tokenkeep_core::ErrorKind;
    use tokenkeep_testkit::ThrowawayPostgres;

    use super::*;

    const NEXT: PostgresMigration = PostgresMigration {
        version: 2,
        name: "next",
        sql: "ALTER TABLE tokenkeep.connection ADD COLUMN next bigint; \
              INSERT INTO tokenkeep.migration (version, name, needs) VALUES (2, 'next', 1)",
    };

    /// While the application holds a lock, a migration gives up soon, so that what queues behind it goes on.
    #[tokio::test]
    async fn a_migration_does_not_hold_the_application_up() {
        let server = ThrowawayPostgres::start().unwrap();
        let pool = PgPoolOptions::new().connect(&server.url("postgres")).await.unwrap();
        migrate(&pool, MIGRATIONS).await.unwrap();
        let mut holder = pool.begin().await.unwrap();
        sqlx::raw_sql("SELECT 1 FROM tokenkeep.connection").execute(&mut *holder).await.unwrap();

        let known = [MIGRATIONS[0], NEXT];
        let migrating = tokio::spawn({
            let pool = pool.clone();
            async move { migrate(&pool, &known).await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        sqlx::raw_sql("SELECT 1 FROM tokenkeep.connection").execute(&pool).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(4), "a read waited {:?}", began.elapsed());
        let error = migrating.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}");
        assert_eq!(missing(&pool, &known).await.unwrap(), [NEXT], "half of a migration was made");

        holder.rollback().await.unwrap();
        migrate(&pool, &known).await.unwrap();
        assert_eq!(missing(&pool, &known).await.unwrap(), []);
        // The older program goes on working beside it.
        check(&pool).await.unwrap();
    }
}
