//! The slots that sealed bytes are kept in. See `tokenkeep_sealed` in the migrations for why.

use sqlx::SqliteConnection;
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::Sealed;

use super::failure::failure;
use crate::columns::tampered;

const FINGERPRINT: usize = 32;
/// The smallest size class, in bytes; each next one is twice as large. A token of up to 150 bytes fits.
const SMALLEST: usize = 384;

/// A slot that a record has already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) number: i64,
    /// In bytes.
    pub(crate) capacity: usize,
}

/// Puts the bytes into the record's slot, or into a larger new one, and overwrites what was there. Gives the slot that
/// the record has now.
pub(crate) async fn put(
    db: &mut SqliteConnection,
    present: Option<Slot>,
    sealed: Option<&Sealed>,
) -> Result<Option<i64>, Error> {
    let length = sealed.map_or(0, |sealed| FINGERPRINT + sealed.envelope.len());
    let mut bytes = Vec::with_capacity(length);
    if let Some(sealed) = sealed {
        bytes.extend_from_slice(&sealed.fingerprint);
        bytes.extend_from_slice(&sealed.envelope);
    }
    match present {
        Some(slot) if slot.capacity >= length => {
            bytes.resize(slot.capacity, 0);
            overwrite(db, slot.number, bytes).await?;
            Ok(Some(slot.number))
        }
        None if sealed.is_none() => Ok(None),
        outgrown => {
            if let Some(slot) = outgrown {
                overwrite(db, slot.number, vec![0; slot.capacity]).await?;
            }
            bytes.resize(size_class(length), 0);
            append(db, bytes).await.map(Some)
        }
    }
}

fn size_class(length: usize) -> usize {
    let mut class = SMALLEST;
    while class < length {
        class *= 2;
    }
    class
}

/// As long as what it replaces, which is why SQLite writes over it.
async fn overwrite(db: &mut SqliteConnection, slot: i64, bytes: Vec<u8>) -> Result<(), Error> {
    let done = sqlx::query("UPDATE tokenkeep_sealed SET bytes = $1 WHERE slot = $2")
        .bind(bytes)
        .bind(slot)
        .execute(db)
        .await
        .map_err(failure)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(ErrorKind::Internal.into()) }
}

async fn append(db: &mut SqliteConnection, bytes: Vec<u8>) -> Result<i64, Error> {
    let done = sqlx::query("INSERT INTO tokenkeep_sealed (bytes) VALUES ($1)")
        .bind(bytes)
        .execute(db)
        .await
        .map_err(failure)?;
    Ok(done.last_insert_rowid())
}

/// Fingerprint and envelope out of a slot's bytes.
pub(crate) fn split(bytes: &[u8], envelope_length: u64) -> Result<([u8; FINGERPRINT], Vec<u8>), Error> {
    let altered = || tampered("sealed bytes in the database are cut off");
    let (fingerprint, rest) = bytes.split_first_chunk().ok_or_else(altered)?;
    let length = usize::try_from(envelope_length).map_err(|_| altered())?;
    Ok((*fingerprint, rest.get(..length).ok_or_else(altered)?.to_vec()))
}
