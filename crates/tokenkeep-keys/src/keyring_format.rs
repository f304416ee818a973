//! The keyring's text, version 1.
//!
//! ```text
//! tokenkeep-keyring 1
//! kek <id: 2 to 58 hex digits> <primary|open-only> <made, in seconds since 1970> <key: 64 hex digits>
//! end <SHA-256 of all lines before this one: 64 hex digits>
//! ```
//!
//! One `kek` line for each key, oldest first; exactly one is primary. Hex is lower case, numbers have no leading zero,
//! one space parts two fields and every line ends with one line feed, so that a keyring has one spelling. The sum
//! notices slips and cuts; it is no proof of who wrote the file.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tokenkeep_core::{Kek, KekId};
use zeroize::Zeroizing;

use crate::KeyringError;

/// The most bytes that a keyring file has.
pub(crate) const MAX_FILE: usize = 1024 * 1024;

const NAME: &[u8] = b"tokenkeep-keyring ";
const HEADER: &[u8] = b"tokenkeep-keyring 1\n";
const PRIMARY: &[u8] = b"primary";
const OPEN_ONLY: &[u8] = b"open-only";
const KEY_HEX: usize = 2 * Kek::LEN;
const SUM_HEX: usize = 64;
const END_LINE: usize = "end ".len() + SUM_HEX + 1;
/// `u64::MAX` has 20 digits.
const MAX_KEK_LINE: usize = "kek ".len() + 2 * KekId::MAX_LEN + " open-only ".len() + 20 + 1 + KEY_HEX + 1;

/// The KEKs of a keyring; one is primary.
pub(crate) struct Keks {
    /// Oldest first.
    keks: Vec<StoredKek>,
    primary: usize,
}

struct StoredKek {
    /// In a place of its own: a list that grows moves the pointer and leaves no key behind.
    kek: Box<Kek>,
    /// When it was made, in seconds since 1970 UTC.
    created: u64,
}

impl Keks {
    /// A new keyring's one KEK.
    pub(crate) fn generate() -> Result<Self, KeyringError> {
        Ok(Self { keks: vec![StoredKek::generate()?], primary: 0 })
    }

    /// Adds a KEK and makes it primary.
    pub(crate) fn rotate(&mut self) -> Result<KekId, KeyringError> {
        self.keks.push(StoredKek::generate()?);
        self.primary = self.keks.len() - 1;
        Ok(*self.primary().id())
    }

    pub(crate) fn primary(&self) -> &Kek {
        &self.keks[self.primary].kek
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kek> {
        self.keks.iter().map(|stored| &*stored.kek)
    }

    pub(crate) fn find(&self, id: &KekId) -> Option<&Kek> {
        // Newest first: what is opened is mostly new, and there are a handful.
        self.keks.iter().rev().map(|stored| &*stored.kek).find(|kek| kek.id() == id)
    }

    /// Whether every KEK of `other` is here too.
    pub(crate) fn has_all_of(&self, other: &Self) -> bool {
        let ids: HashSet<&KekId> = self.iter().map(Kek::id).collect();
        other.iter().all(|kek| ids.contains(kek.id()))
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, KeyringError> {
        let lines = checked_lines(bytes)?;
        let (mut keks, mut primary, mut ids) = (Vec::new(), None, HashSet::new());
        for (index, text) in lines.split_inclusive(|&byte| byte == b'\n').enumerate() {
            // The header is line 1.
            let line = index + 2;
            let (stored, is_primary) = parse_line(text).ok_or(KeyringError::Malformed { line })?;
            if !ids.insert(*stored.kek.id()) {
                return Err(KeyringError::DuplicateKek { line });
            }
            if is_primary && primary.replace(index).is_some() {
                return Err(KeyringError::TwoPrimaries { line });
            }
            keks.push(stored);
        }
        let primary = primary.ok_or(KeyringError::NoPrimary)?;
        Ok(Self { keks, primary })
    }

    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let most = HEADER.len() + self.keks.len() * MAX_KEK_LINE + END_LINE;
        // All that it will ever need: a buffer that grows leaves its old block behind.
        let mut text = Zeroizing::new(Vec::with_capacity(most));
        text.extend_from_slice(HEADER);
        for (index, stored) in self.keks.iter().enumerate() {
            let state = if index == self.primary { PRIMARY } else { OPEN_ONLY };
            text.extend_from_slice(b"kek ");
            push_hex(&mut text, stored.kek.id().as_bytes());
            text.push(b' ');
            text.extend_from_slice(state);
            text.push(b' ');
            text.extend_from_slice(stored.created.to_string().as_bytes());
            text.push(b' ');
            push_hex(&mut text, stored.kek.expose_secret());
            text.push(b'\n');
        }
        let sum = Sha256::digest(text.as_slice());
        text.extend_from_slice(b"end ");
        push_hex(&mut text, &sum);
        text.push(b'\n');
        debug_assert!(text.len() <= most);
        if text.len() > MAX_FILE { Err(KeyringError::TooLong) } else { Ok(text) }
    }
}

impl StoredKek {
    fn generate() -> Result<Self, KeyringError> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { kek: Box::new(Kek::generate()?), created: since_1970.as_secs() })
    }
}

