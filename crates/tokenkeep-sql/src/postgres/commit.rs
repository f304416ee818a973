//! A commit: what it locks, what it looks at, and then one statement that writes all of it.
//!
//! Nothing is written before that statement, and a statement happens wholly or not at all. So whatever becomes of the call
//! (an error, a future that is dropped), the transaction that it ran in, which may be the application's, never holds half
//! of it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};
use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tokenkeep_store::{AuditChain, AuditEntry, AuditHead, Change, Expected, RecordChange, shard_of};

use super::borrowed::{Borrowed, begin};
use super::failure::failure;
use super::queries::NO_HEAD;
use super::write;
use crate::columns::{tampered, to_signed};
use crate::rows;

/// How a transaction of our own begins. Whether it is durable is asked where a head is locked, which costs nothing there.
pub(crate) const BEGIN: &str = begin!("5s");

/// The same for one that seals; see [`guard_seals`].
pub(crate) const BEGIN_SEALING: &str = begin!("5s", "LOCK TABLE tokenkeep.kek_gate IN ROW SHARE MODE");

/// Whether the server would acknowledge a commit that is not on its disk yet.
macro_rules! lax {
    () => {
        "pg_catalog.current_setting('synchronous_commit') IN ('off', 'local') AS lax"
    };
}

/// The vault that is in this database, if there is one.
macro_rules! vault {
    () => {
        "(SELECT id FROM tokenkeep.vault) AS vault"
    };
}

/// A commit in a transaction of our own. The outer error says that the connection is of no use any more.
pub(crate) async fn on(
    db: &mut PgConnection,
    changes: &[Change],
    chain: &AuditChain,
) -> Result<Result<(), Error>, Error> {
    let begin = if seals(changes) { BEGIN_SEALING } else { BEGIN };
    let mut transaction = db.begin_with(begin).await.map_err(failure)?;
    let made = apply(&mut transaction, changes, chain).await;
    Borrowed::end(transaction, made).await
}

/// All changes of one record, in the order in which they are to be made.
type Steps<'c> = BTreeMap<&'c ConnectionId, Vec<&'c RecordChange>>;

pub(crate) fn seals(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.record.as_ref().is_some_and(|step| step.record.sealed.is_some()))
}

/// In the application's transaction, what its own beginning does for one of ours.
pub(crate) async fn join(db: &mut PgConnection, changes: &[Change]) -> Result<(), Error> {
    const FRESH: &str = "SELECT pg_catalog.current_setting('transaction_isolation') = 'read committed'";
    if !seals(changes) {
        return Ok(());
    }
    let fresh: bool = sqlx::query_scalar(FRESH).fetch_one(&mut *db).await.map_err(failure)?;
    guard_seals(db, fresh).await
}

/// Keeps KEKs from being closed until this transaction ends. Whoever closes one waits for that, and comes before or after the
/// whole transaction.
///
/// A transaction that sees the database as it was at its beginning would not see a KEK that was closed since. So it also
/// locks a row that every closing changes, which PostgreSQL refuses if that happened.
pub(crate) async fn guard_seals(db: &mut PgConnection, fresh: bool) -> Result<(), Error> {
    sqlx::query("LOCK TABLE tokenkeep.kek_gate IN ROW SHARE MODE")
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    if !fresh {
        sqlx::query("SELECT closings FROM tokenkeep.kek_gate FOR SHARE")
            .execute(db)
            .await
            .map_err(failure)?;
    }
    Ok(())
}

/// Makes the changes. A transaction runs already, and seals are guarded.
pub(crate) async fn apply(
    db: &mut PgConnection,
    changes: &[Change],
    chain: &AuditChain,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut steps = Steps::new();
    for step in changes.iter().filter_map(|change| change.record.as_ref()) {
        steps.entry(&step.record.id).or_default().push(step);
    }
    let mut heads = match changes {
        [Change { record: Some(only), .. }] => lock_one(db, only, &steps, chain).await?,
        _ => lock_all(db, changes, &steps, chain).await?,
    };

    let mut entries: Vec<AuditEntry> = Vec::with_capacity(changes.len());
    for Change { record, entry } in changes {
        let head = heads.get_mut(&shard_of(entry.id.tenant())).ok_or_else(|| tampered(NO_HEAD))?;
        if let Some(Expected::Tampered { head: pinned }) = record.as_ref().map(|step| step.expected)
            && head.sequence != pinned
        {
            return Err(ErrorKind::Conflict.into());
        }
        let entry = chain.append(head, entry.clone())?;
        *head = entry.head();
        entries.push(entry);
    }
    let records: Vec<_> = steps.values().filter_map(|steps| Some((steps.first()?, steps.last()?))).collect();
    let records: Vec<_> =
        records.iter().map(|(first, last)| (&last.record, first.expected == Expected::Absent)).collect();
    write::write(db, &records, &entries, &heads).await
}

/// The heads that are locked, by their shards.
type Heads = BTreeMap<u16, AuditHead>;

