//! Queries, and what is PostgreSQL's own in their rows.

use std::ops::Range;

use sqlx::Postgres;
use sqlx::Row;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{AuditEntry, AuditHead, Record, SHARDS, Scan, StoredCheckpoint, Timestamp, TokenSet};

use super::failure::{READ_ONLY, failure, unavailable};
use super::schema::STANDBY;
use crate::columns::{Columns, array, tampered};
use crate::rows::{self, first_token_set};

pub(crate) const VAULT: &str = "SELECT v.id, k.purpose, k.envelope \
    FROM tokenkeep.vault v LEFT JOIN tokenkeep.vault_key k ON TRUE ORDER BY k.place";

pub(crate) const AUDIT_HEADS: &str = "SELECT shard, sequence, mac FROM tokenkeep.audit_head ORDER BY shard";

pub(crate) const CHECKPOINT: &str = "SELECT number, note FROM tokenkeep.checkpoint";

/// Of a transaction as a commit of ours begins it; on a standby it is read-only too.
pub(crate) const WRITABLE: &str = "SELECT pg_catalog.current_setting('transaction_read_only') AS read_only, \
    pg_catalog.pg_is_in_recovery() AS standby";

pub(crate) const AUDIT_ENTRIES: &str = "SELECT shard, sequence, at, action, tenant, name, incarnation, \
    secret_version, revision, record_mac, times, subject, mac \
    FROM tokenkeep.audit WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";

/// Records, each with whether a standby gave it.
macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, name, provider, origin, kind, incarnation, secret_version, revision, status, kek, \
             fingerprint, envelope, account_id, account_name, connected_at, token_set_at, updated_at, expires_at, purge, \
             mac, pg_catalog.pg_is_in_recovery() AS standby FROM tokenkeep.connection ",
            $rest
        )
    };
}

pub(crate) const RECORD: &str = select_records!("WHERE tenant = $1 AND name = $2");

type ScanQuery<'q> = Query<'q, Postgres, PgArguments>;

/// The query of a scan; `None` when there can be nothing behind `after`.
pub(crate) fn scan<'q>(
    scan: &'q Scan,
    after: Option<&'q ConnectionId>,
    limit: u32,
) -> Result<Option<ScanQuery<'q>>, Error> {
    // No name is empty, so the empty text is before all of them.
    let (tenant, name) = after.map_or(("", ""), |id| (id.tenant().as_str(), id.name().as_str()));
    let query = match scan {
        Scan::All => {
            sqlx::query(select_records!("WHERE (tenant, name) > ($1, $2) ORDER BY tenant, name LIMIT $3"))
                .bind(tenant)
                .bind(name)
        }
        Scan::Tenant(of) => {
            let Some((tenant, name)) = rows::within(of, (tenant, name)) else { return Ok(None) };
            sqlx::query(select_records!("WHERE tenant = $1 AND name > $2 ORDER BY name LIMIT $3"))
                .bind(tenant)
                .bind(name)
        }
        // `kek = $4` would say the same, but then the planner may walk along the primary key, past every record that is
        // under another KEK.
        Scan::UnderKek(_) => sqlx::query(select_records!(
            "WHERE (kek, tenant, name) > ($4, $1, $2) AND kek <= $4 ORDER BY kek, tenant, name LIMIT $3"
        ))
        .bind(tenant)
        .bind(name),
        Scan::PurgePending => sqlx::query(select_records!(
            "WHERE purge = 'pending' AND (tenant, name) > ($1, $2) ORDER BY tenant, name LIMIT $3"
        ))
        .bind(tenant)
        .bind(name),
        Scan::Fingerprint { tenant: None, .. } => sqlx::query(FINGERPRINT).bind(tenant).bind(name),
        Scan::Fingerprint { tenant: Some(only), .. } => {
            let Some((tenant, name)) = rows::within(only, (tenant, name)) else { return Ok(None) };
            sqlx::query(FINGERPRINT).bind(tenant).bind(name)
        }
        _ => return Err(Error::new(tokenkeep_core::ErrorKind::Internal).because("an unknown kind of scan")),
    };
    let query = query.bind(i64::from(limit));
    Ok(Some(match scan {
        Scan::UnderKek(kek) => query.bind(kek.as_bytes()),
        Scan::Fingerprint { of, .. } => query.bind(&of[..]),
        _ => query,
    }))
}

