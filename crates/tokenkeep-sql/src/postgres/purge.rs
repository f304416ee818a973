//! The lease of the hooks that run after a disconnect.

use sqlx::{Connection, PgConnection, PgPool};
use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::PurgeLease;

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
