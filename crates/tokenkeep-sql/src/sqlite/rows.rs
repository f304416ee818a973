//! Queries, and what is SQLite's own in their rows.

use std::ops::{Range, RangeInclusive};

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{
    AtProvider, AuditEntry, Counted, ProbeTurn, Record, Scan, StoredCheckpoint, Timestamp, TokenSet,
};

use super::commit::FINGERPRINT_START;
use super::sealed::{self, Contents, Slot};
use crate::columns::{Columns, tampered};
use crate::rows;

pub(crate) const VAULT: &str = "SELECT v.id, k.purpose, k.envelope \
    FROM tokenkeep_vault v LEFT JOIN tokenkeep_vault_key k ON TRUE ORDER BY k.place";

pub(crate) const AUDIT_HEADS: &str = "SELECT shard, sequence, mac FROM tokenkeep_audit_head";

pub(crate) const CHECKPOINT: &str = "SELECT number, note FROM tokenkeep_checkpoint";

pub(crate) const AUDIT_ENTRIES: &str = "SELECT shard, sequence, at, action, tenant, name, incarnation, \
    secret_version, revision, record_mac, times, subject, mac \
    FROM tokenkeep_audit WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT 0 + $3";

// `LIMIT 0 + $n`: of a bare parameter SQLite looks at the value when it plans, and plans anew whenever one is bound.

/// Records' columns, with their sealed bytes.
macro_rules! columns {
    () => {
        "c.tenant, c.name, c.provider, c.origin, c.kind, c.incarnation, c.secret_version, c.revision, c.status, c.kek, \
         c.fingerprint_start, c.slot, s.bytes, c.connected_at, c.token_set_at, c.updated_at, c.expires_at, c.purge, \
         c.mac, c.paused_at"
    };
}

macro_rules! from_records {
    ($rest:literal) => {
        concat!(" FROM tokenkeep_connection c LEFT JOIN tokenkeep_sealed s ON s.slot = c.slot ", $rest)
    };
}

macro_rules! select_records {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), from_records!($rest))
    };
}

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
            "WHERE (c.tenant, c.name) > ($1, $2) ORDER BY c.tenant, c.name LIMIT 0 + $3"
        ))
        .bind(tenant)
        .bind(name)
        .bind(limit),
        Scan::Tenant(of) => {
            let Some((tenant, name)) = rows::within(of, (tenant, name)) else { return Ok(None) };
            sqlx::query(select_records!("WHERE c.tenant = $1 AND c.name > $2 ORDER BY c.name LIMIT 0 + $3"))
                .bind(tenant)
                .bind(name)
                .bind(limit)
        }
        Scan::UnderKek(kek) => sqlx::query(select_records!(
            "WHERE c.kek = $4 AND (c.tenant, c.name) > ($1, $2) ORDER BY c.tenant, c.name LIMIT 0 + $3"
        ))
        .bind(tenant)
        .bind(name)
        .bind(limit)
        .bind(kek.as_bytes()),
        Scan::PurgePending => sqlx::query(select_records!(
            "WHERE c.purge = 'pending' AND (c.tenant, c.name) > ($1, $2) ORDER BY c.tenant, c.name LIMIT 0 + $3"
        ))
        .bind(tenant)
        .bind(name)
        .bind(limit),
        Scan::Fingerprint { of, tenant: None } => sqlx::query(FINGERPRINT)
            .bind(tenant)
            .bind(name)
            .bind(limit)
            .bind(&of[..FINGERPRINT_START])
            .bind(&of[..]),
        Scan::Fingerprint { of, tenant: Some(only) } => {
            let Some((tenant, name)) = rows::within(only, (tenant, name)) else { return Ok(None) };
            sqlx::query(FINGERPRINT_OF_TENANT)
                .bind(tenant)
                .bind(name)
                .bind(limit)
                .bind(&of[..FINGERPRINT_START])
                .bind(&of[..])
        }
        _ => return Err(Error::new(tokenkeep_core::ErrorKind::Internal).because("an unknown kind of scan")),
    }))
}

