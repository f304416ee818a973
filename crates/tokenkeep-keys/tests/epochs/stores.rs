//! A store of epochs that fails as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokenkeep_core::{Error, ErrorKind, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochStore, MemoryEpochStore};

/// What becomes of an insertion, or of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Works,
    /// Not made, and said so.
    Fails,
    /// Made, and the answer is lost.
    IsLost,
    /// Made twice, as the first answer was lost on the way.
    IsRepeated,
    /// Made, and never answered.
    Hangs,
    /// Nothing is read either.
    IsDown,
}

#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    store: Arc<MemoryEpochStore>,
    how: Arc<std::sync::Mutex<How>>,
    hanging: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) fn new(store: &Arc<MemoryEpochStore>, how: How) -> Self {
        Self { store: Arc::clone(store), how: Arc::new(std::sync::Mutex::new(how)), hanging: Arc::default() }
    }

    pub(crate) fn becomes(&self, how: How) {
        *self.how.lock().unwrap() = how;
    }

    /// How many calls hang in it.
    pub(crate) fn hanging(&self) -> usize {
        self.hanging.load(Ordering::SeqCst)
    }

    fn how(&self) -> How {
        *self.how.lock().unwrap()
    }
}

struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl EpochStore for Faulty {
    async fn epochs(&self) -> Result<Vec<EpochRecord>, Error> {
        match self.how() {
            How::IsDown => Err(ErrorKind::StoreUnavailable.into()),
            _ => self.store.epochs().await,
        }
    }

    async fn insert_epoch(&self, epoch: &EpochRecord, retires: Option<&EpochRecord>) -> Result<(), Error> {
        let how = self.how();
        if matches!(how, How::Fails | How::IsDown) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        self.store.insert_epoch(epoch, retires).await?;
        match how {
            How::IsLost => Err(ErrorKind::StoreUnavailable.into()),
            How::IsRepeated => self.store.insert_epoch(epoch, retires).await,
            How::Hangs => {
                self.hanging.fetch_add(1, Ordering::SeqCst);
                let _leaves = Leaves(&self.hanging);
                std::future::pending().await
            }
            _ => Ok(()),
        }
    }

    async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
        self.store.update_epoch(epoch).await
    }

    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
        self.store.remove_epoch(id, expected).await
    }
}
