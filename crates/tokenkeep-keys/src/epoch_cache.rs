//! What an instance holds of its epochs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokenkeep_core::{Error, Kek, KekId};

use crate::epoch_locked::LockedKek;
use crate::epoch_observe::Watch;
use crate::{EpochEvent, EpochRecord, EpochState, EpochTime};

/// All records, as they were read at one time.
#[derive(Debug)]
pub(crate) struct Table {
    /// The place of its reading among all readings of this instance: a later one began later.
    pub(crate) number: u64,
    /// When its reading began.
    pub(crate) began: EpochTime,
    pub(crate) rows: Vec<EpochRecord>,
}

impl Table {
    pub(crate) fn row(&self, id: &KekId) -> Option<&EpochRecord> {
        self.rows.iter().find(|row| row.id == *id)
    }

    pub(crate) fn active(&self) -> Option<&EpochRecord> {
        self.rows.iter().find(|row| row.state == EpochState::Active)
    }
}

/// An epoch that was unwrapped, and all that was relied on for it: if its record says anything else by now, this is another
/// epoch's. The key provider is the one of the instance that holds this.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) id: KekId,
    sealed: Vec<u8>,
    created_at: i64,
    /// When its unwrapping began.
    pub(crate) began: EpochTime,
    kek: LockedKek,
}

impl Loaded {
    pub(crate) fn new(row: &EpochRecord, began: EpochTime, kek: LockedKek) -> Self {
        Self { id: row.id, sealed: row.sealed.clone(), created_at: row.created_at, began, kek }
    }

    pub(crate) fn is_of(&self, row: &EpochRecord) -> bool {
        self.id == row.id && self.created_at == row.created_at && self.sealed == row.sealed
    }

    pub(crate) fn kek(&self) -> Result<&Kek, Error> {
        self.kek.kek()
    }
}

/// Wraps that were set aside for this instance.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) epoch: KekId,
    pub(crate) left: AtomicU64,
}

impl Range {
    pub(crate) fn new(epoch: KekId, wraps: u64) -> Self {
        Self { epoch, left: AtomicU64::new(wraps) }
    }

    /// Takes this many, or none.
    pub(crate) fn take(&self, wraps: u64) -> bool {
        let less = |left: u64| left.checked_sub(wraps);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// An epoch that is held, and how old the older of the two things is that stand for it: its record and its key.
pub(crate) struct Seen {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) age: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) table: Option<Arc<Table>>,
    pub(crate) loaded: Vec<Arc<Loaded>>,
    pub(crate) range: Option<Arc<Range>>,
}

/// Each step under the lock is whole, and none waits.
#[derive(Debug)]
pub(crate) struct Cache {
    held: RwLock<Held>,
    /// The age at which a key is wiped, whatever is said of it.
    limit: Duration,
    watch: Watch,
}

impl Cache {
    pub(crate) fn new(limit: Duration, watch: Watch) -> Self {
        Self { held: RwLock::default(), limit, watch }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn table(&self) -> Option<Arc<Table>> {
        self.read().table.clone()
    }

    /// An epoch that may open, by the last record of it. What is being destroyed is never held.
    pub(crate) fn look(&self, id: &KekId, now: EpochTime) -> Option<Seen> {
        let held = self.read();
        let table = held.table.as_ref()?;
        let row = table.row(id)?;
        let loaded = held.loaded.iter().find(|loaded| loaded.is_of(row))?;
        let age = now.since(table.began).max(now.since(loaded.began));
        Some(Seen { loaded: Arc::clone(loaded), age })
    }

    /// Takes over a later reading, and wipes what it does not bear out.
    pub(crate) fn put_table(&self, table: &Arc<Table>) {
        let mut held = self.write();
        if held.table.as_ref().is_some_and(|known| known.number >= table.number) {
            return;
        }
        held.table = Some(Arc::clone(table));
        let kept = |loaded: &Loaded| {
            table.row(&loaded.id).is_some_and(|row| loaded.is_of(row) && row.state < EpochState::Destroying)
        };
        let wiped = keep(&mut held, kept);
        drop(held);
        self.tell_wiped(wiped);
    }

    /// Takes over an epoch that was unwrapped, unless its record was changed meanwhile.
    pub(crate) fn put_loaded(&self, loaded: &Arc<Loaded>) {
        let mut held = self.write();
        let row = held.table.as_ref().and_then(|table| table.row(&loaded.id));
        if row.is_none_or(|row| !loaded.is_of(row) || row.state == EpochState::Destroying) {
            return;
        }
        held.loaded.retain(|known| known.id != loaded.id);
        held.loaded.push(Arc::clone(loaded));
    }

    pub(crate) fn put_range(&self, range: Arc<Range>) {
        self.write().range = Some(range);
    }

    pub(crate) fn wipe(&self, id: &KekId) {
        let wiped = keep(&mut self.write(), |loaded| loaded.id != *id);
        self.tell_wiped(wiped);
    }

    /// Wipes what is too old, and says when the oldest of what is left was unwrapped.
    pub(crate) fn sweep(&self, now: EpochTime) -> Option<Duration> {
        let mut held = self.write();
        let wiped = keep(&mut held, |loaded| now.since(loaded.began) < self.limit);
        let oldest = held.loaded.iter().map(|loaded| now.since(loaded.began)).max();
        drop(held);
        self.tell_wiped(wiped);
        oldest.map(|age| self.limit.saturating_sub(age))
    }

    fn tell_wiped(&self, wiped: Vec<Arc<Loaded>>) {
        for loaded in wiped {
            self.watch.tell(&EpochEvent::Wiped { epoch: loaded.id });
        }
    }
}

fn keep(held: &mut Held, kept: impl Fn(&Loaded) -> bool) -> Vec<Arc<Loaded>> {
    held.loaded.extract_if(.., |loaded| !kept(loaded)).collect()
}
