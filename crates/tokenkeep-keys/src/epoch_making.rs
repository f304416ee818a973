//! How an epoch is made.

use std::future::Future;
use std::sync::Arc;

use tokenkeep_core::{EncryptionContext, Error, ErrorKind, Kek, KekId, Revision, SealDraft, fill_random};
use zeroize::Zeroizing;

use crate::epoch_cache::{Loaded, Range, Table};
use crate::epoch_calls::{Asker, Renewed, of_store, own_key};
use crate::epoch_left::{How, InHand};
use crate::epoch_locked::LockedKek;
use crate::{EpochEvent, EpochRecord, EpochState, EpochTime, ProviderCall};

/// So many keys that were to be destroyed may wait for it. With more of them no other is made.
const MOST_DOOMED: usize = 4;

impl Asker {
    /// Makes an epoch under a new key of the provider and puts it in the place of the active one, if that is still the one that
    /// is known. Three calls to the provider: to make the key, to wrap, and to see that it unwraps, before anything relies on it.
    pub(crate) fn make(
        &self,
        active: Option<EpochRecord>,
    ) -> impl Future<Output = Result<Renewed, Error>> + Send + use<> {
        let asker = self.clone();
        async move {
            let (mut key, is_new) = match asker.left.usable() {
                Some(left) => (left, false),
                None => (asker.new_key().await?, true),
            };
            if !is_new && let Some((row, _)) = key.sealed() {
                // It may have come into the store, and the answer was lost.
                let table = asker.table().await?;
                if table.row(&row.id).is_some() {
                    return Ok(asker.kept(key, &row, None, table));
                }
            }
            if key.is_old(asker.now()) {
                if asker.forget(&mut key).await.is_err() {
                    // The operator's to clear away.
                    key.done();
                }
                key = asker.new_key().await?;
            }
            let (row, loaded) = match key.sealed() {
                Some((row, seen)) if asker.seen_again(&mut key, &row, seen).await? => (row, None),
                _ => asker.sealed(&mut key).await?,
            };
            let retires = active.map(|active| active.in_next_state(asker.now().unix_millis));
            let inserted = asker.store.insert_epoch(&row, retires.as_ref()).await;
            let conflicts = inserted.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict);
            if !conflicts {
                inserted.map_err(of_store)?;
            }
            // Also after a conflict: a store that makes a step twice, as the first answer was lost, tells it of its own row.
            let table = asker.table().await?;
            if table.row(&row.id).is_some() {
                return Ok(asker.kept(key, &row, loaded, table));
            }
            // Another instance was quicker.
            if conflicts && table.rows.iter().all(|row| own_key(row) != key.key()) {
                let _ = asker.forget(&mut key).await;
            } else {
                key.done();
            }
            Ok(Renewed::nothing(table))
        }
    }

    async fn new_key(&self) -> Result<InHand, Error> {
        if let Some(mut doomed) = self.left.too_many(MOST_DOOMED) {
            self.forget(&mut doomed).await?;
        }
        let began = self.now();
        let key = self.timed(ProviderCall::MakeKey, self.base.make_key()).await?;
        Ok(self.left.spare(key, began))
    }

    /// The epoch is in the store. What was set aside with it is this instance's.
    fn kept(&self, mut key: InHand, row: &EpochRecord, loaded: Option<Loaded>, table: Table) -> Renewed {
        key.done();
        let active = table.row(&row.id).is_some_and(|row| row.state == EpochState::Active);
        let range = active.then(|| {
            self.options.watch.tell(&EpochEvent::Made { epoch: row.id });
            Arc::new(Range::new(row.id, row.wraps_reserved))
        });
        Renewed { table: Arc::new(table), range, loaded: loaded.map(Arc::new) }
    }

    /// Whether an epoch that was sealed by an earlier attempt may be kept now: not when much of its time is over, and not without a look at
    /// its key once in a maximum age.
    async fn seen_again(&self, key: &mut InHand, row: &EpochRecord, seen: EpochTime) -> Result<bool, Error> {
        let now = self.now();
        let made = EpochTime { unix_millis: row.created_at, ..seen };
        if now.since(made) >= self.options.active_for / 10 {
            return Ok(false);
        }
        if now.since(seen) >= self.options.max_age {
            match self.unwrapped(row).await {
                Ok(_) => key.is(How::Sealed(Box::new(row.clone()), now)),
                Err(error) if is_at_fault(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// A new epoch under this key. Where that fails by the key, it is destroyed, else the next attempt has it.
    async fn sealed(&self, key: &mut InHand) -> Result<(EpochRecord, Option<Loaded>), Error> {
        let id = key.key().ok_or(ErrorKind::Internal)?;
        match self.sealed_epoch(&id).await {
            Ok((row, loaded)) => {
                key.is(How::Sealed(Box::new(row.clone()), loaded.began));
                Ok((row, Some(loaded)))
            }
            Err(error) => {
                if is_at_fault(&error) {
                    // A spare one that does not work would stop all attempts to come.
                    if self.forget(key).await.is_err_and(|error| error.kind() == ErrorKind::KeysForbidden) {
                        key.done();
                    }
                }
                Err(error)
            }
        }
    }

    /// Destroys a key that wraps nothing that is kept. An instance that may not do so has it for the next epoch; where it is not known
    /// whether it was done, nobody has.
    async fn forget(&self, key: &mut InHand) -> Result<(), Error> {
        let Some(id) = key.key() else { return Ok(()) };
        key.is(How::Doomed);
        match self.timed(ProviderCall::DestroyKey, self.base.destroy_key(&id)).await {
            Err(error) if matches!(error.kind(), ErrorKind::KeysWrong | ErrorKind::KeyDestroyed) => {
                key.done();
            }
            Err(error) => {
                if error.kind() == ErrorKind::KeysForbidden {
                    key.is(How::Spare);
                }
                return Err(error);
            }
            Ok(_) => key.done(),
        }
        Ok(())
    }

    async fn sealed_epoch(&self, key: &KekId) -> Result<(EpochRecord, Loaded), Error> {
        let now = self.now();
        let created_at = now.unix_millis;
        let id = KekId::random()?;
        let kek = {
            let mut bytes = Zeroizing::new([0; Kek::LEN]);
            fill_random(&mut *bytes)?;
            LockedKek::new(id, &bytes, self.options.unlocked)?
        };
        let context = EncryptionContext::for_epoch(&id, created_at);
        let draft = SealDraft::new(&context)?;
        let request = draft.wrap_request();
        let wrapped = self.timed(ProviderCall::WrapEpoch, self.base.wrap_under(key, &request)).await?;
        let sealed = draft.finish(kek.kek()?.expose_secret(), &wrapped)?.into_bytes();
        let row = EpochRecord {
            id,
            state: EpochState::Active,
            revision: Revision::FIRST,
            sealed,
            wraps_reserved: self.options.reserve,
            created_at,
            state_since: created_at,
        };
        let unwrapped = self.unwrapped(&row).await?;
        if wrapped.kek() != key || unwrapped.kek()?.expose_secret() != kek.kek()?.expose_secret() {
            return Err(Error::new(ErrorKind::KeysUnusable)
                .because("the key provider does not unwrap what it wrapped for a new epoch"));
        }
        let loaded = Loaded::new(&row, now, unwrapped);
        Ok((row, loaded))
    }
}

/// Whether the key itself is at fault, or what is under it, so that another attempt with it is in vain.
fn is_at_fault(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::KeyDestroyed | ErrorKind::KeyDisabled | ErrorKind::KeysWrong | ErrorKind::Tampered
    )
}
