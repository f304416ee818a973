//! How a keyring is made or opened.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::keyring::Opened;
use crate::keyring_file::KeyringFile;
use crate::keyring_format::{Form, MAX_FILE, Text, encode};
use crate::keyring_keks::Keks;
use crate::keyring_source::Source;
use crate::passphrase::SealingKey;
use crate::{KeyringError, LocalKeyring, Passphrase};

/// How a [`LocalKeyring`] is made or opened: with a passphrase or without.
///
/// A passphrase is worked on with Argon2id, which takes some tenths of a second and 64 MiB at every opening and nothing afterwards. It protects the
/// file's copies: in backups, on a disk that is thrown away. It is of no use against whoever reads this process' memory, or the place that the
/// passphrase comes from.
///
/// All of these block.
///
/// ```
/// use tokenkeep_keys::{KeyringOptions, Passphrase};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys/keyring");
/// let passphrase = Passphrase::new("six random words from a list".to_owned())?;
/// let keyring = KeyringOptions::new().passphrase(passphrase).create(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct KeyringOptions {
    passphrase: Option<Passphrase>,
}

impl KeyringOptions {
    /// Without a passphrase.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keyring is locked by this passphrase: a new one is made so, and one that is opened must be.
    pub fn passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// As [`LocalKeyring::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(self, path: impl AsRef<Path>) -> Result<LocalKeyring, KeyringError> {
        create(path.as_ref(), self.passphrase.as_ref(), Keks::generate)
    }

    /// As [`LocalKeyring::open`].
    ///
    /// # Errors
    /// As there; [`KeyringError::WrongPassphrase`]; [`KeyringError::NotLocked`] for a file without a passphrase.
    pub fn open(self, path: impl AsRef<Path>) -> Result<LocalKeyring, KeyringError> {
        open(Source::File(KeyringFile::locate(path.as_ref())?), self.passphrase.as_ref())
    }

    /// As [`LocalKeyring::open_or_create`].
    ///
    /// # Errors
    /// As there and at [`open`](Self::open).
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<LocalKeyring, KeyringError> {
        let (path, passphrase) = (path.as_ref(), self.passphrase.as_ref());
        let open = || open(Source::File(KeyringFile::locate(path)?), passphrase);
        match open() {
            Err(KeyringError::Missing) => {}
            opened => return opened,
        }
        match create(path, passphrase, Keks::generate) {
            // Another process was faster.
            Err(KeyringError::AlreadyThere) => open(),
            created => created,
        }
    }

    /// As [`LocalKeyring::from_env`].
    ///
    /// # Errors
    /// As there and at [`open`](Self::open).
    pub fn from_env(self, name: impl AsRef<OsStr>) -> Result<LocalKeyring, KeyringError> {
        open(Source::variable(name.as_ref()), self.passphrase.as_ref())
    }

    /// As [`LocalKeyring::from_systemd_credential`].
    ///
    /// # Errors
    /// As there and at [`open`](Self::open).
    pub fn from_systemd_credential(self, name: &str) -> Result<LocalKeyring, KeyringError> {
        open(Source::credential(name)?, self.passphrase.as_ref())
    }

    /// As [`LocalKeyring::restore_escrow`]. The passphrase given before is the new keyring's, not the escrow copy's.
    ///
    /// # Errors
    /// As there.
    pub fn restore_escrow(
        self,
        path: impl AsRef<Path>,
        escrow: impl Read,
        passphrase: &Passphrase,
    ) -> Result<LocalKeyring, KeyringError> {
        // One byte more tells that there are too many. All the room at once: a buffer that grows leaves its old block behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
        escrow.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
        let Text::Sealed(text) = Text::parse(Form::Escrow, &bytes)? else {
            return Err(KeyringError::NoEscrow);
        };
        let key = SealingKey::derive(passphrase, text.derivation.clone())?;
        let keks = text.open(&key).ok_or(KeyringError::WrongPassphrase)??;
        create(path.as_ref(), self.passphrase.as_ref(), || Ok(keks))
    }
}

fn create(
    path: &Path,
    passphrase: Option<&Passphrase>,
    keks: impl FnOnce() -> Result<Keks, KeyringError>,
) -> Result<LocalKeyring, KeyringError> {
    let file = KeyringFile::locate_or_make_directory(path)?;
    let lock = file.lock()?;
    if file.exists()? {
        return Err(KeyringError::AlreadyThere);
    }
    let key = passphrase.map(SealingKey::new).transpose()?;
    let keks = keks()?;
    file.replace(&encode(Form::Keyring, &keks, key.as_ref())?, &lock)?;
    drop(lock);
    Ok(LocalKeyring::with(Source::File(file), Opened::new(keks, key)))
}

fn open(source: Source, passphrase: Option<&Passphrase>) -> Result<LocalKeyring, KeyringError> {
    let opened = Opened::read(&source, passphrase)?;
    Ok(LocalKeyring::with(source, opened))
}
