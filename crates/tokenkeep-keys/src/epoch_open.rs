//! How an epoch is found for opening.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokenkeep_core::{Dek, Error, ErrorKind, KekId, UnwrapRequest};

use crate::epoch_cache::{Loaded, Seen};
use crate::epoch_inner::{Inner, TRIES, too_slow};
use crate::{EpochEvent, EpochTime};

impl Inner {
    /// The epoch with this id, if it is held and nothing of it is due: most calls end here. They wait for nothing, so they need no
    /// place for what a call that waits must remember.
    pub(crate) fn at_hand(&self, id: &KekId) -> Option<Arc<Loaded>> {
        self.sweep_in_its_stead();
        let seen = self.cache.look(id, self.now()).filter(|seen| seen.age < self.due_at())?;
        self.options.watch.tell(&EpochEvent::Hit { epoch: *id });
        Some(seen.loaded)
    }

    /// The epoch with this id, to unwrap with; `None` where no epoch has it.
    pub(crate) async fn opening(&self, id: &KekId) -> Result<Option<Arc<Loaded>>, Error> {
        self.sweep_in_its_stead();
        if let Some(loaded) = self.held(id).await {
            return Ok(Some(loaded));
        }
        // Whoever waits for the provider's own KEKs needs no records.
        if self.of_base.lock().unwrap_or_else(PoisonError::into_inner).contains(id) {
            return Ok(None);
        }
        self.sweep(self.now());
        match self.fetch(id).await {
            Err(error) if error.kind() == ErrorKind::KeysUnavailable => {
                let seen = self.cache.look(id, self.now()).filter(|seen| self.within_grace(seen));
                seen.map(|seen| Some(self.grace(seen))).ok_or(error)
            }
            fetched => fetched,
        }
    }

    /// What opens without waiting. Where the caller renewed it itself, it is looked at again with all that came of that.
    async fn held(&self, id: &KekId) -> Option<Arc<Loaded>> {
        for renewed in [false, true] {
            let now = self.now();
            let seen = self.cache.look(id, now)?;
            let young = seen.age < self.options.max_age;
            // Known to be down: nobody waits for it.
            let usable = young || self.within_grace(&seen) && self.is_down(id, now);
            if !usable {
                return None;
            }
            if !renewed && seen.age >= self.due_at() && self.renew_aside(id).await {
                continue;
            }
            if !young {
                return Some(self.grace(seen));
            }
            self.options.watch.tell(&EpochEvent::Hit { epoch: *id });
            return Some(seen.loaded);
        }
        None
    }

    fn within_grace(&self, seen: &Seen) -> bool {
        seen.age < self.options.max_age + self.options.grace
    }

    fn is_down(&self, id: &KekId, now: EpochTime) -> bool {
        self.flights().is_down(id, now)
    }

    fn grace(&self, seen: Seen) -> Arc<Loaded> {
        self.options.watch.tell(&EpochEvent::Grace { epoch: seen.loaded.id, age: seen.age });
        seen.loaded
    }

    async fn fetch(&self, id: &KekId) -> Result<Option<Arc<Loaded>>, Error> {
        for _ in 0..TRIES {
            let asked = self.asker.reads.load(Ordering::Relaxed);
            let mut table = self.table().await?;
            if table.row(id).is_none() && table.number <= asked {
                // Another instance may have made it since that was read.
                table = self.table_after(asked).await?;
            }
            let Some(row) = table.row(id) else { return Ok(None) };
            let loaded = self.load(row).await?;
            if self.is_young(table.began, self.now()) {
                return Ok(Some(loaded));
            }
        }
        Err(too_slow())
    }

    /// Notes that these KEKs are the provider's own, as it unwrapped with them: no more of them than it has.
    pub(crate) fn note_base<'a>(
        &self,
        answers: impl Iterator<Item = (&'a UnwrapRequest<'a>, &'a Result<Dek, Error>)>,
    ) {
        let mut known = self.of_base.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(answers.filter(|(_, answer)| answer.is_ok()).map(|(request, _)| *request.kek()));
    }
}
