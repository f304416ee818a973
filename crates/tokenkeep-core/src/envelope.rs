//! The envelope's bytes, version 1.
//!
//! `version u8 = 1 | suite u8 = 1 | KEK id: u8 length, bytes | wrapped DEK: u16 length, bytes | nonce 24 | ciphertext |
//! tag 16 | commitment 32`; numbers are big-endian. With a local KEK it has 181 bytes and the KEK id's over its payload.

use alloc::vec::Vec;
use core::fmt;

use crate::suite::{NONCE, OVERHEAD};
use crate::{DecodeError, EncryptionContext, KekId, UnwrapRequest, WrappedDek};

pub(crate) const VERSION: u8 = 1;
pub(crate) const SUITE: u8 = 1;

/// The most bytes that a payload has: 16 KiB.
pub const MAX_PAYLOAD: usize = 16 * 1024;

/// A sealed payload: bytes that are safe to store, whose every length was checked.
///
/// That it decodes says nothing about who made it; only opening does.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    kek: KekId,
    /// Where the wrapped DEK begins, and where it ends and the nonce begins.
    wrapped_start: usize,
    wrapped_end: usize,
}

impl Envelope {
    /// Takes stored bytes and checks their form.
    ///
    /// # Errors
    /// [`DecodeError`] says which rule they break.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes: &bytes, at: 0 };
        if reader.byte()? != VERSION {
            return Err(DecodeError::UnknownVersion);
        }
        if reader.byte()? != SUITE {
            return Err(DecodeError::UnknownSuite);
        }
        let kek_length = usize::from(reader.byte()?);
        if kek_length == 0 || kek_length > KekId::MAX_LEN {
            return Err(DecodeError::Length);
        }
        let kek = KekId::from_slice(reader.take(kek_length)?).map_err(|_| DecodeError::Length)?;
        let wrapped_length = usize::from(u16::from_be_bytes([reader.byte()?, reader.byte()?]));
        if wrapped_length == 0 {
            return Err(DecodeError::Length);
        }
        let wrapped_start = reader.at;
        reader.take(wrapped_length)?;
        let wrapped_end = reader.at;
        let rest = bytes.len() - wrapped_end;
        if rest < NONCE + OVERHEAD {
            return Err(DecodeError::Truncated);
        }
        if rest - NONCE - OVERHEAD > MAX_PAYLOAD {
            return Err(DecodeError::Length);
        }
        Ok(Self { bytes, kek, wrapped_start, wrapped_end })
    }

    /// All before the nonce, with room for `rest` bytes more: one allocation for the whole envelope.
    pub(crate) fn start(wrapped: &WrappedDek, rest: usize) -> Vec<u8> {
        let (id, dek) = (wrapped.kek().as_bytes(), wrapped.as_bytes());
        let mut bytes = Vec::with_capacity(2 + 1 + id.len() + 2 + dek.len() + rest);
        bytes.extend_from_slice(&[VERSION, SUITE, id.len() as u8]);
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&(dek.len() as u16).to_be_bytes());
        bytes.extend_from_slice(dek);
        bytes
    }

    /// The whole envelope, as it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole envelope, as it is stored.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The KEK that it names.
    #[must_use]
    pub fn kek(&self) -> &KekId {
        &self.kek
    }

    /// The wrapped DEK.
    #[must_use]
    pub fn wrapped_dek(&self) -> &[u8] {
        &self.bytes[self.wrapped_start..self.wrapped_end]
    }

    /// The payload's nonce (24 bytes).
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        &self.bytes[self.wrapped_end..self.wrapped_end + NONCE]
    }

    /// The encrypted payload, as long as the payload itself.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.bytes[self.wrapped_end + NONCE..self.bytes.len() - OVERHEAD]
    }

    /// Nonce, ciphertext, tag and commitment: what a rewrap leaves alone.
    pub(crate) fn sealed_payload(&self) -> &[u8] {
        &self.bytes[self.wrapped_end..]
    }

    /// What a key provider needs to recover this envelope's DEK.
    #[must_use]
    pub fn unwrap_request<'a>(&'a self, context: &'a EncryptionContext) -> UnwrapRequest<'a> {
        UnwrapRequest::new(self.kek, self.wrapped_dek(), context)
    }

    /// The same payload with its DEK under another KEK: not one byte of the payload changes.
    ///
    /// `wrapped` must hold this envelope's DEK, wrapped for its context. Nothing can check that here, and an envelope with
    /// another one never opens: keep the old envelope until the new one was unwrapped.
    #[must_use]
    pub fn with_wrapped_dek(&self, wrapped: &WrappedDek) -> Self {
        let sealed = self.sealed_payload();
        let mut bytes = Self::start(wrapped, sealed.len());
        bytes.extend_from_slice(sealed);
        let wrapped_end = bytes.len() - sealed.len();
        Self {
            bytes,
            kek: *wrapped.kek(),
            wrapped_start: wrapped_end - wrapped.as_bytes().len(),
            wrapped_end,
        }
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("kek", &self.kek)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length).ok_or(DecodeError::Length)?;
        let slice = self.bytes.get(self.at..end).ok_or(DecodeError::Truncated)?;
        self.at = end;
        Ok(slice)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }
}
