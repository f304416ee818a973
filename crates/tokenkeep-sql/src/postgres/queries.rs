//! Queries, and what is PostgreSQL's own in their rows.

use std::ops::{Range, RangeInclusive};

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{
    AtProvider, AuditEntry, AuditHead, Counted, ProbeTurn, Record, SHARDS, Scan, StoredCheckpoint, Timestamp,
    TokenSet,
};

use super::failure::{READ_ONLY, failure, unavailable};
use super::schema::STANDBY;
use crate::columns::{Columns, array, tampered};
use crate::rows::{self, first_token_set};

/// Whether the server is a standby, which may be behind: what it gives is not taken ([`from_primary`]).
macro_rules! standby {
    () => {
        "pg_catalog.pg_is_in_recovery() AS standby"
    };
}
pub(crate) use standby;

pub(crate) const VAULT: &str = concat!(
    "SELECT v.id, k.purpose, k.envelope, ",
    standby!(),
    " FROM tokenkeep.vault v LEFT JOIN tokenkeep.vault_key k ON TRUE ORDER BY k.place"
);

pub(crate) const AUDIT_HEADS: &str =
    concat!("SELECT shard, sequence, mac, ", standby!(), " FROM tokenkeep.audit_head ORDER BY shard");

pub(crate) const CHECKPOINT: &str =
    concat!("SELECT number, note, ", standby!(), " FROM tokenkeep.checkpoint");

/// Of a transaction as a commit of ours begins it.
pub(crate) const WRITABLE: &str =
    concat!("SELECT pg_catalog.current_setting('transaction_read_only') AS read_only, ", standby!());

pub(crate) const AUDIT_ENTRIES: &str = concat!(
    "SELECT shard, sequence, at, action, tenant, name, incarnation, secret_version, revision, record_mac, times, subject, \
     mac, ",
    standby!(),
    " FROM tokenkeep.audit WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
);

/// All rows of a query that says whether a standby gave them; none where there is nothing to ask. Where it gives none, that
/// is asked apart, and then the query is made again: a standby may have become the primary meanwhile, and what it gave before
/// may lack what was committed.
pub(crate) async fn from_primary<'q>(
    db: &mut PgConnection,
    query: impl Fn() -> Result<Option<Query<'q, Postgres, PgArguments>>, Error>,
) -> Result<Vec<PgRow>, Error> {
    let Some(first) = query()? else { return Ok(Vec::new()) };
    let rows = first.fetch_all(&mut *db).await.map_err(failure)?;
    let standby = match rows.first() {
        Some(row) => row.try_get("standby"),
        None => sqlx::query_scalar(concat!("SELECT ", standby!())).fetch_one(&mut *db).await,
    };
    match standby.map_err(failure)? {
        true => Err(unavailable(STANDBY)),
        false if !rows.is_empty() => Ok(rows),
        false => match query()? {
            Some(again) => again.fetch_all(db).await.map_err(failure),
            None => Ok(rows),
        },
    }
}

/// A record's columns.
macro_rules! columns {
    () => {
        "tenant, name, provider, origin, kind, incarnation, secret_version, revision, status, kek, fingerprint, envelope, \
         account_id, account_name, connected_at, token_set_at, updated_at, expires_at, purge, mac, paused_at"
    };
}
pub(crate) use columns;

/// Records, each with whether a standby gave it.
macro_rules! select_records {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), ", ", standby!(), " FROM tokenkeep.connection ", $rest)
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

const PAUSED: &str = concat!(
    "SELECT probe_until, ",
    columns!(),
    ", ",
    standby!(),
    " FROM tokenkeep.connection WHERE status = 'paused' AND provider = $1 AND origin = $2 \
     AND (probe_until, tenant, name) > ($3, $4, $5) AND probe_until <= $6 ORDER BY probe_until, tenant, name LIMIT $7"
);

pub(crate) fn paused<'q>(
    at: &'q AtProvider,
    due: &RangeInclusive<Timestamp>,
    after: Option<&'q ProbeTurn>,
    limit: u32,
) -> ScanQuery<'q> {
    let (first, tenant, name) = rows::first_turn(due, after);
    let query = sqlx::query(PAUSED).bind(at.provider.as_str()).bind(at.origin.as_str());
    query.bind(first).bind(tenant).bind(name).bind(due.end().as_millis()).bind(i64::from(limit))
}

/// In the order of an index, so that the planner goes by it, though nearly all records may be of one provider.
const COUNT_HELD: &str = concat!(
    "SELECT count(*) AS counted, ",
    standby!(),
    " FROM (SELECT 1 FROM tokenkeep.connection WHERE provider = $1 AND origin = $2 AND kek IS NOT NULL AND kind = 1 \
     ORDER BY provider, origin, paused_at LIMIT $3) AS held"
);

/// How many tokens there are on so many rows, and how many rows it looked at.
macro_rules! count_tokens {
    ($which:literal) => {
        concat!(
            "WITH looked AS MATERIALIZED (SELECT fingerprint FROM tokenkeep.connection \
             WHERE provider = $1 AND origin = $2 AND ",
            $which,
            " ORDER BY provider, origin, paused_at LIMIT $3) SELECT \
             (SELECT count(*) FROM (SELECT DISTINCT fingerprint FROM looked) AS tokens) AS counted, \
             (SELECT count(*) FROM looked) AS looked, ",
            standby!(),
        )
    };
}
const COUNT_PAUSED: &str =
    count_tokens!("kek IS NOT NULL AND kind = 1 AND paused_at >= $4 AND paused_at < $5");
