//! The keyring's text, version 2, and that of its escrow copy, version 1.
//!
//! ```text
//! tokenkeep-keyring 2
//! kek <id: 2 to 58 hex digits> <primary|open-only|beside> <made> <key: 64 hex digits>
//! kek <id> destroyed <made> <destroyed>
//! end <SHA-256 of all lines before this one: 64 hex digits>
//! ```
//!
//! One `kek` line for each key, oldest first; exactly one is primary. `open-only` was primary once, `beside` never is. Times are
//! in seconds since 1970. Hex is lower case, numbers have no leading zero, one space parts two fields and every line
//! ends with one line feed, so that a keyring has one spelling. The sum notices slips and cuts; it is no proof of who wrote the file.
//!
//! With a passphrase, the `kek` lines are sealed as a whole, so that neither keys nor ids nor their number are seen:
//!
//! ```text
//! tokenkeep-keyring 2 argon2id <memory in KiB> <passes> <lanes> <salt: 32 hex digits>
//! sealed <nonce, ciphertext of the kek lines, tag and commitment in hex>
//! end <SHA-256 of all lines before this one>
//! ```
//!
//! The key is Argon2id's (RFC 9106, version 0x13, 32 bytes, no secret, no associated data), the seal `tokenkeep_core::seal_keyring`
//! with the first line, line feed included, as its header: KC-XAES-256-GCM with the associated data
//! `00 11 ‖ "tokenkeep keyring" ‖ 01 01 ‖ header`. An escrow copy is the same with `tokenkeep-escrow 1` in front: neither
//! opens in the place of the other. `vectors/` has one of each, made without this code.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::KeyringError;
use crate::keyring_keks::Keks;
use crate::keyring_lines::{parse_number, push_hex};
use crate::passphrase::{Derivation, SealingKey};

/// The most bytes that a keyring file has.
pub(crate) const MAX_FILE: usize = 1024 * 1024;

const KEYRING: &[u8] = b"tokenkeep-keyring 2";
const ESCROW: &[u8] = b"tokenkeep-escrow 1";
const ARGON2ID: &[u8] = b" argon2id ";
const SEALED: &[u8] = b"sealed ";
const SUM_HEX: usize = 64;
const END_LINE: usize = "end ".len() + SUM_HEX + 1;

/// What a text is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Keyring,
    Escrow,
}

/// A keyring's text that was read.
pub(crate) enum Text {
    Plain(Keks),
    Sealed(SealedText),
}

/// KEKs under a passphrase.
pub(crate) struct SealedText {
    pub(crate) derivation: Derivation,
    form: Form,
    sealed: Vec<u8>,
}

impl Text {
    /// Checks everything that can be checked without the passphrase.
    pub(crate) fn parse(form: Form, bytes: &[u8]) -> Result<Self, KeyringError> {
        if bytes.len() > MAX_FILE {
            return Err(KeyringError::TooLong);
        }
        let header_length = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
        let (header, rest) = bytes.split_at(header_length);
        let derivation = parse_header(form, header)?;
        let lines = checked_lines(bytes, rest)?;
        let Some(derivation) = derivation else { return Ok(Self::Plain(Keks::from_lines(lines, 1)?)) };
        derivation.check()?;
        let sealed = parse_sealed(lines).ok_or(KeyringError::Malformed { line: 2 })?;
        Ok(Self::Sealed(SealedText { derivation, form, sealed }))
    }
}

impl SealedText {
    /// `None` if the key is not the one, or the text was altered.
    pub(crate) fn open(&self, key: &SealingKey) -> Option<Result<Keks, KeyringError>> {
        let header = header(self.form, Some(&self.derivation));
        let text = tokenkeep_core::open_keyring(key.bytes(), &header, &self.sealed).ok()?;
        // As if it stood where the sealed line stands.
        Some(Keks::from_lines(&text, 1))
    }
}

/// The text of these KEKs, sealed if there is a key. An escrow copy has one.
pub(crate) fn encode(
    form: Form,
    keks: &Keks,
    key: Option<&SealingKey>,
) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let lines = keks.to_lines();
    let header = header(form, key.map(SealingKey::derivation));
    match key {
        None => finish(&header, b"", &lines, false),
        Some(key) => {
            let sealed = tokenkeep_core::seal_keyring(key.bytes(), &header, &lines)?;
            finish(&header, SEALED, &sealed, true)
        }
    }
}

/// Reads a keyring's bytes and writes them again. For fuzzing: what it accepts, it must give back byte by byte.
///
/// # Errors
/// [`KeyringError`] says which rule of the format the bytes break.
pub fn reencode(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    match Text::parse(Form::Keyring, bytes)? {
        Text::Plain(keks) => encode(Form::Keyring, &keks, None),
        Text::Sealed(text) => finish(&header(text.form, Some(&text.derivation)), SEALED, &text.sealed, true),
    }
}

