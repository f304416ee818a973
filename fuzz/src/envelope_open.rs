//! An envelope opens as the bytes that were sealed, with the key and the context they were sealed with, or not at all.

use std::ops::Range;

use arbitrary::{Arbitrary, Unstructured};
use tokenkeep_core::{DecodeError, Envelope, OpenError, open_payload, open_token};

use crate::sealed::{Record, SEALED, Sealed, TOKEN};

/// The first byte chooses: the rest stands for itself, or is a list of edits of a sealed envelope.
///
/// # Panics
/// When a promise is broken.
pub fn envelope_open(bytes: &[u8]) -> bool {
    let sealed = &*SEALED;
    let Some((&choice, rest)) = bytes.split_first() else { return false };
    let attacked = if choice & 1 == 0 {
        rest.to_vec()
    } else {
        let mut attacked = sealed.records[0].bytes.clone();
        let mut source = Unstructured::new(rest);
        // Few edits: two that meet in one place are what is worth trying, and most of all a single one.
        for _ in 0..8 {
            if source.is_empty() {
                break;
            }
            let Ok(edit) = Edit::arbitrary(&mut source) else { break };
            edit.apply(&mut attacked, &sealed.records);
        }
        attacked
    };
    check(sealed, &attacked)
}

/// Tries the bytes with every key and every context.
fn check(sealed: &Sealed, bytes: &[u8]) -> bool {
    let envelope = match (Envelope::decode(bytes.to_vec()), expected(bytes)) {
        (Ok(envelope), Ok(_)) => envelope,
        (decoded, expected) => {
            assert_eq!(decoded.err(), expected.err(), "refused, and why");
            return false;
        }
    };
    for record in &sealed.records {
        // Without its KEK: the payload by itself is bound too. What a rewrap may change, it does not notice.
        let same_payload = behind_wrapped(bytes) == behind_wrapped(&record.bytes);
        for other in &sealed.records {
            let same_context = std::ptr::eq(record, other);
            match open_payload(&envelope, &record.dek, &other.context) {
                Ok(payload) => {
                    assert!(same_payload && same_context, "a payload opened that is not what was sealed");
                    assert_eq!(&**payload, TOKEN.as_bytes());
                }
                Err(error) => {
                    assert!(!(same_payload && same_context), "a good payload did not open");
                    assert_eq!(error, OpenError::Rejected);
                }
            }
        }

        for kek in [&sealed.kek, &sealed.other_kek, &sealed.same_bytes_other_id, &sealed.same_id_other_bytes]
        {
            let genuine = std::ptr::eq(kek, &sealed.kek) && bytes == record.bytes;
            match open_token(kek, &record.context, &envelope) {
                Ok(token) => {
                    assert!(genuine, "an envelope opened that is not what was sealed");
                    assert_eq!(token.expose_secret(), TOKEN);
                }
                Err(error) => {
                    assert!(!genuine, "a good envelope did not open");
                    let named = envelope.kek() == kek.id();
                    assert_eq!(error, if named { OpenError::Rejected } else { OpenError::OtherKek });
                }
            }
        }
    }
    true
}

/// One change of a sealed envelope.
#[derive(Debug, Arbitrary)]
enum Edit {
    Flip {
        at: u16,
        mask: u8,
    },
    Set {
        at: u16,
        value: u8,
    },
    Insert {
        at: u16,
        value: u8,
    },
    Remove {
        at: u16,
    },
    Truncate {
        to: u16,
    },
    Append {
        value: u8,
    },
    /// Puts a part of a record (which may be the same one) over another place.
    Copy {
        other: bool,
        from: u16,
        to: u16,
        length: u8,
    },
    /// Puts a field of a record over a field of this one, which may be another field and another length.
    Field {
        other: bool,
        from: u8,
        to: u8,
    },
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, records: &[Record; 2]) {
        let length = bytes.len();
        let place = |at: u16| usize::from(at) % length.max(1);
        match *self {
            Self::Flip { at, mask } => {
                bytes.iter_mut().skip(place(at)).take(1).for_each(|byte| *byte ^= mask)
            }
            Self::Set { at, value } => {
                bytes.iter_mut().skip(place(at)).take(1).for_each(|byte| *byte = value)
            }
            Self::Insert { at, value } => bytes.insert(place(at), value),
            Self::Remove { at } if length > 0 => {
                bytes.remove(place(at));
            }
            Self::Remove { .. } => {}
            Self::Truncate { to } => bytes.truncate(usize::from(to)),
            Self::Append { value } => bytes.push(value),
            Self::Copy { other, from, to, length } => {
                let source = &records[usize::from(other)].bytes;
                let from = usize::from(from) % source.len();
                let part = source[from..].iter().take(usize::from(length));
                bytes.iter_mut().skip(place(to)).zip(part).for_each(|(byte, new)| *byte = *new);
            }
            Self::Field { other, from, to } => {
                let source = &records[usize::from(other)].bytes;
                let Ok(target) = expected(bytes) else { return };
                let from = expected(source).expect("it was sealed").field(from);
                bytes.splice(target.field(to), source[from].iter().copied());
            }
        }
    }
}

/// Where the fields of an envelope lie.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) kek: Range<usize>,
    pub(crate) wrapped: Range<usize>,
    pub(crate) nonce: Range<usize>,
    pub(crate) ciphertext: Range<usize>,
    pub(crate) tag: Range<usize>,
    pub(crate) commitment: Range<usize>,
}

impl Layout {
    fn field(&self, number: u8) -> Range<usize> {
        let fields = [&self.kek, &self.wrapped, &self.nonce, &self.ciphertext, &self.tag, &self.commitment];
        fields[usize::from(number) % fields.len()].clone()
    }
}

/// What FORMAT.md says of these bytes, written from it and not from the decoder.
pub(crate) fn expected(bytes: &[u8]) -> Result<Layout, DecodeError> {
    let at = |index: usize| bytes.get(index).copied().map(usize::from).ok_or(DecodeError::Truncated);
    if at(0)? != 1 {
        return Err(DecodeError::UnknownVersion);
    }
    if at(1)? != 1 {
        return Err(DecodeError::UnknownSuite);
    }
    let kek = 3..3 + at(2)?;
    if !(1..=29).contains(&kek.len()) {
        return Err(DecodeError::Length);
    }
    if bytes.len() < kek.end {
        return Err(DecodeError::Truncated);
    }
    let wrapped = kek.end + 2..kek.end + 2 + (at(kek.end)? << 8 | at(kek.end + 1)?);
    if wrapped.is_empty() {
        return Err(DecodeError::Length);
    }
    let nonce = wrapped.end..wrapped.end + 24;
    let Some(tag) = bytes.len().checked_sub(48).filter(|tag| *tag >= nonce.end) else {
        return Err(DecodeError::Truncated);
    };
    let ciphertext = nonce.end..tag;
    if ciphertext.len() > 16_384 {
        return Err(DecodeError::Length);
    }
    Ok(Layout { kek, wrapped, nonce, ciphertext, tag: tag..tag + 16, commitment: tag + 16..bytes.len() })
}

/// What a rewrap leaves alone.
fn behind_wrapped(bytes: &[u8]) -> &[u8] {
    let layout = expected(bytes).expect("it decoded");
    &bytes[layout.wrapped.end..]
}