const COUNT_STILL_PAUSED: &str = count_tokens!("status = 'paused' AND paused_at >= $4 AND paused_at < $5");

/// Looks at so many rows at most.
pub(crate) fn count<'q>(at: &'q AtProvider, which: &Counted, look_at: i64) -> ScanQuery<'q> {
    let (sql, during) = match which {
        Counted::Held => (COUNT_HELD, None),
        Counted::PausedDuring(during) => (COUNT_PAUSED, Some(during)),
        Counted::StillPaused(during) => (COUNT_STILL_PAUSED, Some(during)),
    };
    let query = sqlx::query(sql).bind(at.provider.as_str()).bind(at.origin.as_str()).bind(look_at);
    match during {
        None => query,
        Some(during) => query.bind(during.start.as_millis()).bind(during.end.as_millis()),
    }
}

/// The record of one id, and the first records that hold one token: in one statement, as each costs a turn. There is always
/// a row, which says whether a standby gave it: an empty one (without a tenant) where there is no record of that id.
const RECORD_AND_HOLDERS: &str = concat!(
    "SELECT TRUE AS asked, ",
    columns!(),
    ", standby FROM (SELECT ",
    standby!(),
    ") AS server LEFT JOIN tokenkeep.connection ON tenant = $1 AND name = $2 UNION ALL (SELECT FALSE, ",
    columns!(),
    ", ",
    standby!(),
    " FROM tokenkeep.connection WHERE fingerprint = $3 ORDER BY tenant, name LIMIT $4)"
);

pub(crate) fn record_and_holders<'q>(
    id: &'q ConnectionId,
    fingerprint: &'q [u8; 32],
    limit: u32,
) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(RECORD_AND_HOLDERS).bind(id.tenant().as_str()).bind(id.name().as_str());
    query.bind(&fingerprint[..]).bind(i64::from(limit))
}

/// What the rows of [`record_and_holders`] say; SQL promises no order of them.
pub(crate) fn split(rows: &[PgRow]) -> Result<(Option<Record>, Vec<Record>), Error> {
    let (mut asked, mut holders) = (None, Vec::with_capacity(rows.len()));
    for row in rows {
        if !row.try_get::<bool, _>("asked").map_err(failure)? {
            holders.push(on_page(row)?);
        } else if row.optional_text("tenant")?.is_some() {
            asked = Some(record(row)?);
        }
    }
    holders.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((asked, holders))
}

/// Tokens, each of one tenant, and for each the first records of that tenant that hold it. With `=` in place of the
/// comparisons, the planner may walk through all that the tenant has.
const HOLDERS_OF_EACH: &str = concat!(
    "SELECT place, holder.*, ",
    standby!(),
    " FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS given (of_tenant, held, place) \
     CROSS JOIN LATERAL (SELECT ",
    columns!(),
    " FROM tokenkeep.connection WHERE (fingerprint, tenant, name) > (held, of_tenant, '') \
     AND (fingerprint, tenant) <= (held, of_tenant) AND fingerprint <= held \
     ORDER BY fingerprint, tenant, name LIMIT $3) AS holder"
);

/// `None` unless all of these are for fingerprints within tenants.
pub(crate) fn holders_of_each(scans: &[Scan], limit: u32) -> Option<Query<'_, Postgres, PgArguments>> {
    let mut tenants = Vec::with_capacity(scans.len());
    let mut fingerprints = Vec::with_capacity(scans.len());
    for scan in scans {
        let Scan::Fingerprint { of, tenant: Some(tenant) } = scan else { return None };
        tenants.push(tenant.as_str());
        fingerprints.push(&of[..]);
    }
    Some(sqlx::query(HOLDERS_OF_EACH).bind(tenants).bind(fingerprints).bind(i64::from(limit)))
}

/// What the rows of [`holders_of_each`] say; SQL promises no order of them.
pub(crate) fn pages(scans: &[Scan], rows: &[PgRow]) -> Result<Vec<Vec<Record>>, Error> {
    let mut pages = vec![Vec::new(); scans.len()];
    for row in rows {
        let place = usize::try_from(row.integer("place")?).ok().and_then(|place| place.checked_sub(1));
        let page = place.and_then(|place| pages.get_mut(place)).ok_or(tokenkeep_core::ErrorKind::Internal)?;
        page.push(on_page(row)?);
    }
    pages.iter_mut().for_each(|page| page.sort_by(|a, b| a.id.cmp(&b.id)));
    Ok(pages)
}

/// The record of this id.
pub(crate) fn of(id: &ConnectionId) -> Query<'_, Postgres, PgArguments> {
    sqlx::query(RECORD).bind(id.tenant().as_str()).bind(id.name().as_str())
}

/// The records of a scan's page.
pub(crate) fn page(scan: &Scan, rows: &[PgRow]) -> Result<Vec<Record>, Error> {
    rows.iter().take_while(|row| belongs(scan, row)).map(on_page).collect()
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
    match row.text("read_only")? {
        "off" => Ok(()),
        _ => Err(unavailable(READ_ONLY)),
    }
}

/// A record on a page.
pub(crate) fn on_page(row: &PgRow) -> Result<Record, Error> {
    rows::on_page(row, record(row))
}

pub(crate) fn record(row: &PgRow) -> Result<Record, Error> {
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
