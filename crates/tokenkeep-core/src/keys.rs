//! The two kinds of keys: one that encrypts a token, one that wraps such keys.

use core::fmt;

use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::suite::{KEY, SuiteKey};
use crate::{KekId, RandomUnavailable, fill_random};

/// A data-encryption key: 32 random bytes, fresh for every secret version. It wipes the place where it is dropped, and
/// shows nothing. A move may leave a copy behind on the stack.
///
/// ```compile_fail
/// let dek = tokenkeep_core::Dek::from_bytes(&[0; 32]);
/// let copy = dek.clone();
/// ```
#[derive(ZeroizeOnDrop)]
pub struct Dek([u8; KEY]);

impl Dek {
    /// Its length in bytes.
    pub const LEN: usize = KEY;

    /// The key with these bytes, as a key provider unwrapped them. The caller wipes its own copy.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY]) -> Self {
        Self(*bytes)
    }

    /// The key itself, for a key provider that must send it away to be wrapped.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; KEY] {
        &self.0
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; KEY] {
        &mut self.0
    }

    pub(crate) fn suite(&self) -> SuiteKey {
        SuiteKey::new(&self.0)
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek([hidden])")
    }
}

/// A key-encryption key held in this process, with its id. It keeps its schedule, wipes the place where it is dropped, and
/// shows only its id. A move may leave a copy behind on the stack: put it where it will stay (an `Arc`) when it is made.
///
/// One KEK may wrap at most 2^40 DEKs; whoever holds it counts or bounds that.
///
/// ```compile_fail
/// let kek = tokenkeep_core::Kek::generate().unwrap();
/// let copy = kek.clone();
/// ```
pub struct Kek {
    id: KekId,
    suite: SuiteKey,
    bytes: Zeroizing<[u8; KEY]>,
}

impl Kek {
    /// Its length in bytes.
    pub const LEN: usize = KEY;

    /// Draws a new key and a new id.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the system gives no random bytes.
    pub fn generate() -> Result<Self, RandomUnavailable> {
        let mut bytes = Zeroizing::new([0; KEY]);
        fill_random(&mut *bytes)?;
        Ok(Self::from_bytes(KekId::random()?, &bytes))
    }

    /// The key with this id and these bytes, as a keyring kept them. The caller wipes its own copy.
    ///
    /// Keep the same bytes under one id only: a [`WrapRequest`](crate::WrapRequest) has one nonce, and two ids make two
    /// associated data of it.
    #[must_use]
    pub fn from_bytes(id: KekId, bytes: &[u8; KEY]) -> Self {
        Self { id, suite: SuiteKey::new(bytes), bytes: Zeroizing::new(*bytes) }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &KekId {
        &self.id
    }

    /// The key itself, for a keyring that must write it down.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; KEY] {
        &self.bytes
    }

    pub(crate) fn suite(&self) -> &SuiteKey {
        &self.suite
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kek").field("id", &self.id).finish_non_exhaustive()
    }
}
