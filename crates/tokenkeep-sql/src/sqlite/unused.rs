//! Slots that no record has: what a row held that was removed, or led elsewhere, behind the vault's back.
//!
//! Only a record that replaces one that was tampered with leaves such slots. Which they are takes a look at all records, seconds
//! where there are a million. So its commit only notes that there may be some. Behind it, a scrub looks for them without a lock,
//! and wipes them a few at a time.

use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokenkeep_core::Error;

use super::failure::failure;

/// How many slots one transaction wipes: commits wait for it, some milliseconds.
const PAGE: usize = 128;

/// How long it leaves the lock to others in between: SQLite gives it to whoever asks first, and those that wait look again
/// after pauses of their own.
const PAUSE: Duration = Duration::from_millis(10);

/// How many slots one scrub wipes.
const MOST: usize = 64 * PAGE;

/// In the commit that may leave some.
pub(crate) async fn note(db: &mut SqliteConnection) -> Result<(), Error> {
    const NOTE: &str = "INSERT INTO tokenkeep_unused (only_one, noted, wiped) VALUES (1, 1, 0) \
        ON CONFLICT (only_one) DO UPDATE SET noted = noted + 1";
    sqlx::query(NOTE).execute(db).await.map_err(failure)?;
    Ok(())
}

async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, Error> {
    writer.begin_with("BEGIN IMMEDIATE").await.map_err(failure)
}

/// Wipes those that were noted; `false` when some are left to the next time.
pub(crate) async fn wipe(readers: &SqlitePool, writer: &SqlitePool) -> Result<bool, Error> {
    const NOTED: &str = "SELECT noted FROM tokenkeep_unused WHERE noted > wiped";
    // What one look sees without a record never gets one again: a new record appends a slot.
    const UNUSED: &str = "SELECT slot FROM tokenkeep_sealed \
        WHERE slot NOT IN (SELECT slot FROM tokenkeep_connection WHERE slot IS NOT NULL) \
        AND bytes <> zeroblob(length(bytes)) LIMIT $1";
    let noted: Option<i64> = sqlx::query_scalar(NOTED).fetch_optional(readers).await.map_err(failure)?;
    let Some(noted) = noted else { return Ok(true) };
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let slots: Vec<i64> = sqlx::query_scalar(UNUSED).bind(most).fetch_all(readers).await.map_err(failure)?;
    for page in slots.chunks(PAGE) {
        let mut transaction = begin(writer).await?;
        for slot in page {
            sqlx::query("UPDATE tokenkeep_sealed SET bytes = zeroblob(length(bytes)) WHERE slot = $1")
                .bind(slot)
                .execute(&mut *transaction)
                .await
                .map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)?;
        tokio::time::sleep(PAUSE).await;
    }
    if slots.len() == MOST {
        return Ok(false);
    }
    let mut transaction = begin(writer).await?;
    sqlx::query("UPDATE tokenkeep_unused SET wiped = max(wiped, $1)")
        .bind(noted)
        .execute(&mut *transaction)
        .await
        .map_err(failure)?;
    transaction.commit().await.map_err(failure)?;
    Ok(true)
}
