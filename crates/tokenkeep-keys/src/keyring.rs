//! KEKs in a file.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, ErrorKind, UnwrapRequest, WrapRequest, WrappedDek};

use crate::keyring_format::{Form, Text};
use crate::keyring_keks::{Found, Keks};
use crate::keyring_source::Source;
use crate::passphrase::SealingKey;
use crate::{KekStatus, KeyProvider, KeyringError, KeyringOptions, Passphrase};

/// KEKs in a file of their own: one primary, and older ones that only open. It may be locked by a passphrase ([`KeyringOptions`]).
///
/// The file has mode 0600 and is in a directory of mode 0700, both of this process' user or root; anything else is
/// refused. Directories above it are not looked at. Whoever can read the file can open what was sealed under it, so
/// keep it off the database's disk and out of the database's backups, and keep a copy of it
/// ([`export_escrow`](Self::export_escrow)): without it every token is lost. The file is text, replaced as a whole and synced; beside it stand `NAME.lock`, which is empty, and for a
/// moment `NAME.new`.
///
/// Cloning is cheap and gives the same keyring. Its own methods block on files: they are for start-up and for chores, elsewhere run
/// them with `spawn_blocking`. Wrapping and unwrapping touch no file.
///
/// ```
/// use tokenkeep_keys::LocalKeyring;
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let keyring = LocalKeyring::create(folder.join("keys/keyring"))?;
/// let primary = keyring.rotate()?;
/// # let _ = primary;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LocalKeyring {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) source: Source,
    opened: RwLock<Arc<Opened>>,
    /// Held from reading the file to having its keys here, so that an older reading never takes a newer one's place.
    pub(crate) changing: Mutex<()>,
}

