//! KEKs in a file.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, ErrorKind, KekId, UnwrapRequest, WrapRequest, WrappedDek};

use crate::keyring_file::KeyringFile;
use crate::keyring_format::Keks;
use crate::{KekState, KekStatus, KeyProvider, KeyringError};

/// KEKs in a file of their own: one primary, and older ones that only open.
///
/// The file has mode 0600 and is in a directory of mode 0700, both of this process' user or root; anything else is
/// refused. Directories above it are not looked at. Whoever can read the file can open what was sealed under it, so
/// keep it off the database's disk and out of the database's backups, and keep a copy of it: without it every token is
/// lost. The file is text, replaced as a whole and synced; beside it stand `NAME.lock`, which is empty, and for a
/// moment `NAME.new`.
///
/// Cloning is cheap and gives the same keyring. Creating, opening, reloading and rotating block on files: they are for
/// start-up and for chores, elsewhere run them with `spawn_blocking`. Wrapping and unwrapping touch no file.
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
    shared: Arc<Shared>,
}

struct Shared {
    file: KeyringFile,
    keks: RwLock<Arc<Keks>>,
    /// Held from reading the file to having its keys here, so that an older reading never takes a newer one's place.
    changing: Mutex<()>,
}

impl LocalKeyring {
    /// Makes a keyring with one KEK, and its directory (mode 0700) if it isn't there. Blocks.
    ///
    /// # Errors
    /// [`KeyringError::AlreadyThere`] for a path that exists; others say what is wrong with the directory or the host.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        let file = KeyringFile::locate_or_make_directory(path.as_ref())?;
        let lock = file.lock()?;
        if file.exists()? {
            return Err(KeyringError::AlreadyThere);
        }
        let keks = Keks::generate()?;
        file.replace(&keks, &lock)?;
        Ok(Self::with(file, keks))
    }

    /// Opens a keyring. Blocks.
    ///
    /// # Errors
    /// [`KeyringError`] says what is wrong with file or directory, and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        let file = KeyringFile::locate(path.as_ref())?;
        let keks = file.read()?;
        Ok(Self::with(file, keks))
    }

    /// Opens a keyring, or makes one where there is none. Blocks.
    ///
    /// A mistyped path or a folder that is not mounted makes a new keyring too; a vault that was sealed under another
    /// one refuses it at start.
    ///
    /// # Errors
    /// As [`open`](Self::open), without `Missing`.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        match Self::open(&path) {
            Err(KeyringError::Missing) => {}
            opened => return opened,
        }
        match Self::create(&path) {
            // Another process was faster.
            Err(KeyringError::AlreadyThere) => Self::open(&path),
            created => created,
        }
    }

    /// Adds a KEK and makes it primary; the others only open from now on. Touches no stored data. Blocks, also while
    /// another process rotates.
    ///
    /// The file is read again first, so that KEKs of other processes stay, and the new KEK is in the file before it is
    /// used. Other processes go on wrapping under the KEK that they have, and know the new one after
    /// [`reload`](Self::reload). After an error the new KEK may or may not be in the file, and is not used here.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`KeyringError::KekGone`] as [`reload`](Self::reload); [`KeyringError::TooLong`] when
    /// the file is full, after some 8,000 rotations.
    pub fn rotate(&self) -> Result<KekId, KeyringError> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = self.shared.file.lock()?;
        let mut keks = self.read_later_file()?;
        let id = keks.rotate()?;
        self.shared.file.replace(&keks, &lock)?;
        self.take(keks);
        Ok(id)
    }

    /// Reads the file again, to learn of another process' rotation. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`KeyringError::KekGone`] when the file lacks a KEK that is known here. After an error
    /// the KEKs that were known stay in use.
    pub fn reload(&self) -> Result<(), KeyringError> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let keks = self.read_later_file()?;
        self.take(keks);
        Ok(())
    }

    fn with(file: KeyringFile, keks: Keks) -> Self {
        let keks = RwLock::new(Arc::new(keks));
        Self { shared: Arc::new(Shared { file, keks, changing: Mutex::new(()) }) }
    }

    /// An old copy put in the file's place would take away KEKs that records need.
    fn read_later_file(&self) -> Result<Keks, KeyringError> {
        let keks = self.shared.file.read()?;
        if keks.has_all_of(&self.keks_now()) { Ok(keks) } else { Err(KeyringError::KekGone) }
    }

    fn take(&self, keks: Keks) {
        *self.shared.keks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keks);
    }

    fn keks_now(&self) -> Arc<Keks> {
        Arc::clone(&self.shared.keks.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for LocalKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keks = self.keks_now();
        let ids: Vec<_> = keks.iter().map(|kek| kek.id()).collect();
        f.debug_struct("LocalKeyring")
            .field("path", &self.shared.file.path())
            .field("primary", keks.primary().id())
            .field("keks", &ids)
            .finish()
    }
}

#[async_trait]
impl KeyProvider for LocalKeyring {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        Ok(request.wrap_with(self.keks_now().primary()))
    }

    /// `KeysWrong` for a KEK that another process made and that was not [reloaded](Self::reload) here.
    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        let keks = self.keks_now();
        let kek = keks.find(request.kek()).ok_or_else(|| {
            Error::new(ErrorKind::KeysWrong)
                .because("the keyring holds no key with the id that was asked for")
        })?;
        Ok(request.unwrap_with(kek)?)
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        let keks = self.keks_now();
        let primary = keks.primary().id();
        let status = |id: &KekId| {
            KekStatus::new(*id, if id == primary { KekState::Primary } else { KekState::OpenOnly })
        };
        Ok(keks.iter().map(|kek| status(kek.id())).collect())
    }

    fn key_file(&self) -> Option<&Path> {
        Some(self.shared.file.path())
    }
}
