//! The lines of a keyring's KEKs. [`keyring_format`](crate::keyring_format) has what stands around them.

use std::collections::HashSet;

use tokenkeep_core::{Kek, KekId};
use zeroize::Zeroizing;

use crate::KeyringError;
use crate::keyring_keks::{Held, Keks, StoredKek};

const PRIMARY: &[u8] = b"primary";
const OPEN_ONLY: &[u8] = b"open-only";
const BESIDE: &[u8] = b"beside";
const DESTROYED: &[u8] = b"destroyed";
const KEY_HEX: usize = 2 * Kek::LEN;
/// `u64::MAX` has 20 digits. A destroyed KEK has a second date in the key's place, which is shorter.
const MAX_LINE: usize = "kek ".len() + 2 * KekId::MAX_LEN + " open-only ".len() + 20 + 1 + KEY_HEX + 1;

impl Keks {
    /// `before` lines stand before these.
    pub(crate) fn from_lines(text: &[u8], before: usize) -> Result<Self, KeyringError> {
        let (mut all, mut primary, mut ids) = (Vec::new(), None, HashSet::new());
        for (index, text) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let line = before + index + 1;
            let (kek, is_primary) = parse_line(text).ok_or(KeyringError::Malformed { line })?;
            if !ids.insert(kek.id) {
                return Err(KeyringError::DuplicateKek { line });
            }
            if is_primary && primary.replace(index).is_some() {
                return Err(KeyringError::TwoPrimaries { line });
            }
            all.push(kek);
        }
        let primary = primary.ok_or(KeyringError::NoPrimary)?;
        Ok(Self { all, primary })
    }

    pub(crate) fn to_lines(&self) -> Zeroizing<Vec<u8>> {
        let most = self.all.len() * MAX_LINE;
        // All that it will ever need: a buffer that grows leaves its old block behind.
        let mut text = Zeroizing::new(Vec::with_capacity(most));
        for (index, stored) in self.all.iter().enumerate() {
            let state = match &stored.held {
                Held::Destroyed { .. } => DESTROYED,
                _ if index == self.primary => PRIMARY,
                Held::InTurn(_) => OPEN_ONLY,
                Held::Beside(_) => BESIDE,
            };
            text.extend_from_slice(b"kek ");
            push_hex(&mut text, stored.id.as_bytes());
            text.push(b' ');
            text.extend_from_slice(state);
            text.push(b' ');
            text.extend_from_slice(stored.made.to_string().as_bytes());
            text.push(b' ');
            match &stored.held {
                Held::InTurn(kek) | Held::Beside(kek) => push_hex(&mut text, kek.expose_secret()),
                Held::Destroyed { at } => text.extend_from_slice(at.to_string().as_bytes()),
            }
            text.push(b'\n');
        }
        debug_assert!(text.len() <= most);
        text
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
    let state = fields.next()?;
    let made = parse_number(fields.next()?)?;
    let last = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    let held = match state {
        PRIMARY | OPEN_ONLY => Held::InTurn(parse_key(id, last)?),
        BESIDE => Held::Beside(parse_key(id, last)?),
        DESTROYED => Held::Destroyed { at: parse_number(last)? },
        _ => return None,
    };
    Some((StoredKek { id, made, held }, state == PRIMARY))
}

fn parse_key(id: KekId, hex: &[u8]) -> Option<Box<Kek>> {
    let hex: &[u8; KEY_HEX] = hex.try_into().ok()?;
    let mut bytes = Zeroizing::new([0; Kek::LEN]);
    base16ct::lower::decode(hex, &mut *bytes).ok()?;
    Some(Box::new(Kek::from_bytes(id, &bytes)))
}

/// A decimal number in its one spelling.
pub(crate) fn parse_number(digits: &[u8]) -> Option<u64> {
    let spelled_once = match digits {
        [b'0'] => true,
        [b'0', ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    if spelled_once { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// Within the capacity that the caller reserved, if it is a key.
pub(crate) fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let start = text.len();
    text.resize(start + 2 * bytes.len(), 0);
    // It fails only for a destination that is too short.
    let _ = base16ct::lower::encode(bytes, &mut text[start..]);
}
