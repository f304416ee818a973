//! The highest revision of each connection that this process has seen.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenkeep_core::{ConnectionId, Revision};

/// Notices when the database shows an older record than it did before.
///
/// It keeps 16 bytes for each connection: a hash under a key of this process in place of the names. Two of a million
/// connections share a hash with a chance of one in 10^7; they would be refused, never let through.
#[derive(Debug, Default)]
pub(crate) struct HighWater {
    hasher: RandomState,
    seen: Mutex<HashMap<u64, Revision>>,
}

impl HighWater {
    /// The highest revision seen so far. Taken before a read, it is what the read must not fall below: another task may
    /// commit while the read is under way, and the read is not to blame for that.
    pub(crate) fn mark(&self, id: &ConnectionId) -> Option<Revision> {
        self.seen().get(&self.hasher.hash_one(id)).copied()
    }

    /// Notes a revision that was read or written.
    pub(crate) fn note(&self, id: &ConnectionId, revision: Revision) {
        let mut seen = self.seen();
        let highest = seen.entry(self.hasher.hash_one(id)).or_insert(revision);
        *highest = revision.max(*highest);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<u64, Revision>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
