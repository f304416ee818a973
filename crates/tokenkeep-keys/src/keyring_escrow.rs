//! The copy for the day on which the keyring is lost.

use std::io::Read;
use std::path::Path;

use crate::keyring_file::write_new;
use crate::keyring_format::{Form, encode};
use crate::passphrase::SealingKey;
use crate::{KeyringError, KeyringOptions, LocalKeyring, Passphrase};

impl LocalKeyring {
    /// All that this keyring has, sealed to a passphrase of its own: bytes of text, to be kept apart from database and keyring, and
    /// the passphrase apart from both. Blocks for some tenths of a second and takes 64 MiB meanwhile.
    ///
    /// It is made of what this process holds and asks no file, so that a process that still runs can save the keys of a keyring whose file
    /// is lost. What other processes made is in it after a [`reload`](Self::reload).
    ///
    /// It has the KEKs and the ids of destroyed ones. It has not: KEKs that are made later, so make a new copy after each rotation; the
    /// keyring's passphrase; anything of the database. It keeps what is destroyed later: whoever
    /// destroys a KEK destroys the copies that hold it, too.
    ///
    /// # Errors
    /// [`KeyringError::NoMemory`], [`KeyringError::Random`]; [`KeyringError::TooLong`] for a keyring of over half a MiB.
    pub fn escrow(&self, passphrase: &Passphrase) -> Result<Vec<u8>, KeyringError> {
        let key = SealingKey::new(passphrase)?;
        let text = encode(Form::Escrow, &self.opened_now().keks, Some(&key))?;
        Ok(text.to_vec())
    }

    /// [`escrow`](Self::escrow) into a new file of mode 0600, synced. Blocks.
    ///
    /// The file is there whole, or not; or empty after a crash at the wrong moment, with a file of a longer name beside it. Its directory must
    /// exist, and may be anybody's.
    ///
    /// # Errors
    /// As [`escrow`](Self::escrow); [`KeyringError::AlreadyThere`] for a path that exists; [`KeyringError::EscrowBesideKeyring`] for the
    /// keyring's own directory, where it would be lost with the keyring; [`KeyringError::Missing`] for a directory that isn't there.
    pub fn export_escrow(&self, passphrase: &Passphrase, path: impl AsRef<Path>) -> Result<(), KeyringError> {
        write_new(path.as_ref(), self.key_path(), &self.escrow(passphrase)?)
    }

    /// Makes a keyring at `path` of an escrow copy, on this machine or another. It is not locked;
    /// [`KeyringOptions::restore_escrow`] makes one that is. Blocks.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`KeyringError::WrongPassphrase`]; [`KeyringError::NoEscrow`] for a keyring; others say what is
    /// wrong with the copy.
    pub fn restore_escrow(
        path: impl AsRef<Path>,
        escrow: impl Read,
        passphrase: &Passphrase,
    ) -> Result<Self, KeyringError> {
        KeyringOptions::new().restore_escrow(path, escrow, passphrase)
    }
}
