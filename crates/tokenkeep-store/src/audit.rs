//! The audit trail's entries: chained by MAC in a fixed number of shards, by tenant.

use sha2::{Digest, Sha256};
use tokenkeep_core::{ConnectionId, Incarnation, Revision, SecretVersion, TenantId};

use crate::Timestamp;
use crate::record::stored_as_text;

/// How many chains there are. A tenant's entries are all in one.
pub const SHARDS: u16 = 16;

/// The chain that a tenant's entries are in.
#[must_use]
pub fn shard_of(tenant: &TenantId) -> u16 {
    u16::from(Sha256::digest(tenant.as_str().as_bytes())[0]) % SHARDS
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A token was connected.
    Connected,
    /// A token took another one's place.
    Replaced,
    /// The token was removed.
    Disconnected,
    /// The application's hooks cleared what it had cached.
    Purged,
    /// The token was given out for the first time in a minute (`count` 1).
    Used,
    /// It was given out `count` more times in the minute of the last [`Used`](Self::Used) entry.
    UsedAgain,
    /// A use made something at the provider: `subject` is its identifier.
    Created,
    /// The provider refused the token; it is not used until that is cleared up.
    Paused,
    /// The provider accepts the token again.
    Resumed,
    /// The provider refused the token for good.
    Revoked,
    /// The token may have leaked; it is not used until it is replaced.
    Suspected,
    /// Whoever runs the application said that the token had not leaked.
    Cleared,
    /// The token's DEK was moved to another KEK.
    Rewrapped,
    /// The record was not the one that the trail has, and an operator put a tombstone in its place. `subject` says what was
    /// found: `altered`, `put-back`, `missing`, or `unaccounted` (the trail doesn't know it). The tombstone's revision is greater
    /// than any that was found; it need not follow the one before it by one.
    Discarded,
}

stored_as_text! { Action:
    Connected = "connected", Replaced = "replaced", Disconnected = "disconnected", Purged = "purged", Used = "used",
    UsedAgain = "used-again", Created = "created", Paused = "paused", Resumed = "resumed", Revoked = "revoked",
    Suspected = "suspected", Cleared = "cleared", Rewrapped = "rewrapped", Discarded = "discarded",
}

impl Action {
    /// Whether the entry stands for a change of the record, which then has the entry's revision.
    #[must_use]
    pub fn changes_record(self) -> bool {
        !matches!(self, Self::Used | Self::UsedAgain | Self::Created)
    }
}

/// An entry before it has its place in a chain. It holds no token and no part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditDraft {
    /// When it was done.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// To which connection.
    pub id: ConnectionId,
    /// To which life of it.
    pub incarnation: Incarnation,
    /// With which token.
    pub secret_version: SecretVersion,
    /// The record's revision after it.
    pub revision: Revision,
    /// The record's MAC after it, so that the trail pins the very record; `None` where no record changed.
    pub record_mac: Option<[u8; 32]>,
    /// How often; 1 but for [`Action::UsedAgain`].
    pub count: u64,
    /// The provider's identifier of what a use made (a run), if it made something; what an operator
    /// [`Discarded`](Action::Discarded); of a set's index that was [`Replaced`](Action::Replaced), the target that it was sent to, if
    /// that is why.
    pub subject: Option<String>,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Which chain it is in.
    pub shard: u16,
    /// Its place in the chain, from 1.
    pub sequence: u64,
    /// What it says.
    pub draft: AuditDraft,
    /// HMAC-SHA-256 over place, content and the MAC of the entry before it.
    pub mac: [u8; 32],
}

/// The end of a chain: the last entry's place and MAC. A chain without entries has place 0 and a MAC of zeroes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Which chain.
    pub shard: u16,
    /// The last entry's place.
    pub sequence: u64,
    /// The last entry's MAC.
    pub mac: [u8; 32],
}

impl AuditHead {
    /// The head of a chain without entries.
    #[must_use]
    pub const fn empty(shard: u16) -> Self {
        Self { shard, sequence: 0, mac: [0; 32] }
    }

    /// Whether this head, read later than `seen`, can't come after it: it is of the same shard, and further back or
    /// another one at the same place.
    #[must_use]
    pub fn went_back(&self, seen: &Self) -> bool {
        self.shard == seen.shard
            && (self.sequence < seen.sequence || (self.sequence == seen.sequence && self.mac != seen.mac))
    }
}

impl AuditEntry {
    /// The head of a chain that ends with this entry.
    #[must_use]
    pub const fn head(&self) -> AuditHead {
        AuditHead { shard: self.shard, sequence: self.sequence, mac: self.mac }
    }
}
