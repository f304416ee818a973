//! The vault's own rows, and closed KEKs, inside a transaction that holds the lock on the database.

use sqlx::{Executor, Sqlite, SqliteConnection};
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_store::{KekClosure, Timestamp, VaultRecord};

use super::failure::failure;
use super::rows::VAULT;
use crate::rows;

/// What a vault leaves in the database, should its own row be lost.
const IN_USE: &str = "SELECT EXISTS (SELECT 1 FROM tokenkeep_connection) OR EXISTS (SELECT 1 FROM tokenkeep_audit) \
    OR EXISTS (SELECT 1 FROM tokenkeep_audit_head) OR EXISTS (SELECT 1 FROM tokenkeep_vault_key) \
    OR EXISTS (SELECT 1 FROM tokenkeep_checkpoint)";

/// In a database that holds no vault.
pub(crate) async fn put(db: &mut SqliteConnection, vault: &VaultRecord) -> Result<(), Error> {
    if sqlx::query_scalar(IN_USE).fetch_one(&mut *db).await.map_err(failure)? {
        return Err(Error::new(ErrorKind::StoreUnusable).because("its vault is missing, its records are not"));
    }
    sqlx::query("INSERT INTO tokenkeep_vault (only_one, id) VALUES (1, $1)")
        .bind(&vault.id.as_bytes()[..])
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    for (purpose, envelope) in &vault.keys {
        sqlx::query("INSERT INTO tokenkeep_vault_key (purpose, envelope) VALUES ($1, $2)")
            .bind(purpose.name())
            .bind(&envelope[..])
            .execute(&mut *db)
            .await
            .map_err(failure)?;
    }
    Ok(())
}

/// Other envelopes of the same keys.
pub(crate) async fn rewrap(
    db: &mut SqliteConnection,
    before: &VaultRecord,
    after: &VaultRecord,
    kek: &KekId,
) -> Result<(), Error> {
    let found = sqlx::query(VAULT).fetch_all(&mut *db).await.map_err(failure)?;
    if rows::vault(&found)?.as_ref() != Some(before) || closure(&mut *db, kek).await?.is_some() {
        return Err(ErrorKind::Conflict.into());
    }
    for (purpose, envelope) in &after.keys {
        sqlx::query("UPDATE tokenkeep_vault_key SET envelope = $2 WHERE purpose = $1")
            .bind(purpose.name())
            .bind(&envelope[..])
            .execute(&mut *db)
            .await
            .map_err(failure)?;
    }
    Ok(())
}

pub(crate) async fn close_kek(
    db: &mut SqliteConnection,
    kek: &KekId,
    now: Timestamp,
) -> Result<KekClosure, Error> {
    if let Some(closure) = closure(&mut *db, kek).await? {
        return Ok(closure);
    }
    sqlx::query("INSERT INTO tokenkeep_closed_kek (kek, closed_at) VALUES ($1, $2)")
        .bind(kek.as_bytes())
        .bind(now.as_millis())
        .execute(db)
        .await
        .map_err(failure)?;
    Ok(KekClosure { closed_at: now, drained_at: None })
}

pub(crate) async fn note_drained(
    db: &mut SqliteConnection,
    kek: &KekId,
    now: Option<Timestamp>,
) -> Result<KekClosure, Error> {
    const NOTE: &str = "UPDATE tokenkeep_closed_kek \
        SET drained_at = CASE WHEN $2 IS NULL THEN NULL ELSE coalesce(drained_at, $2) END WHERE kek = $1";
    let query = sqlx::query(NOTE).bind(kek.as_bytes()).bind(now.map(Timestamp::as_millis));
    query.execute(&mut *db).await.map_err(failure)?;
    closure(&mut *db, kek).await?.ok_or_else(|| ErrorKind::Conflict.into())
}

pub(crate) async fn closure(
    db: impl Executor<'_, Database = Sqlite>,
    kek: &KekId,
) -> Result<Option<KekClosure>, Error> {
    let row = sqlx::query("SELECT closed_at, drained_at FROM tokenkeep_closed_kek WHERE kek = $1")
        .bind(kek.as_bytes())
        .fetch_optional(db)
        .await
        .map_err(failure)?;
    row.as_ref().map(rows::kek_closure).transpose()
}
