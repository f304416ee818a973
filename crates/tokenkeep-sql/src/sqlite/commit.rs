//! What is written, inside a transaction that holds the lock on the database.

use std::collections::BTreeMap;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};
use tokenkeep_core::{ConnectionId, Error, ErrorKind, KekId};
use tokenkeep_store::{
    AuditChain, AuditEntry, AuditHead, Change, Expected, PurgeLease, Record, RecordChange, StoredCheckpoint,
    VaultRecord, shard_of,
};

use super::failure::failure;
use super::rows;
use super::sealed::{self, Slot};
use crate::columns::{tampered, to_signed};

pub(crate) async fn apply(
    db: &mut SqliteConnection,
    changes: &[Change],
    chain: &AuditChain,
) -> Result<(), Error> {
    let mut heads: BTreeMap<u16, AuditHead> = BTreeMap::new();
    for Change { record, entry } in changes {
        if let Some(RecordChange { record, expected }) = record {
            put_record(db, record, *expected).await?;
        }
        let shard = shard_of(entry.id.tenant());
        let head = match heads.get(&shard) {
            Some(head) => *head,
            None => head_of(db, shard).await?,
        };
        let entry = chain.append(&head, entry.clone())?;
        put_entry(db, &entry).await?;
        heads.insert(shard, entry.head());
    }
    for head in heads.values() {
        put_head(db, head).await?;
    }
    Ok(())
}

async fn put_record(db: &mut SqliteConnection, record: &Record, expected: Expected) -> Result<(), Error> {
    let present = find(db, record, expected).await?;
    if let Some(sealed) = &record.sealed
        && is_closed(db, &sealed.kek).await?
        && !sealed::holds(db, present, &sealed.envelope).await?
    {
        return Err(ErrorKind::Conflict.into());
    }
    let slot = sealed::put(db, present, record.sealed.as_ref(), record.account.as_ref()).await?;
    let query = match expected {
        Expected::Absent => bind_record(INSERT_RECORD, record, slot)?,
        Expected::Revision(revision) => {
            bind_record(UPDATE_RECORD, record, slot)?.bind(to_signed(revision.get())?)
        }
    };
    let done = query.execute(db).await.map_err(failure)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(ErrorKind::Conflict.into()) }
}

async fn is_closed(db: &mut SqliteConnection, kek: &KekId) -> Result<bool, Error> {
    let closed = sqlx::query("SELECT kek FROM tokenkeep_closed_kek WHERE kek = $1")
        .bind(kek.as_bytes())
        .fetch_optional(db)
        .await
        .map_err(failure)?;
    Ok(closed.is_some())
}

/// The slot of the record that is to be replaced, if there is or isn't one as expected. Which revision it has is for the
/// update to compare.
async fn find(db: &mut SqliteConnection, record: &Record, expected: Expected) -> Result<Option<Slot>, Error> {
    let found = sqlx::query(
        "SELECT c.slot, length(s.bytes) AS capacity \
         FROM tokenkeep_connection c LEFT JOIN tokenkeep_sealed s ON s.slot = c.slot \
         WHERE c.tenant = $1 AND c.name = $2",
    )
    .bind(record.id.tenant().as_str())
    .bind(record.id.name().as_str())
    .fetch_optional(db)
    .await
    .map_err(failure)?;
    match (found, expected) {
        (None, Expected::Absent) => Ok(None),
        (Some(row), Expected::Revision(_)) => rows::slot(&row),
        _ => Err(ErrorKind::Conflict.into()),
    }
}

/// How much of a fingerprint is in the index. See `fingerprint_start` in the migrations.
pub(crate) const FINGERPRINT_START: usize = 8;

const INSERT_RECORD: &str = "INSERT INTO tokenkeep_connection (tenant, name, provider, origin, kind, incarnation, \
    secret_version, revision, status, kek, slot, connected_at, token_set_at, updated_at, expires_at, purge, mac, \
    fingerprint_start) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
    ON CONFLICT DO NOTHING";

const UPDATE_RECORD: &str = "UPDATE tokenkeep_connection SET provider = $3, origin = $4, kind = $5, \
    incarnation = $6, secret_version = $7, revision = $8, status = $9, kek = $10, slot = $11, connected_at = $12, \
    token_set_at = $13, updated_at = $14, expires_at = $15, purge = $16, mac = $17, \
    fingerprint_start = $18 WHERE tenant = $1 AND name = $2 AND revision = $19";

fn bind_record<'q>(
    sql: &'static str,
    record: &'q Record,
    slot: Option<i64>,
) -> Result<Query<'q, Sqlite, SqliteArguments>, Error> {
    Ok(sqlx::query(sql)
        .bind(record.id.tenant().as_str())
        .bind(record.id.name().as_str())
        .bind(record.provider.as_str())
        .bind(record.origin.as_str())
        .bind(record.kind.number())
        .bind(&record.incarnation.as_bytes()[..])
        .bind(to_signed(record.secret_version.get())?)
        .bind(to_signed(record.revision.get())?)
        .bind(record.status.name())
        .bind(record.sealed.as_ref().map(|sealed| sealed.kek.as_bytes()))
        .bind(slot)
        .bind(record.connected_at.as_millis())
        .bind(record.token_set_at.as_millis())
        .bind(record.updated_at.as_millis())
        .bind(record.expires_at.map(|at| at.as_millis()))
        .bind(record.purge.name())
        .bind(&record.mac[..])
        .bind(record.sealed.as_ref().map(|sealed| &sealed.fingerprint[..FINGERPRINT_START])))
}

