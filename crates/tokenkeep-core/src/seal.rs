//! Sealing and opening.

use alloc::boxed::Box;
use core::fmt;

use zeroize::Zeroizing;

use crate::aad::Aad;
use crate::suite::{KEY, NONCE, OVERHEAD};
use crate::{
    ApiToken, Dek, EncryptionContext, Envelope, Kek, MAX_PAYLOAD, OpenError, RandomUnavailable, SealError,
    WrapRequest, WrappedDek, fill_random,
};

/// What a seal draws: DEK, payload nonce, wrap nonce.
const DRAW: usize = KEY + 2 * NONCE;

/// A seal in two steps, for key providers that must be waited for: draw, have the DEK wrapped, finish.
///
/// Sealing a new token, and resealing the same one, are the same thing: a fresh DEK and a fresh payload.
///
/// It wipes the place where it is dropped. It is moved when it is returned and when it is finished, and each move may leave a
/// copy of the DEK behind on the stack; [`seal_token`] moves none.
pub struct SealDraft<'a> {
    context: &'a EncryptionContext,
    dek: Dek,
    nonce: [u8; NONCE],
    wrap_nonce: [u8; NONCE],
}

impl<'a> SealDraft<'a> {
    /// Draws a DEK, a payload nonce and a wrap nonce: 80 bytes, in one draw.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the system gives no random bytes.
    pub fn new(context: &'a EncryptionContext) -> Result<Self, RandomUnavailable> {
        let mut draft = Self::empty(context);
        draft.draw()?;
        Ok(draft)
    }

    fn empty(context: &'a EncryptionContext) -> Self {
        Self { context, dek: Dek::from_bytes(&[0; KEY]), nonce: [0; NONCE], wrap_nonce: [0; NONCE] }
    }

    fn draw(&mut self) -> Result<(), RandomUnavailable> {
        let mut drawn = Zeroizing::new([0; DRAW]);
        fill_random(&mut *drawn)?;
        self.fill(&drawn);
        Ok(())
    }

    fn fill(&mut self, drawn: &[u8; DRAW]) {
        self.dek.bytes_mut().copy_from_slice(&drawn[..KEY]);
        self.nonce.copy_from_slice(&drawn[KEY..KEY + NONCE]);
        self.wrap_nonce.copy_from_slice(&drawn[KEY + NONCE..]);
    }

    /// A draft from bytes that were not drawn: DEK 32, payload nonce 24, wrap nonce 24. For test vectors alone: bytes that
    /// are used twice give the DEK's authentication key and both plaintexts away.
    #[cfg(feature = "dangerous-test-vectors")]
    #[must_use]
    pub fn dangerous_from_bytes(context: &'a EncryptionContext, bytes: &[u8; 80]) -> Self {
        let mut draft = Self::empty(context);
        draft.fill(bytes);
        draft
    }

    /// What a key provider needs to wrap the DEK.
    #[must_use]
    pub fn wrap_request(&self) -> WrapRequest<'_> {
        WrapRequest::with_nonce(&self.dek, self.context, self.wrap_nonce)
    }

    /// Encrypts the payload and puts the envelope together. The draft is used up, so that its nonce meets one payload.
    ///
    /// `wrapped` must come from this draft's [`wrap_request`](Self::wrap_request). Nothing can check that here, and an
    /// envelope with another draft's DEK never opens.
    ///
    /// # Errors
    /// [`SealError::PayloadTooLong`] for a payload over [`MAX_PAYLOAD`] bytes.
    pub fn finish(self, payload: &[u8], wrapped: &WrappedDek) -> Result<Envelope, SealError> {
        self.envelope(payload, wrapped)
    }

    fn envelope(&self, payload: &[u8], wrapped: &WrappedDek) -> Result<Envelope, SealError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(SealError::PayloadTooLong);
        }
        let mut bytes = Envelope::start(wrapped, NONCE + payload.len() + OVERHEAD);
        bytes.extend_from_slice(&self.nonce);
        let start = bytes.len();
        // Within the capacity that `start` reserved: the plaintext is never left behind in a block that grew.
        bytes.extend_from_slice(payload);
        let aad = Aad::of_payload(self.context);
        let trailer = self.dek.suite().encrypt(&self.nonce, aad.as_bytes(), &mut bytes[start..]);
        bytes.extend_from_slice(&trailer);
        Envelope::decode(bytes).map_err(|_| SealError::WrappedDekLength)
    }
}

impl fmt::Debug for SealDraft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealDraft").finish_non_exhaustive()
    }
}

/// Recovers a payload with its unwrapped DEK. The returned bytes wipe themselves.
///
/// # Errors
/// [`OpenError::Rejected`] when key, context or bytes are not those that were sealed.
pub fn open_payload(
    envelope: &Envelope,
    dek: &Dek,
    context: &EncryptionContext,
) -> Result<Zeroizing<Box<[u8]>>, OpenError> {
    let (nonce, rest) = envelope.sealed_payload().split_first_chunk::<NONCE>().ok_or(OpenError::Rejected)?;
    let (ciphertext, trailer) = rest.split_last_chunk::<OVERHEAD>().ok_or(OpenError::Rejected)?;
    let mut payload: Zeroizing<Box<[u8]>> = Zeroizing::new(ciphertext.into());
    let aad = Aad::of_payload(context);
    if dek.suite().decrypt(nonce, aad.as_bytes(), &mut payload, trailer) {
        Ok(payload)
    } else {
        Err(OpenError::Rejected)
    }
}

/// Seals a token under a KEK of this process.
///
/// # Errors
/// [`SealError::Random`] when the system gives no random bytes.
pub fn seal_token(kek: &Kek, context: &EncryptionContext, token: &ApiToken) -> Result<Envelope, SealError> {
    // Filled where it stands: a draft that is returned or moved leaves its DEK behind on the stack.
    let mut draft = SealDraft::empty(context);
    draft.draw()?;
    let wrapped = draft.wrap_request().wrap_with(kek);
    draft.envelope(token.expose_secret().as_bytes(), &wrapped)
}

/// Opens a token under a KEK of this process.
///
/// # Errors
/// [`OpenError::OtherKek`] when the envelope names another KEK; [`OpenError::Rejected`] when key, context or bytes are
/// not those that were sealed, or the payload is no token.
pub fn open_token(
    kek: &Kek,
    context: &EncryptionContext,
    envelope: &Envelope,
) -> Result<ApiToken, OpenError> {
    let dek = envelope.unwrap_request(context).unwrap_with(kek)?;
    ApiToken::open(envelope, &dek, context)
}

impl ApiToken {
    /// Recovers a token with its unwrapped DEK.
    ///
    /// # Errors
    /// [`OpenError::Rejected`] when key, context or bytes are not those that were sealed, or the payload is no token.
    pub fn open(envelope: &Envelope, dek: &Dek, context: &EncryptionContext) -> Result<Self, OpenError> {
        Self::from_payload(open_payload(envelope, dek, context)?).ok_or(OpenError::Rejected)
    }
}
