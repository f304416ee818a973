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

    async fn insert_epoch(&self, epoch: &EpochRecord, retires: Option<&EpochRecord>) -> Result<(), Error> {
        let mut epochs = self.locked();
        if !epoch.may_join(&epochs, retires) {
            return Err(changed());
        }
        if let Some(retires) = retires {
            let at = followed(&epochs, retires)?;
            epochs[at] = retires.clone();
        }
        epochs.push(epoch.clone());
        Ok(())
    }

    async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
        let mut epochs = self.locked();
        let at = followed(&epochs, epoch)?;
        epochs[at] = epoch.clone();
        Ok(())
    }

    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
        let mut epochs = self.locked();
        let gone = |held: &EpochRecord| {
            held.id == *id && held.revision == expected && held.state == EpochState::Destroying
        };
        let at = epochs.iter().position(gone).ok_or_else(changed)?;
        epochs.remove(at);
        Ok(())
    }
}

/// The place of the record that this one follows.
fn followed(epochs: &[EpochRecord], epoch: &EpochRecord) -> Result<usize, Error> {
    epochs.iter().position(|held| epoch.follows(held)).ok_or_else(changed)
}

fn changed() -> Error {
    Error::new(ErrorKind::Conflict).because("the epochs were changed meanwhile")
}
