//! Epochs in an SQLite file.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::sqlite::SqlitePool;
use sqlx::{SqlSafeStr, SqliteConnection};
use tokenkeep_core::{Error, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochStore};

use super::failure::failure;
use super::open::{IMPATIENT, Schema, empty_wal, open_one};
use crate::columns::to_signed;
use crate::epochs::{Step, Write, epochs};

const EPOCHS: Schema = Schema { list: "tokenkeep_epoch_migration", migrations };

const ALL: &str =
    "SELECT id, state, revision, sealed, wraps_reserved, created_at, state_since FROM tokenkeep_epoch";

/// The epochs of [`EpochKeys`](tokenkeep_keys::EpochKeys) in one SQLite file. Cheap to clone.
///
/// The file may be the tokens' own, whose tables have other names. But a backup of it then holds the epochs beside the tokens, and
/// opens for as long as the key provider has the epochs' keys: with another file, left out of the tokens' backups, a stolen backup
/// lacks the epochs as well. That file must be kept safe all the same: without it every token is lost.
///
/// Several instances, in one process or in several on one host, may share the file. A removed epoch's bytes are overwritten
/// (`secure_delete`), in the log too as soon as no reader is in the way.
#[derive(Clone)]
pub struct SqliteEpochStore {
    pool: SqlitePool,
}

impl SqliteEpochStore {
    /// Opens the file, makes it (mode 0600) and its folder (0700) where they are missing, and brings its tables up to date.
    ///
    /// # Errors
    /// `StoreUnusable` when the file can't be made, is no SQLite database, or was written by a newer tokenkeep;
    /// `StoreUnavailable` when another process holds it.
    ///
    /// # Cancellation
    /// A dropped call may leave an empty file, or the tables in it. Repeating it is safe.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { pool: Box::pin(open_one(path.as_ref(), &EPOCHS)).await? })
    }

    /// Closes its connection; later calls fail with `Misuse`.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn change(&self, step: Step<'_>) -> Result<(), Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failure)?;
        let rows = sqlx::query(ALL).fetch_all(&mut *transaction).await.map_err(failure)?;
        for write in step.writes(&epochs(&rows)?)? {
            put(&mut transaction, &write).await?;
        }
        transaction.commit().await.map_err(failure)
    }
}

fn migrations() -> Vec<Migration> {
    let tables = include_str!("../../migrations/sqlite/epochs_0001.sql").into_sql_str();
    vec![Migration::new(1, "epochs".into(), MigrationType::Simple, tables, false)]
}

async fn put(db: &mut SqliteConnection, write: &Write<'_>) -> Result<(), Error> {
    let (statement, epoch) = match write {
        Write::Insert(epoch) => (
            "INSERT INTO tokenkeep_epoch (id, state, revision, sealed, wraps_reserved, created_at, state_since) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            epoch,
        ),
        Write::Update(epoch) => (
            "UPDATE tokenkeep_epoch SET state = ?2, revision = ?3, sealed = ?4, wraps_reserved = ?5, created_at = ?6, \
             state_since = ?7 WHERE id = ?1",
            epoch,
        ),
        Write::Delete(id) => {
            let delete = sqlx::query("DELETE FROM tokenkeep_epoch WHERE id = ?1").bind(id.as_bytes());
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
impl EpochStore for SqliteEpochStore {
    async fn epochs(&self) -> Result<Vec<EpochRecord>, Error> {
        epochs(&sqlx::query(ALL).fetch_all(&self.pool).await.map_err(failure)?)
    }

    async fn insert_epoch(&self, epoch: &EpochRecord, retires: Option<&EpochRecord>) -> Result<(), Error> {
        self.change(Step::Insert(epoch, retires)).await
    }

    async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
        self.change(Step::Update(epoch)).await
    }

    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
        self.change(Step::Remove(id, expected)).await?;
        // It is removed, whatever comes of this: a reader that is in the way leaves its bytes in the log until the next one.
        let options = self.pool.connect_options().as_ref().clone();
        let _ = empty_wal(&options.busy_timeout(IMPATIENT)).await;
        Ok(())
    }
}

impl fmt::Debug for SqliteEpochStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteEpochStore").finish_non_exhaustive()
    }
}
