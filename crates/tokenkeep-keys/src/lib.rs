//! Key providers: whoever holds the key-encryption keys (KEKs) of a vault.
//!
//! [`KeyProvider`] is the seam: it wraps and unwraps data-encryption keys, and a vault asks it for nothing else.
//! The token database never holds a KEK.

mod epoch;
mod provider;

pub use epoch::{EpochRecord, EpochState, EpochStore};
pub use provider::{KekState, KekStatus, KeyProvider};
