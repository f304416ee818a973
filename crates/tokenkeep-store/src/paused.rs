//! What is asked of a database about connections that are paused.

use std::ops::Range;

use tokenkeep_core::{ConnectionId, Origin, ProviderName};

use crate::{Record, Timestamp};

/// The connections of one provider: tokens of one name that go to one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AtProvider {
    /// The provider's name.
    pub provider: ProviderName,
    /// Where it is.
    pub origin: Origin,
}

impl AtProvider {
    /// Whether this record is of one of them.
    #[must_use]
    pub fn has(&self, record: &Record) -> bool {
        record.provider == self.provider && record.origin == self.origin
    }
}

/// A record that is paused, and when its turn is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedRecord {
    /// The record.
    pub record: Record,
    /// When the last [lease](crate::ProbeLease) of the question about its present token ended, or will; 1970 if there was none.
    pub due: Timestamp,
}

impl PausedRecord {
    /// Its place in the order of [`TokenStore::paused`](crate::TokenStore::paused).
    #[must_use]
    pub fn turn(&self) -> ProbeTurn {
        ProbeTurn { due: self.due, id: self.record.id.clone() }
    }
}

/// A place in the order of [`TokenStore::paused`](crate::TokenStore::paused).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeTurn {
    /// When it may be asked about.
    pub due: Timestamp,
    /// Whose record it is.
    pub id: ConnectionId,
}

/// What of a provider's [`TokenStore::count`](crate::TokenStore::count) counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Records that hold a token. Of another [kind](tokenkeep_core::PayloadKind) there may be any number: they say nothing of how many of
    /// a provider's tokens are paused, and are not counted.
    Held,
    /// Tokens of records that were last paused in this time, whatever came of it. One that several records hold counts once: it is
    /// known by the first 8 bytes of its fingerprint, at least.
    PausedDuring(Range<Timestamp>),
    /// Tokens of records that were paused in this time and are paused still, in the same way.
    StillPaused(Range<Timestamp>),
}
