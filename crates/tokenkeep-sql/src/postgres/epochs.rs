//! Epochs in a PostgreSQL database.

use std::fmt;

use async_trait::async_trait;
use sqlx::{Connection, PgConnection, PgPool};
use tokenkeep_core::{Error, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochStore};

use super::borrowed::{BEGIN, Borrowed, in_time};
use super::failure::{OTHER_TABLES, failure, unusable};
use super::queries::{from_primary, standby};
use super::schema::PostgresMigration;
use crate::columns::{Columns, to_signed};
use crate::epochs::{Step, Write, epochs};

/// A random number, as the one of the tokens' migrations.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(3370946501892771436)";

const ALL: &str = concat!(
    "SELECT id, state, revision, sealed, wraps_reserved, created_at, state_since, ",
    standby!(),
    " FROM tokenkeep_epochs.epoch"
);

/// The epochs of [`EpochKeys`](tokenkeep_keys::EpochKeys) in the schema `tokenkeep_epochs` of a PostgreSQL database, on the application's
/// own pool. Cheap to clone; any number of instances may share the database.
///
/// The pool must lead to the primary: what a standby answers is refused, as it may not know yet that an epoch was destroyed. The
/// database may be the tokens' own, but a backup of it then holds the epochs beside the tokens, and opens for as long as the key
/// provider has the epochs' keys: another database, or a backup that leaves out the schema (`pg_dump -N tokenkeep_epochs`), holds
/// them apart. They must be kept safe all the same: without them every token is lost.
///
/// [`open`](Self::open) needs a role that may make the schema, where it is missing. An operator may run
/// [`MIGRATIONS`](Self::MIGRATIONS) instead, under an owner's role, and grant the application's role this:
///
/// ```sql
#[doc = include_str!("../../migrations/postgres/epochs_grants.sql")]
/// ```
#[derive(Clone)]
pub struct PostgresEpochStore {
    pool: PgPool,
}

impl PostgresEpochStore {
    /// The schema's steps, for an operator who runs them under another role, each in one transaction.
    pub const MIGRATIONS: &'static [PostgresMigration] = &[PostgresMigration {
        version: 1,
        name: "epochs",
        sql: include_str!("../../migrations/postgres/epochs_0001.sql"),
    }];

    /// Makes the schema, where it is missing.
    ///
    /// # Errors
    /// `StoreUnusable` when the schema is another tokenkeep's, or the role may not make it; `StoreUnavailable`.
    ///
    /// # Cancellation
    /// Safe: it is made wholly or not at all.
    pub async fn open(pool: PgPool) -> Result<Self, Error> {
        in_time(migrate(&pool)).await?;
        Ok(Self { pool })
    }

    async fn change(&self, step: Step<'_>) -> Result<(), Error> {
        in_time(async {
            let mut connection = Borrowed::of(&self.pool).await?;
            let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
            let made = changed(&mut transaction, step).await;
            let made = Borrowed::end(transaction, made).await?;
            connection.done();
            made
        })
        .await
    }
}

async fn migrate(pool: &PgPool) -> Result<(), Error> {
    let mut connection = Borrowed::of(pool).await?;
    if !is_there(&mut connection).await? {
        let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
        let made = make(&mut transaction).await;
        Borrowed::end(transaction, made).await??;
    }
    connection.done();
    Ok(())
}

async fn make(db: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(LOCK).execute(&mut *db).await.map_err(failure)?;
    // Another instance may have been quicker.
    if !is_there(db).await? {
        for migration in PostgresEpochStore::MIGRATIONS {
            sqlx::raw_sql(migration.sql).execute(&mut *db).await.map_err(failure)?;
        }
    }
    Ok(())
}

async fn is_there(db: &mut PgConnection) -> Result<bool, Error> {
    let there = "SELECT pg_catalog.to_regclass('tokenkeep_epochs.migration') IS NOT NULL";
    if !sqlx::query_scalar(there).fetch_one(&mut *db).await.map_err(failure)? {
        return Ok(false);
    }
    let rows = sqlx::query("SELECT version, needs FROM tokenkeep_epochs.migration");
    let rows = rows.fetch_all(db).await.map_err(failure)?;
    let mut known = false;
    for row in &rows {
        match row.integer("version")? {
            1 => known = true,
            _ if row.integer("needs")? <= 1 => {}
            _ => {
                return Err(unusable(
                    "a newer tokenkeep changed its schema in a way that this one doesn't know",
                ));
            }
        }
    }
    if known { Ok(true) } else { Err(unusable(OTHER_TABLES)) }
}

/// One at a time: there is a handful of rows, and they change a few times a day.
async fn changed(db: &mut PgConnection, step: Step<'_>) -> Result<(), Error> {
    let lock = "LOCK TABLE tokenkeep_epochs.epoch IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *db).await.map_err(failure)?;
    let rows = from_primary(&mut *db, || Ok(Some(sqlx::query(ALL)))).await?;
    for write in step.writes(&epochs(&rows)?)? {
        put(&mut *db, &write).await?;
    }
    Ok(())
}

async fn put(db: &mut PgConnection, write: &Write<'_>) -> Result<(), Error> {
    let (statement, epoch) = match write {
        Write::Insert(epoch) => (
            "INSERT INTO tokenkeep_epochs.epoch (id, state, revision, sealed, wraps_reserved, created_at, state_since) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            epoch,
        ),
        Write::Update(epoch) => (
            "UPDATE tokenkeep_epochs.epoch SET state = $2, revision = $3, sealed = $4, wraps_reserved = $5, created_at = $6, \
             state_since = $7 WHERE id = $1",
            epoch,
        ),
        Write::Delete(id) => {
            let delete = sqlx::query("DELETE FROM tokenkeep_epochs.epoch WHERE id = $1").bind(id.as_bytes());
            return delete.execute(db).await.map(drop).map_err(failure);
        }
    };
    let query = sqlx::query(statement)
        .bind(epoch.id.as_bytes())
        .bind(epoch.state.name())
        .bind(to_signed(epoch.revision.get())?)
        .bind(&epoch.sealed)
        .bind(to_signed(epoch.wraps_reserved)?)
        .bind(epoch.created_at)
        .bind(epoch.state_since);
    query.execute(db).await.map(drop).map_err(failure)
}

#[async_trait]
impl EpochStore for PostgresEpochStore {
    async fn epochs(&self) -> Result<Vec<EpochRecord>, Error> {
        in_time(async {
            let mut db = Borrowed::of(&self.pool).await?;
            let rows = from_primary(&mut db, || Ok(Some(sqlx::query(ALL)))).await?;
            db.done();
            epochs(&rows)
        })
        .await
    }

    async fn insert_epoch(&self, epoch: &EpochRecord, retires: Option<&EpochRecord>) -> Result<(), Error> {
        self.change(Step::Insert(epoch, retires)).await
    }

    async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
        self.change(Step::Update(epoch)).await
    }

    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
        self.change(Step::Remove(id, expected)).await
    }
}

impl fmt::Debug for PostgresEpochStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresEpochStore").finish_non_exhaustive()
    }
}
