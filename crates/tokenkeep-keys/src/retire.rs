//! The end of a KEK, as a provider takes part in it.

use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId};

use crate::{Destruction, EpochState, KeyProvider};

/// How far a KEK's end has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retiring {
    /// It is in this state since then (milliseconds since 1970 UTC).
    In(EpochState, i64),
    /// Nothing of it is known: it was never there, or it is destroyed and its record deleted.
    Gone,
}

/// What came of an attempt to destroy a KEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// What was destroyed may still be in the memory of an instance until then (milliseconds since 1970 UTC); try again.
    Settling(i64),
    /// The service destroys it by then (milliseconds since 1970 UTC), and it may be brought back until then; try again.
    Scheduled(i64),
    /// It is destroyed, as far as [`Destruction`] says, and nothing is left of it.
    Destroyed(Destruction),
}

/// A key provider whose KEKs come to an end one by one, in order: [`EpochState`] names the states.
///
/// Each step may be repeated and may be made by any instance; of two that make it at once, one may get `Conflict`, and finds it
/// done when it looks again. Whether anything still needs the KEK is not known here: the vault counts that before it says that
/// the KEK is drained.
#[async_trait]
pub trait RetirableKeys: KeyProvider {
    /// For how long an instance may go on by what it knew before a change.
    fn settles_in(&self) -> Duration;

    /// How far it has got, as it is kept now.
    ///
    /// # Errors
    /// As said at [`KeyProvider`].
    async fn retiring(&self, kek: &KekId) -> Result<Retiring, Error>;

    /// Wraps nothing more under it, with another KEK in its place if it was the primary one. No error where that is so already.
    ///
    /// # Errors
    /// `Misuse` for a KEK that is not known; `Conflict`; as said at [`KeyProvider`].
    async fn make_open_only(&self, kek: &KekId) -> Result<(), Error>;

    /// Notes that no live envelope names it. No error where that is noted already.
    ///
    /// # Errors
    /// `Misuse` where it is not open-only, or became so less than [`settles_in`](Self::settles_in) ago; `Conflict`; as said at
    /// [`KeyProvider`].
    async fn mark_drained(&self, kek: &KekId) -> Result<(), Error>;

    /// Destroys a drained KEK: for good, from its first call on. To be repeated until it says [`End::Destroyed`].
    ///
    /// # Errors
    /// `Misuse` where it is not drained; `Conflict`; as said at [`KeyProvider`].
    async fn destroy_kek(&self, kek: &KekId) -> Result<End, Error>;
}
