//! Where a keyring's text comes from.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::KeyringError;
use crate::keyring_file::{KeyringFile, check_owner, open_itself, read_bounded};

pub(crate) enum Source {
    File(KeyringFile),
    Variable(OsString),
    Credential(PathBuf),
}

impl Source {
    pub(crate) fn variable(name: &OsStr) -> Self {
        Self::Variable(name.to_owned())
    }

    pub(crate) fn credential(name: &str) -> Result<Self, KeyringError> {
        if !is_credential_name(name) {
            return Err(KeyringError::BadCredentialName);
        }
        let directory = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let directory = directory.filter(|path| path.is_absolute()).ok_or(KeyringError::NoCredential)?;
        Ok(Self::Credential(directory.join(name)))
    }

    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        match self {
            Self::File(file) => file.read(),
            Self::Variable(name) => read_variable(name),
            Self::Credential(path) => read_credential(path),
        }
    }

    /// The file that can be replaced.
    pub(crate) fn writable(&self) -> Result<&KeyringFile, KeyringError> {
        match self {
            Self::File(file) => Ok(file),
            Self::Variable(_) | Self::Credential(_) => Err(KeyringError::ReadOnly),
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file.path()),
            Self::Credential(path) => Some(path),
            Self::Variable(_) => None,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(&file.path()).finish(),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::Credential(path) => f.debug_tuple("Credential").field(path).finish(),
        }
    }
}

fn read_variable(name: &OsStr) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let value = env::var_os(name).ok_or(KeyringError::NoVariable)?;
    let value = Zeroizing::new(value.into_vec());
    if value.last() == Some(&b'\n') {
        return Ok(value);
    }
    // A shell's `$(cat …)` takes the last line feed away.
    let mut whole = Zeroizing::new(Vec::with_capacity(value.len() + 1));
    whole.extend_from_slice(&value);
    whole.push(b'\n');
    Ok(whole)
}

fn read_credential(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => KeyringError::NoCredential,
        _ => error.into(),
    };
    let directory = path.parent().ok_or(KeyringError::NoCredential)?;
    check_credential(&fs::metadata(directory).map_err(missing)?)?;
    // Asked without opening first: the name of a link can't be opened so.
    if !fs::symlink_metadata(path).map_err(missing)?.is_file() {
        return Err(KeyringError::NotAFile);
    }
    let file = open_itself(path).map_err(missing)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(KeyringError::NotAFile);
    }
    check_credential(&metadata)?;
    read_bounded(file)
}

fn check_credential(metadata: &Metadata) -> Result<(), KeyringError> {
    check_owner(metadata.uid(), rustix::process::geteuid().as_raw())?;
    let mode = metadata.mode() & 0o7777;
    if closed_to_others(mode, metadata.uid(), metadata.gid()) {
        Ok(())
    } else {
        Err(KeyringError::CredentialOpenToOthers { mode })
    }
}

/// systemd makes 0400 in 0500. Where the service has a user of its own, both are that user's, or root's with an access list for
/// that user. The list's mask is then shown as the group's bits, and the group is root's: nobody but root and the user gets in.
fn closed_to_others(mode: u32, uid: u32, gid: u32) -> bool {
    let list_of_roots = uid == 0 && gid == 0;
    mode & 0o007 == 0 && mode & 0o020 == 0 && (mode & 0o070 == 0 || list_of_roots)
}

/// systemd's own rule: a file name of printable ASCII without a colon.
fn is_credential_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !matches!(byte, b'/' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_kept_as_systemd_keeps_them() {
        for (mode, uid, gid, closed) in [
            (0o400, 0, 0, true),
            (0o500, 0, 0, true),
            (0o400, 1000, 1000, true),
            (0o600, 1000, 1000, true),
            // The mask of root's access list.
            (0o440, 0, 0, true),
            (0o550, 0, 0, true),
            (0o440, 0, 1000, false),
            (0o440, 1000, 1000, false),
            (0o440, 1000, 0, false),
            (0o460, 0, 0, false),
            (0o404, 0, 0, false),
            (0o501, 0, 0, false),
            (0o402, 0, 0, false),
        ] {
            assert_eq!(closed_to_others(mode, uid, gid), closed, "{mode:o} {uid} {gid}");
        }
    }

    #[test]
    fn a_credentials_name_is_a_name() {
        for good in ["keyring", "tokenkeep.keyring", "a b", "..a", &"a".repeat(255)] {
            assert!(is_credential_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "/a", "../a", "a:b", "a\n", "a\0", "kéy", &"a".repeat(256)] {
            assert!(!is_credential_name(bad), "{bad:?}");
        }
    }
}
