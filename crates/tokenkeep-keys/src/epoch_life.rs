//! An epoch's way from active to gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Envelope, Error, ErrorKind, KekId};

use crate::epoch_cache::Table;
use crate::epoch_calls::of_store;
use crate::{Destruction, End, EpochKeys, EpochRecord, EpochState, KekState, ProviderCall, RetirableKeys};

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
        let table = self.inner.read_now().await?;
        self.inner.succeed(&table).await?;
        let table = self.inner.table().await?;
        table.active().map(|row| row.id).ok_or_else(|| ErrorKind::Conflict.into())
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
}

impl crate::epoch_inner::Inner {
    /// The records as they are now.
    pub(crate) async fn read_now(&self) -> Result<Arc<Table>, Error> {
        self.table_after(self.asker.reads.load(Ordering::Relaxed)).await
    }
}

#[async_trait]
impl RetirableKeys for EpochKeys {
    /// The maximum age and the time of grace. All instances must have the same.
    fn settles_in(&self) -> Duration {
        self.inner.options.max_age + self.inner.options.grace
    }

    /// Of epochs alone: the provider's own KEKs are retired with the provider.
    async fn kek_state(&self, kek: &KekId) -> Result<Option<KekState>, Error> {
        let table = self.inner.read_now().await?;
        Ok(table.row(kek).map(|row| row.state.of_kek()))
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

    async fn destroy_kek(&self, kek: &KekId) -> Result<End, Error> {
        let row = match self.row(kek).await? {
            row if row.state == EpochState::Drained => self.advance(&row).await?,
            row if row.state == EpochState::Destroying => row,
            _ => return Err(misuse("only an epoch that is drained is destroyed")),
        };
        let inner = &self.inner;
        let key = *Envelope::decode(row.sealed.clone())?.kek();
        match inner.asked(ProviderCall::DestroyKey, inner.asker.base.destroy_key(&key)).await? {
            Destruction::Scheduled(at) => Ok(End::Scheduled(at)),
            // An instance that unwrapped it before may hold it for so long.
            _ if inner.now().unix_millis < self.settled_at(&row) => Ok(End::Settling(self.settled_at(&row))),
            destroyed => {
                inner.asker.store.remove_epoch(kek, row.revision).await.map_err(of_store)?;
                inner.read_now().await?;
                Ok(End::Destroyed(destroyed))
            }
        }
    }
}

fn misuse(detail: &'static str) -> Error {
    Error::new(ErrorKind::Misuse).because(detail)
}
