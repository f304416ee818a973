//! The vault's own rows, and the last checkpoint.

use sqlx::{Connection, PgConnection, PgPool};
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_store::{StoredCheckpoint, VaultRecord};

use super::borrowed::{BEGIN, Borrowed};
use super::closing::closure;
use super::commit::guard_seals;
use super::failure::failure;
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

/// What is there, with nobody changing it until the transaction ends.
async fn locked(db: &mut PgConnection) -> Result<Option<VaultRecord>, Error> {
    sqlx::query("LOCK TABLE tokenkeep.vault IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *db)
        .await
        .map_err(failure)?;
    rows::vault(&sqlx::query(VAULT).fetch_all(db).await.map_err(failure)?)
}

async fn put_vault(db: &mut PgConnection, vault: &VaultRecord) -> Result<VaultRecord, Error> {
    if let Some(present) = locked(db).await? {
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

/// Other envelopes of the same keys.
pub(crate) async fn rewrap(
    pool: &PgPool,
    before: &VaultRecord,
    after: &VaultRecord,
    kek: &KekId,
) -> Result<(), Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let made = put_rewrapped(&mut transaction, before, after, kek).await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

async fn put_rewrapped(
    db: &mut PgConnection,
    before: &VaultRecord,
    after: &VaultRecord,
    kek: &KekId,
) -> Result<(), Error> {
    guard_seals(db, true).await?;
    if locked(db).await?.as_ref() != Some(before) || closure(db, kek).await?.is_some() {
        return Err(ErrorKind::Conflict.into());
    }
    for (purpose, envelope) in &after.keys {
        sqlx::query("UPDATE tokenkeep.vault_key SET envelope = $2 WHERE purpose = $1")
            .bind(purpose.name())
            .bind(&envelope[..])
            .execute(&mut *db)
            .await
            .map_err(failure)?;
    }
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
