//! What rows say, for any database: each column has the same name and meaning in all of them.

use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

use tokenkeep_core::{
    Account, ConnectionId, Error, ErrorKind, Incarnation, Revision, SecretVersion, TenantId, VaultId,
};
use tokenkeep_store::{
    Action, AuditDraft, AuditEntry, AuditHead, Counted, KekClosure, PausedRecord, ProbeLease, ProbeTurn,
    Purge, PurgeLease, Record, SHARDS, Sealed, Status, StoredCheckpoint, Timestamp, TokenSet, VaultRecord,
};

use crate::columns::{Columns, array, kek_id, parsed, payload_kind, purpose, tampered, to_unsigned};

const BAD_MAC: &str = "a MAC in the database has no right length";
pub(crate) const HALF: &str = "sealed bytes in the database are half there";

fn counter(row: &impl Columns, column: &'static str) -> Result<u64, Error> {
    to_unsigned(row.integer(column)?)
}

fn time(row: &impl Columns, column: &'static str) -> Result<Timestamp, Error> {
    row.integer(column).map(Timestamp::from_millis)
}

fn optional_time(row: &impl Columns, column: &'static str) -> Result<Option<Timestamp>, Error> {
    Ok(row.optional_integer(column)?.map(Timestamp::from_millis))
}

fn id(row: &impl Columns) -> Result<ConnectionId, Error> {
    ConnectionId::new(row.text("tenant")?, row.text("name")?)
        .map_err(|_| tampered("a connection's name in the database is not allowed"))
}

fn incarnation(row: &impl Columns) -> Result<Incarnation, Error> {
    let bytes = array(row.bytes("incarnation")?, "an incarnation in the database has no right length")?;
    Ok(Incarnation::from_bytes(bytes))
}

fn mac(row: &impl Columns) -> Result<[u8; 32], Error> {
    array(row.bytes("mac")?, BAD_MAC)
}

/// A record, with its fingerprint and envelope and its account, which each database keeps in its own way.
pub(crate) fn record(
    row: &impl Columns,
    sealed: Option<([u8; 32], &[u8])>,
    account: Option<Account>,
) -> Result<Record, Error> {
    let status = Status::from_name(row.text("status")?);
    let purge = Purge::from_name(row.text("purge")?);
    let sealed = match (row.optional_bytes("kek")?, sealed) {
        (Some(kek), Some((fingerprint, envelope))) => {
            Some(Sealed { envelope: envelope.to_vec(), kek: kek_id(kek)?, fingerprint })
        }
        (None, None) => None,
        _ => return Err(tampered(HALF)),
    };
    Ok(Record {
        id: id(row)?,
        provider: parsed(row.text("provider")?, "a provider's name in the database is not allowed")?,
        origin: parsed(row.text("origin")?, "an origin in the database is not allowed")?,
        kind: payload_kind(row.integer("kind")?)?,
        incarnation: incarnation(row)?,
        secret_version: SecretVersion::from_u64(counter(row, "secret_version")?),
        revision: Revision::from_u64(counter(row, "revision")?),
        status: status.ok_or_else(|| tampered("a status in the database is unknown"))?,
        sealed,
        account,
        connected_at: time(row, "connected_at")?,
        token_set_at: time(row, "token_set_at")?,
        updated_at: time(row, "updated_at")?,
        expires_at: optional_time(row, "expires_at")?,
        paused_at: optional_time(row, "paused_at")?,
        purge: purge.ok_or_else(|| tampered("a purge's state in the database is unknown"))?,
        mac: mac(row)?,
    })
}

/// A record on a page: one that can't be made sense of keeps nobody from the others.
pub(crate) fn on_page(row: &impl Columns, record: Result<Record, Error>) -> Result<Record, Error> {
    match record {
        Err(error) if error.kind() == ErrorKind::Tampered => {
            let place =
                id(row).and_then(|id| Ok((id, time(row, "token_set_at")?, optional_time(row, "paused_at")?)));
            place.ok().and_then(|(id, set, paused)| Record::illegible(id, set, paused)).ok_or(error)
        }
        record => record,
    }
}

pub(crate) const BAD_ACCOUNT: &str = "an account in the database is not allowed";

/// Only one that comes out as it is kept: another one was never written.
pub(crate) fn account(id: &str, name: &str) -> Result<Account, Error> {
    let account = Account::new(id, name).ok();
    let as_kept = account.filter(|account| account.id() == id && account.name() == name);
    as_kept.ok_or_else(|| tampered(BAD_ACCOUNT))
}

fn shard(row: &impl Columns) -> Result<u16, Error> {
    let shard = u16::try_from(row.integer("shard")?).ok().filter(|shard| *shard < SHARDS);
    shard.ok_or_else(|| tampered("an audit shard in the database is unknown"))
}

pub(crate) fn audit_head(row: &impl Columns) -> Result<AuditHead, Error> {
    Ok(AuditHead { shard: shard(row)?, sequence: counter(row, "sequence")?, mac: mac(row)? })
}

/// An entry, with its subject, which each database keeps in its own way.
pub(crate) fn audit_entry(row: &impl Columns, subject: Option<String>) -> Result<AuditEntry, Error> {
    let action = Action::from_name(row.text("action")?);
    let draft = AuditDraft {
        at: time(row, "at")?,
        action: action.ok_or_else(|| tampered("an audited action in the database is unknown"))?,
        id: id(row)?,
        incarnation: incarnation(row)?,
        secret_version: SecretVersion::from_u64(counter(row, "secret_version")?),
        revision: Revision::from_u64(counter(row, "revision")?),
        record_mac: row.optional_bytes("record_mac")?.map(|mac| array(mac, BAD_MAC)).transpose()?,
        count: counter(row, "times")?,
        subject,
    };
    Ok(AuditEntry { shard: shard(row)?, sequence: counter(row, "sequence")?, draft, mac: mac(row)? })
}

