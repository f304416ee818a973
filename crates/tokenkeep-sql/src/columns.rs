//! Between the values of columns and tokenkeep's types, for any database. What does not parse was altered, and the
//! error says which column, never what is in it.

use std::str::FromStr;

use sqlx::{ColumnIndex, Database, Decode, Row, Type};
use tokenkeep_core::{Error, ErrorKind, KekId, PayloadKind, VaultKeyPurpose};

pub(crate) fn tampered(detail: &'static str) -> Error {
    Error::new(ErrorKind::Tampered).because(detail)
}

/// A row's values by their column's name, in the few types that are kept.
pub(crate) trait Columns {
    fn integer(&self, column: &'static str) -> Result<i64, Error>;
    fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, Error>;
    fn text(&self, column: &'static str) -> Result<&str, Error>;
    fn optional_text(&self, column: &'static str) -> Result<Option<&str>, Error>;
    fn bytes(&self, column: &'static str) -> Result<&[u8], Error>;
    fn optional_bytes(&self, column: &'static str) -> Result<Option<&[u8]>, Error>;
}

/// A value that a database gives out as this type.
trait Kept<'r, D: Database>: Decode<'r, D> + Type<D> {}
impl<'r, D: Database, T: Decode<'r, D> + Type<D>> Kept<'r, D> for T {}

impl<R: Row> Columns for R
where
    &'static str: ColumnIndex<R>,
    for<'r> i64: Kept<'r, R::Database>,
    for<'r> &'r str: Kept<'r, R::Database>,
    for<'r> &'r [u8]: Kept<'r, R::Database>,
    for<'r> Option<i64>: Kept<'r, R::Database>,
    for<'r> Option<&'r str>: Kept<'r, R::Database>,
    for<'r> Option<&'r [u8]>: Kept<'r, R::Database>,
{
    fn integer(&self, column: &'static str) -> Result<i64, Error> {
        self.try_get(column).map_err(unreadable)
    }

    fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, Error> {
        self.try_get(column).map_err(unreadable)
    }

    fn text(&self, column: &'static str) -> Result<&str, Error> {
        self.try_get(column).map_err(unreadable)
    }

    fn optional_text(&self, column: &'static str) -> Result<Option<&str>, Error> {
        self.try_get(column).map_err(unreadable)
    }

    fn bytes(&self, column: &'static str) -> Result<&[u8], Error> {
        self.try_get(column).map_err(unreadable)
    }

    fn optional_bytes(&self, column: &'static str) -> Result<Option<&[u8]>, Error> {
        self.try_get(column).map_err(unreadable)
    }
}

/// sqlx's error is not kept: it may say what was found.
fn unreadable(_: sqlx::Error) -> Error {
    tampered("a column in the database holds what can't be in it")
}

/// SQL has no unsigned numbers.
pub(crate) fn to_signed(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::new(ErrorKind::Internal).because("a counter is beyond 2^63 - 1"))
}

pub(crate) fn to_unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| tampered("a counter in the database is negative"))
}

pub(crate) fn parsed<T: FromStr>(text: &str, detail: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| tampered(detail))
}

pub(crate) fn array<const N: usize>(bytes: &[u8], detail: &'static str) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| tampered(detail))
}

pub(crate) fn kek_id(bytes: &[u8]) -> Result<KekId, Error> {
    KekId::from_slice(bytes).map_err(|_| tampered("a KEK id in the database has no right length"))
}

pub(crate) fn payload_kind(number: i64) -> Result<PayloadKind, Error> {
    let known = u8::try_from(number).ok().and_then(PayloadKind::from_number);
    known.ok_or_else(|| tampered("a payload's kind in the database is unknown"))
}

pub(crate) fn purpose(name: &str) -> Result<VaultKeyPurpose, Error> {
    VaultKeyPurpose::from_name(name)
        .ok_or_else(|| tampered("a vault key in the database has an unknown purpose"))
}
