//! The vault's own rows, the last checkpoint, and closed KEKs.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_store::{StoredCheckpoint, VaultRecord};

use super::borrowed::{BEGIN, Borrowed, begin, durable};
use super::failure::{LOCK_TIMEOUT, code_of, failure};
use super::queries::VAULT;
use crate::columns::to_signed;
use crate::rows;

/// What a vault leaves in the database, should its own row be lost.
const IN_USE: &str = "SELECT (SELECT TRUE FROM tokenkeep.connection ORDER BY tenant, name LIMIT 1) IS NOT NULL \
    OR (SELECT TRUE FROM tokenkeep.audit ORDER BY shard, sequence LIMIT 1) IS NOT NULL \
    OR EXISTS (SELECT FROM tokenkeep.audit_head WHERE sequence > 0) \
    OR EXISTS (SELECT FROM tokenkeep.vault_key) OR EXISTS (SELECT FROM tokenkeep.checkpoint)";

pub(crate) async fn init(pool: &PgPool, vault: &VaultRecord) -> Result<VaultRecord, Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let made = put_vault(&mut transaction, vault).await;
    let vault = Borrowed::end(transaction, made).await?;
    connection.done();
    vault
}

async fn put_vault(db: &mut PgConnection, vault: &VaultRecord) -> Result<VaultRecord, Error> {
    sqlx::query("LOCK TABLE tokenkeep.vault IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    let found = sqlx::query(VAULT).fetch_all(&mut *db).await.map_err(failure)?;
    if let Some(present) = rows::vault(&found)? {
        return Ok(present);
    }
    if sqlx::query_scalar(IN_USE).fetch_one(&mut *db).await.map_err(failure)? {
        return Err(Error::new(ErrorKind::StoreUnusable).because("its vault is missing, its records are not"));
    }
    sqlx::query("INSERT INTO tokenkeep.vault (only_one, id) VALUES (1, $1)")
        .bind(&vault.id.as_bytes()[..])
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    for (place, (purpose, envelope)) in (1_i64..).zip(&vault.keys) {
        sqlx::query("INSERT INTO tokenkeep.vault_key (place, purpose, envelope) VALUES ($1, $2, $3)")
            .bind(place)
            .bind(purpose.name())
            .bind(&envelope[..])
            .execute(&mut *db)
            .await
            .map_err(failure)?;
    }
    Ok(vault.clone())
}

/// Short waits, many of them: while this waits, every seal queues behind it.
const BEGIN_CLOSING: &str = begin!("250ms", durable!());
const PAUSE: Duration = Duration::from_millis(250);
const CLOSING: Duration = Duration::from_secs(10);

pub(crate) async fn close_kek(pool: &PgPool, kek: &KekId) -> Result<(), Error> {
    let until = Instant::now() + CLOSING;
    loop {
        match try_close(pool, kek).await {
            Err(error) if code_of(&error) == Some(LOCK_TIMEOUT) && Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn try_close(pool: &PgPool, kek: &KekId) -> Result<(), Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN_CLOSING).await.map_err(failure)?;
    let made = put_closed(&mut transaction, kek).await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

/// Behind the gate: once it is locked, no transaction that sealed before is still open, and those that come later see this.
async fn put_closed(db: &mut PgConnection, kek: &KekId) -> Result<(), Error> {
    for statement in [
        "LOCK TABLE tokenkeep.kek_gate IN EXCLUSIVE MODE",
        "UPDATE tokenkeep.kek_gate SET closings = closings + 1",
    ] {
        sqlx::query(statement).execute(&mut *db).await.map_err(failure)?;
    }
    sqlx::query("INSERT INTO tokenkeep.closed_kek (kek) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(kek.as_bytes())
        .execute(db)
        .await
        .map_err(failure)?;
    Ok(())
}

pub(crate) async fn put_checkpoint(pool: &PgPool, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
    // No row has a number beyond SQL's.
    let Ok(number) = to_signed(checkpoint.number) else { return Err(ErrorKind::Conflict.into()) };
    let statement = match number {
        0 => return Err(ErrorKind::Conflict.into()),
        1 => {
            "INSERT INTO tokenkeep.checkpoint (only_one, number, note) VALUES (1, $1, $2) ON CONFLICT DO NOTHING"
        }
        _ => "UPDATE tokenkeep.checkpoint SET number = $1, note = $2 WHERE number = $1 - 1",
    };
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let query = sqlx::query(statement).bind(number).bind(checkpoint.note.as_bytes());
    let made = match query.execute(&mut *transaction).await.map_err(failure) {
        Ok(done) if done.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(ErrorKind::Conflict.into()),
        Err(error) => Err(error),
    };
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}
