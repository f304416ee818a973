//! Protecting a DEK under a KEK: what a key provider is asked, and how one with local KEKs answers.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::aad::Aad;
use crate::suite::{KEY, NONCE, OVERHEAD};
use crate::{Dek, EncryptionContext, Kek, KekId, OpenError, RandomUnavailable, SealError, fill_random};

/// Nonce, encrypted DEK, tag and commitment: what a local KEK makes of a DEK.
pub(crate) const LOCAL_LEN: usize = NONCE + KEY + OVERHEAD;

/// A DEK to wrap, the context to bind it to, and a nonce for a local wrap.
///
/// It is made for one DEK and one context, so that the nonce never meets another plaintext under the same key, nor other
/// associated data, as long as no key is kept under two ids.
pub struct WrapRequest<'a> {
    dek: &'a Dek,
    context: &'a EncryptionContext,
    nonce: [u8; NONCE],
}

impl<'a> WrapRequest<'a> {
    /// A request for a DEK that was just unwrapped, to move it to another KEK. The context must be the one that the DEK was
    /// unwrapped with: what is wrapped for another one never opens.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the system gives no random bytes.
    pub fn for_rewrap(dek: &'a Dek, context: &'a EncryptionContext) -> Result<Self, RandomUnavailable> {
        let mut nonce = [0; NONCE];
        fill_random(&mut nonce)?;
        Ok(Self { dek, context, nonce })
    }

    /// The same request with a nonce of its own, for a provider that hands on a part of a batch.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the system gives no random bytes.
    pub fn anew(&self) -> Result<Self, RandomUnavailable> {
        Self::for_rewrap(self.dek, self.context)
    }

    pub(crate) fn with_nonce(dek: &'a Dek, context: &'a EncryptionContext, nonce: [u8; NONCE]) -> Self {
        Self { dek, context, nonce }
    }

    /// The DEK, for a provider that sends it to a key service.
    #[must_use]
    pub fn dek(&self) -> &Dek {
        self.dek
    }

    /// Whether the DEK protects one of a vault's own keys, not a token: a provider that keeps KEKs of its own for tokens leaves
    /// these to the one below it.
    #[must_use]
    pub fn is_for_vault_key(&self) -> bool {
        self.context.is_vault_key()
    }

    /// SHA-256 of the wrap's associated data under this KEK: what a remote key service is given to bind the DEK to,
    /// so that no tenant's name reaches its logs.
    #[must_use]
    pub fn context_digest(&self, kek: &KekId) -> [u8; 32] {
        context_digest(kek, self.context)
    }

    /// Wraps under a KEK of this process, by the suite.
    #[must_use]
    pub fn wrap_with(&self, kek: &Kek) -> WrappedDek {
        let mut bytes = [0; LOCAL_LEN];
        bytes[..NONCE].copy_from_slice(&self.nonce);
        bytes[NONCE..NONCE + KEY].copy_from_slice(self.dek.expose_secret());
        let aad = Aad::of_wrap(kek.id(), self.context);
        let trailer = kek.suite().encrypt(&self.nonce, aad.as_bytes(), &mut bytes[NONCE..NONCE + KEY]);
        bytes[NONCE + KEY..].copy_from_slice(&trailer);
        WrappedDek { kek: *kek.id(), bytes: WrappedBytes::Local(bytes) }
    }
}

impl fmt::Debug for WrapRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapRequest").finish_non_exhaustive()
    }
}

/// A wrapped DEK to recover.
#[derive(Debug, Clone)]
pub struct UnwrapRequest<'a> {
    kek: KekId,
    wrapped: &'a [u8],
    context: &'a EncryptionContext,
}

impl<'a> UnwrapRequest<'a> {
    pub(crate) fn new(kek: KekId, wrapped: &'a [u8], context: &'a EncryptionContext) -> Self {
        Self { kek, wrapped, context }
    }

    /// The KEK that the envelope names.
    #[must_use]
    pub fn kek(&self) -> &KekId {
        &self.kek
    }

    /// The wrapped DEK, 1 to 65,535 bytes.
    #[must_use]
    pub fn wrapped(&self) -> &[u8] {
        self.wrapped
    }

    /// As [`WrapRequest::context_digest`].
    #[must_use]
    pub fn context_digest(&self) -> [u8; 32] {
        context_digest(&self.kek, self.context)
    }

    /// Unwraps under a KEK of this process, by the suite.
    ///
    /// # Errors
    /// [`OpenError::OtherKek`] when `kek` is not the one that is named; [`OpenError::Rejected`] when key, context or
    /// bytes are not those that were wrapped.
    pub fn unwrap_with(&self, kek: &Kek) -> Result<Dek, OpenError> {
        if kek.id() != &self.kek {
            return Err(OpenError::OtherKek);
        }
        let wrapped: &[u8; LOCAL_LEN] = self.wrapped.try_into().map_err(|_| OpenError::Rejected)?;
        let (nonce, rest) = wrapped.split_first_chunk::<NONCE>().ok_or(OpenError::Rejected)?;
        let (encrypted, trailer) = rest.split_first_chunk::<KEY>().ok_or(OpenError::Rejected)?;
        let trailer: &[u8; OVERHEAD] = trailer.try_into().map_err(|_| OpenError::Rejected)?;
        let mut dek = Zeroizing::new(*encrypted);
        let aad = Aad::of_wrap(&self.kek, self.context);
        if kek.suite().decrypt(nonce, aad.as_bytes(), &mut *dek, trailer) {
            Ok(Dek::from_bytes(&dek))
        } else {
            Err(OpenError::Rejected)
        }
    }
}

fn context_digest(kek: &KekId, context: &EncryptionContext) -> [u8; 32] {
    Sha256::digest(Aad::of_wrap(kek, context).as_bytes()).into()
}

/// A DEK under a KEK: sealed bytes, safe to store.
#[derive(Debug)]
pub struct WrappedDek {
    kek: KekId,
    bytes: WrappedBytes,
}

#[derive(Debug)]
enum WrappedBytes {
    // A local wrap has one length; kept in place, so that a seal allocates for its envelope alone.
    Local([u8; LOCAL_LEN]),
    Remote(Vec<u8>),
}

impl WrappedDek {
    /// What a key service returned for a DEK.
    ///
    /// # Errors
    /// [`SealError::WrappedDekLength`] unless it has 1 to 65,535 bytes.
    pub fn from_service(kek: KekId, bytes: Vec<u8>) -> Result<Self, SealError> {
        if bytes.is_empty() || bytes.len() > usize::from(u16::MAX) {
            return Err(SealError::WrappedDekLength);
        }
        Ok(Self { kek, bytes: WrappedBytes::Remote(bytes) })
    }

    /// The KEK that it is under.
    #[must_use]
    pub fn kek(&self) -> &KekId {
        &self.kek
    }

    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.bytes {
            WrappedBytes::Local(bytes) => bytes,
            WrappedBytes::Remote(bytes) => bytes,
        }
    }
}
