//! A passphrase, and the key that Argon2id makes of it.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokenkeep_core::fill_random;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::KeyringError;
use crate::keyring_source::Source;

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

    /// Takes a passphrase from a systemd credential of this service: the text of that file, without the line feed at its end if it has one. So
    /// the keyring's file may lie on a disk and in backups, and what opens it does not. Blocks.
    ///
    /// # Errors
    /// As [`LocalKeyring::from_systemd_credential`](crate::LocalKeyring::from_systemd_credential) what can be wrong with a credential;
    /// [`KeyringError::UnfitPassphrase`] also for one that is not UTF-8.
    pub fn from_systemd_credential(name: &str) -> Result<Self, KeyringError> {
        let mut bytes = Source::credential(name)?.read()?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        // Moves the block, and leaves no copy behind.
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Self::new(text),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(KeyringError::UnfitPassphrase)
            }
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

impl Zeroize for WorkingMemory {
    fn zeroize(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl Drop for WorkingMemory {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for WorkingMemory {}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};

    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        base16ct::lower::decode_vec(text).unwrap()
    }

    /// RFC 9106, section 5.3.
    #[test]
    fn argon2id_gives_the_published_answer() {
        let data = AssociatedData::new(&[4; 12]).unwrap();
        let cost = ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(data).output_len(32).build();
        let (mut tag, mut memory) = ([0; 32], WorkingMemory::reserve(32).unwrap());
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, cost.unwrap())
            .unwrap()
            .hash_password_into_with_memory(&[1; 32], &[2; 16], &mut tag, &mut memory.0)
            .unwrap();
        let published = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        assert_eq!(tag.as_slice(), unhex(published));
    }

    /// The figures of RFC 9106's answer ask for a secret and associated data, which a keyring's key has not. This one is OpenSSL's
    /// (4.0, through Python's `cryptography` 48), for the cost and the salt of a keyring.
    #[test]
    fn a_keyrings_key_is_what_another_implementation_makes_of_it() {
        let salt = std::array::from_fn(|at| at as u8);
        let derivation = Derivation { memory_kib: 65536, passes: 3, lanes: 4, salt };
        let passphrase = Passphrase::new("an example passphrase".to_owned()).unwrap();
        let key = SealingKey::derive(&passphrase, derivation).unwrap();
        assert_eq!(
            key.bytes().as_slice(),
            unhex("dc93c3c6938d85d3f1d995524146d2d5248071cdd510a3dede0c605e914e5d9b")
        );
    }

    #[test]
    fn the_cost_is_bounded_before_any_work() {
        let passphrase = Passphrase::new("an example passphrase".to_owned()).unwrap();
        for (memory_kib, passes, lanes, fits) in [
            (65_536, 3, 4, true),
            (1_048_576, 16, 16, true),
            (65_536, 3, 1, true),
            (65_535, 3, 4, false),
            (1_048_577, 3, 4, false),
            (u32::MAX, 3, 4, false),
            (0, 3, 4, false),
            (65_536, 2, 4, false),
            (65_536, 0, 4, false),
            (65_536, 17, 4, false),
            (65_536, u32::MAX, 4, false),
            (65_536, 3, 0, false),
            (65_536, 3, 17, false),
            (65_536, 3, u32::MAX, false),
        ] {
            let derivation = Derivation { memory_kib, passes, lanes, salt: [0; 16] };
            assert_eq!(derivation.check().is_ok(), fits, "{derivation:?}");
            if !fits {
                let refused = SealingKey::derive(&passphrase, derivation).err();
                assert!(matches!(refused, Some(KeyringError::CostOutOfBounds)));
            }
        }
        assert!(Derivation::draw().unwrap().check().is_ok());
    }

    #[test]
    fn what_held_a_secret_is_wiped() {
        fn wiped_when_dropped<T: ZeroizeOnDrop>(_: &T) {}
        let passphrase = Passphrase::new("an example passphrase".to_owned()).unwrap();
        wiped_when_dropped(&passphrase);
        let key =
            SealingKey { derivation: Derivation::draw().unwrap(), key: Box::new(Zeroizing::new([7; 32])) };
        wiped_when_dropped(&*key.key);
        let mut memory = WorkingMemory::reserve(4).unwrap();
        wiped_when_dropped(&memory);
        memory.0.iter_mut().for_each(|block| block.as_mut().fill(7));
        memory.zeroize();
        assert_eq!(memory.0.len(), 4);
        assert!(memory.0.iter().all(|block| block.as_ref().iter().all(|&word| word == 0)));
    }
}
