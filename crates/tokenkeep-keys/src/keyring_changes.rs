//! What changes a keyring, here and in its file.

use std::sync::{Arc, PoisonError};

use tokenkeep_core::KekId;

use crate::keyring::Opened;
use crate::keyring_format::{Form, encode};
use crate::keyring_keks::Found;
use crate::passphrase::SealingKey;
use crate::{KeyringError, LocalKeyring, Passphrase};

impl LocalKeyring {
    /// Adds a KEK and makes it primary; the others only open from now on. Touches no stored data. Blocks, also while
    /// another process changes the file.
    ///
    /// The file is read again first, so that KEKs of other processes stay, and the new KEK is in the file before it is
    /// used. Other processes go on wrapping under the KEK that they have, and know the new one after
    /// [`reload`](Self::reload). After an error the new KEK may or may not be in the file, and is not used here.
    ///
    /// A KEK may wrap 2^40 times, and nobody counts that: a count that several processes share would have to be written on the way of a
    /// wrap, which touches no file. Rotate once a year: only at over 34,000 seals a second would that be too late.
    ///
    /// # Errors
    /// As [`reload`](Self::reload); [`KeyringError::TooLong`] when the file is full, after some 8,000 rotations, half as many under a
    /// passphrase; [`KeyringError::ReadOnly`] unless the keyring is a file.
    pub fn rotate(&self) -> Result<KekId, KeyringError> {
        self.change(|opened| opened.keks.rotate().map(Changed))
    }

    /// Destroys a KEK: its bytes go out of the file and out of this process, its id stays, as destroyed. What it wrapped opens no
    /// more, here at once, in other processes after their [`reload`](Self::reload). Destroying it again does nothing. Blocks.
    ///
    /// This is the end of the key **here**, and no proof of its end. A file can be copied: backups, snapshots, escrow copies
    /// and whoever read it before still have the key, and a disk may keep the blocks of the file that was replaced. A wrap or unwrap that is under way may
    /// finish. So nobody should be told that a token is gone because its KEK was destroyed in a file; a key service that
    /// confirms it can be believed.
    ///
    /// Whether a live envelope needs the KEK is not asked: that is the caller's to look for first.
    ///
    /// # Errors
    /// As [`reload`](Self::reload); [`KeyringError::PrimaryNeeded`], [`KeyringError::UnknownKek`]; [`KeyringError::ReadOnly`] unless the
    /// keyring is a file. After [`KeyringError::Io`] it may or may not be gone from the file: repeat it.
    pub fn destroy(&self, id: &KekId) -> Result<(), KeyringError> {
        self.change(|opened| destroy(opened, id))
    }

    /// Whether the file has another primary KEK than this one.
    pub(crate) fn is_open_only(&self, id: &KekId) -> Result<(), KeyringError> {
        self.change(|opened| match opened.keks.find(id) {
            Found::InTurn(_) if opened.keks.primary().id() == id => Err(KeyringError::PrimaryNeeded),
            Found::InTurn(_) | Found::Destroyed => Ok(Unchanged(())),
            Found::Beside(_) => Err(KeyringError::OfAnEpoch),
            Found::Unknown => Err(KeyringError::UnknownKek),
        })
    }

    /// Destroys a KEK that is, or was, primary in its turn.
    pub(crate) fn destroy_in_turn(&self, id: &KekId) -> Result<(), KeyringError> {
        self.change(|opened| {
            if let Found::Beside(_) = opened.keks.find(id) {
                return Err(KeyringError::OfAnEpoch);
            }
            destroy(opened, id)
        })
    }

    /// Destroys a KEK that was made beside the primary one.
    pub(crate) fn destroy_beside(&self, id: &KekId) -> Result<(), KeyringError> {
        self.change(|opened| match opened.keks.find(id) {
            Found::Beside(_) | Found::Destroyed => destroy(opened, id),
            Found::InTurn(_) if opened.keks.primary().id() == id => Err(KeyringError::PrimaryNeeded),
            Found::InTurn(_) => Err(KeyringError::OfNoEpoch),
            Found::Unknown => Err(KeyringError::UnknownKek),
        })
    }

