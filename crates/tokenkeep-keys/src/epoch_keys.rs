//! The key provider that keeps a handful of KEKs of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, KekId, UnwrapRequest, WrapRequest, WrappedDek};

use crate::epoch_calls::own_key;
use crate::epoch_inner::Inner;
use crate::{
    DestroyableKeys, EpochOptions, EpochRecord, EpochState, EpochStore, KekState, KekStatus, KeyProvider,
    ProviderCall,
};

/// KEKs of tokenkeep's own, each sealed under a key that a key provider made for it alone: epochs.
///
/// An instance unwraps an epoch once and holds it in locked memory for at most [`max_age`](EpochOptions::max_age). So the
/// provider sees a few calls an hour, whatever the load; 10,000 opens that find nothing in memory make one call, and it goes on
/// if the one that began it is dropped. New tokens are sealed under the active epoch; the next one is made in time, by one of
/// the instances, and the others follow. A vault's own keys go to the provider itself, and so does whatever is under no epoch.
///
/// ```no_run
/// # async fn example<K: tokenkeep_keys::DestroyableKeys + 'static>(keys: K) -> Result<(), tokenkeep_core::Error> {
/// use tokenkeep_keys::{EpochKeys, MemoryEpochStore};
///
/// let epochs = EpochKeys::new(keys, MemoryEpochStore::new())?; // a store that lasts, in practice
/// # let _ = epochs;
/// # Ok(()) }
/// ```
///
/// # What this costs in safety
/// - Disabling or destroying the provider's key takes effect within the maximum age (and the time of
///   [grace](EpochOptions::grace), if there is one), not at once.
/// - A compromised process exposes every epoch that it holds, and with it all tokens under these epochs in any copy of the
///   database, until the epoch is retired **and** those tokens are replaced.
/// - What is locked is the KEK and its AES key schedules. While one is unwrapped or used, copies of the KEK or of round keys may be
///   on the stack and in registers; the provider's own client has had the DEK of the epoch's envelope in its buffers, and may keep it there
///   and in freed memory for as long as its connection lives, wiped or not: its own documentation says what remains. A core file
///   holds what the process holds: turn core files off.
///
/// # An idle instance
/// A thread, which runs only while an epoch is held, wipes it when its time is over; it looks once a second, so that a host that slept or
/// a clock that was set delays it by no more. It gives up what a call holds, too, that nobody waits for any more. Where no thread can be
/// started, the next call wipes.
///
/// Cloning is cheap and gives the same instance. On tokio, what is due is renewed in a task of its own, so that no call waits for the
/// provider as long as there are calls; elsewhere the call that finds it due waits.
#[derive(Debug, Clone)]
pub struct EpochKeys {
    pub(crate) inner: Arc<Inner>,
}

impl EpochKeys {
    /// Epochs under keys of this provider, kept in this store, with the [options](EpochOptions) as they are by default.
    ///
    /// # Errors
    /// As [`EpochOptions::build`].
    pub fn new(
        keys: impl DestroyableKeys + 'static,
        store: impl EpochStore + 'static,
    ) -> Result<Self, Error> {
        Self::options().build(keys, store)
    }

    /// Epochs in another way than the plain one.
    pub fn options() -> EpochOptions {
        EpochOptions::default()
    }

    pub(crate) fn with(
        options: EpochOptions,
        base: Arc<dyn DestroyableKeys>,
        store: Arc<dyn EpochStore>,
    ) -> Self {
        Self { inner: Inner::new(options, base, store) }
    }

    /// Every epoch, as this instance knows it: for metrics and for an operator. Reads the store where the last reading is older
    /// than the maximum age; asks the provider nothing.
    ///
    /// # Errors
    /// `KeysUnavailable` and `KeysUnusable` as the epochs' store fails.
    pub async fn status(&self) -> Result<Vec<EpochStatus>, Error> {
        let inner = &self.inner;
        let table = inner.table().await?;
        let now = inner.now();
        Ok(table.rows.iter().map(|row| inner.status_of(row, now)).collect())
    }
}

/// One epoch, as an instance knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochStatus {
    /// The KEK id that envelopes name.
    pub id: KekId,
    /// How far its life has got.
    pub state: EpochState,
    /// How long ago it was made.
    pub age: Duration,
    /// How many wraps are left for it, except for what other instances have set aside; 0 unless it is active.
    pub wraps_left: u64,
    /// How long ago this instance unwrapped it; `None` where it does not hold it.
    pub held_for: Option<Duration>,
    /// Whether it is past the maximum age and opens by grace alone.
    pub on_grace: bool,
}

#[async_trait]
impl KeyProvider for EpochKeys {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        let inner = &self.inner;
        if request.is_for_vault_key() {
            return inner.asked(ProviderCall::Wrap, inner.asker.base.wrap_dek(request)).await;
        }
        let epoch = inner.sealing(1).await?;
        Ok(request.wrap_with(epoch.kek()?))
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        let inner = &self.inner;
        if let Some(epoch) = inner.at_hand(request.kek()) {
            return Ok(request.unwrap_with(epoch.kek()?)?);
        }
        Box::pin(async {
            match inner.opening(request.kek()).await? {
                Some(epoch) => Ok(request.unwrap_with(epoch.kek()?)?),
                None => {
                    let dek = inner.asked(ProviderCall::Unwrap, inner.asker.base.unwrap_dek(request)).await;
                    inner.note_base([(request, &dek)].into_iter());
                    dek
                }
            }
        })
        .await
    }

    /// What is a vault's own is one batch for the provider; for the tokens an epoch is taken once, or once for each range of wraps that is
    /// set aside.
    async fn wrap_deks(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
        self.inner.wrap_batch(requests).await
    }

    /// Each epoch that is named is taken once; what is under none is one batch for the provider.
    async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        self.inner.unwrap_batch(requests).await
    }

    /// The provider's KEKs, of which none is primary here, and the epochs, of which the active one is. Makes an epoch where none is
    /// active. An epoch is destroyed, too, where the provider lists its own key as destroyed.
    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        let inner = &self.inner;
        let mut table = inner.read_now().await?;
        let now = inner.now();
        if table.active().is_none_or(|row| inner.remaining(row, now).is_none()) {
            inner.succeed(&table).await?;
            table = inner.table().await?;
        }
        let mut keks = inner.asked(ProviderCall::List, inner.asker.base.keks()).await?;
        for kek in &mut keks {
            if kek.state == KekState::Primary {
                kek.state = KekState::OpenOnly;
            }
        }
        let state = |row: &EpochRecord| match row.state.of_kek() {
            KekState::OpenOnly if is_gone(row, &keks) => KekState::Destroyed,
            state => state,
        };
        let epochs: Vec<KekStatus> =
            table.rows.iter().map(|row| KekStatus::new(row.id, state(row))).collect();
        keks.extend(epochs);
        Ok(keks)
    }

    /// Reads the records of all epochs, and has the provider [refresh](KeyProvider::refresh), too: a vault's own keys are wrapped by it. It is
    /// also told to where it does not know an epoch's own key.
    async fn refresh(&self) -> Result<(), Error> {
        self.inner.read_now().await?;
        self.inner.asker.base.refresh().await
    }

    fn key_file(&self) -> Option<&Path> {
        self.inner.asker.base.key_file()
    }
}

/// Whether the provider says that the epoch's own key is destroyed, whatever its record says.
fn is_gone(row: &EpochRecord, keks: &[KekStatus]) -> bool {
    own_key(row).is_some_and(|key| keks.iter().any(|kek| kek.id == key && kek.state == KekState::Destroyed))
}
