//! Keys that the provider made and no epoch names yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenkeep_core::KekId;

use crate::{EpochRecord, EpochTime};

/// For so long is a key used. An operator who clears away what no epoch names leaves those alone that are younger than an hour.
const USABLE_FOR: Duration = Duration::from_secs(30 * 60);

/// What attempts to make an epoch left. The next ones go on with it, so that however often they fail, they leave a handful of keys at the
/// provider and no more. Here are no keys, only their ids: an epoch that comes of it is unwrapped once more.
#[derive(Clone, Default)]
pub(crate) struct Left(Arc<Mutex<Vec<Unkept>>>);

pub(crate) struct Unkept {
    /// The provider's.
    pub(crate) key: KekId,
    made: EpochTime,
    pub(crate) how: How,
}

pub(crate) enum How {
    /// It wraps nothing.
    Spare,
    /// It wraps this epoch, which may have come into the store; and when it was last seen to unwrap it.
    Sealed(Box<EpochRecord>, EpochTime),
    /// It was to be destroyed, and whether that came about is not known. It is never used again.
    Doomed,
}

impl Left {
    fn get(&self) -> MutexGuard<'_, Vec<Unkept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, which: impl Fn(&Unkept) -> bool) -> Option<InHand> {
        let mut left = self.get();
        let at = left.iter().position(which)?;
        Some(self.in_hand(left.swap_remove(at)))
    }

    /// One to go on with.
    pub(crate) fn usable(&self) -> Option<InHand> {
        self.take(|left| !matches!(left.how, How::Doomed))
    }

    /// One to destroy, if there are so many that none may be added.
    pub(crate) fn too_many(&self, most: usize) -> Option<InHand> {
        if self.get().len() < most {
            return None;
        }
        self.take(|left| matches!(left.how, How::Doomed))
    }

    pub(crate) fn spare(&self, key: KekId, made: EpochTime) -> InHand {
        self.in_hand(Unkept { key, made, how: How::Spare })
    }

    fn in_hand(&self, unkept: Unkept) -> InHand {
        InHand { left: self.clone(), unkept: Some(unkept) }
    }
}

/// One that a call works with, and nobody else. It goes back when the call ends or is dropped, unless it is [done](Self::done) with.
pub(crate) struct InHand {
    left: Left,
    unkept: Option<Unkept>,
}

impl InHand {
    pub(crate) fn key(&self) -> Option<KekId> {
        self.unkept.as_ref().map(|unkept| unkept.key)
    }

    /// Whether it may be among those that an operator clears away as named by nothing: not to be used any more.
    pub(crate) fn is_old(&self, now: EpochTime) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| now.since(unkept.made) >= USABLE_FOR)
    }

    pub(crate) fn sealed(&self) -> Option<(EpochRecord, EpochTime)> {
        match &self.unkept.as_ref()?.how {
            How::Sealed(row, seen) => Some((EpochRecord::clone(row), *seen)),
            How::Spare | How::Doomed => None,
        }
    }

    pub(crate) fn is(&mut self, how: How) {
        if let Some(unkept) = &mut self.unkept {
            unkept.how = how;
        }
    }

    /// An epoch names it, or it is gone.
    pub(crate) fn done(&mut self) {
        self.unkept = None;
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.left.get().extend(self.unkept.take());
    }
}
