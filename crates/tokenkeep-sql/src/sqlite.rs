//! The store in an SQLite file.

mod commit;
mod epochs;
mod failure;
mod file;
mod open;
mod rows;
mod sealed;
mod unused;
mod vault;

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Connection as _, Sqlite, Transaction};
use tokenkeep_core::{ConnectionId, Error, KekId};
use tokenkeep_store::{
    AtProvider, AuditChain, AuditEntry, AuditHead, Change, Counted, KekClosure, PausedRecord, ProbeLease,
    ProbeTurn, PurgeLease, Record, SHARDS, Scan, Scrub, StoredCheckpoint, Timestamp, TokenSet, TokenStore,
    VaultRecord,
};

use failure::failure;
use rows::{AUDIT_ENTRIES, AUDIT_HEADS, CHECKPOINT, VAULT};

pub use epochs::SqliteEpochStore;

/// A vault's database in one SQLite file. Cheap to clone; clones share their connections.
///
/// Several stores, in one process or in several on one host, may be open on one file; the file must not lie on a
/// network file system. A commit waits up to 5 seconds for another process's, then fails with `StoreUnavailable`.
///
/// A commit that is dropped once SQLite has it may still be made, a moment later; no later commit of this store comes
/// before it.
///
/// What [`scrub`](TokenStore::scrub) promises holds for the sealed bytes and the accounts that this store wrote: they never
/// move within the file and are overwritten in place. `secure_delete` alone, which is set too, leaves copies where SQLite
/// rebuilds a page.
#[derive(Clone)]
pub struct SqliteStore {
    /// One connection: this process's commits queue here, in order, instead of sleeping on SQLite's lock.
    writer: SqlitePool,
    readers: SqlitePool,
    impatient: Arc<SqliteConnectOptions>,
    file: Arc<Path>,
    /// Whether a scrub looks for unused slots.
    wiping: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Opens the database in this file and brings its tables up to date. If the file is missing it is made, with mode
    /// 0600, and so are missing folders above it, with mode 0700. A file that is there keeps its mode; SQLite gives
    /// the same one to the files that it makes beside it.
    ///
    /// # Errors
    /// `StoreUnusable` when the file can't be made, is no SQLite database, or was written by a newer tokenkeep; it is
    /// left as it was. `StoreUnavailable` when another process holds it.
    ///
    /// # Cancellation
    /// A dropped call may leave an empty file, or the tables in it. Repeating it is safe.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        open::open(path.as_ref()).await
    }

    /// Closes all connections, once the calls that use them are done; later calls fail with `Misuse`. Clones are closed
    /// with it. A store that is dropped instead closes by itself, a moment later.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The lock on the whole database is taken at once, which keeps the contract's order of locks.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failure)
    }
}

