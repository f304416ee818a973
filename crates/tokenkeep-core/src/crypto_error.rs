//! What sealing and opening can fail with. None of these holds a secret or a part of the input.

use thiserror::Error;

/// The operating system gave no random bytes. Nothing was sealed; try again, and look at the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the operating system's random generator is unavailable; nothing was sealed")]
pub struct RandomUnavailable;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// See [`RandomUnavailable`].
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    /// The payload is over [`MAX_PAYLOAD`](crate::MAX_PAYLOAD) bytes: the caller's fault.
    #[error("the payload is over 16 KiB; nothing was sealed")]
    PayloadTooLong,
    /// The key provider returned a wrapped DEK of 0 or over 65,535 bytes: the provider's fault.
    #[error("the key provider returned a wrapped key of an impossible length; nothing was sealed")]
    WrappedDekLength,
}

/// Why bytes are no envelope. The bytes are the fault of whoever stored them; they are not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before a field does.
    #[error("the envelope is truncated")]
    Truncated,
    /// The first byte names a version that this code doesn't know: a newer tokenkeep wrote it.
    #[error("the envelope has an unknown version; a newer tokenkeep may have written it")]
    UnknownVersion,
    /// The second byte names a suite that this code doesn't know.
    #[error("the envelope has an unknown suite; a newer tokenkeep may have written it")]
    UnknownSuite,
    /// A length field is outside what the format allows.
    #[error("a length in the envelope is outside what the format allows")]
    Length,
}

/// Why an envelope did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes are no envelope.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The key, the context or the bytes are not those that were sealed. Which of them is not told.
    #[error("the envelope does not open with this key and context")]
    Rejected,
    /// The given KEK is not the one that the envelope names.
    #[error("the envelope was sealed under another key-encryption key")]
    OtherKek,
}
