//! The calls that epochs make: to the store that keeps them, and to the provider whose keys wrap them.
//!
//! Each is a future that owns all it needs, so that it belongs to no caller.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokenkeep_core::{EncryptionContext, Envelope, Error, ErrorKind, Kek, KekId, open_payload};
use zeroize::Zeroizing;

use crate::epoch_cache::{Loaded, Range, Table};
use crate::epoch_left::Left;
use crate::epoch_locked::LockedKek;
use crate::{
    DestroyableKeys, EpochEvent, EpochOptions, EpochRecord, EpochState, EpochStore, EpochTime, ProviderCall,
};

/// How often a reservation is made anew when other instances reserve at the same time.
const TRIES: usize = 16;

/// What making an epoch or setting wraps aside leaves.
#[derive(Clone)]
pub(crate) struct Renewed {
    /// The records as they are then.
    pub(crate) table: Arc<Table>,
    /// The wraps, if there were any.
    pub(crate) range: Option<Arc<Range>>,
    /// The epoch, if one was made.
    pub(crate) loaded: Option<Arc<Loaded>>,
}

impl Renewed {
    pub(crate) fn nothing(table: Table) -> Self {
        Self { table: Arc::new(table), range: None, loaded: None }
    }
}

#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) base: Arc<dyn DestroyableKeys>,
    pub(crate) store: Arc<dyn EpochStore>,
    pub(crate) options: EpochOptions,
    /// How many readings of the store have begun.
    pub(crate) reads: Arc<AtomicU64>,
    pub(crate) left: Left,
}

impl Asker {
    pub(crate) fn now(&self) -> EpochTime {
        self.options.clock.now()
    }

    /// A call to the provider, told to the observer when it ends.
    pub(crate) async fn timed<T>(
        &self,
        call: ProviderCall,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = self.now();
        let outcome = work.await;
        self.tell(call, began, outcome.as_ref().err());
        outcome
    }

    /// A batch for the provider, which is to have one answer for each request.
    pub(crate) async fn timed_batch<T>(
        &self,
        call: ProviderCall,
        asked: usize,
        work: impl Future<Output = Vec<Result<T, Error>>>,
    ) -> Vec<Result<T, Error>> {
        let began = self.now();
        let mut answers = work.await;
        if answers.len() != asked {
            let wrong = || {
                Error::new(ErrorKind::KeysUnusable)
                    .because("the key provider gave not one answer for each request")
            };
            answers = (0..asked).map(|_| Err(wrong())).collect();
        }
        self.tell(call, began, answers.iter().find_map(|answer| answer.as_ref().err()));
        answers
    }

    fn tell(&self, call: ProviderCall, began: EpochTime, failed: Option<&Error>) {
        let took = self.now().steady.saturating_sub(began.steady);
        self.options.watch.tell(&EpochEvent::Called { call, took, failed: failed.map(Error::kind) });
    }

    pub(crate) async fn table(&self) -> Result<Table, Error> {
        let began = self.now();
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let rows = self.store.epochs().await.map_err(of_store)?;
        Ok(Table { number, began, rows })
    }

    /// Reads all records.
    pub(crate) fn read(&self) -> impl Future<Output = Result<Arc<Table>, Error>> + Send + use<> {
        let asker = self.clone();
        async move { asker.table().await.map(Arc::new) }
    }

    /// Unwraps an epoch: one call to the provider.
    pub(crate) fn unwrap_epoch(
        &self,
        row: &EpochRecord,
    ) -> impl Future<Output = Result<Arc<Loaded>, Error>> + Send + use<> {
        let (asker, row) = (self.clone(), row.clone());
        async move {
            let began = asker.now();
            let kek = asker.unwrapped(&row).await?;
            Ok(Arc::new(Loaded::new(&row, began, kek)))
        }
    }

    /// The epoch's KEK; that it comes proves that the key which its record names was made for it.
    pub(crate) async fn unwrapped(&self, row: &EpochRecord) -> Result<LockedKek, Error> {
        let envelope = Envelope::decode(row.sealed.clone())?;
        let context = EncryptionContext::for_epoch(&row.id, row.created_at);
        let request = envelope.unwrap_request(&context);
        let unwrap = || self.timed(ProviderCall::UnwrapEpoch, self.base.unwrap_dek(&request));
        let dek = match unwrap().await {
            // Another instance may have made the key since the provider last learnt its keys.
            Err(error) if error.kind() == ErrorKind::KeysWrong => {
                self.base.refresh().await?;
                unwrap().await?
            }
            unwrapped => unwrapped?,
        };
        let payload = open_payload(&envelope, &dek, &context)?;
        let mut bytes = Zeroizing::new([0; Kek::LEN]);
        if payload.len() != bytes.len() {
            return Err(Error::new(ErrorKind::Tampered).because("an epoch's key has not the length of one"));
        }
        bytes.copy_from_slice(&payload);
        LockedKek::new(row.id, &bytes, self.options.unlocked)
    }

    /// Sets a range of wraps aside under the active epoch, if it is this one and has any left.
    pub(crate) fn reserve(
        &self,
        epoch: KekId,
    ) -> impl Future<Output = Result<Renewed, Error>> + Send + use<> {
        let asker = self.clone();
        async move {
            for _ in 0..TRIES {
                let mut table = asker.table().await?;
                let most = asker.options.wraps.saturating_sub(asker.options.reserve);
                let place = table.rows.iter_mut().find(|row| {
                    row.id == epoch && row.state == EpochState::Active && row.wraps_reserved <= most
                });
                let Some(row) = place else { return Ok(Renewed::nothing(table)) };
                row.wraps_reserved += asker.options.reserve;
                row.revision = row.revision.next();
                let left = asker.options.wraps - row.wraps_reserved;
                match asker.store.update_epoch(row).await {
                    Ok(()) => {
                        asker.options.watch.tell(&EpochEvent::Reserved { epoch, left });
                        let range = Some(Arc::new(Range::new(epoch, asker.options.reserve)));
                        return Ok(Renewed { table: Arc::new(table), range, loaded: None });
                    }
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    Err(error) => return Err(of_store(error)),
                }
            }
            Err(Error::new(ErrorKind::KeysUnavailable)
                .because("other instances changed the epoch all the time"))
        }
    }
}

/// The store's error as a key provider may have it.
pub(crate) fn of_store(error: Error) -> Error {
    let (kind, detail) = match error.kind() {
        ErrorKind::StoreUnavailable => (ErrorKind::KeysUnavailable, "where epochs are kept did not answer"),
        ErrorKind::StoreUnusable => (ErrorKind::KeysUnusable, "where epochs are kept can't be used"),
        _ => return error,
    };
    Error::new(kind).because(detail).with_source(error)
}

/// The provider's key that a record names, whoever wrote that; `None` where nobody can tell.
pub(crate) fn own_key(row: &EpochRecord) -> Option<KekId> {
    Envelope::decode(row.sealed.clone()).ok().map(|envelope| *envelope.kek())
}