#[async_trait]
impl TokenStore for SqliteStore {
    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        let rows = sqlx::query(VAULT).fetch_all(&self.readers).await.map_err(failure)?;
        crate::rows::vault(&rows)
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        let mut transaction = self.begin().await?;
        let rows = sqlx::query(VAULT).fetch_all(&mut *transaction).await.map_err(failure)?;
        if let Some(present) = crate::rows::vault(&rows)? {
            return Ok(present);
        }
        vault::put(&mut transaction, vault).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(vault.clone())
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        let row = rows::of(id).fetch_optional(&self.readers).await.map_err(failure)?;
        row.as_ref().map(rows::record).transpose()
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        page(&self.readers, scan, after, limit).await
    }

    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let query = rows::tokens_set(&during, after, limit);
        rows::page(&query.fetch_all(&self.readers).await.map_err(failure)?)
    }

    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error> {
        let query = rows::paused(at, &due, after, limit);
        let found = query.fetch_all(&self.readers).await.map_err(failure)?;
        found.iter().map(|row| crate::rows::paused(row, rows::record(row))).collect()
    }

    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
        let mut look_at = crate::rows::first_look(which, limit);
        loop {
            let query = rows::count(at, which, look_at);
            let row = query.fetch_one(&self.readers).await.map_err(failure)?;
            match crate::rows::counted_of(&row, which, look_at, limit)? {
                Ok(counted) => return Ok(counted),
                Err(more) => look_at = more,
            }
        }
    }

    async fn record_and_scan(
        &self,
        id: &ConnectionId,
        scan: &Scan,
        limit: u32,
    ) -> Result<(Option<Record>, Vec<Record>), Error> {
        let mut reader = self.readers.acquire().await.map_err(failure)?;
        if let Scan::Fingerprint { of, tenant: None } = scan {
            let query = rows::record_and_holders(id, of, limit);
            return rows::split(&query.fetch_all(&mut *reader).await.map_err(failure)?);
        }
        let row = rows::of(id).fetch_optional(&mut *reader).await.map_err(failure)?;
        let record = row.as_ref().map(rows::record).transpose()?;
        Ok((record, page(&mut *reader, scan, None, limit).await?))
    }

    async fn scan_each(&self, scans: &[Scan], limit: u32) -> Result<Vec<Vec<Record>>, Error> {
        let mut reader = self.readers.acquire().await.map_err(failure)?;
        let mut pages = Vec::with_capacity(scans.len());
        for scan in scans {
            pages.push(page(&mut *reader, scan, None, limit).await?);
        }
        Ok(pages)
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        // What is dropped before its commit is rolled back by sqlx, on error and on cancellation.
        commit::apply(&mut transaction, changes, chain).await?;
        transaction.commit().await.map_err(failure)
    }

    async fn commit_and_scan(
        &self,
        changes: &[Change],
        chain: &AuditChain,
        scan: &Scan,
        limit: u32,
    ) -> Result<Result<Vec<Record>, Error>, Error> {
        let mut writer = self.writer.acquire().await.map_err(failure)?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failure)?;
        commit::apply(&mut transaction, changes, chain).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(page(&mut *writer, scan, None, limit).await)
    }

    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let leased = commit::lease_purge(&mut transaction, id, lease).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(leased)
    }

    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let leased = commit::lease_probe(&mut transaction, id, lease).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(leased)
    }

    async fn rewrap_vault(
        &self,
        before: &VaultRecord,
        after: &VaultRecord,
        kek: &KekId,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        vault::rewrap(&mut transaction, before, after, kek).await?;
        transaction.commit().await.map_err(failure)
    }

    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
        let mut transaction = self.begin().await?;
        let closure = vault::close_kek(&mut transaction, kek, now).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(closure)
    }

    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
        vault::closure(&self.readers, kek).await
    }

    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
        let mut transaction = self.begin().await?;
        let closure = vault::note_drained(&mut transaction, kek, now).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(closure)
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        let rows = sqlx::query(AUDIT_HEADS).fetch_all(&self.readers).await.map_err(failure)?;
        let mut heads: Vec<AuditHead> = (0..SHARDS).map(AuditHead::empty).collect();
        for row in &rows {
            let head = crate::rows::audit_head(row)?;
            heads[usize::from(head.shard)] = head;
        }
        Ok(heads)
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let query = sqlx::query(AUDIT_ENTRIES).bind(i64::from(shard)).bind(after).bind(limit);
        let rows = query.fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(rows::audit_entry).collect()
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        let row = sqlx::query(CHECKPOINT).fetch_optional(&self.readers).await.map_err(failure)?;
        row.as_ref().map(rows::checkpoint).transpose()
    }

    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        commit::put_checkpoint(&mut transaction, checkpoint).await?;
        transaction.commit().await.map_err(failure)
    }

    async fn writable(&self) -> Result<(), Error> {
        if self.writer.is_closed() {
            return Err(failure(sqlx::Error::PoolClosed));
        }
        open::writable(&self.impatient).await
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        let wiped = unused::wipe_alone(&self.wiping, &self.readers, &self.writer).await;
        // Whatever came of that: a disconnect waits for this alone.
        let emptied = open::empty_wal(&self.impatient).await?;
        Ok(if wiped? { emptied } else { Scrub::Pending })
    }

    fn database_file(&self) -> Option<&Path> {
        Some(&self.file)
    }
}

async fn page(
    db: impl sqlx::Executor<'_, Database = Sqlite>,
    scan: &Scan,
    after: Option<&ConnectionId>,
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let Some(query) = rows::scan(scan, after, limit)? else {
        return Ok(Vec::new());
    };
    rows::page(&query.fetch_all(db).await.map_err(failure)?)
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::ErrorKind;

    use super::*;

    /// Whether it takes writes is found out without one: not a byte of its files changes.
    #[tokio::test]
    async fn a_database_that_is_only_read_says_so_and_nothing_is_written_to_know() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("tokens.db")).await.unwrap();
        let files =
            || ["tokens.db", "tokens.db-wal"].map(|name| std::fs::read(folder.path().join(name)).ok());
        let before = files();
        assert!(before.iter().all(Option::is_some), "its log is there");
        store.writable().await.unwrap();
        let only_reads = store.impatient.as_ref().clone().pragma("query_only", "ON");
        let only_reads = SqliteStore { impatient: Arc::new(only_reads), ..store.clone() };
        let refused = only_reads.writable().await.err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::StoreUnusable));
        // Whoever writes shows that it can be written to.
        let mut writer = store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("DELETE FROM tokenkeep_closed_kek WHERE FALSE").execute(&mut *writer).await.unwrap();
        store.writable().await.unwrap();
        drop(writer);
        assert!(files() == before, "it wrote something");
    }

    #[tokio::test]
    async fn every_connection_has_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("tokens.db")).await.unwrap();
        let mut connections = vec![store.writer.acquire().await.unwrap()];
        for _ in 0..store.readers.options().get_max_connections() {
            connections.push(store.readers.acquire().await.unwrap());
        }
        for connection in &mut connections {
            for (pragma, expected) in [
                ("PRAGMA synchronous", 2), // FULL
                ("PRAGMA fullfsync", 1),
                ("PRAGMA secure_delete", 1),
                ("PRAGMA temp_store", 2), // MEMORY
                ("PRAGMA trusted_schema", 0),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA busy_timeout", 5000),
            ] {
                let found: i64 = sqlx::query_scalar(pragma).fetch_one(&mut **connection).await.unwrap();
                assert_eq!(found, expected, "{pragma}");
            }
            let mode: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut **connection).await.unwrap();
            assert_eq!(mode, "wal");
        }
    }
}
