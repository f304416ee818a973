//! KEKs that are closed.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_store::{KekClosure, Timestamp};

use super::borrowed::{BEGIN, Borrowed, begin, durable};
use super::failure::{LOCK_TIMEOUT, code_of, failure};
use super::queries::standby;
use crate::rows;

/// Short waits, many of them: while this waits, every seal queues behind it.
const BEGIN_CLOSING: &str = begin!("250ms", durable!());
const PAUSE: Duration = Duration::from_millis(250);
const CLOSING: Duration = Duration::from_secs(10);

pub(crate) async fn close_kek(pool: &PgPool, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
    let until = Instant::now() + CLOSING;
    loop {
        match try_close(pool, kek, now).await {
            Err(error) if code_of(&error) == Some(LOCK_TIMEOUT) && Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn try_close(pool: &PgPool, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN_CLOSING).await.map_err(failure)?;
    let made = put_closed(&mut transaction, kek, now).await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

/// Behind the gate: once it is locked, no transaction that sealed before is still open, and those that come later see this.
async fn put_closed(db: &mut PgConnection, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
    // Nobody is held up where it is done.
    if let Some(closure) = closure(db, kek).await? {
        return Ok(closure);
    }
    for statement in [
        "LOCK TABLE tokenkeep.kek_gate IN EXCLUSIVE MODE",
        "UPDATE tokenkeep.kek_gate SET closings = closings + 1",
    ] {
        sqlx::query(statement).execute(&mut *db).await.map_err(failure)?;
    }
    // Another process may have been quicker.
    sqlx::query("INSERT INTO tokenkeep.closed_kek (kek, closed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(kek.as_bytes())
        .bind(now.as_millis())
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    closure(db, kek).await?.ok_or_else(|| ErrorKind::Internal.into())
}

pub(crate) async fn note_drained(
    pool: &PgPool,
    kek: &KekId,
    now: Option<Timestamp>,
) -> Result<KekClosure, Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let made = put_drained(&mut transaction, kek, now).await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

async fn put_drained(
    db: &mut PgConnection,
    kek: &KekId,
    now: Option<Timestamp>,
) -> Result<KekClosure, Error> {
    const NOTE: &str = "UPDATE tokenkeep.closed_kek \
        SET drained_at = CASE WHEN $2 IS NULL THEN NULL ELSE coalesce(drained_at, $2) END WHERE kek = $1";
    let query = sqlx::query(NOTE).bind(kek.as_bytes()).bind(now.map(Timestamp::as_millis));
    query.execute(&mut *db).await.map_err(failure)?;
    closure(db, kek).await?.ok_or_else(|| ErrorKind::Conflict.into())
}

pub(crate) const CLOSURE: &str =
    concat!("SELECT closed_at, drained_at, ", standby!(), " FROM tokenkeep.closed_kek WHERE kek = $1");

pub(crate) async fn closure(db: &mut PgConnection, kek: &KekId) -> Result<Option<KekClosure>, Error> {
    let row = sqlx::query(CLOSURE).bind(kek.as_bytes()).fetch_optional(db).await.map_err(failure)?;
    row.as_ref().map(rows::kek_closure).transpose()
}