// Few records have one fingerprint, so that the planner goes by its index. A tenant's are the first from its name on.
const FINGERPRINT: &str =
    select_records!("WHERE fingerprint = $4 AND (tenant, name) > ($1, $2) ORDER BY tenant, name LIMIT $3");
const TOKENS_SET: &str = select_records!(
    "WHERE kek IS NOT NULL AND (token_set_at, tenant, name) > ($1, $2, $3) AND token_set_at < $4 \
     ORDER BY token_set_at, tenant, name LIMIT $5"
);

pub(crate) fn tokens_set<'q>(
    during: &Range<Timestamp>,
    after: Option<&'q TokenSet>,
    limit: u32,
) -> ScanQuery<'q> {
    let (at, tenant, name) = first_token_set(during, after);
    let query = sqlx::query(TOKENS_SET).bind(at).bind(tenant).bind(name);
    query.bind(during.end.as_millis()).bind(i64::from(limit))
}

/// The record of this id.
pub(crate) fn of(id: &ConnectionId) -> Query<'_, Postgres, PgArguments> {
    sqlx::query(RECORD).bind(id.tenant().as_str()).bind(id.name().as_str())
}

/// The records of a scan's page.
pub(crate) fn page(scan: &Scan, rows: &[PgRow]) -> Result<Vec<Record>, Error> {
    rows.iter().take_while(|row| belongs(scan, row)).map(record).collect()
}

/// Whether a row of a scan's query is one of its records; those that are not are all behind those that are.
fn belongs(scan: &Scan, row: &PgRow) -> bool {
    match scan {
        // What can't be read is for `record` to name.
        Scan::Fingerprint { tenant: Some(only), .. } => {
            row.text("tenant").map_or(true, |tenant| tenant == only.as_str())
        }
        _ => true,
    }
}

/// Whether the row of [`WRITABLE`] says so.
pub(crate) fn writable(row: &PgRow) -> Result<(), Error> {
    if row.try_get("standby").map_err(failure)? {
        return Err(unavailable(STANDBY));
    }
    match row.text("read_only")? {
        "off" => Ok(()),
        _ => Err(unavailable(READ_ONLY)),
    }
}

pub(crate) fn record(row: &PgRow) -> Result<Record, Error> {
    if row.try_get("standby").map_err(failure)? {
        return Err(unavailable(STANDBY));
    }
    let sealed = match (row.optional_bytes("fingerprint")?, row.optional_bytes("envelope")?) {
        (Some(fingerprint), Some(envelope)) => {
            Some((array(fingerprint, "a fingerprint in the database has no right length")?, envelope))
        }
        (None, None) => None,
        _ => return Err(tampered(rows::HALF)),
    };
    let account = match (row.optional_text("account_id")?, row.optional_text("account_name")?) {
        (Some(id), Some(name)) => Some(rows::account(id, name)?),
        (None, None) => None,
        _ => return Err(tampered(rows::BAD_ACCOUNT)),
    };
    rows::record(row, sealed, account)
}

pub(crate) fn audit_entry(row: &PgRow) -> Result<AuditEntry, Error> {
    let subject = row.optional_bytes("subject")?.map(|subject| utf8(subject.to_vec())).transpose()?;
    rows::audit_entry(row, subject)
}

pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| tampered("a text in the database is not UTF-8"))
}

pub(crate) fn audit_heads(rows: &[PgRow]) -> Result<Vec<AuditHead>, Error> {
    let heads: Vec<AuditHead> = rows.iter().map(rows::audit_head).collect::<Result<_, _>>()?;
    if heads.iter().map(|head| head.shard).eq(0..SHARDS) { Ok(heads) } else { Err(tampered(NO_HEAD)) }
}

pub(crate) fn checkpoint(row: &PgRow) -> Result<StoredCheckpoint, Error> {
    rows::checkpoint(row, utf8(row.bytes("note")?.to_vec())?)
}

pub(crate) const NO_HEAD: &str = "a head of the audit trail is missing in the database";