/// Reads a keyring's bytes and writes them again. For fuzzing: what it accepts, it must give back byte by byte.
///
/// # Errors
/// [`KeyringError`] says which rule of the format the bytes break.
pub fn reencode(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    Keks::parse(bytes)?.encode()
}

/// What stands between header and end line, once the sum is found right.
fn checked_lines(bytes: &[u8]) -> Result<&[u8], KeyringError> {
    if bytes.len() > MAX_FILE {
        return Err(KeyringError::TooLong);
    }
    let rest = bytes.strip_prefix(HEADER).ok_or_else(|| wrong_header(bytes))?;
    let (lines, end) = rest.split_last_chunk::<END_LINE>().ok_or(KeyringError::Truncated)?;
    let sum = end.strip_prefix(b"end ").and_then(|sum| sum.strip_suffix(b"\n"));
    let sum = sum.ok_or(KeyringError::Truncated)?;
    let mut stated = [0; SUM_HEX / 2];
    base16ct::lower::decode(sum, &mut stated).map_err(|_| KeyringError::Checksum)?;
    let summed = &bytes[..HEADER.len() + lines.len()];
    if Sha256::digest(summed).as_slice() != stated { Err(KeyringError::Checksum) } else { Ok(lines) }
}

fn wrong_header(bytes: &[u8]) -> KeyringError {
    if HEADER.starts_with(bytes) {
        return KeyringError::Truncated;
    }
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    match first.strip_prefix(NAME).and_then(parse_number) {
        Some(_) => KeyringError::UnknownVersion,
        None => KeyringError::Malformed { line: 1 },
    }
}

/// One `kek` line with its line feed, and whether it is primary.
fn parse_line(line: &[u8]) -> Option<(StoredKek, bool)> {
    let mut fields = line.strip_suffix(b"\n")?.split(|&byte| byte == b' ');
    if fields.next()? != b"kek" {
        return None;
    }
    let mut id = [0; KekId::MAX_LEN];
    let id = KekId::from_slice(base16ct::lower::decode(fields.next()?, &mut id).ok()?).ok()?;
    let is_primary = match fields.next()? {
        PRIMARY => true,
        OPEN_ONLY => false,
        _ => return None,
    };
    let created = parse_number(fields.next()?)?;
    let key: &[u8; KEY_HEX] = fields.next()?.try_into().ok()?;
    if fields.next().is_some() {
        return None;
    }
    let mut bytes = Zeroizing::new([0; Kek::LEN]);
    base16ct::lower::decode(key, &mut *bytes).ok()?;
    Some((StoredKek { kek: Box::new(Kek::from_bytes(id, &bytes)), created }, is_primary))
}

/// A decimal number in its one spelling.
fn parse_number(digits: &[u8]) -> Option<u64> {
    let spelled_once = match digits {
        [b'0'] => true,
        [b'0', ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    if spelled_once { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let start = text.len();
    text.resize(start + 2 * bytes.len(), 0);
    // It fails only for a destination that is too short.
    let _ = base16ct::lower::encode(bytes, &mut text[start..]);
}
