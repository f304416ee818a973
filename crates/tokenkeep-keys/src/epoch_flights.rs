//! The calls that an instance has under way.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenkeep_core::KekId;

use crate::epoch_cache::{Cache, Loaded, Table};
use crate::epoch_calls::Renewed;
use crate::epoch_flight::Slot;
use crate::{EpochRecord, EpochTime};

#[derive(Default)]
pub(crate) struct Flights {
    pub(crate) table: Slot<Arc<Table>>,
    /// By epoch, with what is being unwrapped: another content of the record is another call.
    epochs: HashMap<KekId, (Vec<u8>, Slot<Arc<Loaded>>)>,
    pub(crate) reserving: Slot<Renewed>,
    pub(crate) making: Slot<Renewed>,
    /// When a successor was last tried while the active epoch was still good.
    pub(crate) tried: Option<EpochTime>,
}

impl Flights {
    /// Where this record is unwrapped.
    pub(crate) fn epoch(&mut self, row: &EpochRecord) -> &mut Slot<Arc<Loaded>> {
        let (sealed, slot) = self.epochs.entry(row.id).or_default();
        if *sealed != row.sealed {
            (*sealed, *slot) = (row.sealed.clone(), slot.anew());
        }
        slot
    }

    /// The same, if it is there: a call that was begun for another content of the record has no place any more.
    pub(crate) fn known(&mut self, row: &EpochRecord) -> Option<&mut Slot<Arc<Loaded>>> {
        let place = self.epochs.get_mut(&row.id).filter(|(sealed, _)| *sealed == row.sealed);
        place.map(|(_, slot)| slot)
    }

    pub(crate) fn is_down(&self, id: &KekId, now: EpochTime) -> bool {
        self.table.is_down(now) || self.epochs.get(id).is_some_and(|(_, slot)| slot.is_down(now))
    }

    /// What was read by now.
    pub(crate) fn read(&mut self, table: &Table) {
        self.table.works(table.began);
        self.epochs.retain(|id, _| table.row(id).is_some());
    }

    fn sweep(&mut self, now: EpochTime, left: &mut Vec<Box<dyn Any + Send>>) -> Option<Duration> {
        let fixed =
            [self.table.sweep(now, left), self.reserving.sweep(now, left), self.making.sweep(now, left)];
        let epochs = self.epochs.values_mut().map(|(_, slot)| slot.sweep(now, left));
        epochs.chain(fixed).flatten().min()
    }
}

pub(crate) fn locked(flights: &Mutex<Flights>) -> MutexGuard<'_, Flights> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wipes what is held for too long, and drops calls that nobody waits for: one that makes an epoch holds its key. Says when the next of
/// them is due; `None` where there is nothing left.
pub(crate) fn sweep(cache: &Cache, flights: &Mutex<Flights>, now: EpochTime) -> Option<Duration> {
    let mut left = Vec::new();
    let calls = locked(flights).sweep(now, &mut left);
    // Not under the lock: a provider's own code runs when its call is dropped.
    drop(left);
    cache.sweep(now).into_iter().chain(calls).min()
}
