//! A checkpoint of the audit trail, as a store keeps it.

/// The last checkpoint that was made. What it says is for the vault to make and check; to a store it is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Counts checkpoints, from 1.
    pub number: u64,
    /// The signed note, some 2 KiB of UTF-8.
    pub note: String,
}
