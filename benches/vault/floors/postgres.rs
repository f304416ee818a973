//! PostgreSQL through sqlx.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use tokenkeep_store::shard_of;

use super::{Raw, Row, Rows};

/// The very statement that the store sends; the benchmark looks whether it is.
pub(crate) const READ: &str = "SELECT tenant, name, provider, origin, kind, incarnation, secret_version, revision, \
    status, kek, fingerprint, envelope, account_id, account_name, connected_at, token_set_at, updated_at, expires_at, \
    purge, mac, paused_at, pg_catalog.pg_is_in_recovery() AS standby FROM tokenkeep.connection WHERE tenant = $1 AND name = $2";

#[derive(Clone)]
pub(crate) struct RawPostgres(pub(crate) PgPool);

impl Raw for RawPostgres {
    async fn read(&self, tenant: &str) -> Result<Row, sqlx::Error> {
        decoded(&sqlx::query(READ).bind(tenant).bind("apify").fetch_one(&self.0).await?)
    }

    async fn connect(&self, rows: &Rows) -> Result<(), sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        lock_record(&mut transaction, rows).await?;
        let head = lock_head(&mut transaction, rows).await?;
        let record = rows.record();
        let sealed = record.sealed.as_ref().expect("it holds a token");
        let account = record.account.as_ref().expect("it has an account");
        sqlx::query(
            "INSERT INTO tokenkeep.connection (tenant, name, provider, origin, kind, incarnation, secret_version, \
             revision, status, kek, fingerprint, envelope, account_id, account_name, connected_at, token_set_at, \
             updated_at, expires_at, purge, mac) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        )
        .bind(&rows.tenant)
        .bind(record.id.name().as_str())
        .bind(record.provider.as_str())
        .bind(record.origin.as_str())
        .bind(i64::from(record.kind.number()))
        .bind(&record.incarnation.as_bytes()[..])
        .bind(record.secret_version.get() as i64)
        .bind(record.revision.get() as i64)
        .bind(record.status.name())
        .bind(sealed.kek.as_bytes())
        .bind(&rows.fingerprint[..])
        .bind(&sealed.envelope)
        .bind(account.id())
        .bind(account.name())
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
        let mut transaction = self.0.begin().await?;
        let present = lock_record(&mut transaction, rows).await?.ok_or(sqlx::Error::RowNotFound)?;
        let head = lock_head(&mut transaction, rows).await?;
        let record = rows.record();
        let sealed = record.sealed.as_ref().expect("it holds a token");
        sqlx::query(
            "UPDATE tokenkeep.connection SET secret_version = secret_version + 1, revision = $3, status = $4, kek = $5, \
             fingerprint = $6, envelope = $7, token_set_at = $8, updated_at = $9, mac = $10 \
             WHERE tenant = $1 AND name = $2",
        )
        .bind(&rows.tenant)
        .bind(record.id.name().as_str())
        .bind(present + 1)
        .bind(record.status.name())
        .bind(sealed.kek.as_bytes())
        .bind(&rows.fingerprint[..])
        .bind(&sealed.envelope)
        .bind(record.token_set_at.as_millis())
        .bind(record.updated_at.as_millis())
        .bind(&record.mac[..])
        .execute(&mut *transaction)
        .await?;
        put_entry(&mut transaction, rows, head, present + 1).await?;
        transaction.commit().await
    }
}

fn decoded(row: &PgRow) -> Result<Row, sqlx::Error> {
    let _: bool = row.try_get("standby")?;
    let account: (Option<String>, Option<String>) =
        (row.try_get("account_id")?, row.try_get("account_name")?);
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
        fingerprint: row.try_get("fingerprint")?,
        sealed: row.try_get("envelope")?,
        account: account.0.zip(account.1),
        connected_at: row.try_get("connected_at")?,
        token_set_at: row.try_get("token_set_at")?,
        updated_at: row.try_get("updated_at")?,
        expires_at: row.try_get("expires_at")?,
        purge: row.try_get("purge")?,
        mac: row.try_get("mac")?,
        paused_at: row.try_get("paused_at")?,
    })
}

async fn lock_record(db: &mut PgConnection, rows: &Rows) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT revision FROM tokenkeep.connection WHERE tenant = $1 AND name = $2 FOR UPDATE")
        .bind(&rows.tenant)
        .bind("apify")
        .fetch_optional(db)
        .await
}

/// How many entries are in the tenant's shard, and the MAC of the last one.
async fn lock_head(db: &mut PgConnection, rows: &Rows) -> Result<(i64, i64, Vec<u8>), sqlx::Error> {
    let shard = i64::from(shard_of(&rows.tenant.parse().expect("a plain name")));
    let (sequence, mac) =
        sqlx::query_as("SELECT sequence, mac FROM tokenkeep.audit_head WHERE shard = $1 FOR UPDATE")
            .bind(shard)
            .fetch_one(db)
            .await?;
    Ok((shard, sequence, mac))
}

async fn put_entry(
    db: &mut PgConnection,
    rows: &Rows,
    (shard, sequence, mac): (i64, i64, Vec<u8>),
    revision: i64,
) -> Result<(), sqlx::Error> {
    let entry = &rows.example.entry;
    sqlx::query(
        "INSERT INTO tokenkeep.audit (shard, sequence, at, action, tenant, name, incarnation, secret_version, revision, \
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
    .bind(entry.subject.as_deref().map(str::as_bytes))
    .bind(&mac)
    .execute(&mut *db)
    .await?;
    sqlx::query("UPDATE tokenkeep.audit_head SET sequence = $2, mac = $3 WHERE shard = $1")
        .bind(shard)
        .bind(sequence + 1)
        .bind(&mac)
        .execute(db)
        .await?;
    Ok(())
}
