//! Queries, and what is SQLite's own in their rows.

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{AuditEntry, Record, Scan, StoredCheckpoint};

use super::sealed::{self, Contents, Slot};
use crate::columns::{Columns, tampered};
use crate::rows;

pub(crate) const VAULT: &str = "SELECT v.id, k.purpose, k.envelope \
    FROM tokenkeep_vault v LEFT JOIN tokenkeep_vault_key k ON TRUE ORDER BY k.place";

pub(crate) const AUDIT_HEADS: &str = "SELECT shard, sequence, mac FROM tokenkeep_audit_head";

pub(crate) const CHECKPOINT: &str = "SELECT number, note FROM tokenkeep_checkpoint";

pub(crate) const AUDIT_ENTRIES: &str = "SELECT shard, sequence, at, action, tenant, name, incarnation, \
    secret_version, revision, record_mac, times, subject, mac \
    FROM tokenkeep_audit WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";

/// Records with their sealed bytes.
macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT c.tenant, c.name, c.provider, c.origin, c.kind, c.incarnation, c.secret_version, c.revision, \
             c.status, c.kek, c.slot, s.bytes, c.connected_at, c.token_set_at, c.updated_at, c.expires_at, c.purge, \
             c.mac FROM tokenkeep_connection c LEFT JOIN tokenkeep_sealed s ON s.slot = c.slot ",
            $rest
        )
    };
}
pub(crate) use select_records;

type ScanQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The query of a scan; `None` when there can be nothing behind `after`.
pub(crate) fn scan<'q>(
    scan: &'q Scan,
    after: Option<&'q ConnectionId>,
    limit: u32,
) -> Result<Option<ScanQuery<'q>>, Error> {
    // No name is empty, so the empty text is before all of them.
    let (tenant, name) = after.map_or(("", ""), |id| (id.tenant().as_str(), id.name().as_str()));
    Ok(Some(match scan {
        Scan::All => sqlx::query(select_records!(
            "WHERE (c.tenant, c.name) > ($1, $2) ORDER BY c.tenant, c.name LIMIT $3"
        ))
        .bind(tenant)
        .bind(name)
        .bind(limit),
        Scan::Tenant(of) => {
            let name = match tenant.cmp(of.as_str()) {
                std::cmp::Ordering::Less => "",
                std::cmp::Ordering::Equal => name,
                std::cmp::Ordering::Greater => return Ok(None),
            };
            sqlx::query(select_records!("WHERE c.tenant = $1 AND c.name > $2 ORDER BY c.name LIMIT $3"))
                .bind(of.as_str())
                .bind(name)
                .bind(limit)
        }
        Scan::UnderKek(kek) => sqlx::query(select_records!(
            "WHERE c.kek = $4 AND (c.tenant, c.name) > ($1, $2) ORDER BY c.tenant, c.name LIMIT $3"
        ))
        .bind(tenant)
        .bind(name)
        .bind(limit)
        .bind(kek.as_bytes()),
        Scan::PurgePending => sqlx::query(select_records!(
            "WHERE c.purge = 'pending' AND (c.tenant, c.name) > ($1, $2) ORDER BY c.tenant, c.name LIMIT $3"
        ))
        .bind(tenant)
        .bind(name)
        .bind(limit),
        _ => return Err(Error::new(tokenkeep_core::ErrorKind::Internal).because("an unknown kind of scan")),
    }))
}

pub(crate) fn record(row: &SqliteRow) -> Result<Record, Error> {
    let Contents { sealed, account } = contents(row)?;
    rows::record(row, sealed, account)
}

fn contents(row: &SqliteRow) -> Result<Contents<'_>, Error> {
    match (row.optional_integer("slot")?, row.optional_bytes("bytes")?) {
        (Some(_), Some(bytes)) => sealed::unpack(bytes),
        (None, None) => Ok(Contents { sealed: None, account: None }),
        _ => Err(tampered(rows::HALF)),
    }
}

/// A record's slot, if it has one.
pub(crate) fn slot(row: &SqliteRow) -> Result<Option<Slot>, Error> {
    let number = row.optional_integer("slot")?;
    let capacity = row.optional_integer("capacity")?;
    // A length is never negative.
    let slot = |(number, capacity)| Slot { number, capacity: usize::try_from(capacity).unwrap_or(0) };
    Ok(number.zip(capacity).map(slot))
}

pub(crate) fn checkpoint(row: &SqliteRow) -> Result<StoredCheckpoint, Error> {
    rows::checkpoint(row, row.text("note")?.to_owned())
}

pub(crate) fn audit_entry(row: &SqliteRow) -> Result<AuditEntry, Error> {
    let subject = row.optional_text("subject")?.map(str::to_owned);
    rows::audit_entry(row, subject)
}
