//! What can be wrong with a keyring.

use std::io;

use thiserror::Error;
use tokenkeep_core::{Error, ErrorKind, RandomUnavailable};

/// What is wrong with a keyring, or with a call. No part of a key or a passphrase is ever in it.
///
/// Most of it is for whoever runs the application to mend. What is the caller's to mend says so, and is
/// [`ErrorKind::Misuse`] as an [`Error`](tokenkeep_core::Error).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no such file, or no such directory.
    #[error(
        "there is no keyring file; check its path and that its folder is mounted, or create one for a new vault"
    )]
    Missing,
    /// A new keyring or escrow copy would have taken a file's place. The caller's to mend.
    #[error("there is a file already where the new one would be; open it instead, or give another path")]
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
    /// The file no longer holds a KEK that this process has, or holds one again that was destroyed. Nothing was changed, in the
    /// file or here.
    #[error(
        "the keyring file is not what became of the one that this process read: an older or another file took its place; restore it"
    )]
    KekGone,
    /// The keyring never had a KEK with this id.
    #[error("the keyring has no key with the id that was given")]
    UnknownKek,
    /// The primary KEK was to be retired or destroyed. The caller's to mend.
    #[error(
        "the primary key can't be retired or destroyed; rotate first, keep a copy of the new file, and rewrap what the key holds"
    )]
    PrimaryNeeded,
    /// A KEK that was made beside the primary one was to be retired. The caller's to mend.
    #[error("the key wraps an epoch; retire the epoch, and the key goes with it")]
    OfAnEpoch,
    /// A KEK that is, or was, primary in its turn was to be destroyed as an epoch's. The caller's to mend.
    #[error("the key was not made beside the primary one, so it is no epoch's to destroy; retire it")]
    OfNoEpoch,
    /// A keyring from the environment or a credential was to be changed. The caller's to mend.
    #[error(
        "a keyring from the environment or a credential can't be changed; change the file that it comes from"
    )]
    ReadOnly,
    /// It is locked by a passphrase, and none was given.
    #[error("the keyring is locked by a passphrase; give it when you open the keyring")]
    PassphraseNeeded,
    /// A passphrase was given, and the file has none: another file may have taken its place.
    #[error(
        "a passphrase was given, and the keyring file has none; if it should have one, restore the file, else open it without"
    )]
    NotLocked,
    /// The passphrase is not the one, or what is under it was altered.
    #[error(
        "the passphrase does not open this file; check the passphrase, else restore the file from its copy"
    )]
    WrongPassphrase,
    /// The passphrase was changed, set or removed since this process opened the keyring. What was known stays in use.
    #[error("the keyring's passphrase was changed, set or removed meanwhile; reload it with what holds now")]
    PassphraseChanged,
    /// A passphrase has a length that is not taken, or a control character. The caller's to mend.
    #[error("a passphrase has 15 to 1,024 bytes and no control character, no line feed at its end either")]
    UnfitPassphrase,
    /// The file asks for less or more work than is done for a passphrase. Nothing was tried.
    #[error("the file asks for a work on its passphrase that is out of bounds; restore it from its copy")]
    CostOutOfBounds,
    /// There is no memory to work on the passphrase.
    #[error("there is too little memory to work on the passphrase: 64 MiB are needed for a moment")]
    NoMemory,
    /// An escrow copy was given as a keyring.
    #[error("this is an escrow copy and no keyring; restore a keyring from it")]
    IsEscrow,
    /// A keyring was given as an escrow copy.
    #[error("this is a keyring and no escrow copy; open it")]
    NoEscrow,
    /// An escrow copy was to be written into the keyring's own directory. The caller's to mend.
    #[error("an escrow copy beside its keyring is lost with it; write it elsewhere")]
    EscrowBesideKeyring,
    /// The environment has no such variable.
    #[error("the environment variable that should hold the keyring is not set")]
    NoVariable,
    /// systemd gave this process no credentials, or none of that name.
    #[error(
        "there is no such systemd credential; look at LoadCredential= or LoadCredentialEncrypted= of the unit"
    )]
    NoCredential,
    /// No credential can have this name. The caller's to mend.
    #[error("this is no name of a systemd credential")]
    BadCredentialName,
    /// A credential is not kept as systemd keeps it: whoever made its directory, it was not systemd.
    #[error(
        "the credential or its directory may be read or changed by others (mode {mode:03o}); systemd keeps them as 400 in 500"
    )]
    CredentialOpenToOthers {
        /// The permission bits of what it is about.
        mode: u32,
    },
    /// The file system failed.
    #[error("the keyring's file system failed; see the cause")]
    Io(#[from] io::Error),
    /// See [`RandomUnavailable`].
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl From<KeyringError> for Error {
    /// `KeysInsecure` for modes and owners, `KeysUnavailable` for the file system and for memory, `KeysWrong` for an unknown KEK, `Misuse` for what
    /// is the caller's to mend, `RandomUnavailable` for itself, and `KeysUnusable` for the rest: another file or another
    /// passphrase is needed, and waiting won't bring it.
    fn from(error: KeyringError) -> Self {
        let kind = match error {
            KeyringError::Random(random) => return random.into(),
            KeyringError::FileOpenToOthers { .. }
            | KeyringError::DirectoryOpenToOthers { .. }
            | KeyringError::CredentialOpenToOthers { .. }
            | KeyringError::NotOurs { .. } => ErrorKind::KeysInsecure,
            KeyringError::Io(_) | KeyringError::NoMemory => ErrorKind::KeysUnavailable,
            KeyringError::UnknownKek => ErrorKind::KeysWrong,
            KeyringError::AlreadyThere
            | KeyringError::PrimaryNeeded
            | KeyringError::OfAnEpoch
            | KeyringError::OfNoEpoch
            | KeyringError::ReadOnly
            | KeyringError::UnfitPassphrase
            | KeyringError::EscrowBesideKeyring
            | KeyringError::BadCredentialName => ErrorKind::Misuse,
            _ => ErrorKind::KeysUnusable,
        };
        Self::new(kind).with_source(error)
    }
}
