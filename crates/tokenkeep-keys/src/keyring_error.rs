//! What can be wrong with a keyring.

use std::io;

use thiserror::Error;
use tokenkeep_core::{Error, ErrorKind, RandomUnavailable};

/// What is wrong with a keyring. All of it is for whoever runs the application to mend, but
/// [`AlreadyThere`](Self::AlreadyThere), which is the caller's. No part of a key is ever in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no such file, or no such directory.
    #[error(
        "there is no keyring file; check its path and that its folder is mounted, or create one for a new vault"
    )]
    Missing,
    /// A new keyring would have taken a file's place.
    #[error("there is a file already where the new keyring would be; open it instead, or give another path")]
    AlreadyThere,
    /// The file's mode lets its group or others in.
    #[error(
        "others may read or write the keyring file (mode {mode:03o}); run chmod 600 on it, and rotate if they did"
    )]
    FileOpenToOthers {
        /// Its permission bits.
        mode: u32,
    },
    /// The directory's mode lets its group or others in.
    #[error(
        "others may enter or change the keyring's directory (mode {mode:03o}); give it one of its own with chmod 700"
    )]
    DirectoryOpenToOthers {
        /// Its permission bits.
        mode: u32,
    },
    /// The file or its directory belongs neither to this process' user nor to root.
    #[error("the keyring file or its directory belongs to user {owner}; run as that user, or chown it")]
    NotOurs {
        /// Whose it is.
        owner: u32,
    },
    /// It is a symbolic link, a directory, a device or a pipe.
    #[error(
        "the keyring's path names no regular file (symbolic links are not followed); give the path of the file itself"
    )]
    NotAFile,
    /// It has over 1 MiB, or would have with one key more.
    #[error("the keyring file would have over 1 MiB; if it is a keyring at all, retire old keys first")]
    TooLong,
    /// The last line is not at the end.
    #[error("the keyring file was cut short, or something was added to it; restore it from its copy")]
    Truncated,
    /// The bytes are not those that were written.
    #[error("the keyring file was altered: its checksum does not fit; restore it from its copy")]
    Checksum,
    /// A line is not as the format has it.
    #[error("line {line} of the keyring file is not as it must be; restore it from its copy")]
    Malformed {
        /// Which, counted from 1.
        line: usize,
    },
    /// The first line names a version that this code doesn't know.
    #[error("the keyring file has an unknown version; a newer tokenkeep may have written it")]
    UnknownVersion,
    /// A KEK id stands twice.
    #[error("line {line} of the keyring file repeats a key's id; restore it from its copy")]
    DuplicateKek {
        /// Where it stands again, counted from 1.
        line: usize,
    },
    /// No KEK is primary.
    #[error("no key in the keyring file is primary; restore it from its copy")]
    NoPrimary,
    /// More than one KEK is primary.
    #[error("line {line} of the keyring file names a second primary key; restore it from its copy")]
    TwoPrimaries {
        /// Where the second stands, counted from 1.
        line: usize,
    },
    /// The file no longer holds a KEK that this process has. Nothing was changed, in the file or here.
    #[error(
        "the keyring file lacks a key that this process uses: an older or another file took its place; restore it"
    )]
    KekGone,
    /// The file system failed.
    #[error("the keyring's file system failed; see the cause")]
    Io(#[from] io::Error),
    /// See [`RandomUnavailable`].
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl From<KeyringError> for Error {
    /// `KeysInsecure` for modes and owners, `KeysUnavailable` for the file system, `Misuse` for `AlreadyThere`,
    /// `RandomUnavailable` for itself, and `KeysUnusable` for the rest: another file is needed, and waiting won't bring it.
    fn from(error: KeyringError) -> Self {
        let kind = match error {
            KeyringError::Random(random) => return random.into(),
            KeyringError::FileOpenToOthers { .. }
            | KeyringError::DirectoryOpenToOthers { .. }
            | KeyringError::NotOurs { .. } => ErrorKind::KeysInsecure,
            KeyringError::Io(_) => ErrorKind::KeysUnavailable,
            KeyringError::AlreadyThere => ErrorKind::Misuse,
            _ => ErrorKind::KeysUnusable,
        };
        Self::new(kind).with_source(error)
    }
}
