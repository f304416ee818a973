//! The keyring's file: where it may be, who may see it, and how it is replaced.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tokenkeep_core::KekId;
use zeroize::Zeroizing;

use crate::KeyringError;
use crate::keyring_format::MAX_FILE;

/// Where a keyring is: a name in a directory that is its owner's alone.
pub(crate) struct KeyringFile {
    path: PathBuf,
    directory: PathBuf,
}

/// Held while the file is replaced; no other process of this host replaces it meanwhile.
pub(crate) struct ReplaceLock {
    // The lock goes with the last handle.
    _file: File,
}

impl KeyringFile {
    /// Finds an existing directory and checks it.
    pub(crate) fn locate(path: &Path) -> Result<Self, KeyringError> {
        let (directory, name) = split(path)?;
        let directory = fs::canonicalize(directory).map_err(missing_if_not_found)?;
        check_directory(&directory)?;
        Ok(Self { path: directory.join(name), directory })
    }

    /// The same, and makes the directory if it isn't there.
    pub(crate) fn locate_or_make_directory(path: &Path) -> Result<Self, KeyringError> {
        make_directory(split(path)?.0)?;
        Self::locate(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        check_directory(&self.directory)?;
        let bytes = read_bounded(self.open_checked()?)?;
        // Another process may have renamed this file into place and not synced the directory yet. Nobody may wrap
        // under a key that a crash could still undo.
        sync_directory(&self.directory)?;
        Ok(bytes)
    }

    /// Waits until no other process replaces the file.
    pub(crate) fn lock(&self) -> Result<ReplaceLock, KeyringError> {
        let file = private_file()
            .create(true)
            .truncate(false)
            .open(self.beside(".lock"))
            .map_err(missing_if_not_found)?;
        file.lock()?;
        Ok(ReplaceLock { _file: file })
    }

    pub(crate) fn exists(&self) -> Result<bool, KeyringError> {
        match fs::symlink_metadata(&self.path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts this text in the file's place: after a crash the old file is there or the new one, whole.
    pub(crate) fn replace(&self, text: &[u8], _held: &ReplaceLock) -> Result<(), KeyringError> {
        let new = self.beside(".new");
        // Under the lock, one that is there was left by a process that died.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(replace_file(&self.path, &new, &self.directory, text)?)
    }

    fn open_checked(&self) -> Result<File, KeyringError> {
        match open_itself(&self.path) {
            Ok(file) => {
                // Asked of the handle: what the name stands for may have changed.
                check_file(&file.metadata()?)?;
                Ok(file)
            }
            Err(error) => Err(self.why_not_opened(error)),
        }
    }

    /// A link that was not followed, and a file that its owner keeps from us, say so only when looked at.
    fn why_not_opened(&self, error: io::Error) -> KeyringError {
        let seen = fs::symlink_metadata(&self.path).map_err(KeyringError::from);
        match seen.and_then(|metadata| check_file(&metadata)) {
            Err(reason @ (KeyringError::NotAFile | KeyringError::NotOurs { .. })) => reason,
            _ => missing_if_not_found(error),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        beside(&self.path, ending)
    }
}

/// Writes a file that was not there, whole or not at all, for its owner alone; its directory may be anybody's. A crash may leave an empty file.
pub(crate) fn write_new(path: &Path, keyring: Option<&Path>, text: &[u8]) -> Result<(), KeyringError> {
    let (directory, name) = split(path)?;
    let directory = fs::canonicalize(directory).map_err(missing_if_not_found)?;
    if keyring.and_then(Path::parent) == Some(directory.as_path()) {
        return Err(KeyringError::EscrowBesideKeyring);
    }
    let path = directory.join(name);
    // Nobody else's name: the directory may hold anything.
    let new = beside(&path, &format!(".{}.new", KekId::random()?));
    // Takes the name, so that nothing is written over. A link to link it by is not on every file system that a copy is carried on.
    match private_file().create_new(true).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(KeyringError::AlreadyThere),
        taken => drop(taken?),
    }
    if let Err(error) = replace_file(&path, &new, &directory, text) {
        let _ = fs::remove_file(&path);
        return Err(error.into());
    }
    Ok(())
}

/// Reads what is not longer than a keyring may be, into memory that is wiped.
pub(crate) fn read_bounded(mut file: File) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > MAX_FILE {
        return Err(KeyringError::TooLong);
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Opens without following a link, and without waiting for a pipe's other end.
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

fn replace_file(path: &Path, new: &Path, directory: &Path, text: &[u8]) -> io::Result<()> {
    let written = write_synced(new, text).and_then(|()| fs::rename(new, path));
    if let Err(error) = written {
        // Best effort: a keyring's next replacement removes it too.
        let _ = fs::remove_file(new);
        return Err(error);
    }
    sync_directory(directory)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(ending);
    path.into()
}

fn split(path: &Path) -> Result<(&Path, &OsStr), KeyringError> {
    let name = path.file_name().ok_or(KeyringError::NotAFile)?;
    match path.parent() {
        Some(parent) if parent != Path::new("") => Ok((parent, name)),
        _ => Ok((Path::new("."), name)),
    }
}

/// Makes what is missing of a path, for its owner alone and lasting.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    make_directory(parent)?;
    match DirBuilder::new().mode(0o700).create(directory) {
        // Another process made it just now; it is checked like any other.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(parent),
    }
}

fn check_directory(directory: &Path) -> Result<(), KeyringError> {
    let metadata = fs::metadata(directory).map_err(missing_if_not_found)?;
    check_owner(metadata.uid(), rustix::process::geteuid().as_raw())?;
    match open_to_others(&metadata) {
        Some(mode) => Err(KeyringError::DirectoryOpenToOthers { mode }),
        None => Ok(()),
    }
}

fn check_file(metadata: &Metadata) -> Result<(), KeyringError> {
    if !metadata.is_file() {
        return Err(KeyringError::NotAFile);
    }
    check_owner(metadata.uid(), rustix::process::geteuid().as_raw())?;
    match open_to_others(metadata) {
        Some(mode) => Err(KeyringError::FileOpenToOthers { mode }),
        None => Ok(()),
    }
}

/// Root may read everything in any case.
pub(crate) fn check_owner(owner: u32, user: u32) -> Result<(), KeyringError> {
    if owner == user || owner == 0 { Ok(()) } else { Err(KeyringError::NotOurs { owner }) }
}

/// The mode, if it gives the group or others anything. Access lists show up in the group's bits.
fn open_to_others(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

fn write_synced(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = private_file().create_new(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Makes a rename last. A file system that can't sync directories, or that nobody can write to, has nothing to add.
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::ReadOnlyFilesystem) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

fn missing_if_not_found(error: io::Error) -> KeyringError {
    if error.kind() == io::ErrorKind::NotFound { KeyringError::Missing } else { error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_file_is_refused() {
        assert!(check_owner(1000, 1000).is_ok());
        assert!(check_owner(0, 1000).is_ok());
        assert!(matches!(check_owner(1001, 1000), Err(KeyringError::NotOurs { owner: 1001 })));
        assert!(matches!(check_owner(1000, 0), Err(KeyringError::NotOurs { owner: 1000 })));
    }
}
