//! What is written, inside a transaction that holds the lock on the database.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};
use tokenkeep_core::{ConnectionId, Error, ErrorKind, VaultId};
use tokenkeep_store::{
    AuditChain, AuditEntry, AuditHead, Change, Expected, ProbeLease, PurgeLease, Record, RecordChange,
    StoredCheckpoint, shard_of,
};

use super::failure::failure;
use super::rows;
use super::sealed::{self, Slot};
use super::unused;
use crate::columns::{Columns, tampered, to_signed};

/// Each statement is a turn of sqlx's thread for the connection, and those cost more than what SQLite does: so a change is one
/// look, at most one or two statements on its slot, and one string of statements that writes the rest.
pub(crate) async fn apply(
    db: &mut SqliteConnection,
    changes: &[Change],
    chain: &AuditChain,
) -> Result<(), Error> {
    for Change { record, entry } in changes {
        let found = look(db, record.as_ref(), &entry.id).await?;
        chain.belongs_to(found.vault)?;
        let slot = match record {
            Some(change) => put_sealed(db, change, &found).await?,
            None => None,
        };
        let entry = chain.append(&found.head, entry.clone())?;
        write(db, record.as_ref().map(|change| (&change.record, found.revision.is_some())), slot, &entry)
            .await?;
    }
    Ok(())
}

/// What is there before a change.
struct Found {
    /// Whose database it is.
    vault: Option<VaultId>,
    head: AuditHead,
    revision: Option<i64>,
    slot: Option<Slot>,
    /// Whether the KEK that the change seals under is closed.
    closed: bool,
}

async fn look(
    db: &mut SqliteConnection,
    change: Option<&RecordChange>,
    entry: &ConnectionId,
) -> Result<Found, Error> {
    const LOOK: &str = "SELECT h.shard, h.sequence, h.mac, c.revision, c.slot, length(s.bytes) AS capacity, \
        EXISTS (SELECT 1 FROM tokenkeep_closed_kek WHERE kek = $4) AS closed, (SELECT id FROM tokenkeep_vault) AS vault \
        FROM (SELECT 1) LEFT JOIN tokenkeep_audit_head h ON h.shard = $3 \
        LEFT JOIN tokenkeep_connection c ON c.tenant = $1 AND c.name = $2 \
        LEFT JOIN tokenkeep_sealed s ON s.slot = c.slot";
    let shard = shard_of(entry.tenant());
    let id = change.map(|change| &change.record.id);
    let sealed = change.and_then(|change| change.record.sealed.as_ref());
    let row = sqlx::query(LOOK)
        .bind(id.map(|id| id.tenant().as_str()))
        .bind(id.map(|id| id.name().as_str()))
        .bind(i64::from(shard))
        .bind(sealed.map(|sealed| sealed.kek.as_bytes()))
        .fetch_one(db)
        .await
        .map_err(failure)?;
    let head = match row.optional_integer("shard")? {
        Some(_) => crate::rows::audit_head(&row)?,
        None => AuditHead::empty(shard),
    };
    let revision = row.optional_integer("revision")?;
    let vault = crate::rows::vault_id(&row, "vault")?;
    Ok(Found { vault, head, revision, slot: rows::slot(&row)?, closed: row.integer("closed")? != 0 })
}

/// Puts sealed bytes and account into the record's slot, if what is there is what the change expects. Gives the slot that the
/// record has now.
async fn put_sealed(
    db: &mut SqliteConnection,
    change: &RecordChange,
    found: &Found,
) -> Result<Option<i64>, Error> {
    let (met, tampered) = match change.expected {
        Expected::Absent => (found.revision.is_none(), false),
        Expected::Revision(revision) => (found.revision == Some(to_signed(revision.get())?), false),
        Expected::Tampered { head } => (found.head.sequence == head, true),
    };
    if !met {
        return Err(ErrorKind::Conflict.into());
    }
    let record = &change.record;
    if let Some(sealed) = record.sealed.as_ref().filter(|_| found.closed)
        && !sealed::holds(db, found.slot, &sealed.envelope).await?
    {
        return Err(ErrorKind::Conflict.into());
    }
    // Whose slot a row names that somebody wrote is not known: perhaps another record's.
    let slot = found.slot.filter(|_| !tampered);
    if tampered {
        unused::note(db).await?;
    }
    sealed::put(db, slot, record.sealed.as_ref(), record.account.as_ref()).await
}

