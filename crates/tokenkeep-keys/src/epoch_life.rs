//! An epoch's way from active to gone.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Error, ErrorKind, KekId};

use crate::epoch_cache::Table;
use crate::epoch_calls::{of_store, own_key};
use crate::{Destruction, End, EpochKeys, EpochRecord, EpochState, KekState, ProviderCall, RetirableKeys};

/// How often a new epoch is asked for that another call or another instance made.
const TRIES: usize = 8;

impl EpochKeys {
    /// Makes a new epoch now, whatever the age of the active one, which only opens from then on. Gives the new one's id, or that of
    /// one which another instance made at the same time. Touches no stored data.
    ///
    /// Other instances go on sealing under the old one for the [maximum age](crate::EpochOptions::max_age) at most; whoever closes it
    /// in the token store makes their commits fail, and a vault then seals under the new one.
    ///
    /// # Errors
    /// Those of [`KeyProvider`](crate::KeyProvider).
    ///
    /// # Cancellation
    /// A dropped call made the epoch or did not; it may leave a key at the provider that nothing names.
    pub async fn rotate(&self) -> Result<KekId, Error> {
        let mut table = self.inner.read_now().await?;
        let before = table.active().map(|row| row.id);
        for _ in 0..TRIES {
            // It may be a call from before, which others left, and which changes nothing now.
            self.inner.succeed(&table).await?;
            table = self.inner.table().await?;
            match table.active().map(|row| row.id) {
                Some(new) if Some(new) != before => return Ok(new),
                _ => {}
            }
        }
        Err(ErrorKind::Conflict.into())
    }

    async fn row(&self, kek: &KekId) -> Result<EpochRecord, Error> {
        let table = self.inner.read_now().await?;
        table.row(kek).cloned().ok_or_else(|| misuse("no epoch has this id"))
    }

    /// Since when it is in its state, and until when another instance may not know it.
    fn settled_at(&self, row: &EpochRecord) -> i64 {
        let settles = i64::try_from(self.settles_in().as_millis()).unwrap_or(i64::MAX);
        row.state_since.saturating_add(settles)
    }

    async fn advance(&self, row: &EpochRecord) -> Result<EpochRecord, Error> {
        let next = row.in_next_state(self.inner.now().unix_millis);
        self.inner.asker.store.update_epoch(&next).await.map_err(of_store)?;
        self.inner.read_now().await?;
        Ok(next)
    }

    /// That the key which is about to be destroyed is the one that was made for this epoch: a record says so, and whoever writes to the store
    /// writes records. It is believed once the key unwrapped the epoch. A key that is gone already unwraps nothing, and there is nothing
    /// to lose; but another epoch's it is not.
    async fn prove(&self, row: &EpochRecord) -> Result<KekId, Error> {
        let inner = &self.inner;
        let key = own_key(row).ok_or_else(|| foreign("an epoch's record is not readable"))?;
        let same = |proved: &EpochRecord| {
            proved.id == row.id && proved.created_at == row.created_at && proved.sealed == row.sealed
        };
        if inner.proved().iter().any(same) {
            return Ok(key);
        }
        match inner.asker.unwrapped(row).await {
            Ok(_) => {
                let mut proved = inner.proved();
                proved.retain(|proved| proved.id != row.id);
                proved.push(row.clone());
            }
            Err(error) if error.kind() == ErrorKind::KeyDestroyed => {
                let table = inner.read_now().await?;
                if table.rows.iter().any(|other| other.id != row.id && own_key(other) == Some(key)) {
                    return Err(foreign("two epochs' records name one key"));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(key)
    }
}

impl crate::epoch_inner::Inner {
    fn proved(&self) -> MutexGuard<'_, Vec<EpochRecord>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records as they are now.
    pub(crate) async fn read_now(&self) -> Result<Arc<Table>, Error> {
        self.table_after(self.asker.reads.load(Ordering::Relaxed)).await
    }
}

#[async_trait]
impl RetirableKeys for EpochKeys {
    /// The maximum age and the time of grace. All instances must have the same, and clocks that agree: one instance notes when a step was made,
    /// another one looks whether the time is over. By as much as its clock is ahead, it says too early that no instance holds an epoch.
    fn settles_in(&self) -> Duration {
        self.inner.options.max_age + self.inner.options.grace
    }

    /// Of epochs alone. `Misuse` for a KEK of the provider's own, which is retired with the provider.
    async fn kek_state(&self, kek: &KekId) -> Result<Option<KekState>, Error> {
        let inner = &self.inner;
        if let Some(row) = inner.read_now().await?.row(kek) {
            return Ok(Some(row.state.of_kek()));
        }
        let keks = inner.asked(ProviderCall::List, inner.asker.base.keks()).await?;
        if keks.iter().any(|known| known.id == *kek) {
            return Err(misuse("it is no epoch, but a KEK of the key provider below; retire it there"));
        }
        Ok(None)
    }

    async fn make_open_only(&self, kek: &KekId) -> Result<(), Error> {
        if self.row(kek).await?.state == EpochState::Active {
            self.rotate().await?;
        }
        Ok(())
    }

    async fn mark_drained(&self, kek: &KekId) -> Result<Option<i64>, Error> {
        let row = self.row(kek).await?;
        match row.state {
            EpochState::Drained => Ok(None),
            EpochState::OpenOnly if self.inner.now().unix_millis < self.settled_at(&row) => {
                Ok(Some(self.settled_at(&row)))
            }
            EpochState::OpenOnly => self.advance(&row).await.map(|_| None),
            _ => Err(misuse("only an epoch that is open-only becomes drained")),
        }
    }

    /// First the epoch is unwrapped once more, so that what is destroyed is its own key, whatever was written into its record: `Tampered`
    /// where it is not, and `KeyDisabled` for a key that is disabled, which proves nothing; enable it first. A key that the provider says is
    /// destroyed before this instance saw that much of it is taken for the epoch's: who alters records can so end an epoch
    /// without its key.
    async fn destroy_kek(&self, kek: &KekId) -> Result<End, Error> {
        let row = self.row(kek).await?;
        if row.state < EpochState::Drained {
            return Err(misuse("only an epoch that is drained is destroyed"));
        }
        let key = self.prove(&row).await?;
        let row = if row.state == EpochState::Drained { self.advance(&row).await? } else { row };
        let inner = &self.inner;
        match inner.asked(ProviderCall::DestroyKey, inner.asker.base.destroy_key(&key)).await? {
            Destruction::Scheduled(at) => Ok(End::Scheduled(at)),
            // An instance that unwrapped it before may hold it for so long.
            _ if inner.now().unix_millis < self.settled_at(&row) => Ok(End::Settling(self.settled_at(&row))),
            destroyed => {
                inner.asker.store.remove_epoch(kek, row.revision).await.map_err(of_store)?;
                inner.proved().retain(|proved| proved.id != *kek);
                inner.read_now().await?;
                Ok(End::Destroyed(destroyed))
            }
        }
    }
}

fn misuse(detail: &'static str) -> Error {
    Error::new(ErrorKind::Misuse).because(detail)
}

fn foreign(detail: &'static str) -> Error {
    Error::new(ErrorKind::Tampered).because(detail)
}
