//! Queries, and what their rows say.

use std::ops::Range;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Decode, Row, Sqlite, Type};
use tokenkeep_core::{ConnectionId, Error, Incarnation, Revision, SecretVersion, VaultId};
use tokenkeep_store::{
    Action, AuditDraft, AuditEntry, AuditHead, Purge, Record, SHARDS, Scan, Sealed, Status, Timestamp,
    TokenSet, VaultRecord,
};

use super::commit::FINGERPRINT_START;
use super::sealed::{self, Contents, Slot};
use crate::columns::{array, kek_id, parsed, payload_kind, purpose, tampered, to_unsigned};

pub(crate) const VAULT: &str = "SELECT v.id, k.purpose, k.envelope \
    FROM tokenkeep_vault v LEFT JOIN tokenkeep_vault_key k ON TRUE ORDER BY k.place";

pub(crate) const AUDIT_HEADS: &str = "SELECT shard, sequence, mac FROM tokenkeep_audit_head";

pub(crate) const AUDIT_ENTRIES: &str = "SELECT shard, sequence, at, action, tenant, name, incarnation, \
    secret_version, revision, record_mac, times, subject, mac \
    FROM tokenkeep_audit WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";

/// Records with their sealed bytes.
macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT c.tenant, c.name, c.provider, c.origin, c.kind, c.incarnation, c.secret_version, c.revision, \
             c.status, c.kek, c.fingerprint_start, c.slot, s.bytes, c.connected_at, c.token_set_at, c.updated_at, c.expires_at, c.purge, \
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
        Scan::Fingerprint { of, tenant: None } => sqlx::query(FINGERPRINT)
            .bind(tenant)
            .bind(name)
            .bind(limit)
            .bind(&of[..FINGERPRINT_START])
            .bind(&of[..]),
        Scan::Fingerprint { of, tenant: Some(only) } => {
            let name = match tenant.cmp(only.as_str()) {
                std::cmp::Ordering::Less => "",
                std::cmp::Ordering::Equal => name,
                std::cmp::Ordering::Greater => return Ok(None),
            };
            sqlx::query(FINGERPRINT_OF_TENANT)
                .bind(only.as_str())
                .bind(name)
                .bind(limit)
                .bind(&of[..FINGERPRINT_START])
                .bind(&of[..])
        }
        _ => return Err(Error::new(tokenkeep_core::ErrorKind::Internal).because("an unknown kind of scan")),
    }))
}

/// The index leads to what begins alike; the whole fingerprint lies in the slot, behind the 4 bytes of a length.
const FINGERPRINT: &str = select_records!(
    "WHERE c.fingerprint_start = $4 AND (c.tenant, c.name) > ($1, $2) AND substr(s.bytes, 5, 32) = $5 \
     ORDER BY c.tenant, c.name LIMIT $3"
);
/// `+`: else SQLite walks through all that the tenant has.
const FINGERPRINT_OF_TENANT: &str = select_records!(
    "WHERE c.fingerprint_start = $4 AND (c.tenant, c.name) > ($1, $2) AND +c.tenant = $1 \
     AND substr(s.bytes, 5, 32) = $5 ORDER BY c.tenant, c.name LIMIT $3"
);

const TOKENS_SET: &str = select_records!(
    "WHERE c.kek IS NOT NULL AND (c.token_set_at, c.tenant, c.name) > ($1, $2, $3) AND c.token_set_at < $4 \
     ORDER BY c.token_set_at, c.tenant, c.name LIMIT $5"
);

pub(crate) fn tokens_set<'q>(
    during: &Range<Timestamp>,
    after: Option<&'q TokenSet>,
    limit: u32,
) -> ScanQuery<'q> {
    // The empty text is before all names.
    let from = (during.start.as_millis(), "", "");
    let behind =
        after.map(|place| (place.at.as_millis(), place.id.tenant().as_str(), place.id.name().as_str()));
    let (at, tenant, name) = behind.map_or(from, |behind| behind.max(from));
    sqlx::query(TOKENS_SET).bind(at).bind(tenant).bind(name).bind(during.end.as_millis()).bind(limit)
}

/// A column's value. sqlx's error is not kept: it may say what was found.
fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: &'static str,
) -> Result<T, Error> {
    row.try_get(column).map_err(|_| tampered("a column in the database holds what can't be in it"))
}

const BAD_MAC: &str = "a MAC in the database has no right length";
const HALF: &str = "sealed bytes in the database are half there";

fn counter(row: &SqliteRow, column: &'static str) -> Result<u64, Error> {
    to_unsigned(get(row, column)?)
}

fn time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, Error> {
    get(row, column).map(Timestamp::from_millis)
}

fn id(row: &SqliteRow) -> Result<ConnectionId, Error> {
    ConnectionId::new(get::<&str>(row, "tenant")?, get::<&str>(row, "name")?)
        .map_err(|_| tampered("a connection's name in the database is not allowed"))
}

fn incarnation(row: &SqliteRow) -> Result<Incarnation, Error> {
    let bytes = array(get(row, "incarnation")?, "an incarnation in the database has no right length")?;
    Ok(Incarnation::from_bytes(bytes))
}

