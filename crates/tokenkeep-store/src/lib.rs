//! What a tokenkeep vault asks of a database.
//!
//! [`TokenStore`] is the seam. It is given sealed bytes only: there is no way to hand it a token. Every change states
//! the revision that it expects and commits in one transaction with its audit entry. [`MemoryStore`] is the reference;
//! [`conformance`] tells whoever writes a backend whether it keeps the contract.

mod audit;
mod checkpoint;
pub mod conformance;
mod forward;
mod lease;
mod mac;
mod memory;
mod paused;
mod record;
mod store;
mod time;
mod vault_record;

pub use audit::{Action, AuditDraft, AuditEntry, AuditHead, SHARDS, shard_of};
pub use checkpoint::StoredCheckpoint;
pub use lease::{ProbeLease, PurgeLease};
pub use mac::{AuditChain, RecordMac};
pub use memory::MemoryStore;
pub use paused::{AtProvider, Counted, PausedRecord, ProbeTurn};
pub use record::{Purge, Record, Sealed, Status};
pub use store::{Change, Expected, KekClosure, RecordChange, Scan, Scrub, TokenSet, TokenStore};
pub use time::Timestamp;
pub use vault_record::VaultRecord;
