//! The store in a PostgreSQL database.

mod borrowed;
mod closing;
mod commit;
mod epochs;
mod failure;
mod leases;
mod queries;
mod schema;
mod vault;
mod write;

use std::fmt;
use std::ops::{Range, RangeInclusive};

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgPool, Postgres};
use tokenkeep_core::{ConnectionId, Error, ErrorKind, KekId};
use tokenkeep_store::{
    AtProvider, AuditChain, AuditEntry, AuditHead, Change, Counted, KekClosure, PausedRecord, ProbeLease,
    ProbeTurn, PurgeLease, Record, Scan, Scrub, StoredCheckpoint, Timestamp, TokenSet, TokenStore,
    VaultRecord,
};

use borrowed::{Borrowed, in_time};
use closing::CLOSURE;
use queries::{AUDIT_ENTRIES, AUDIT_HEADS, CHECKPOINT, VAULT, WRITABLE, from_primary};

pub use epochs::PostgresEpochStore;
pub use schema::PostgresMigration;

/// A vault's database in the schema `tokenkeep` of a PostgreSQL database, on the application's own pool. Cheap to clone.
///
/// Every statement names that schema, so the application's `search_path` does not matter, and nothing of the application's is
/// touched. Any number of instances may share the database.
///
/// ```no_run
/// # async fn example(changes: &[tokenkeep_store::Change], chain: &tokenkeep_store::AuditChain)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
/// use tokenkeep_sql::PostgresStore;
///
/// let options = PgConnectOptions::new()
///     .host("db.internal")
///     .database("app")
///     .username("app")
///     .password("from your secrets")
///     .ssl_mode(PgSslMode::VerifyFull) // the certificate, and that it is this host's
///     .ssl_root_cert("/etc/app/database-ca.pem");
/// let pool = PgPoolOptions::new().max_connections(20).connect_with(options).await?;
/// let store = PostgresStore::open(pool.clone()).await?; // or open_migrated, for a role that may not change the schema
///
/// // A customer and its connection appear together or not at all.
/// let mut transaction = pool.begin().await?;
/// sqlx::query("INSERT INTO customer (name) VALUES ($1)").bind("Jane").execute(&mut *transaction).await?;
/// store.commit_in(&mut transaction, changes, chain).await?;
/// transaction.commit().await?;
/// # Ok(()) }
/// ```
///
/// # The pool
/// It must lead to the **primary**: a replica may be behind, and what was disconnected would still be there. A standby is refused
/// when the store is opened, and a record that one gives is refused later too. The database's encoding must be UTF-8. Tested with
/// PostgreSQL 15. Without TLS the sealed bytes, the names in the clear and the commands cross the network as they are: use
/// [`VerifyFull`](sqlx::postgres::PgSslMode::VerifyFull). sqlx writes statements (never values) to the log at `DEBUG`, unless
/// its connect options say otherwise.
///
/// # Waiting and failing
/// Nothing waits for ever: a statement of the store's own transactions has 10 seconds, a lock 5, a call 15 in all (the wait for a
/// connection of the pool included). What may work later (no connection, a server that starts or stops, a standby, a full
/// disk, locks, serialization failures) is a retryable error. After `StoreUnavailable` a commit may have been made all the
/// same: reading the record tells. Errors hold PostgreSQL's code and nothing else of what it said, as its messages quote rows.
///
/// A call that is dropped, fails or takes too long closes its connection instead of giving it back to the pool.
///
/// # What is left of what was removed
/// A tombstone has neither envelope nor fingerprint nor account, but PostgreSQL keeps old versions of rows until they are
/// vacuumed, and in its write-ahead log, its replicas and its backups for longer. [`scrub`](TokenStore::scrub) says
/// [`Impossible`](Scrub::Impossible): what is left are sealed bytes, and only the end of their KEK ends them.
///
/// # Privileges
/// [`open`](Self::open) needs a role that may make the schema. An operator may run [`MIGRATIONS`](Self::MIGRATIONS) instead, each
/// in one transaction, under an owner's role, and grant the application's role this, with which it can neither remove nor
/// change what the audit trail says:
///
/// ```sql
#[doc = include_str!("../migrations/postgres/grants.sql")]
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    /// The schema's steps, in order, for an operator who runs them under another role: each in one transaction, with a short
    /// `lock_timeout` while the application serves.
    pub const MIGRATIONS: &'static [PostgresMigration] = schema::MIGRATIONS;

    /// Makes the schema `tokenkeep` in the pool's database, or brings it up to date. Other instances may serve meanwhile, and
    /// may start at the same time: one migrates, the others wait. An older program goes on working where a
    /// migration says that it can.
    ///
    /// # Errors
    /// `StoreUnusable` when a newer tokenkeep changed the schema in a way that this one doesn't know, when the role may not do
    /// this, or when the database is not UTF-8. `StoreUnavailable` when the server does not answer, is a standby, or the
    /// application holds locks for longer than 3 seconds that a migration needs: start again.
    ///
    /// # Cancellation
    /// Safe: each migration is made wholly or not at all.
    pub async fn open(pool: PgPool) -> Result<Self, Error> {
        Box::pin(schema::migrate(&pool, Self::MIGRATIONS)).await?;
        Ok(Self { pool })
    }

    /// The same without changing the schema: for a role that may not.
    ///
    /// # Errors
    /// `StoreUnusable` also when a migration is missing.
    ///
    /// # Cancellation
    /// Safe: it only looks.
    pub async fn open_migrated(pool: PgPool) -> Result<Self, Error> {
        Box::pin(schema::check(&pool)).await?;
        Ok(Self { pool })
    }

    /// Makes all the changes inside the application's own transaction, at any isolation level: they are there once that is
    /// committed, and have never been if it is not. Nothing in the process has changed before that.
    ///
    /// The changes must be of the vault that is in this database; another vault's are refused, as they would break the audit
    /// trail for good. Once the transaction is committed, call `PreparedChange::committed` of the vault.
    ///
    /// It locks records, the heads of the audit trail's shards (all commits of a tenant, and of one tenant in sixteen, wait for the
    /// same head) and, where a token is sealed, the way for closing a KEK. So call it late, once, with all changes, and end the
    /// transaction soon. At the levels `REPEATABLE READ` and `SERIALIZABLE` PostgreSQL refuses what other commits have
    /// overtaken since the transaction's first statement: repeat the transaction. Time limits are the application's.
    /// `synchronous_commit` is turned on for the transaction where it was `off` or `local`.
    ///
    /// # Errors
    /// `Conflict`, with nothing written, when an expectation is not met or a KEK is closed; `StoreUnusable`, with nothing written,
    /// when the changes are of another vault; `StoreUnavailable`, after which the transaction must be rolled back and may be
    /// repeated whole; the same after a `Conflict` of two that make the same connection at the same time, as PostgreSQL fails
    /// the later one's transaction; `Misuse` when sqlx runs no transaction on this connection, or a failed one; otherwise as
    /// said at [`TokenStore`].
    ///
    /// # Cancellation
    /// Safe: the transaction holds all of it or nothing.
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

    async fn rows<'q>(
        &self,
        query: impl Fn() -> Result<Option<Query<'q, Postgres, PgArguments>>, Error>,
    ) -> Result<Vec<PgRow>, Error> {
        in_time(async {
            let mut db = Borrowed::of(&self.pool).await?;
            let rows = from_primary(&mut db, query).await?;
            db.done();
            Ok(rows)
        })
        .await
    }
}

