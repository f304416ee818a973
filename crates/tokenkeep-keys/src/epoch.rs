//! Where epochs are kept.
//!
//! An epoch is a KEK of tokenkeep's own, wrapped by a key of a remote provider, so that the provider sees a few calls
//! an hour whatever the load. Its record is sealed bytes: without the provider's key it opens nothing.

use std::fmt;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId, Revision};

/// How far an epoch's life has got. It goes from each state to the next one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EpochState {
    /// New DEKs are wrapped under it.
    Active,
    /// It unwraps, and wraps nothing more.
    OpenOnly,
    /// No live envelope names it any more.
    Drained,
    /// The provider was told to destroy the key that wraps it, and has not confirmed yet.
    Destroying,
}

/// One epoch. A destroyed epoch has no record: its row is deleted once the provider confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRecord {
    /// The KEK id that envelopes name.
    pub id: KekId,
    /// How far its life has got.
    pub state: EpochState,
    /// Counts every change of this record; what compare-and-set compares.
    pub revision: Revision,
    /// The epoch's KEK in an envelope under the provider key made for this epoch alone.
    pub sealed: Vec<u8>,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created_at: i64,
    /// When it entered its state, in milliseconds since 1970 UTC.
    pub state_since: i64,
}

/// Keeps epochs: in the token database, or outside its backups.
///
/// Every change states the revision that it expects, so that of two processes that move an epoch on, one wins and the
/// other gets `Conflict`. Other errors are `StoreUnavailable` and `StoreUnusable`.
///
/// Calls may be dropped at any await: each happened wholly or not at all.
#[async_trait]
pub trait EpochStore: Send + Sync + fmt::Debug {
    /// All epochs: a handful.
    ///
    /// # Errors
    /// As said at the trait.
    async fn epochs(&self) -> Result<Vec<EpochRecord>, Error>;

    /// Adds an epoch.
    ///
    /// # Errors
    /// `Conflict` when its id is taken, or when it is active and another one is.
    async fn insert_epoch(&self, epoch: &EpochRecord) -> Result<(), Error>;

    /// Puts a record in the place of the one with its id, if that one has the `expected` revision. The new record has
    /// the next revision, and its state is the same or a later one.
    ///
    /// # Errors
    /// `Conflict` when any of that is not so, or when the record is gone.
    async fn update_epoch(&self, epoch: &EpochRecord, expected: Revision) -> Result<(), Error>;

    /// Deletes a destroyed epoch's record, if it has the `expected` revision.
    ///
    /// # Errors
    /// `Conflict` when it has another one or is gone.
    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error>;
}