/// How much of a fingerprint is in the index. See `fingerprint_start` in the migrations.
pub(crate) const FINGERPRINT_START: usize = 8;

/// Adds an entry and moves its head, by the numbers of 13 parameters.
macro_rules! put_entry {
    ($shard:literal $sequence:literal $($other:literal)* , $mac:literal) => {
        concat!(
            "INSERT INTO tokenkeep_audit (shard, sequence, at, action, tenant, name, incarnation, secret_version, \
             revision, record_mac, times, subject, mac) VALUES (",
            $shard, ", ", $sequence, ", ", $($other, ", ",)* $mac,
            ") ON CONFLICT DO NOTHING; \
             INSERT INTO tokenkeep_audit_head (shard, sequence, mac) VALUES (", $shard, ", ", $sequence, ", ", $mac,
            ") ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac"
        )
    };
}

/// The same behind a record's 19 parameters.
macro_rules! put_entry_behind {
    ($record:literal) => {
        concat!(
            $record,
            "; ",
            put_entry!("$20" "$21" "$22" "$23" "$24" "$25" "$26" "$27" "$28" "$29" "$30" "$31", "$32")
        )
    };
}

const INSERT: &str = put_entry_behind!(
    "INSERT INTO tokenkeep_connection (tenant, name, provider, origin, kind, incarnation, secret_version, revision, \
     status, kek, slot, connected_at, token_set_at, updated_at, expires_at, purge, mac, fingerprint_start, \
     paused_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
);

const UPDATE: &str = put_entry_behind!(
    "UPDATE tokenkeep_connection SET provider = $3, origin = $4, kind = $5, incarnation = $6, secret_version = $7, \
     revision = $8, status = $9, kek = $10, slot = $11, connected_at = $12, token_set_at = $13, updated_at = $14, \
     expires_at = $15, purge = $16, mac = $17, fingerprint_start = $18, paused_at = $19, \
     probe_holder = CASE WHEN incarnation = $6 AND secret_version = $7 THEN probe_holder END, \
     probe_until = CASE WHEN incarnation = $6 AND secret_version = $7 THEN probe_until ELSE 0 END \
     WHERE tenant = $1 AND name = $2"
);

const ENTRY: &str = put_entry!("$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "$10" "$11" "$12", "$13");

type Write<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A record comes with whether there is one in its place.
async fn write(
    db: &mut SqliteConnection,
    record: Option<(&Record, bool)>,
    slot: Option<i64>,
    entry: &AuditEntry,
) -> Result<(), Error> {
    let (query, rows) = match record {
        None => (sqlx::query(ENTRY), 2),
        Some((record, false)) => (bind_record(sqlx::query(INSERT), record, slot)?, 3),
        Some((record, true)) => (bind_record(sqlx::query(UPDATE), record, slot)?, 3),
    };
    let done = bind_entry(query, entry)?.execute(db).await.map_err(failure)?;
    // The record was looked at under the lock: what was not written is the entry.
    if done.rows_affected() == rows {
        Ok(())
    } else {
        Err(tampered("the audit trail in the database goes on behind its head"))
    }
}

fn bind_record<'q>(query: Write<'q>, record: &'q Record, slot: Option<i64>) -> Result<Write<'q>, Error> {
    Ok(query
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
        .bind(record.sealed.as_ref().map(|sealed| &sealed.fingerprint[..FINGERPRINT_START]))
        .bind(record.paused_at.map(|at| at.as_millis())))
}

fn bind_entry<'q>(query: Write<'q>, entry: &'q AuditEntry) -> Result<Write<'q>, Error> {
    let AuditEntry { shard, sequence, draft, mac } = entry;
    Ok(query
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
        .bind(&mac[..]))
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

pub(crate) async fn lease_probe(
    db: &mut SqliteConnection,
    id: &ConnectionId,
    lease: &ProbeLease,
) -> Result<bool, Error> {
    let found = sqlx::query(
        "SELECT kek, incarnation, secret_version, probe_holder, probe_until FROM tokenkeep_connection \
         WHERE tenant = $1 AND name = $2",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .fetch_optional(&mut *db)
    .await
    .map_err(failure)?;
    let Some(row) = found else { return Ok(false) };
    if !crate::rows::may_probe(&row, lease)? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE tokenkeep_connection SET probe_holder = $3, probe_until = $4 WHERE tenant = $1 AND name = $2",
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
