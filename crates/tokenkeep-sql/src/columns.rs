//! Between the values of columns and tokenkeep's types, for any database. What does not parse was altered, and the
//! error says which column, never what is in it.

use std::str::FromStr;

use tokenkeep_core::{Error, ErrorKind, KekId, PayloadKind, VaultKeyPurpose};

pub(crate) fn tampered(detail: &'static str) -> Error {
    Error::new(ErrorKind::Tampered).because(detail)
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
