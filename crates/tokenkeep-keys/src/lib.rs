//! Key providers: whoever holds the key-encryption keys (KEKs) of a vault.
//!
//! [`KeyProvider`] is the seam: it wraps and unwraps data-encryption keys, and a vault asks it for nothing else.
//! The token database never holds a KEK. [`LocalKeyring`] keeps KEKs in a file; [`conformance`] checks any provider.
//!
//! This crate is for Unix: who may read a key file is told by its mode and owner.

#[cfg(not(unix))]
compile_error!("tokenkeep-keys needs Unix: it protects key files by their mode and owner");

pub mod conformance;
mod destroyable;
mod epoch;
mod epoch_batch;
mod epoch_cache;
mod epoch_calls;
mod epoch_clock;
pub mod epoch_conformance;
mod epoch_flight;
mod epoch_flights;
mod epoch_inner;
mod epoch_keys;
mod epoch_left;
mod epoch_life;
mod epoch_locked;
mod epoch_making;
mod epoch_memory;
mod epoch_observe;
mod epoch_open;
mod epoch_options;
mod epoch_seal;
mod epoch_wiper;
mod keyring;
mod keyring_changes;
mod keyring_destroyable;
mod keyring_error;
mod keyring_escrow;
mod keyring_file;
mod keyring_format;
mod keyring_keks;
mod keyring_lines;
mod keyring_options;
mod keyring_retire;
mod keyring_source;
mod passphrase;
mod provider;
mod retire;

pub use destroyable::{DestroyableKeys, Destruction};
pub use epoch::{EpochRecord, EpochState, EpochStore};
pub use epoch_clock::{EpochClock, EpochTime, SystemEpochClock};
pub use epoch_keys::{EpochKeys, EpochStatus};
pub use epoch_memory::MemoryEpochStore;
pub use epoch_observe::{EpochEvent, EpochObserver, ProviderCall};
pub use epoch_options::EpochOptions;
pub use keyring::LocalKeyring;
pub use keyring_error::KeyringError;
#[doc(hidden)]
pub use keyring_format::reencode;
pub use keyring_options::KeyringOptions;
pub use passphrase::Passphrase;
pub use provider::{KekState, KekStatus, KeyProvider};
pub use retire::{End, RetirableKeys};