fn finish(header: &[u8], mark: &[u8], body: &[u8], as_hex: bool) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let most = header.len() + mark.len() + 2 * body.len() + 1 + END_LINE;
    // All that it will ever need: a buffer that grows leaves its old block behind.
    let mut text = Zeroizing::new(Vec::with_capacity(most));
    text.extend_from_slice(header);
    text.extend_from_slice(mark);
    if as_hex {
        push_hex(&mut text, body);
        text.push(b'\n');
    } else {
        text.extend_from_slice(body);
    }
    let sum = Sha256::digest(text.as_slice());
    text.extend_from_slice(b"end ");
    push_hex(&mut text, &sum);
    text.push(b'\n');
    debug_assert!(text.len() <= most);
    if text.len() > MAX_FILE { Err(KeyringError::TooLong) } else { Ok(text) }
}

/// The first line with its line feed: what a seal is bound to.
fn header(form: Form, derivation: Option<&Derivation>) -> Vec<u8> {
    let mut text = form.name().to_vec();
    if let Some(Derivation { memory_kib, passes, lanes, salt }) = derivation {
        text.extend_from_slice(ARGON2ID);
        text.extend_from_slice(format!("{memory_kib} {passes} {lanes} ").as_bytes());
        push_hex(&mut text, salt);
    }
    text.push(b'\n');
    text
}

impl Form {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Keyring => KEYRING,
            Self::Escrow => ESCROW,
        }
    }
}

fn parse_header(form: Form, line: &[u8]) -> Result<Option<Derivation>, KeyringError> {
    let name = form.name();
    let Some(rest) = line.strip_prefix(name) else { return Err(wrong_name(form, line)) };
    let Some(rest) = rest.strip_suffix(b"\n") else {
        let begun = rest.starts_with(ARGON2ID) || ARGON2ID.starts_with(rest);
        return Err(if begun { KeyringError::Truncated } else { KeyringError::Malformed { line: 1 } });
    };
    if rest.is_empty() && form == Form::Keyring {
        return Ok(None);
    }
    let derivation = rest.strip_prefix(ARGON2ID).and_then(parse_derivation);
    derivation.map(Some).ok_or_else(|| wrong_name(form, line))
}

fn parse_derivation(fields: &[u8]) -> Option<Derivation> {
    let mut fields = fields.split(|&byte| byte == b' ');
    let mut number = || u32::try_from(parse_number(fields.next()?)?).ok();
    let (memory_kib, passes, lanes) = (number()?, number()?, number()?);
    let mut salt = [0; Derivation::SALT];
    let hex: &[u8; 2 * Derivation::SALT] = fields.next()?.try_into().ok()?;
    base16ct::lower::decode(hex, &mut salt).ok()?;
    fields.next().is_none().then_some(Derivation { memory_kib, passes, lanes, salt })
}

fn wrong_name(form: Form, line: &[u8]) -> KeyringError {
    if form.name().starts_with(line) {
        return KeyringError::Truncated;
    }
    let (ours, other) = match form {
        Form::Keyring => (b"tokenkeep-keyring ".as_slice(), b"tokenkeep-escrow ".as_slice()),
        Form::Escrow => (b"tokenkeep-escrow ".as_slice(), b"tokenkeep-keyring ".as_slice()),
    };
    if line.starts_with(other) {
        return if form == Form::Keyring { KeyringError::IsEscrow } else { KeyringError::NoEscrow };
    }
    let version = line.strip_prefix(ours).map(|rest| rest.strip_suffix(b"\n").unwrap_or(rest));
    let version = version.and_then(|rest| rest.split(|&byte| byte == b' ').next()).and_then(parse_number);
    match version {
        Some(version) if form.version() != version => KeyringError::UnknownVersion,
        _ => KeyringError::Malformed { line: 1 },
    }
}

impl Form {
    fn version(self) -> u64 {
        match self {
            Self::Keyring => 2,
            Self::Escrow => 1,
        }
    }
}

/// What stands between header and end line, once the sum is found right.
fn checked_lines<'a>(whole: &[u8], rest: &'a [u8]) -> Result<&'a [u8], KeyringError> {
    let (lines, end) = rest.split_last_chunk::<END_LINE>().ok_or(KeyringError::Truncated)?;
    let sum = end.strip_prefix(b"end ").and_then(|sum| sum.strip_suffix(b"\n"));
    let sum = sum.ok_or(KeyringError::Truncated)?;
    let mut stated = [0; SUM_HEX / 2];
    base16ct::lower::decode(sum, &mut stated).map_err(|_| KeyringError::Checksum)?;
    let summed = &whole[..whole.len() - END_LINE];
    if Sha256::digest(summed).as_slice() != stated { Err(KeyringError::Checksum) } else { Ok(lines) }
}

fn parse_sealed(line: &[u8]) -> Option<Vec<u8>> {
    base16ct::lower::decode_vec(line.strip_prefix(SEALED)?.strip_suffix(b"\n")?).ok()
}
