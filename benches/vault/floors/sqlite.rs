//! SQLite through sqlx.

use std::path::Path;

use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use tokenkeep_store::shard_of;

use super::{Raw, Row, Rows};

/// The statement that the store sends.
const READ: &str = "SELECT c.tenant, c.name, c.provider, c.origin, c.kind, c.incarnation, c.secret_version, c.revision, \
    c.status, c.kek, c.fingerprint_start, c.slot, s.bytes, c.connected_at, c.token_set_at, c.updated_at, c.expires_at, \
    c.purge, c.mac, c.paused_at FROM tokenkeep_connection c LEFT JOIN tokenkeep_sealed s ON s.slot = c.slot \
    WHERE c.tenant = $1 AND c.name = $2";

/// Pools as the store's own are: one connection that writes, four that read, with the same settings.
#[derive(Clone)]
pub(crate) struct RawSqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl RawSqlite {
    pub(crate) async fn open(file: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "ON")
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY")
            .pragma("trusted_schema", "OFF");
        let pool = async |connections| {
            let pool = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
            pool.connect_with(options.clone()).await.expect("it opens")
        };
        Self { writer: pool(1).await, readers: pool(4).await }
    }
}

impl Raw for RawSqlite {
    async fn read(&self, tenant: &str) -> Result<Row, sqlx::Error> {
        decoded(&sqlx::query(READ).bind(tenant).bind("apify").fetch_one(&self.readers).await?)
    }

    async fn connect(&self, rows: &Rows) -> Result<(), sqlx::Error> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        present(&mut transaction, rows).await?;
        let head = head(&mut transaction, rows).await?;
        let record = rows.record();
        let sealed = record.sealed.as_ref().expect("it holds a token");
        let slot = sqlx::query("INSERT INTO tokenkeep_sealed (bytes) VALUES ($1)")
            .bind(slot(rows))
            .execute(&mut *transaction)
            .await?
            .last_insert_rowid();
        sqlx::query(
            "INSERT INTO tokenkeep_connection (tenant, name, provider, origin, kind, incarnation, secret_version, \
             revision, status, kek, fingerprint_start, slot, connected_at, token_set_at, updated_at, expires_at, purge, \
             mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        )
        .bind(&rows.tenant)
        .bind(record.id.name().as_str())
        .bind(record.provider.as_str())
        .bind(record.origin.as_str())
        .bind(record.kind.number())
        .bind(&record.incarnation.as_bytes()[..])
        .bind(record.secret_version.get() as i64)
        .bind(record.revision.get() as i64)
        .bind(record.status.name())
        .bind(sealed.kek.as_bytes())
        .bind(&rows.fingerprint[..8])
        .bind(slot)
        .bind(record.connected_at.as_millis())
        .bind(record.token_set_at.as_millis())
        .bind(record.updated_at.as_millis())
        .bind(record.expires_at.map(|at| at.as_millis()))
        .bind(record.purge.name())
        .bind(&record.mac[..])
        .execute(&mut *transaction)
        .await?;
        put_entry(&mut transaction, rows, head, record.revision.get() as i64).await?;
        transaction.commit().await
    }

    async fn replace(&self, rows: &Rows) -> Result<(), sqlx::Error> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let (number, revision) = present(&mut transaction, rows).await?.ok_or(sqlx::Error::RowNotFound)?;
        let head = head(&mut transaction, rows).await?;
        let record = rows.record();
        let sealed = record.sealed.as_ref().expect("it holds a token");
        sqlx::query("UPDATE tokenkeep_sealed SET bytes = $1 WHERE slot = $2")
            .bind(slot(rows))
            .bind(number)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE tokenkeep_connection SET secret_version = secret_version + 1, revision = $3, status = $4, kek = $5, \
             fingerprint_start = $6, token_set_at = $7, updated_at = $8, mac = $9 WHERE tenant = $1 AND name = $2",
        )
        .bind(&rows.tenant)
        .bind(record.id.name().as_str())
        .bind(revision + 1)
        .bind(record.status.name())
        .bind(sealed.kek.as_bytes())
        .bind(&rows.fingerprint[..8])
        .bind(record.token_set_at.as_millis())
        .bind(record.updated_at.as_millis())
        .bind(&record.mac[..])
        .execute(&mut *transaction)
        .await?;
        put_entry(&mut transaction, rows, head, revision + 1).await?;
        transaction.commit().await
    }
}