fn mac(row: &SqliteRow) -> Result<[u8; 32], Error> {
    array(get(row, "mac")?, BAD_MAC)
}

pub(crate) fn record(row: &SqliteRow) -> Result<Record, Error> {
    let status = Status::from_name(get(row, "status")?);
    let purge = Purge::from_name(get(row, "purge")?);
    let Contents { sealed, account } = contents(row)?;
    let sealed = match (get::<Option<&[u8]>>(row, "kek")?, sealed) {
        (Some(kek), Some((fingerprint, envelope))) => {
            Some(Sealed { envelope: envelope.to_vec(), kek: kek_id(kek)?, fingerprint })
        }
        (None, None) => None,
        _ => return Err(tampered(HALF)),
    };
    Ok(Record {
        id: id(row)?,
        provider: parsed(get(row, "provider")?, "a provider's name in the database is not allowed")?,
        origin: parsed(get(row, "origin")?, "an origin in the database is not allowed")?,
        kind: payload_kind(get(row, "kind")?)?,
        incarnation: incarnation(row)?,
        secret_version: SecretVersion::from_u64(counter(row, "secret_version")?),
        revision: Revision::from_u64(counter(row, "revision")?),
        status: status.ok_or_else(|| tampered("a status in the database is unknown"))?,
        sealed,
        account,
        connected_at: time(row, "connected_at")?,
        token_set_at: time(row, "token_set_at")?,
        updated_at: time(row, "updated_at")?,
        expires_at: get::<Option<i64>>(row, "expires_at")?.map(Timestamp::from_millis),
        purge: purge.ok_or_else(|| tampered("a purge's state in the database is unknown"))?,
        mac: mac(row)?,
    })
}

fn contents(row: &SqliteRow) -> Result<Contents<'_>, Error> {
    match (get::<Option<i64>>(row, "slot")?, get::<Option<&[u8]>>(row, "bytes")?) {
        (Some(_), Some(bytes)) => {
            let contents = sealed::unpack(bytes)?;
            let start = get::<Option<&[u8]>>(row, "fingerprint_start")?;
            // A wrong one would hide the token from whoever looks for its fingerprint.
            if start != contents.sealed.as_ref().map(|(fingerprint, _)| &fingerprint[..FINGERPRINT_START]) {
                return Err(tampered("a fingerprint in the database is not where it can be found"));
            }
            Ok(contents)
        }
        (None, None) => Ok(Contents { sealed: None, account: None }),
        _ => Err(tampered(HALF)),
    }
}

/// A record's slot, if it has one.
pub(crate) fn slot(row: &SqliteRow) -> Result<Option<Slot>, Error> {
    let number: Option<i64> = get(row, "slot")?;
    let capacity: Option<i64> = get(row, "capacity")?;
    // A length is never negative.
    let slot = |(number, capacity)| Slot { number, capacity: usize::try_from(capacity).unwrap_or(0) };
    Ok(number.zip(capacity).map(slot))
}

fn shard(row: &SqliteRow) -> Result<u16, Error> {
    let shard = u16::try_from(get::<i64>(row, "shard")?).ok().filter(|shard| *shard < SHARDS);
    shard.ok_or_else(|| tampered("an audit shard in the database is unknown"))
}

pub(crate) fn audit_head(row: &SqliteRow) -> Result<AuditHead, Error> {
    Ok(AuditHead { shard: shard(row)?, sequence: counter(row, "sequence")?, mac: mac(row)? })
}

pub(crate) fn audit_entry(row: &SqliteRow) -> Result<AuditEntry, Error> {
    let action = Action::from_name(get(row, "action")?);
    let draft = AuditDraft {
        at: time(row, "at")?,
        action: action.ok_or_else(|| tampered("an audited action in the database is unknown"))?,
        id: id(row)?,
        incarnation: incarnation(row)?,
        secret_version: SecretVersion::from_u64(counter(row, "secret_version")?),
        revision: Revision::from_u64(counter(row, "revision")?),
        record_mac: get::<Option<&[u8]>>(row, "record_mac")?.map(|mac| array(mac, BAD_MAC)).transpose()?,
        count: counter(row, "times")?,
        subject: get(row, "subject")?,
    };
    Ok(AuditEntry { shard: shard(row)?, sequence: counter(row, "sequence")?, draft, mac: mac(row)? })
}

pub(crate) fn vault(rows: &[SqliteRow]) -> Result<Option<VaultRecord>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let id = VaultId::from_bytes(array(get(first, "id")?, "the vault's id has no right length")?);
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        // A vault without keys is one row without a key.
        if let Some(name) = get::<Option<&str>>(row, "purpose")? {
            keys.push((purpose(name)?, get(row, "envelope")?));
        }
    }
    Ok(Some(VaultRecord { id, keys }))
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
            (TOKENS_SET, "tokenkeep_connection_age ((token_set_at,tenant,name)>(?,?,?)"),
        ] {
            let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            let rows = explain.fetch_all(&store.readers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(plan[0].contains(index), "{plan:?}");
            assert!(plan.iter().all(|step| step.starts_with("SEARCH")), "{plan:?}");
        }
    }
}
