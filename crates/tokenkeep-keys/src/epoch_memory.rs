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
        if epochs.iter().any(|held| held.id == epoch.id) {
            return Err(conflict("the epoch's id is taken"));
        }
        let retired = retires.map(|retires| Ok::<_, Error>((followed(&epochs, retires)?, retires)));
        let retired = retired.transpose()?;
        let stays = |held: &EpochRecord| retires.is_none_or(|retires| retires.id != held.id);
        let is_active = |epoch: &EpochRecord| epoch.state == EpochState::Active;
        let retires_not = retires.is_some_and(is_active);
        if is_active(epoch) && (retires_not || epochs.iter().any(|held| is_active(held) && stays(held))) {
            return Err(conflict("another epoch is active"));
        }
        if let Some((at, retires)) = retired {
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
    conflict("the epoch was changed or removed meanwhile")
}

fn conflict(detail: &'static str) -> Error {
    Error::new(ErrorKind::Conflict).because(detail)
}