fn decoded(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let _: Option<i64> = row.try_get("slot")?;
    Ok(Row {
        tenant: row.try_get("tenant")?,
        name: row.try_get("name")?,
        provider: row.try_get("provider")?,
        origin: row.try_get("origin")?,
        kind: row.try_get("kind")?,
        incarnation: row.try_get("incarnation")?,
        secret_version: row.try_get("secret_version")?,
        revision: row.try_get("revision")?,
        status: row.try_get("status")?,
        kek: row.try_get("kek")?,
        fingerprint: row.try_get("fingerprint_start")?,
        sealed: row.try_get("bytes")?,
        account: None, // in the sealed bytes
        connected_at: row.try_get("connected_at")?,
        token_set_at: row.try_get("token_set_at")?,
        updated_at: row.try_get("updated_at")?,
        expires_at: row.try_get("expires_at")?,
        purge: row.try_get("purge")?,
        mac: row.try_get("mac")?,
        paused_at: row.try_get("paused_at")?,
    })
}

/// The 384 bytes of a slot, as the store fills them.
fn slot(rows: &Rows) -> Vec<u8> {
    let record = rows.record();
    let sealed = record.sealed.as_ref().expect("it holds a token");
    let account = record.account.as_ref().expect("it has an account");
    let mut bytes = Vec::with_capacity(384);
    bytes.extend_from_slice(&(32 + sealed.envelope.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&rows.fingerprint);
    bytes.extend_from_slice(&sealed.envelope);
    for text in [account.id(), account.name()] {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.resize(384, 0);
    bytes
}

/// The record's slot and revision. `BEGIN IMMEDIATE` has locked everything.
async fn present(db: &mut SqliteConnection, rows: &Rows) -> Result<Option<(i64, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT slot, revision FROM tokenkeep_connection WHERE tenant = $1 AND name = $2")
        .bind(&rows.tenant)
        .bind("apify")
        .fetch_optional(db)
        .await
}

/// How many entries are in the tenant's shard, and the MAC of the last one.
async fn head(db: &mut SqliteConnection, rows: &Rows) -> Result<(i64, i64, Vec<u8>), sqlx::Error> {
    let shard = i64::from(shard_of(&rows.tenant.parse().expect("a plain name")));
    let head: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT sequence, mac FROM tokenkeep_audit_head WHERE shard = $1")
            .bind(shard)
            .fetch_optional(db)
            .await?;
    let (sequence, mac) = head.unwrap_or((0, vec![0; 32]));
    Ok((shard, sequence, mac))
}

async fn put_entry(
    db: &mut SqliteConnection,
    rows: &Rows,
    (shard, sequence, mac): (i64, i64, Vec<u8>),
    revision: i64,
) -> Result<(), sqlx::Error> {
    let entry = &rows.example.entry;
    sqlx::query(
        "INSERT INTO tokenkeep_audit (shard, sequence, at, action, tenant, name, incarnation, secret_version, revision, \
         record_mac, times, subject, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(shard)
    .bind(sequence + 1)
    .bind(entry.at.as_millis())
    .bind(entry.action.name())
    .bind(&rows.tenant)
    .bind(entry.id.name().as_str())
    .bind(&entry.incarnation.as_bytes()[..])
    .bind(entry.secret_version.get() as i64)
    .bind(revision)
    .bind(entry.record_mac.as_ref().map(|mac| &mac[..]))
    .bind(entry.count as i64)
    .bind(entry.subject.as_deref())
    .bind(&mac)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO tokenkeep_audit_head (shard, sequence, mac) VALUES ($1, $2, $3) \
         ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac",
    )
    .bind(shard)
    .bind(sequence + 1)
    .bind(&mac)
    .execute(db)
    .await?;
    Ok(())
}
