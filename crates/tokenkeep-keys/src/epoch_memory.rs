//! Epochs in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokenkeep_core::{Error, ErrorKind, KekId, Revision};

use crate::{EpochRecord, EpochState, EpochStore};

/// The reference of [`EpochStore`]: what any other one does, without lasting. For tests; when it is dropped, whatever
/// was sealed under its epochs is lost.
#[derive(Debug, Default)]
pub struct MemoryEpochStore {
    epochs: Mutex<Vec<EpochRecord>>,
}

impl MemoryEpochStore {
    /// A store without epochs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<EpochRecord>> {
        // Every change is one step, so that a panic elsewhere left nothing half done.
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EpochStore for MemoryEpochStore {
    async fn epochs(&self) -> Result<Vec<EpochRecord>, Error> {
        Ok(self.locked().clone())
    }

    async fn insert_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
        let mut epochs = self.locked();
        if epochs.iter().any(|held| held.id == epoch.id) {
            return Err(Error::new(ErrorKind::Conflict).because("the epoch's id is taken"));
        }
        let is_active = |epoch: &EpochRecord| epoch.state == EpochState::Active;
        if is_active(epoch) && epochs.iter().any(is_active) {
            return Err(Error::new(ErrorKind::Conflict).because("another epoch is active"));
        }
        epochs.push(epoch.clone());
        Ok(())
    }

    async fn update_epoch(&self, epoch: &EpochRecord, expected: Revision) -> Result<(), Error> {
        let mut epochs = self.locked();
        let at = find(&epochs, &epoch.id, expected)?;
        if epoch.revision != expected.next() || epoch.state < epochs[at].state {
            return Err(Error::new(ErrorKind::Conflict).because("an epoch's revision and state only advance"));
        }
        epochs[at] = epoch.clone();
        Ok(())
    }

    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
        let mut epochs = self.locked();
        let at = find(&epochs, id, expected)?;
        epochs.remove(at);
        Ok(())
    }
}

fn find(epochs: &[EpochRecord], id: &KekId, expected: Revision) -> Result<usize, Error> {
    epochs
        .iter()
        .position(|held| &held.id == id && held.revision == expected)
        .ok_or_else(|| Error::new(ErrorKind::Conflict).because("the epoch was changed or removed meanwhile"))
}
