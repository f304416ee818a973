//! The one statement that writes a commit.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::{AuditEntry, AuditHead, Record};

use super::failure::{broken_constraint, failure};
use super::queries::{NO_HEAD, columns};
use crate::columns::{tampered, to_signed};

/// What puts a record in the place of the one that was found, and is locked. It is inserted over it: PostgreSQL then goes by
/// the primary key, whatever it believes about the table's size.
macro_rules! over_what_is_there {
    () => {
        " ON CONFLICT (tenant, name) DO UPDATE SET provider = excluded.provider, origin = excluded.origin, \
         kind = excluded.kind, incarnation = excluded.incarnation, secret_version = excluded.secret_version, \
         revision = excluded.revision, status = excluded.status, kek = excluded.kek, \
         fingerprint = excluded.fingerprint, envelope = excluded.envelope, account_id = excluded.account_id, \
         account_name = excluded.account_name, connected_at = excluded.connected_at, \
         token_set_at = excluded.token_set_at, updated_at = excluded.updated_at, expires_at = excluded.expires_at, \
         purge = excluded.purge, mac = excluded.mac, paused_at = excluded.paused_at, \
         probe_holder = CASE WHEN connection.incarnation = excluded.incarnation \
         AND connection.secret_version = excluded.secret_version THEN connection.probe_holder END, \
         probe_until = CASE WHEN connection.incarnation = excluded.incarnation \
         AND connection.secret_version = excluded.secret_version THEN connection.probe_until ELSE 0 END"
    };
}

macro_rules! insert_record {
    () => {
        concat!("INSERT INTO tokenkeep.connection (", columns!(), ")")
    };
}

macro_rules! insert_entry {
    () => {
        "INSERT INTO tokenkeep.audit (shard, sequence, at, action, tenant, name, incarnation, secret_version, revision, \
         record_mac, times, subject, mac)"
    };
}

/// Every parameter is an array: one element for each record ($1 to $22), entry ($23 to $35) or head ($36 to $38).
///
/// A record that must be absent is inserted and breaks the primary key where there is one.
const WRITE: &str = concat!(
    "WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], \
     $7::bigint[], $8::bigint[], $9::text[], $10::bytea[], $11::bytea[], $12::bytea[], $13::text[], $14::text[], \
     $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::text[], $20::bytea[], $21::bigint[], $22::boolean[]) AS given (",
    columns!(),
    ", added)), added AS (",
    insert_record!(),
    " SELECT ",
    columns!(),
    " FROM given WHERE added), changed AS (",
    insert_record!(),
    " SELECT ",
    columns!(),
    " FROM given WHERE NOT added",
    over_what_is_there!(),
    "), entries AS (",
    insert_entry!(),
    " SELECT * FROM unnest($23::bigint[], $24::bigint[], $25::bigint[], $26::text[], $27::text[], $28::text[], \
     $29::bytea[], $30::bigint[], $31::bigint[], $32::bytea[], $33::bigint[], $34::bytea[], $35::bytea[])) \
     UPDATE tokenkeep.audit_head AS head SET sequence = moved.sequence, mac = moved.mac \
     FROM unnest($36::bigint[], $37::bigint[], $38::bytea[]) AS moved (shard, sequence, mac) \
     WHERE head.shard = moved.shard"
);

/// The same for one record with one entry, as nearly all commits have: half of the work for PostgreSQL, and the head is
/// locked for that much less.
macro_rules! write_one {
    ($whether_there:expr) => {
        concat!(
            "WITH record AS (",
            insert_record!(),
            " VALUES (($1::text[])[1], ($2::text[])[1], ($3::text[])[1], ($4::text[])[1], ($5::bigint[])[1], \
             ($6::bytea[])[1], ($7::bigint[])[1], ($8::bigint[])[1], ($9::text[])[1], ($10::bytea[])[1], \
             ($11::bytea[])[1], ($12::bytea[])[1], ($13::text[])[1], ($14::text[])[1], ($15::bigint[])[1], \
             ($16::bigint[])[1], ($17::bigint[])[1], ($18::bigint[])[1], ($19::text[])[1], ($20::bytea[])[1], ($21::bigint[])[1])",
            $whether_there,
            "), entry AS (",
            insert_entry!(),
            " VALUES (($23::bigint[])[1], ($24::bigint[])[1], ($25::bigint[])[1], ($26::text[])[1], ($27::text[])[1], \
             ($28::text[])[1], ($29::bytea[])[1], ($30::bigint[])[1], ($31::bigint[])[1], ($32::bytea[])[1], \
             ($33::bigint[])[1], ($34::bytea[])[1], ($35::bytea[])[1])) \
             UPDATE tokenkeep.audit_head SET sequence = ($37::bigint[])[1], mac = ($38::bytea[])[1] \
             WHERE shard = ($36::bigint[])[1]"
        )
    };
}
const ADD_ONE: &str = write_one!("");
const CHANGE_ONE: &str = write_one!(over_what_is_there!());

