//! Leases: of the hooks that run after a disconnect, and of the question to the provider.

use sqlx::{Connection, PgConnection, PgPool};
use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{ProbeLease, PurgeLease};

use super::borrowed::{BEGIN, Borrowed};
use super::failure::failure;
use crate::rows;

pub(crate) async fn lease(pool: &PgPool, id: &ConnectionId, asked: &PurgeLease) -> Result<bool, Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let made = take(&mut transaction, id, asked).await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

/// Looks once the row is locked, and goes by the primary key alone.
async fn take(db: &mut PgConnection, id: &ConnectionId, asked: &PurgeLease) -> Result<bool, Error> {
    let found = sqlx::query(
        "SELECT status, lease_holder, lease_until FROM tokenkeep.connection WHERE tenant = $1 AND name = $2 FOR UPDATE",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .fetch_optional(&mut *db)
    .await
    .map_err(failure)?;
    let Some(row) = found else { return Ok(false) };
    if !rows::may_lease(&row, asked)? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE tokenkeep.connection SET lease_holder = $3, lease_until = $4 WHERE tenant = $1 AND name = $2",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .bind(&asked.holder[..])
    .bind(asked.until.as_millis())
    .execute(db)
    .await
    .map_err(failure)?;
    Ok(true)
}

pub(crate) async fn lease_probe(pool: &PgPool, id: &ConnectionId, asked: &ProbeLease) -> Result<bool, Error> {
    let mut connection = Borrowed::of(pool).await?;
    let mut transaction = connection.begin_with(BEGIN).await.map_err(failure)?;
    let made = take_probe(&mut transaction, id, asked).await;
    let made = Borrowed::end(transaction, made).await?;
    connection.done();
    made
}

async fn take_probe(db: &mut PgConnection, id: &ConnectionId, asked: &ProbeLease) -> Result<bool, Error> {
    let found = sqlx::query(
        "SELECT kek, incarnation, secret_version, probe_holder, probe_until FROM tokenkeep.connection \
         WHERE tenant = $1 AND name = $2 FOR UPDATE",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .fetch_optional(&mut *db)
    .await
    .map_err(failure)?;
    let Some(row) = found else { return Ok(false) };
    if !rows::may_probe(&row, asked)? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE tokenkeep.connection SET probe_holder = $3, probe_until = $4 WHERE tenant = $1 AND name = $2",
    )
    .bind(id.tenant().as_str())
    .bind(id.name().as_str())
    .bind(&asked.holder[..])
    .bind(asked.until.as_millis())
    .execute(db)
    .await
    .map_err(failure)?;
    Ok(true)
}