impl LocalKeyring {
    /// Makes a keyring with one KEK, and its directory (mode 0700) if it isn't there. Blocks.
    ///
    /// # Errors
    /// [`KeyringError::AlreadyThere`] for a path that exists; others say what is wrong with the directory or the host.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        KeyringOptions::new().create(path)
    }

    /// Opens a keyring. Blocks.
    ///
    /// # Errors
    /// [`KeyringError`] says what is wrong with file or directory, and what to do; [`KeyringError::PassphraseNeeded`] for a file
    /// that is locked: [`KeyringOptions`] opens it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        KeyringOptions::new().open(path)
    }

    /// Opens a keyring, or makes one where there is none. Blocks.
    ///
    /// A mistyped path or a folder that is not mounted makes a new keyring too; a vault that was sealed under another
    /// one refuses it at start.
    ///
    /// # Errors
    /// As [`open`](Self::open), without `Missing`.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        KeyringOptions::new().open_or_create(path)
    }

    /// Takes the keyring from an environment variable: the file's text as it is, with its last line feed or without. It can't be
    /// changed ([`KeyringError::ReadOnly`]); change the file that the text comes from, and start anew.
    ///
    /// Prefer a file or a credential. The environment is to be seen in `/proc/PID/environ` by every process of the same user, every child process
    /// inherits it, and crash reports and container tools show it. Nothing here wipes or removes the variable: it stays for as long as
    /// the process lives.
    ///
    /// # Errors
    /// [`KeyringError::NoVariable`]; as [`open`](Self::open) what can be wrong with a text.
    pub fn from_env(name: impl AsRef<OsStr>) -> Result<Self, KeyringError> {
        KeyringOptions::new().from_env(name)
    }

    /// Takes the keyring from a systemd credential of this service: the file of that name in `$CREDENTIALS_DIRECTORY`, which systemd keeps in
    /// memory for the service alone. It can't be changed ([`KeyringError::ReadOnly`]). Blocks.
    ///
    /// The unit says `LoadCredential=NAME:/path/to/keyring`, or `LoadCredentialEncrypted=` for a file made by `systemd-creds encrypt`. After a change, start the
    /// service anew: systemd copies the file when the service starts.
    ///
    /// # Errors
    /// [`KeyringError::NoCredential`], [`KeyringError::BadCredentialName`], [`KeyringError::CredentialOpenToOthers`]; as
    /// [`open`](Self::open) what can be wrong with a text.
    pub fn from_systemd_credential(name: &str) -> Result<Self, KeyringError> {
        KeyringOptions::new().from_systemd_credential(name)
    }

    pub(crate) fn with(source: Source, opened: Opened) -> Self {
        let opened = RwLock::new(Arc::new(opened));
        Self { shared: Arc::new(Shared { source, opened, changing: Mutex::new(()) }) }
    }

    pub(crate) fn take(&self, opened: Opened) {
        *self.shared.opened.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened);
    }

    pub(crate) fn opened_now(&self) -> Arc<Opened> {
        Arc::clone(&self.shared.opened.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn key_path(&self) -> Option<&Path> {
        self.shared.source.path()
    }
}

/// A keyring's text, read and unlocked.
pub(crate) struct Opened {
    pub(crate) keks: Keks,
    /// What the text is sealed under.
    pub(crate) key: Option<Arc<SealingKey>>,
}

impl Opened {
    pub(crate) fn new(keks: Keks, key: Option<SealingKey>) -> Self {
        Self { keks, key: key.map(Arc::new) }
    }

    pub(crate) fn read(source: &Source, passphrase: Option<&Passphrase>) -> Result<Self, KeyringError> {
        match (Text::parse(Form::Keyring, &source.read()?)?, passphrase) {
            (Text::Plain(keks), None) => Ok(Self { keks, key: None }),
            (Text::Plain(_), Some(_)) => Err(KeyringError::NotLocked),
            (Text::Sealed(_), None) => Err(KeyringError::PassphraseNeeded),
            (Text::Sealed(text), Some(passphrase)) => {
                let key = SealingKey::derive(passphrase, text.derivation.clone())?;
                let keks = text.open(&key).ok_or(KeyringError::WrongPassphrase)??;
                Ok(Self::new(keks, Some(key)))
            }
        }
    }

    /// The text as it is by now, under the same passphrase.
    pub(crate) fn read_later(&self, source: &Source) -> Result<Self, KeyringError> {
        match (Text::parse(Form::Keyring, &source.read()?)?, &self.key) {
            (Text::Plain(keks), None) => Ok(Self { keks, key: None }),
            (Text::Sealed(text), Some(key)) if text.derivation == *key.derivation() => {
                // The sum fits, the salt is the same and the key too: somebody altered it and made a new sum.
                let keks = text.open(key).ok_or(KeyringError::Checksum)??;
                Ok(Self { keks, key: Some(Arc::clone(key)) })
            }
            _ => Err(KeyringError::PassphraseChanged),
        }
    }
}

impl fmt::Debug for LocalKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opened = self.opened_now();
        let ids: Vec<_> = opened.keks.all.iter().map(|kek| kek.id).collect();
        f.debug_struct("LocalKeyring")
            .field("source", &self.shared.source)
            .field("locked", &opened.key.is_some())
            .field("primary", opened.keks.primary().id())
            .field("keks", &ids)
            .finish()
    }
}

#[async_trait]
impl KeyProvider for LocalKeyring {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        Ok(request.wrap_with(self.opened_now().keks.primary()))
    }

    /// `KeysWrong` for a KEK that another process made and that was not [reloaded](Self::reload) here.
    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        match self.opened_now().keks.find(request.kek()) {
            Found::InTurn(kek) | Found::Beside(kek) => Ok(request.unwrap_with(kek)?),
            Found::Destroyed => Err(ErrorKind::KeyDestroyed.into()),
            Found::Unknown => Err(unknown()),
        }
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        Ok(self.opened_now().keks.statuses())
    }

    /// A [reload](Self::reload) on a thread for blocking work; outside of tokio's runtime the call blocks. One that is dropped goes on
    /// to its end. A keyring from the environment or a credential is read there again: a variable is what it was, a credential what systemd made
    /// of it since.
    ///
    /// # Errors
    /// Those of [`reload`](Self::reload), as [`Error`] has them. What was known stays in use then.
    async fn refresh(&self) -> Result<(), Error> {
        self.in_background(Self::reload).await
    }

    fn key_file(&self) -> Option<&Path> {
        self.key_path()
    }
}

pub(crate) fn unknown() -> Error {
    Error::new(ErrorKind::KeysWrong).because("the keyring holds no key with the id that was asked for")
}
