//! The slots that sealed bytes and accounts are kept in. See `tokenkeep_sealed` in the migrations for why and how.

use sqlx::SqliteConnection;
use tokenkeep_core::{Account, Error, ErrorKind};
use tokenkeep_store::Sealed;

use super::failure::failure;
use crate::columns::tampered;
use crate::rows::BAD_ACCOUNT;

const FINGERPRINT: usize = 32;
/// The smallest size class, in bytes; each next one is twice as large. A token of 80 bytes and an account of 58 fit.
const SMALLEST: usize = 384;

/// What a slot holds.
pub(crate) struct Contents<'b> {
    /// Fingerprint and envelope.
    pub(crate) sealed: Option<([u8; FINGERPRINT], &'b [u8])>,
    pub(crate) account: Option<Account>,
}

/// A slot that a record has already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) number: i64,
    /// In bytes.
    pub(crate) capacity: usize,
}

/// Puts both into the record's slot, or into a larger new one, and overwrites what was there. Gives the slot that the
/// record has now.
pub(crate) async fn put(
    db: &mut SqliteConnection,
    present: Option<Slot>,
    sealed: Option<&Sealed>,
    account: Option<&Account>,
) -> Result<Option<i64>, Error> {
    let mut bytes = pack(sealed, account)?;
    let length = bytes.len();
    match present {
        Some(slot) if slot.capacity >= length => {
            bytes.resize(slot.capacity, 0);
            overwrite(db, slot.number, bytes).await?;
            Ok(Some(slot.number))
        }
        None if bytes.is_empty() => Ok(None),
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

/// Whether this is the envelope in the record's slot.
pub(crate) async fn holds(
    db: &mut SqliteConnection,
    slot: Option<Slot>,
    envelope: &[u8],
) -> Result<bool, Error> {
    let Some(slot) = slot else { return Ok(false) };
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM tokenkeep_sealed WHERE slot = $1")
        .bind(slot.number)
        .fetch_one(db)
        .await
        .map_err(failure)?;
    Ok(unpack(&bytes)?.sealed.is_some_and(|(_, present)| present == envelope))
}

/// Without any bytes where there is nothing to keep.
fn pack(sealed: Option<&Sealed>, account: Option<&Account>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    if sealed.is_none() && account.is_none() {
        return Ok(bytes);
    }
    let (fingerprint, envelope) =
        sealed.map_or((&[][..], &[][..]), |sealed| (&sealed.fingerprint, &sealed.envelope));
    let (id, name) = account.map_or(("", ""), |account| (account.id(), account.name()));
    for part in [&[fingerprint, envelope][..], &[id.as_bytes()], &[name.as_bytes()]] {
        let length = part.iter().map(|bytes| bytes.len()).sum::<usize>();
        let length = u32::try_from(length)
            .map_err(|_| Error::new(ErrorKind::Misuse).because("an envelope is longer than 4 GiB"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        part.iter().for_each(|part| bytes.extend_from_slice(part));
    }
    Ok(bytes)
}

pub(crate) fn unpack(mut bytes: &[u8]) -> Result<Contents<'_>, Error> {
    let (sealed, id, name) = (part(&mut bytes)?, part(&mut bytes)?, part(&mut bytes)?);
    let sealed = match sealed.split_first_chunk() {
        Some((fingerprint, envelope)) => Some((*fingerprint, envelope)),
        None if sealed.is_empty() => None,
        None => return Err(cut_off()),
    };
    let account = if id.is_empty() && name.is_empty() { None } else { Some(account(id, name)?) };
    Ok(Contents { sealed, account })
}

fn part<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], Error> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut_off())?;
    let (part, rest) = rest.split_at_checked(length).ok_or_else(cut_off)?;
    *bytes = rest;
    Ok(part)
}

fn cut_off() -> Error {
    tampered("sealed bytes in the database are cut off")
}

fn account(id: &[u8], name: &[u8]) -> Result<Account, Error> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| tampered(BAD_ACCOUNT));
    crate::rows::account(text(id)?, text(name)?)
}
