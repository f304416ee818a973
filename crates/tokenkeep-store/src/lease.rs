//! Turns that one of several instances has at a time, until a clock says that they are over.

use std::time::Duration;

use tokenkeep_core::{Incarnation, SecretVersion};

use crate::{Record, Timestamp};

/// A lease of the question whether a provider accepts a token: see [`TokenStore::lease_probe`](crate::TokenStore::lease_probe).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeLease {
    /// Who asks for it: 16 random bytes.
    pub holder: [u8; 16],
    /// Which life of the connection the token is of.
    pub incarnation: Incarnation,
    /// Which token of that life it is.
    pub secret_version: SecretVersion,
    /// The present time.
    pub now: Timestamp,
    /// Until when nobody else may ask the provider. With `now`, it is given back.
    pub until: Timestamp,
}

impl ProbeLease {
    /// The longest lease. One that would run out later than this from now is taken for none: a clock was wrong, or somebody
    /// altered the database. Twice what a vault asks for at most, so that one whose clock is some minutes behind the holder's
    /// is barred, too.
    pub const LONGEST: Duration = Duration::from_secs(10 * 60);

    /// Whether it is for the token that this record holds.
    #[must_use]
    pub fn is_of(&self, record: &Record) -> bool {
        record.sealed.is_some()
            && record.incarnation == self.incarnation
            && record.secret_version == self.secret_version
    }

    /// Whether this one can't be given because of the one that this holder has until then.
    #[must_use]
    pub fn is_barred_by(&self, holder: &[u8], until: Timestamp) -> bool {
        *holder != self.holder && until > self.now && until <= self.now.after(Self::LONGEST)
    }
}

/// A lease of the hooks that run after a disconnect: see [`TokenStore::lease_purge`](crate::TokenStore::lease_purge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeLease {
    /// Who asks for it: 16 random bytes.
    pub holder: [u8; 16],
    /// The present time.
    pub now: Timestamp,
    /// When it runs out. With `now`, it is given back.
    pub until: Timestamp,
}

impl PurgeLease {
    /// The longest lease. One that would run out later than this from now is taken for none: nobody wrote it but someone
    /// who altered the database, and it must not keep the hooks from running.
    pub const LONGEST: Duration = Duration::from_secs(60 * 60);

    /// Whether this one can't be given because of the one that this holder has until then.
    #[must_use]
    pub fn is_barred_by(&self, holder: &[u8], until: Timestamp) -> bool {
        *holder != self.holder && until > self.now && until <= self.now.after(Self::LONGEST)
    }
}