/// For a change of one record, as nearly all are, in one statement what [`lock_all`] does in three. The record is locked
/// before the head is looked for.
async fn lock_one(
    db: &mut PgConnection,
    change: &RecordChange,
    steps: &Steps<'_>,
    chain: &AuditChain,
) -> Result<Heads, Error> {
    const LOCK: &str = concat!(
        "WITH present AS MATERIALIZED \
            (SELECT revision FROM tokenkeep.connection WHERE tenant = $2 AND name = $3 FOR UPDATE) \
         SELECT shard, sequence, mac, ",
        lax!(),
        ", ",
        vault!(),
        ", (SELECT revision FROM present) AS revision, \
            EXISTS (SELECT FROM tokenkeep.closed_kek WHERE kek = $4) AS closed \
         FROM tokenkeep.audit_head WHERE shard = $1 AND (SELECT pg_catalog.count(*) FROM present) >= 0 FOR UPDATE"
    );
    let id = &change.record.id;
    let row = sqlx::query(LOCK)
        .bind(i64::from(shard_of(id.tenant())))
        .bind(id.tenant().as_str())
        .bind(id.name().as_str())
        .bind(change.record.sealed.as_ref().map(|sealed| sealed.kek.as_bytes()))
        .fetch_optional(&mut *db)
        .await
        .map_err(failure)?
        .ok_or_else(|| tampered(NO_HEAD))?;
    of_this_vault(&row, chain)?;
    compare(row.try_get("revision").map_err(failure)?, &[change])?;
    let head = head(db, &row).await?;
    if row.try_get("closed").map_err(failure)? {
        refuse_closed(db, steps).await?;
    }
    Ok(Heads::from([head]))
}

/// Locks the records in ascending order, then the heads, and compares what the changes expect.
async fn lock_all(
    db: &mut PgConnection,
    changes: &[Change],
    steps: &Steps<'_>,
    chain: &AuditChain,
) -> Result<Heads, Error> {
    const LOCK_RECORD: &str =
        "SELECT revision FROM tokenkeep.connection WHERE tenant = $1 AND name = $2 FOR UPDATE";
    const LOCK_HEAD: &str = concat!(
        "SELECT shard, sequence, mac, ",
        lax!(),
        ", ",
        vault!(),
        " FROM tokenkeep.audit_head WHERE shard = $1 FOR UPDATE"
    );
    const WHOSE: &str = concat!("SELECT ", vault!());
    for (id, steps) in steps {
        let query = sqlx::query_scalar(LOCK_RECORD).bind(id.tenant().as_str()).bind(id.name().as_str());
        let met = compare(query.fetch_optional(&mut *db).await.map_err(failure)?, steps);
        if met.is_err() {
            // Another vault's change is not to be made again, as one that only lost is.
            of_this_vault(&sqlx::query(WHOSE).fetch_one(&mut *db).await.map_err(failure)?, chain)?;
        }
        met?;
    }
    let shards: BTreeSet<u16> = changes.iter().map(|change| shard_of(change.entry.id.tenant())).collect();
    let mut heads = Heads::new();
    for shard in shards {
        let query = sqlx::query(LOCK_HEAD).bind(i64::from(shard));
        let row = query.fetch_optional(&mut *db).await.map_err(failure)?;
        let row = row.ok_or_else(|| tampered(NO_HEAD))?;
        of_this_vault(&row, chain)?;
        heads.extend([head(db, &row).await?]);
    }
    refuse_closed(db, steps).await?;
    Ok(heads)
}

fn of_this_vault(row: &PgRow, chain: &AuditChain) -> Result<(), Error> {
    chain.belongs_to(rows::vault_id(row, "vault")?)
}

/// A locked head. What is acknowledged is to be on the disk (and on the replicas that the server waits for), whatever the
/// application's default is.
async fn head(db: &mut PgConnection, row: &PgRow) -> Result<(u16, AuditHead), Error> {
    if row.try_get("lax").map_err(failure)? {
        sqlx::query("SET LOCAL synchronous_commit = on").execute(db).await.map_err(failure)?;
    }
    rows::audit_head(row).map(|head| (head.shard, head))
}

/// Compares what the changes of a record expect: the first with what is there, each next with the one before it. What expects a
/// certain head of its shard is compared with that in its turn.
fn compare(mut present: Option<i64>, steps: &[&RecordChange]) -> Result<(), Error> {
    for step in steps {
        let expected = match step.expected {
            Expected::Absent => None,
            Expected::Revision(revision) => Some(to_signed(revision.get())?),
            Expected::Tampered { .. } => present,
        };
        if present != expected {
            return Err(ErrorKind::Conflict.into());
        }
        present = Some(to_signed(step.record.revision.get())?);
    }
    Ok(())
}

/// Refuses a seal under a closed KEK: an envelope that is not the one in its place.
async fn refuse_closed(db: &mut PgConnection, steps: &Steps<'_>) -> Result<(), Error> {
    let sealed = steps.values().flatten().filter_map(|step| step.record.sealed.as_ref());
    let keks: BTreeSet<&[u8]> = sealed.map(|sealed| sealed.kek.as_bytes()).collect();
    if keks.is_empty() {
        return Ok(());
    }
    let keks: Vec<&[u8]> = keks.into_iter().collect();
    let closed: Vec<Vec<u8>> = sqlx::query_scalar("SELECT kek FROM tokenkeep.closed_kek WHERE kek = ANY($1)")
        .bind(keks)
        .fetch_all(&mut *db)
        .await
        .map_err(failure)?;
    if closed.is_empty() {
        return Ok(());
    }
    for (id, steps) in steps {
        let mut present = envelope(db, id).await?;
        for step in steps {
            let sealed = step.record.sealed.as_ref();
            let next = sealed.map(|sealed| sealed.envelope.clone());
            let under_closed =
                sealed.is_some_and(|sealed| closed.iter().any(|kek| kek == sealed.kek.as_bytes()));
            if under_closed && present != next {
                return Err(ErrorKind::Conflict.into());
            }
            present = next;
        }
    }
    Ok(())
}

async fn envelope(db: &mut PgConnection, id: &ConnectionId) -> Result<Option<Vec<u8>>, Error> {
    let envelope: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT envelope FROM tokenkeep.connection WHERE tenant = $1 AND name = $2")
            .bind(id.tenant().as_str())
            .bind(id.name().as_str())
            .fetch_optional(db)
            .await
            .map_err(failure)?;
    Ok(envelope.flatten())
}