    /// A KEK beside the primary one; see [`DestroyableKeys`](crate::DestroyableKeys).
    pub(crate) fn make_beside(&self) -> Result<KekId, KeyringError> {
        self.change(|opened| opened.keks.make_beside().map(Changed))
    }

    /// Locks the file by a passphrase, or by another one. Blocks for some tenths of a second.
    ///
    /// The KEKs stay the same, and so do the copies of the file: those that were made before open as they did, without a passphrase or with
    /// the former one. If a passphrase leaked together with a file, that is a keyring that leaked. Other processes go on with what they have;
    /// their next change or [`reload`](Self::reload) tells them of the passphrase ([`KeyringError::PassphraseChanged`]).
    ///
    /// # Errors
    /// As [`reload`](Self::reload); [`KeyringError::TooLong`] for a file that would have over 1 MiB; [`KeyringError::ReadOnly`] unless
    /// the keyring is a file.
    pub fn set_passphrase(&self, passphrase: &Passphrase) -> Result<(), KeyringError> {
        self.shared.source.writable()?;
        // Before the lock is held: others need not wait for this.
        let key = SealingKey::new(passphrase)?;
        self.change(|opened| {
            opened.key = Some(Arc::new(key));
            Ok(Changed(()))
        })
    }

    /// Unlocks the file for good: its KEKs stand in it as they are from now on. Blocks. No passphrase is asked for: this process has the keys.
    ///
    /// # Errors
    /// As [`reload`](Self::reload); [`KeyringError::ReadOnly`] unless the keyring is a file.
    pub fn remove_passphrase(&self) -> Result<(), KeyringError> {
        self.change(|opened| {
            let had = opened.key.take().is_some();
            Ok(if had { Changed(()) } else { Unchanged(()) })
        })
    }

    /// Reads the file again, to learn of another process' changes. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`KeyringError::KekGone`] when the file lacks a KEK that is known here, or has a destroyed one
    /// again; [`KeyringError::PassphraseChanged`] when it is not locked by the passphrase that this process knows. After an error
    /// the KEKs that were known stay in use.
    pub fn reload(&self) -> Result<(), KeyringError> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.read_later()?;
        self.take(opened);
        Ok(())
    }

    /// Reads the file again where another process changed its passphrase, with the one that holds now, or none. Blocks.
    ///
    /// # Errors
    /// As [`reload`](Self::reload) and [`KeyringOptions::open`](crate::KeyringOptions::open).
    pub fn reload_with(&self, passphrase: Option<&Passphrase>) -> Result<(), KeyringError> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = Opened::read(&self.shared.source, passphrase)?;
        let opened = self.checked(opened)?;
        self.take(opened);
        Ok(())
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Opened) -> Result<Change<T>, KeyringError>,
    ) -> Result<T, KeyringError> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.shared.source.writable()?;
        let lock = file.lock()?;
        let mut opened = self.read_later()?;
        let change = change(&mut opened)?;
        if let Changed(_) = change {
            file.replace(&encode(Form::Keyring, &opened.keks, opened.key.as_deref())?, &lock)?;
        }
        self.take(opened);
        match change {
            Changed(answer) | Unchanged(answer) => Ok(answer),
        }
    }

    fn read_later(&self) -> Result<Opened, KeyringError> {
        let opened = self.opened_now().read_later(&self.shared.source)?;
        self.checked(opened)
    }

    /// An old copy put in the file's place would take away KEKs that records need, or bring destroyed ones back.
    fn checked(&self, opened: Opened) -> Result<Opened, KeyringError> {
        if opened.keks.follows(&self.opened_now().keks) { Ok(opened) } else { Err(KeyringError::KekGone) }
    }
}

fn destroy(opened: &mut Opened, id: &KekId) -> Result<Change<()>, KeyringError> {
    let changed = opened.keks.destroy(id)?;
    Ok(if changed { Changed(()) } else { Unchanged(()) })
}

use Change::{Changed, Unchanged};

/// Whether there is anything to write.
enum Change<T> {
    Changed(T),
    Unchanged(T),
}
