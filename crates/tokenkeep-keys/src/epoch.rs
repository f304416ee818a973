//! Where epochs are kept.
//!
//! An epoch is a KEK of tokenkeep's own, wrapped by a key of a remote provider, so that the provider sees a few calls
//! an hour whatever the load. Its record is sealed bytes: without the provider's key it opens nothing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId, Revision};

use crate::KekState;

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

impl EpochState {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Active, Self::OpenOnly, Self::Drained, Self::Destroying];

    /// The state after it; `None` for the last, behind which the record is deleted.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let after = |state: &Self| *state > self;
        Self::ALL.into_iter().find(after)
    }

    /// What may be done with the KEK of an epoch in this state.
    #[must_use]
    pub fn of_kek(self) -> KekState {
        match self {
            Self::Active => KekState::Primary,
            Self::OpenOnly | Self::Drained => KekState::OpenOnly,
            Self::Destroying => KekState::Destroyed,
        }
    }

    /// The name that a database keeps.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::OpenOnly => "open-only",
            Self::Drained => "drained",
            Self::Destroying => "destroying",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One epoch. A destroyed epoch has no record: its row is deleted once the provider confirmed.
#[derive(Clone, PartialEq, Eq)]
pub struct EpochRecord {
    /// The KEK id that envelopes name.
    pub id: KekId,
    /// How far its life has got.
    pub state: EpochState,
    /// Counts every change of this record; what compare-and-set compares.
    pub revision: Revision,
    /// The epoch's KEK in an envelope under the provider key made for this epoch alone.
    pub sealed: Vec<u8>,
    /// How many wraps instances have set aside for themselves. What an instance does not use is lost, so that this never counts
    /// too few.
    pub wraps_reserved: u64,
    /// When it was made, in milliseconds since 1970 UTC. It is bound into the envelope.
    pub created_at: i64,
    /// When it entered its state, in milliseconds since 1970 UTC.
    pub state_since: i64,
}

impl EpochRecord {
    /// Whether it may take the place of this one: the same epoch at its next revision, in the same state or the next, and with no
    /// fewer wraps set aside. Every [`EpochStore`] asks this.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        self.id == before.id
            && self.created_at == before.created_at
            && self.revision == before.revision.next()
            && (self.state == before.state || before.state.next() == Some(self.state))
            && self.wraps_reserved >= before.wraps_reserved
    }

    /// Whether it may be added to these, with `retires` in the place of one of them: what [`EpochStore::insert_epoch`] asks.
    #[must_use]
    pub fn may_join(&self, present: &[Self], retires: Option<&Self>) -> bool {
        let retired = retires.map(|retires| present.iter().any(|held| retires.follows(held)));
        let active = |epoch: &&Self| epoch.state == EpochState::Active;
        let stays = present.iter().filter(|held| retires.is_none_or(|retires| retires.id != held.id));
        let others = stays.chain(retires).filter(active).count();
        retired != Some(false)
            && present.iter().all(|held| held.id != self.id)
            && (self.state != EpochState::Active || others == 0)
    }

    /// The same in its next state, since this time (milliseconds since 1970 UTC); the last state stays.
    #[must_use]
    pub fn in_next_state(&self, since: i64) -> Self {
        let state = self.state.next().unwrap_or(self.state);
        Self { state, state_since: since, revision: self.revision.next(), ..self.clone() }
    }
}

impl fmt::Debug for EpochRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochRecord")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("revision", &self.revision.get())
            .finish_non_exhaustive()
    }
}

/// Keeps epochs: in the token database, or outside its backups.
///
/// A store keeps what it is given as it is. Every change says what it is made of, by its revision, so that of two processes that move an epoch on, one wins and the
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

    /// Adds an epoch, and in the same step makes `retires` open-only, if that is given: a record that
    /// [follows](EpochRecord::follows) the one that is active now.
    ///
    /// # Errors
    /// `Conflict` when its id is taken, when it is active and another one is that does not retire, or when `retires` does not
    /// follow the record with its id. Then nothing has changed.
    async fn insert_epoch(&self, epoch: &EpochRecord, retires: Option<&EpochRecord>) -> Result<(), Error>;

    /// Puts a record in the place of the one with its id, which it [follows](EpochRecord::follows).
    ///
    /// # Errors
    /// `Conflict` when it does not, or when that one is gone.
    async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error>;

    /// Deletes a destroyed epoch's record: one that is destroying and has the `expected` revision.
    ///
    /// # Errors
    /// `Conflict` when it has another one, is in another state or is gone.
    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error>;
}

macro_rules! forward {
    ($pointer:ident) => {
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<T: EpochStore + ?Sized> EpochStore for $pointer<T> {
            async fn epochs(&self) -> Result<Vec<EpochRecord>, Error> {
                (**self).epochs().await
            }

            async fn insert_epoch(
                &self,
                epoch: &EpochRecord,
                retires: Option<&EpochRecord>,
            ) -> Result<(), Error> {
                (**self).insert_epoch(epoch, retires).await
            }

            async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
                (**self).update_epoch(epoch).await
            }

            async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
                (**self).remove_epoch(id, expected).await
            }
        }
    };
}

forward!(Arc);
forward!(Box);