async fn head_of(db: &mut SqliteConnection, shard: u16) -> Result<AuditHead, Error> {
    let row = sqlx::query("SELECT shard, sequence, mac FROM tokenkeep_audit_head WHERE shard = $1")
        .bind(i64::from(shard))
        .fetch_optional(db)
        .await
        .map_err(failure)?;
    row.as_ref().map_or(Ok(AuditHead::empty(shard)), crate::rows::audit_head)
}

async fn put_entry(db: &mut SqliteConnection, entry: &AuditEntry) -> Result<(), Error> {
    let AuditEntry { shard, sequence, draft, mac } = entry;
    let done = sqlx::query(
        "INSERT INTO tokenkeep_audit (shard, sequence, at, action, tenant, name, incarnation, secret_version, \
         revision, record_mac, times, subject, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT DO NOTHING",
    )
    .bind(i64::from(*shard))
    .bind(to_signed(*sequence)?)
    .bind(draft.at.as_millis())
    .bind(draft.action.name())
    .bind(draft.id.tenant().as_str())
    .bind(draft.id.name().as_str())
    .bind(&draft.incarnation.as_bytes()[..])
    .bind(to_signed(draft.secret_version.get())?)
    .bind(to_signed(draft.revision.get())?)
    .bind(draft.record_mac.as_ref().map(|mac| &mac[..]))
    .bind(to_signed(draft.count)?)
    .bind(draft.subject.as_deref())
    .bind(&mac[..])
    .execute(db)
    .await
    .map_err(failure)?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(tampered("the audit trail in the database goes on behind its head"))
    }
}

async fn put_head(db: &mut SqliteConnection, head: &AuditHead) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO tokenkeep_audit_head (shard, sequence, mac) VALUES ($1, $2, $3) \
         ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac",
    )
    .bind(i64::from(head.shard))
    .bind(to_signed(head.sequence)?)
    .bind(&head.mac[..])
    .execute(db)
    .await
    .map_err(failure)?;
    Ok(())
}

/// What a vault leaves in the database, should its own row be lost.
const IN_USE: &str = "SELECT EXISTS (SELECT 1 FROM tokenkeep_connection) OR EXISTS (SELECT 1 FROM tokenkeep_audit) \
    OR EXISTS (SELECT 1 FROM tokenkeep_audit_head) OR EXISTS (SELECT 1 FROM tokenkeep_vault_key) \
    OR EXISTS (SELECT 1 FROM tokenkeep_checkpoint)";

/// In a database that holds no vault.
pub(crate) async fn put_vault(db: &mut SqliteConnection, vault: &VaultRecord) -> Result<(), Error> {
    if sqlx::query_scalar(IN_USE).fetch_one(&mut *db).await.map_err(failure)? {
        return Err(Error::new(ErrorKind::StoreUnusable).because("its vault is missing, its records are not"));
    }
    sqlx::query("INSERT INTO tokenkeep_vault (only_one, id) VALUES (1, $1)")
        .bind(&vault.id.as_bytes()[..])
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    for (purpose, envelope) in &vault.keys {
        sqlx::query("INSERT INTO tokenkeep_vault_key (purpose, envelope) VALUES ($1, $2)")
            .bind(purpose.name())
            .bind(&envelope[..])
            .execute(&mut *db)
            .await
            .map_err(failure)?;
    }
    Ok(())
}

/// In the place of the one before it, or where there is none.
pub(crate) async fn put_checkpoint(
    db: &mut SqliteConnection,
    checkpoint: &StoredCheckpoint,
) -> Result<(), Error> {
    let Some(before) = checkpoint.number.checked_sub(1) else { return Err(ErrorKind::Conflict.into()) };
    // No row has a number beyond SQL's.
    let Ok(number) = to_signed(checkpoint.number) else { return Err(ErrorKind::Conflict.into()) };
    let sql = match before {
        0 => {
            "INSERT INTO tokenkeep_checkpoint (only_one, number, note) VALUES (1, $1, $2) \
              ON CONFLICT DO NOTHING"
        }
        _ => "UPDATE tokenkeep_checkpoint SET number = $1, note = $2 WHERE number = $1 - 1",
    };
    let query = sqlx::query(sql).bind(number).bind(checkpoint.note.as_str());
    let done = query.execute(db).await.map_err(failure)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(ErrorKind::Conflict.into()) }
}

pub(crate) async fn lease_purge(
    db: &mut SqliteConnection,
    id: &ConnectionId,
    lease: &PurgeLease,
) -> Result<bool, Error> {
    let found = sqlx::query(
        "SELECT status, lease_holder, lease_until FROM tokenkeep_connection WHERE tenant = $1 AND name = $2",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .fetch_optional(&mut *db)
    .await
    .map_err(failure)?;
    let Some(row) = found else { return Ok(false) };
    if !crate::rows::may_lease(&row, lease)? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE tokenkeep_connection SET lease_holder = $3, lease_until = $4 WHERE tenant = $1 AND name = $2",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .bind(&lease.holder[..])
    .bind(lease.until.as_millis())
    .execute(db)
    .await
    .map_err(failure)?;
    Ok(true)
}
