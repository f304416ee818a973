//! The highest revision of each connection that this process has seen.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

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
    /// Notes what was read or written; `false` when an older revision, or none, stands where a newer one was seen.
    #[must_use]
    pub(crate) fn admit(&self, id: &ConnectionId, found: Option<Revision>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = self.hasher.hash_one(id);
        match (seen.get(&key), found) {
            (None, None) => true,
            (Some(_), None) => false,
            (Some(highest), Some(found)) if found < *highest => false,
            (_, Some(found)) => {
                seen.insert(key, found);
                true
            }
        }
    }
}