#[async_trait]
impl TokenStore for PostgresStore {
    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        self.rows(|| Ok(Some(sqlx::query(CHECKPOINT)))).await?.first().map(queries::checkpoint).transpose()
    }

    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        in_time(vault::put_checkpoint(&self.pool, checkpoint)).await
    }

    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        crate::rows::vault(&self.rows(|| Ok(Some(sqlx::query(VAULT)))).await?)
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        in_time(vault::init(&self.pool, vault)).await
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        self.rows(|| Ok(Some(queries::of(id)))).await?.first().map(queries::record).transpose()
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        queries::page(scan, &self.rows(|| queries::scan(scan, after, limit)).await?)
    }

    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let rows = self.rows(|| Ok(Some(queries::tokens_set(&during, after, limit)))).await?;
        rows.iter().map(queries::on_page).collect()
    }

    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error> {
        let rows = self.rows(|| Ok(Some(queries::paused(at, &due, after, limit)))).await?;
        rows.iter().map(|row| crate::rows::paused(row, queries::record(row))).collect()
    }

    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
        let mut look_at = crate::rows::first_look(which, limit);
        loop {
            let rows = self.rows(|| Ok(Some(queries::count(at, which, look_at)))).await?;
            let row = rows.first().ok_or(ErrorKind::Internal)?;
            match crate::rows::counted_of(row, which, look_at, limit)? {
                Ok(counted) => return Ok(counted),
                Err(more) => look_at = more,
            }
        }
    }

    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
        in_time(leases::lease_probe(&self.pool, id, lease)).await
    }

    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
        in_time(leases::lease(&self.pool, id, lease)).await
    }

    async fn record_and_scan(
        &self,
        id: &ConnectionId,
        scan: &Scan,
        limit: u32,
    ) -> Result<(Option<Record>, Vec<Record>), Error> {
        in_time(async {
            let mut db = Borrowed::of(&self.pool).await?;
            let (record, page) = match scan {
                Scan::Fingerprint { of, tenant: None } => {
                    let query = || Ok(Some(queries::record_and_holders(id, of, limit)));
                    queries::split(&from_primary(&mut db, query).await?)?
                }
                _ => {
                    let rows = from_primary(&mut db, || Ok(Some(queries::of(id)))).await?;
                    let record = rows.first().map(queries::record).transpose()?;
                    (record, first_page(&mut db, scan, limit).await?)
                }
            };
            db.done();
            Ok((record, page))
        })
        .await
    }

    async fn scan_each(&self, scans: &[Scan], limit: u32) -> Result<Vec<Vec<Record>>, Error> {
        in_time(async {
            let mut db = Borrowed::of(&self.pool).await?;
            let pages = if scans.is_empty() {
                Vec::new()
            } else if queries::holders_of_each(scans, limit).is_some() {
                let query = || Ok(queries::holders_of_each(scans, limit));
                queries::pages(scans, &from_primary(&mut db, query).await?)?
            } else {
                let mut pages = Vec::with_capacity(scans.len());
                for scan in scans {
                    pages.push(first_page(&mut db, scan, limit).await?);
                }
                pages
            };
            db.done();
            Ok(pages)
        })
        .await
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        in_time(async {
            let mut db = Borrowed::of(&self.pool).await?;
            let made = commit::on(&mut db, changes, chain).await?;
            db.done();
            made
        })
        .await
    }

    async fn commit_and_scan(
        &self,
        changes: &[Change],
        chain: &AuditChain,
        scan: &Scan,
        limit: u32,
    ) -> Result<Result<Vec<Record>, Error>, Error> {
        in_time(async {
            let mut db = Borrowed::of(&self.pool).await?;
            let page = match commit::on(&mut db, changes, chain).await? {
                Ok(()) => Ok(first_page(&mut db, scan, limit).await),
                Err(refused) => Err(refused),
            };
            // A scan that failed leaves a connection that may be of no use any more.
            if !matches!(page, Ok(Err(_))) {
                db.done();
            }
            page
        })
        .await
    }

    async fn rewrap_vault(
        &self,
        before: &VaultRecord,
        after: &VaultRecord,
        kek: &KekId,
    ) -> Result<(), Error> {
        in_time(vault::rewrap(&self.pool, before, after, kek)).await
    }

    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
        in_time(closing::close_kek(&self.pool, kek, now)).await
    }

    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
        let query = || Ok(Some(sqlx::query(CLOSURE).bind(kek.as_bytes())));
        self.rows(query).await?.first().map(crate::rows::kek_closure).transpose()
    }

    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
        in_time(closing::note_drained(&self.pool, kek, now)).await
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        queries::audit_heads(&self.rows(|| Ok(Some(sqlx::query(AUDIT_HEADS)))).await?)
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let query = || sqlx::query(AUDIT_ENTRIES).bind(i64::from(shard)).bind(after).bind(i64::from(limit));
        self.rows(|| Ok(Some(query()))).await?.iter().map(queries::audit_entry).collect()
    }

    async fn writable(&self) -> Result<(), Error> {
        let rows = self.rows(|| Ok(Some(sqlx::query(WRITABLE)))).await?;
        rows.first().map_or_else(|| Err(ErrorKind::Internal.into()), queries::writable)
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        // The write-ahead log, dead row versions and replicas keep the bytes for as long as they please.
        Ok(Scrub::Impossible)
    }
}

/// The first page of a scan, on a connection that is at hand.
async fn first_page(db: &mut PgConnection, scan: &Scan, limit: u32) -> Result<Vec<Record>, Error> {
    queries::page(scan, &from_primary(db, || queries::scan(scan, None, limit)).await?)
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}
