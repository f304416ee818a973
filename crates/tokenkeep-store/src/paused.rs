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

/// A record's place in the order of [`TokenStore::paused`](crate::TokenStore::paused).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PausedSince {
    /// When it was paused.
    pub at: Timestamp,
    /// Whose record it is.
    pub id: ConnectionId,
}

impl PausedSince {
    /// The place of this record; `None` for one that was never paused.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        record.paused_at.map(|at| Self { at, id: record.id.clone() })
    }
}

/// Which of a provider's connections [`TokenStore::count`](crate::TokenStore::count) counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Those that hold a token.
    Held,
    /// Those that hold a token and were last paused in this time, whatever came of it.
    PausedDuring(Range<Timestamp>),
    /// Those that were paused in this time and are paused still.
    StillPaused(Range<Timestamp>),
}