/// Writes records (each with whether there must be none yet), entries and heads.
pub(crate) async fn write(
    db: &mut PgConnection,
    records: &[(&Record, bool)],
    entries: &[AuditEntry],
    heads: &BTreeMap<u16, AuditHead>,
) -> Result<(), Error> {
    let heads: Vec<&AuditHead> = heads.values().collect();
    let record = |index: usize| records[index].0;
    let sealed = |index: usize| record(index).sealed.as_ref();
    let account = |index: usize| record(index).account.as_ref();
    let entry = |index: usize| &entries[index];
    let draft = |index: usize| &entries[index].draft;
    let (r, e, h) = (records.len(), entries.len(), heads.len());

    let statement = match records {
        [(_, true)] if (e, h) == (1, 1) => ADD_ONE,
        [(_, false)] if (e, h) == (1, 1) => CHANGE_ONE,
        _ => WRITE,
    };
    let query = sqlx::query(statement)
        .bind(each(r, |n| record(n).id.tenant().as_str()))
        .bind(each(r, |n| record(n).id.name().as_str()))
        .bind(each(r, |n| record(n).provider.as_str()))
        .bind(each(r, |n| record(n).origin.as_str()))
        .bind(each(r, |n| i64::from(record(n).kind.number())))
        .bind(each(r, |n| &record(n).incarnation.as_bytes()[..]))
        .bind(numbers(r, |n| record(n).secret_version.get())?)
        .bind(numbers(r, |n| record(n).revision.get())?)
        .bind(each(r, |n| record(n).status.name()))
        .bind(each(r, |n| sealed(n).map(|sealed| sealed.kek.as_bytes())))
        .bind(each(r, |n| sealed(n).map(|sealed| &sealed.fingerprint[..])))
        .bind(each(r, |n| sealed(n).map(|sealed| &sealed.envelope[..])))
        .bind(each(r, |n| account(n).map(|account| account.id())))
        .bind(each(r, |n| account(n).map(|account| account.name())))
        .bind(each(r, |n| record(n).connected_at.as_millis()))
        .bind(each(r, |n| record(n).token_set_at.as_millis()))
        .bind(each(r, |n| record(n).updated_at.as_millis()))
        .bind(each(r, |n| record(n).expires_at.map(|at| at.as_millis())))
        .bind(each(r, |n| record(n).purge.name()))
        .bind(each(r, |n| &record(n).mac[..]))
        .bind(each(r, |n| record(n).paused_at.map(|at| at.as_millis())))
        .bind(each(r, |n| records[n].1))
        .bind(each(e, |n| i64::from(entry(n).shard)))
        .bind(numbers(e, |n| entry(n).sequence)?)
        .bind(each(e, |n| draft(n).at.as_millis()))
        .bind(each(e, |n| draft(n).action.name()))
        .bind(each(e, |n| draft(n).id.tenant().as_str()))
        .bind(each(e, |n| draft(n).id.name().as_str()))
        .bind(each(e, |n| &draft(n).incarnation.as_bytes()[..]))
        .bind(numbers(e, |n| draft(n).secret_version.get())?)
        .bind(numbers(e, |n| draft(n).revision.get())?)
        .bind(each(e, |n| draft(n).record_mac.as_ref().map(|mac| &mac[..])))
        .bind(numbers(e, |n| draft(n).count)?)
        .bind(each(e, |n| draft(n).subject.as_deref().map(str::as_bytes)))
        .bind(each(e, |n| &entry(n).mac[..]))
        .bind(each(h, |n| i64::from(heads[n].shard)))
        .bind(numbers(h, |n| heads[n].sequence)?)
        .bind(each(h, |n| &heads[n].mac[..]));
    let done = query.execute(db).await.map_err(|error| match broken_constraint(&error) {
        Some("connection_pkey") => ErrorKind::Conflict.into(),
        Some("audit_pkey") => tampered("the audit trail in the database goes on behind its head"),
        _ => failure(error),
    })?;
    // The locked rows are there: nobody else could take them away.
    if usize::try_from(done.rows_affected()) == Ok(h) { Ok(()) } else { Err(tampered(NO_HEAD)) }
}

fn each<T>(length: usize, value: impl Fn(usize) -> T) -> Vec<T> {
    (0..length).map(value).collect()
}

fn numbers(length: usize, value: impl Fn(usize) -> u64) -> Result<Vec<i64>, Error> {
    (0..length).map(|index| to_signed(value(index))).collect()
}
