//! The store in a PostgreSQL database.

mod commit;
mod failure;
mod lease;
mod queries;
mod schema;
mod vault;
mod write;

use std::fmt;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgPool};
use tokenkeep_core::{ConnectionId, Error, ErrorKind, KekId};
use tokenkeep_store::{
    AuditChain, AuditEntry, AuditHead, Change, Record, Scan, Scrub, TokenStore, VaultRecord,
};

use failure::failure;
use lease::{Lease, in_time};
use queries::{AUDIT_ENTRIES, RECORD, VAULT};

pub use schema::PostgresMigration;
pub use vault::StoredCheckpoint;

/// A vault's tables in a PostgreSQL database, on the application's own pool.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    /// The schema's steps, in order, for an operator who runs them under another role.
    pub const MIGRATIONS: &'static [PostgresMigration] = schema::MIGRATIONS;

    /// Makes the schema `tokenkeep` in the pool's database, or brings it up to date.
    ///
    /// # Errors
    /// As [`TokenStore`]'s.
    pub async fn open(pool: PgPool) -> Result<Self, Error> {
        Box::pin(schema::migrate(&pool, Self::MIGRATIONS)).await?;
        Ok(Self { pool })
    }

    /// The same without changing the schema: for a role that may not.
    ///
    /// # Errors
    /// `StoreUnusable` when a migration is missing.
    pub async fn open_migrated(pool: PgPool) -> Result<Self, Error> {
        Box::pin(schema::check(&pool)).await?;
        Ok(Self { pool })
    }

    /// Makes all the changes within a transaction of the application's.
    ///
    /// # Errors
    /// As [`TokenStore::commit`].
    pub async fn commit_in(
        &self,
        transaction: &mut PgConnection,
        changes: &[Change],
        chain: &AuditChain,
    ) -> Result<(), Error> {
        if !transaction.is_in_transaction() {
            return Err(
                Error::new(ErrorKind::Misuse).because("the connection is in no transaction of sqlx's")
            );
        }
        commit::join(transaction, changes).await?;
        commit::apply(transaction, changes, chain).await
    }

    /// The last checkpoint that was put.
    ///
    /// # Errors
    /// As said at [`TokenStore`].
    pub async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let found = vault::checkpoint(&mut lease).await?;
            lease.done();
            Ok(found)
        })
        .await
    }

    /// Puts a checkpoint in the place of the one before it.
    ///
    /// # Errors
    /// `Conflict` unless the last one's number is exactly one less, or 0 when there is none; otherwise as said at
    /// [`TokenStore`].
    pub async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        in_time(vault::put_checkpoint(&self.pool, checkpoint)).await
    }
}

#[async_trait]
impl TokenStore for PostgresStore {
    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let rows = sqlx::query(VAULT).fetch_all(&mut *lease).await.map_err(failure)?;
            lease.done();
            crate::rows::vault(&rows)
        })
        .await
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        in_time(vault::init(&self.pool, vault)).await
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let query = sqlx::query(RECORD).bind(id.tenant().as_str()).bind(id.name().as_str());
            let row = query.fetch_optional(&mut *lease).await.map_err(failure)?;
            lease.done();
            row.as_ref().map(queries::record).transpose()
        })
        .await
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let Some(query) = queries::scan(scan, after, limit)? else {
            return Ok(Vec::new());
        };
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let rows = query.fetch_all(&mut *lease).await.map_err(failure)?;
            lease.done();
            rows.iter().map(queries::record).collect()
        })
        .await
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let begin = if commit::seals(changes) { commit::BEGIN_SEALING } else { lease::BEGIN };
            let mut transaction = lease.begin_with(begin).await.map_err(failure)?;
            let made = commit::apply(&mut transaction, changes, chain).await;
            let made = Lease::end(transaction, made).await?;
            lease.done();
            made
        })
        .await
    }

    async fn close_kek(&self, kek: &KekId) -> Result<(), Error> {
        in_time(vault::close_kek(&self.pool, kek)).await
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let heads = queries::audit_heads(&mut lease).await?;
            lease.done();
            Ok(heads)
        })
        .await
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let query = sqlx::query(AUDIT_ENTRIES).bind(i64::from(shard)).bind(after).bind(i64::from(limit));
        in_time(async {
            let mut lease = Lease::of(&self.pool).await?;
            let rows = query.fetch_all(&mut *lease).await.map_err(failure)?;
            lease.done();
            rows.iter().map(queries::audit_entry).collect()
        })
        .await
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        // The write-ahead log, dead row versions and replicas keep the bytes for as long as they please.
        Ok(Scrub::Impossible)
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}