/// The record of this id.
pub(crate) fn of(id: &ConnectionId) -> Query<'_, Sqlite, SqliteArguments> {
    sqlx::query(select_records!("WHERE c.tenant = $1 AND c.name = $2"))
        .bind(id.tenant().as_str())
        .bind(id.name().as_str())
}

/// The record of one id, and behind it the first records that hold one token: in one statement, as each costs a turn.
const RECORD_AND_HOLDERS: &str = concat!(
    "SELECT TRUE AS asked, ",
    columns!(),
    from_records!("WHERE c.tenant = $1 AND c.name = $2"),
    " UNION ALL SELECT * FROM (SELECT FALSE, ",
    columns!(),
    from_records!(
        "WHERE c.fingerprint_start = $3 AND substr(s.bytes, 5, 32) = $4 ORDER BY c.tenant, c.name LIMIT 0 + $5)"
    )
);

pub(crate) fn record_and_holders<'q>(
    id: &'q ConnectionId,
    fingerprint: &'q [u8; 32],
    limit: u32,
) -> Query<'q, Sqlite, SqliteArguments> {
    sqlx::query(RECORD_AND_HOLDERS)
        .bind(id.tenant().as_str())
        .bind(id.name().as_str())
        .bind(&fingerprint[..FINGERPRINT_START])
        .bind(&fingerprint[..])
        .bind(limit)
}

/// What the rows of [`record_and_holders`] say.
pub(crate) fn split(rows: &[SqliteRow]) -> Result<(Option<Record>, Vec<Record>), Error> {
    let mut asked = None;
    let mut holders = Vec::with_capacity(rows.len());
    for row in rows {
        if row.integer("asked")? == 1 {
            asked = Some(record(row)?);
        } else {
            holders.push(rows::on_page(row, record(row))?);
        }
    }
    Ok((asked, holders))
}

/// The index leads to what begins alike; the whole fingerprint lies in the slot, behind the 4 bytes of a length.
const FINGERPRINT: &str = select_records!(
    "WHERE c.fingerprint_start = $4 AND (c.tenant, c.name) > ($1, $2) AND substr(s.bytes, 5, 32) = $5 \
     ORDER BY c.tenant, c.name LIMIT 0 + $3"
);
/// `+`: else SQLite walks through all that the tenant has.
const FINGERPRINT_OF_TENANT: &str = select_records!(
    "WHERE c.fingerprint_start = $4 AND (c.tenant, c.name) > ($1, $2) AND +c.tenant = $1 \
     AND substr(s.bytes, 5, 32) = $5 ORDER BY c.tenant, c.name LIMIT 0 + $3"
);

const TOKENS_SET: &str = select_records!(
    "WHERE c.kek IS NOT NULL AND (c.token_set_at, c.tenant, c.name) > ($1, $2, $3) AND c.token_set_at < $4 \
     ORDER BY c.token_set_at, c.tenant, c.name LIMIT 0 + $5"
);

pub(crate) fn tokens_set<'q>(
    during: &Range<Timestamp>,
    after: Option<&'q TokenSet>,
    limit: u32,
) -> ScanQuery<'q> {
    let (at, tenant, name) = rows::first_token_set(during, after);
    sqlx::query(TOKENS_SET).bind(at).bind(tenant).bind(name).bind(during.end.as_millis()).bind(limit)
}

const PAUSED: &str = concat!(
    "SELECT c.probe_until, ",
    columns!(),
    from_records!(
        "WHERE c.status = 'paused' AND c.provider = $1 AND c.origin = $2 AND (c.probe_until, c.tenant, c.name) > ($3, $4, $5) \
         AND c.probe_until <= $6 ORDER BY c.probe_until, c.tenant, c.name LIMIT 0 + $7"
    )
);

pub(crate) fn paused<'q>(
    at: &'q AtProvider,
    due: &RangeInclusive<Timestamp>,
    after: Option<&'q ProbeTurn>,
    limit: u32,
) -> ScanQuery<'q> {
    let (first, tenant, name) = rows::first_turn(due, after);
    let query = sqlx::query(PAUSED).bind(at.provider.as_str()).bind(at.origin.as_str());
    query.bind(first).bind(tenant).bind(name).bind(due.end().as_millis()).bind(limit)
}