/// Whether a row with a connection's status and lease lets this lease be given.
pub(crate) fn may_lease(row: &impl Columns, lease: &PurgeLease) -> Result<bool, Error> {
    let held = row.optional_bytes("lease_holder")?.zip(optional_time(row, "lease_until")?);
    let barred = held.is_some_and(|(holder, until)| lease.is_barred_by(holder, until));
    Ok(row.text("status")? == Status::Disconnected.name() && !barred)
}

/// Whether a row with a connection's KEK, its incarnation and secret version and the lease of its probe lets this lease be given.
pub(crate) fn may_probe(row: &impl Columns, lease: &ProbeLease) -> Result<bool, Error> {
    let until = time(row, "probe_until")?;
    let barred = row.optional_bytes("probe_holder")?.is_some_and(|holder| lease.is_barred_by(holder, until));
    let held = row.optional_bytes("kek")?.is_some()
        && row.bytes("incarnation")? == lease.incarnation.as_bytes()
        && counter(row, "secret_version")? == lease.secret_version.get();
    Ok(held && !barred)
}

/// A record on a page of what is paused.
pub(crate) fn paused(row: &impl Columns, record: Result<Record, Error>) -> Result<PausedRecord, Error> {
    Ok(PausedRecord { record: on_page(row, record)?, due: time(row, "probe_until")? })
}

/// How many rows a query counted.
pub(crate) fn counted(row: &impl Columns) -> Result<u32, Error> {
    // It was asked for no more.
    u32::try_from(row.integer("counted")?).map_err(|_| ErrorKind::Internal.into())
}

/// How many rows a query of a count looks at first, which is told what differs among them. Nearly all tokens are held once.
pub(crate) fn first_look(which: &Counted, limit: u32) -> i64 {
    match which {
        Counted::Held => i64::from(limit),
        _ => i64::from(limit).saturating_mul(2),
    }
}

/// What a count's query found that looked at so many rows at most; `Err` has at how many to look next, as one token filled them.
pub(crate) fn counted_of(
    row: &impl Columns,
    which: &Counted,
    looked_at: i64,
    limit: u32,
) -> Result<Result<u32, i64>, Error> {
    if matches!(which, Counted::Held) {
        return counted(row).map(Ok);
    }
    let counted = row.integer("counted")?.min(i64::from(limit));
    if counted < i64::from(limit) && row.integer("looked")? >= looked_at {
        return Ok(Err(looked_at.saturating_mul(16)));
    }
    u32::try_from(counted).map(Ok).map_err(|_| ErrorKind::Internal.into())
}

/// Behind which place a page of what is paused begins.
pub(crate) fn first_turn<'a>(
    due: &RangeInclusive<Timestamp>,
    after: Option<&'a ProbeTurn>,
) -> (i64, &'a str, &'a str) {
    // The empty text is before all names.
    let from = (due.start().as_millis(), "", "");
    let behind = after.map(|turn| (turn.due.as_millis(), turn.id.tenant().as_str(), turn.id.name().as_str()));
    behind.map_or(from, |behind| behind.max(from))
}

/// Behind which place a scan within a tenant begins; `None` when `after` is behind all that the tenant has.
pub(crate) fn within<'a>(
    only: &'a TenantId,
    (tenant, name): (&'a str, &'a str),
) -> Option<(&'a str, &'a str)> {
    match tenant.cmp(only.as_str()) {
        Ordering::Less => Some((only.as_str(), "")),
        Ordering::Equal => Some((tenant, name)),
        Ordering::Greater => None,
    }
}

/// Behind which place a page of `tokens_set` begins.
pub(crate) fn first_token_set<'a>(
    during: &Range<Timestamp>,
    after: Option<&'a TokenSet>,
) -> (i64, &'a str, &'a str) {
    // The empty text is before all names.
    let from = (during.start.as_millis(), "", "");
    let behind =
        after.map(|place| (place.at.as_millis(), place.id.tenant().as_str(), place.id.name().as_str()));
    behind.map_or(from, |behind| behind.max(from))
}

/// A checkpoint, with its note, which each database keeps in its own way.
pub(crate) fn checkpoint(row: &impl Columns, note: String) -> Result<StoredCheckpoint, Error> {
    Ok(StoredCheckpoint { number: counter(row, "number")?, note })
}

/// A vault's id, where a row has one.
pub(crate) fn vault_id(row: &impl Columns, column: &'static str) -> Result<Option<VaultId>, Error> {
    let id = row.optional_bytes(column)?;
    id.map(|id| array(id, BAD_VAULT).map(VaultId::from_bytes)).transpose()
}

const BAD_VAULT: &str = "the vault's id has no right length";

/// The vault, from one row for each of its keys.
pub(crate) fn kek_closure(row: &impl Columns) -> Result<KekClosure, Error> {
    let drained_at = row.optional_integer("drained_at")?.map(Timestamp::from_millis);
    Ok(KekClosure { closed_at: time(row, "closed_at")?, drained_at })
}

pub(crate) fn vault(rows: &[impl Columns]) -> Result<Option<VaultRecord>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let id = vault_id(first, "id")?.ok_or_else(|| tampered(BAD_VAULT))?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        // A vault without keys is one row without a key.
        if let Some(name) = row.optional_text("purpose")? {
            keys.push((purpose(name)?, row.bytes("envelope")?.to_vec()));
        }
    }
    Ok(Some(VaultRecord { id, keys }))
}
