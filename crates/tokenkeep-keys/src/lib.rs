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
mod epoch_memory;
mod keyring;
mod keyring_error;
mod keyring_file;
mod keyring_format;
mod provider;

pub use destroyable::{DestroyableKeys, Destruction};
pub use epoch::{EpochRecord, EpochState, EpochStore};
pub use epoch_memory::MemoryEpochStore;
pub use keyring::LocalKeyring;
pub use keyring_error::KeyringError;
#[doc(hidden)]
pub use keyring_format::reencode;
pub use provider::{KekState, KekStatus, KeyProvider};