const COUNT_HELD: &str = "SELECT count(*) AS counted FROM (SELECT 1 FROM tokenkeep_connection \
    WHERE provider = $1 AND origin = $2 AND kek IS NOT NULL AND kind = 1 LIMIT 0 + $3)";

/// How many tokens there are on so many rows, and how many rows it looked at.
macro_rules! count_tokens {
    ($which:literal) => {
        concat!(
            "SELECT count(DISTINCT fingerprint_start) AS counted, count(*) AS looked FROM (SELECT fingerprint_start \
             FROM tokenkeep_connection WHERE provider = $1 AND origin = $2 AND ",
            $which,
            " LIMIT 0 + $3)"
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

pub(crate) fn record(row: &SqliteRow) -> Result<Record, Error> {
    let Contents { sealed, account } = contents(row)?;
    rows::record(row, sealed, account)
}

/// The records of a page.
pub(crate) fn page(rows: &[SqliteRow]) -> Result<Vec<Record>, Error> {
    rows.iter().map(|row| rows::on_page(row, record(row))).collect()
}

fn contents(row: &SqliteRow) -> Result<Contents<'_>, Error> {
    match (row.optional_integer("slot")?, row.optional_bytes("bytes")?) {
        (Some(_), Some(bytes)) => {
            let contents = sealed::unpack(bytes)?;
            let start = row.optional_bytes("fingerprint_start")?;
            // A wrong one would hide the token from whoever looks for its fingerprint.
            if start != contents.sealed.as_ref().map(|(fingerprint, _)| &fingerprint[..FINGERPRINT_START]) {
                return Err(tampered("a fingerprint in the database is not where it can be found"));
            }
            Ok(contents)
        }
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row};

    use super::*;

    /// Every page is found through an index that gives it in order: nothing is sorted, no table is walked.
    #[tokio::test]
    async fn pages_go_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::SqliteStore::open(folder.path().join("tokens.db")).await.unwrap();
        for (sql, index) in [
            (FINGERPRINT, "tokenkeep_connection_fingerprint (fingerprint_start=? AND (tenant,name)>(?,?))"),
            (
                FINGERPRINT_OF_TENANT,
                "tokenkeep_connection_fingerprint (fingerprint_start=? AND (tenant,name)>(?,?))",
            ),
            (RECORD_AND_HOLDERS, "SEARCH c USING PRIMARY KEY (tenant=? AND name=?)"),
            (RECORD_AND_HOLDERS, "tokenkeep_connection_fingerprint (fingerprint_start=?)"),
            (TOKENS_SET, "tokenkeep_connection_age ((token_set_at,tenant,name)>(?,?,?)"),
            (
                PAUSED,
                "tokenkeep_connection_turn (provider=? AND origin=? AND (probe_until,tenant,name)>(?,?,?)",
            ),
            (COUNT_HELD, "COVERING INDEX tokenkeep_connection_provider (provider=? AND origin=?)"),
            (
                COUNT_PAUSED,
                "COVERING INDEX tokenkeep_connection_provider (provider=? AND origin=? AND paused_at>? AND paused_at<?)",
            ),
            (
                COUNT_STILL_PAUSED,
                "COVERING INDEX tokenkeep_connection_paused (provider=? AND origin=? AND paused_at>? AND paused_at<?)",
            ),
        ] {
            let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            let rows = explain.fetch_all(&store.readers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
            // What a subquery gives is the page itself. A count remembers the tokens that it saw, of as many rows as it looks at.
            let walks = |step: &String| step.starts_with("SCAN") && !step.starts_with("SCAN (subquery");
            let sorts = |step: &String| {
                step.contains("TEMP B-TREE") && !step.ends_with("TEMP B-TREE FOR count(DISTINCT)")
            };
            assert!(!plan.iter().any(|step| walks(step) || sorts(step)), "{plan:?}");
        }
    }
}
