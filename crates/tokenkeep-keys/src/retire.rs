//! The end of a KEK, as a provider takes part in it.

use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId};

use crate::{Destruction, KekState, KeyProvider};

/// What came of an attempt to destroy a KEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// What was destroyed may still be in the memory of an instance until then (milliseconds since 1970 UTC); try again.
    Settling(i64),
    /// The service destroys it by then (milliseconds since 1970 UTC), and it may be brought back until then; try again.
    Scheduled(i64),
    /// It is destroyed, as far as [`Destruction`] says.
    Destroyed(Destruction),
}

/// A key provider whose KEKs come to an end one by one.
///
/// Each step may be repeated and may be made by any instance; of two that make it at once, one may get `Conflict`, and finds it
/// done when it looks again. Whether anything still needs the KEK is not known here: a vault counts that, and keeps the times of
/// each step in its database.
///
/// Keys that were [made beside](crate::DestroyableKeys) the primary one wrap epochs, which a vault does not count: their steps are refused
/// with `Misuse`, and so is the question how they stand; they come by retiring the epoch.
#[async_trait]
pub trait RetirableKeys: KeyProvider {
    /// For how long an instance may go on by what it knew before a change. Zero where no instance keeps anything, or where the
    /// database's refusal of closed KEKs is all that tells it.
    fn settles_in(&self) -> Duration;

    /// How it stands by now; `None` for one that was never there, or that is destroyed and forgotten.
    ///
    /// # Errors
    /// `Misuse` for one that is retired elsewhere: a key beside the primary one, or a KEK of the provider below. As said at
    /// [`KeyProvider`].
    async fn kek_state(&self, kek: &KekId) -> Result<Option<KekState>, Error> {
        self.refresh().await?;
        Ok(self.keks().await?.into_iter().find(|known| known.id == *kek).map(|known| known.state))
    }

    /// Wraps nothing more under it, with another KEK in its place if it was the primary one. No error where that is so already.
    ///
    /// # Errors
    /// `Misuse` for a KEK that is not known, and for a primary one where rotating is left to an operator; `Conflict`; as said at [`KeyProvider`].
    async fn make_open_only(&self, kek: &KekId) -> Result<(), Error>;

    /// Notes that nothing needs it, for a provider that keeps that; `None` where that is noted. Otherwise it became open-only less than
    /// [`settles_in`](Self::settles_in) ago: try again then (milliseconds since 1970 UTC).
    ///
    /// # Errors
    /// `Misuse` where it is not open-only; `Conflict`; as said at [`KeyProvider`].
    async fn mark_drained(&self, _kek: &KekId) -> Result<Option<i64>, Error> {
        Ok(None)
    }

    /// Destroys a KEK that nothing needs: for good, from its first call on. To be repeated until it says [`End::Destroyed`], and then no
    /// error either for as long as the KEK is known as destroyed.
    ///
    /// # Errors
    /// `Misuse` where it is primary, or was not [marked as drained](Self::mark_drained) with a provider that keeps that; where it can only
    /// be destroyed after others; `Conflict`; as said at [`KeyProvider`].
    async fn destroy_kek(&self, kek: &KekId) -> Result<End, Error>;
}
