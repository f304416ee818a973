//! A passphrase, and the key that Argon2id makes of it.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokenkeep_core::fill_random;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::KeyringError;

/// A passphrase that locks a keyring or an escrow copy: 15 to 1,024 bytes without control characters, taken as they are
/// (nothing normalises Unicode). It wipes itself and shows nothing.
///
/// What it locks can be copied and tried out elsewhere, at Argon2id's cost of 64 MiB and three passes for each try. Six random
/// words of a list are out of reach; what a person makes up may not be.
#[derive(ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// The fewest bytes: what NIST SP 800-63B-4 asks of a password that stands alone.
    pub const MIN_LEN: usize = 15;
    /// The most bytes.
    pub const MAX_LEN: usize = 1024;

    /// Takes a passphrase. What is refused is wiped too.
    ///
    /// # Errors
    /// [`KeyringError::UnfitPassphrase`] for one that is too short or too long, or has a control character: mostly a line feed that was
    /// read with it.
    pub fn new(text: String) -> Result<Self, KeyringError> {
        let passphrase = Self(text);
        let fits = (Self::MIN_LEN..=Self::MAX_LEN).contains(&passphrase.0.len());
        if fits && !passphrase.0.chars().any(char::is_control) {
            Ok(passphrase)
        } else {
            Err(KeyringError::UnfitPassphrase)
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([hidden])")
    }
}

/// How a key is made of a passphrase: Argon2id's cost, and a salt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Derivation {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
    pub(crate) salt: [u8; Self::SALT],
}

impl Derivation {
    /// RFC 9106, section 3.1: 16 bytes are recommended.
    pub(crate) const SALT: usize = 16;

    /// The second recommended choice of RFC 9106 (section 4, "if much less memory is available"): 64 MiB, three passes,
    /// four lanes.
    fn draw() -> Result<Self, KeyringError> {
        let mut salt = [0; Self::SALT];
        fill_random(&mut salt)?;
        Ok(Self { memory_kib: 64 * 1024, passes: 3, lanes: 4, salt })
    }

    /// Whoever can write the file chooses these figures. Less than what is written here was never written; more than a later
    /// version may want would let a file take the host's memory or hold its processor for minutes.
    pub(crate) fn check(&self) -> Result<(), KeyringError> {
        let fits = (64 * 1024..=1024 * 1024).contains(&self.memory_kib)
            && (3..=16).contains(&self.passes)
            && (1..=16).contains(&self.lanes);
        if fits { Ok(()) } else { Err(KeyringError::CostOutOfBounds) }
    }
}

/// The key that a passphrase gave, and how.
pub(crate) struct SealingKey {
    derivation: Derivation,
    /// In one place, so that a move leaves no copy.
    key: Box<Zeroizing<[u8; 32]>>,
}

impl SealingKey {
    /// With a salt of its own. Takes 64 MiB for a moment.
    pub(crate) fn new(passphrase: &Passphrase) -> Result<Self, KeyringError> {
        Self::derive(passphrase, Derivation::draw()?)
    }

    pub(crate) fn derive(passphrase: &Passphrase, derivation: Derivation) -> Result<Self, KeyringError> {
        derivation.check()?;
        let cost = Params::new(derivation.memory_kib, derivation.passes, derivation.lanes, Some(32));
        // Never: the check is narrower than what Argon2 takes.
        let cost = cost.map_err(|_| KeyringError::CostOutOfBounds)?;
        let mut memory = WorkingMemory::reserve(cost.block_count())?;
        let mut key = Box::new(Zeroizing::new([0; 32]));
        Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
            .hash_password_into_with_memory(
                passphrase.0.as_bytes(),
                &derivation.salt,
                key.as_mut_slice(),
                &mut memory.0,
            )
            .map_err(|_| KeyringError::CostOutOfBounds)?;
        Ok(Self { derivation, key })
    }

    pub(crate) fn derivation(&self) -> &Derivation {
        &self.derivation
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.key
    }
}

/// What Argon2 works in. Its last blocks give the key, so it is wiped.
struct WorkingMemory(Vec<Block>);

impl WorkingMemory {
    fn reserve(blocks: usize) -> Result<Self, KeyringError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(|_| KeyringError::NoMemory)?;
        memory.resize(blocks, Block::new());
        Ok(Self(memory))
    }
}

impl Drop for WorkingMemory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}
