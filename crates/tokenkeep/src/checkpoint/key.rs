//! The key that signs a vault's checkpoints, and the one that checks them.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{SigningKey, VerifyingKey};
use tokenkeep_core::{Error, ErrorKind, VaultId};
use zeroize::Zeroizing;

use super::note;

/// What stands before the vault's id in a key's name.
const PREFIX: &str = "tokenkeep/";

/// The public key of a vault's checkpoints, for whoever checks them outside. `Display` and `FromStr` are the form that
/// tools for signed notes take: `tokenkeep/<vault id>+<key id>+<key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckpointKey {
    vault: VaultId,
    name: String,
    key: VerifyingKey,
}

impl CheckpointKey {
    fn new(vault: VaultId, key: VerifyingKey) -> Self {
        Self { vault, name: format!("{PREFIX}{vault}"), key }
    }

    /// Whose checkpoints it checks.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> note::KeyId {
        note::key_id(&self.name, &self.key)
    }

    pub(crate) fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Display for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&note::write_key(&self.name, &self.key))
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointKey({self})")
    }
}

impl FromStr for CheckpointKey {
    type Err = Error;

    /// # Errors
    /// `Misuse` for a text that is no vault's key, be it by one character.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::new(ErrorKind::Misuse).because("the text is no checkpoint key of a vault");
        let (name, key) = note::parse_key(text).ok_or_else(bad)?;
        let vault =
            name.strip_prefix(PREFIX).and_then(super::hex).map(VaultId::from_bytes).ok_or_else(bad)?;
        Ok(Self::new(vault, key))
    }
}

/// Signs a vault's checkpoints. It wipes itself.
pub(crate) struct CheckpointSigner {
    private: SigningKey,
    public: CheckpointKey,
}

impl CheckpointSigner {
    /// With this seed, 32 random bytes.
    pub(crate) fn new(vault: VaultId, seed: &Zeroizing<[u8; 32]>) -> Self {
        let private = SigningKey::from_bytes(seed);
        let public = CheckpointKey::new(vault, private.verifying_key());
        Self { private, public }
    }

    pub(crate) fn public(&self) -> &CheckpointKey {
        &self.public
    }

    pub(crate) fn sign(&self, text: &str) -> String {
        note::sign(text, self.public.name(), &self.private)
    }
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointSigner([hidden], {:?})", self.public)
    }
}
