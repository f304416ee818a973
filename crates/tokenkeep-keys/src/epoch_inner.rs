//! What all clones of an instance's `EpochKeys` share, and how an epoch is found for opening.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, KekId};

use crate::epoch_cache::{Cache, Loaded, Seen, Table};
use crate::epoch_calls::{Asker, Renewed};
use crate::epoch_flight::{Flight, Outcome, Slot, own};
use crate::epoch_wiper::Wiper;
use crate::{
    DestroyableKeys, EpochEvent, EpochOptions, EpochRecord, EpochState, EpochStatus, EpochStore, EpochTime,
};

/// How often a call begins anew because what it waited for was too old when it came.
const TRIES: usize = 4;

pub(crate) struct Inner {
    pub(crate) asker: Asker,
    pub(crate) options: EpochOptions,
    pub(crate) cache: Arc<Cache>,
    wiper: Wiper,
    flights: Mutex<Flights>,
    me: Weak<Self>,
}

#[derive(Default)]
pub(crate) struct Flights {
    table: Slot<Arc<Table>>,
    /// By epoch, with what is being unwrapped: another content of the record is another call.
    epochs: HashMap<KekId, (Vec<u8>, Slot<Arc<Loaded>>)>,
    pub(crate) reserving: Slot<Renewed>,
    pub(crate) making: Slot<Renewed>,
    /// When a successor was last tried while the active epoch was still good.
    pub(crate) tried: Option<EpochTime>,
}

impl Flights {
    fn epoch(&mut self, row: &EpochRecord) -> &mut Slot<Arc<Loaded>> {
        let (sealed, slot) = self.epochs.entry(row.id).or_default();
        if *sealed != row.sealed {
            (*sealed, *slot) = (row.sealed.clone(), Slot::default());
        }
        slot
    }
}

impl Inner {
    pub(crate) fn new(
        options: EpochOptions,
        base: Arc<dyn DestroyableKeys>,
        store: Arc<dyn EpochStore>,
    ) -> Arc<Self> {
        let cache = Arc::new(Cache::new(options.max_age + options.grace, options.watch.clone()));
        let asker = Asker { base, store, options: options.clone(), reads: Arc::new(AtomicU64::new(0)) };
        let wiper = Wiper::new(&cache, Arc::clone(&options.clock));
        Arc::new_cyclic(|me| Self {
            asker,
            options,
            cache,
            wiper,
            flights: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    pub(crate) fn now(&self) -> EpochTime {
        self.options.clock.now()
    }

    /// Never held over an await.
    pub(crate) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch with this id, if it is held and nothing of it is due: most calls end here. They wait for nothing, so they need no
    /// place for what a call that waits must remember.
    pub(crate) fn at_hand(&self, id: &KekId) -> Option<Arc<Loaded>> {
        let seen = self.cache.look(id, self.now()).filter(|seen| seen.age < self.due_at())?;
        self.options.watch.tell(&EpochEvent::Hit { epoch: *id });
        Some(seen.loaded)
    }

    /// The epoch with this id, to unwrap with; `None` where no epoch has it.
    pub(crate) async fn opening(&self, id: &KekId) -> Result<Option<Arc<Loaded>>, Error> {
        let now = self.now();
        if let Some(seen) = self.cache.look(id, now) {
            if seen.age < self.options.max_age {
                self.options.watch.tell(&EpochEvent::Hit { epoch: *id });
                if seen.age >= self.due_at() {
                    self.renew_aside(id, now).await;
                }
                return Ok(Some(seen.loaded));
            }
            // Known to be down: nobody waits for it.
            if self.within_grace(&seen) && self.is_down(id) {
                self.renew_aside(id, now).await;
                return Ok(Some(self.grace(seen)));
            }
        }
        self.cache.sweep(now);
        match self.fetch(id).await {
            Err(error) if error.kind() == ErrorKind::KeysUnavailable => {
                let seen = self.cache.look(id, self.now()).filter(|seen| self.within_grace(seen));
                seen.map(|seen| Some(self.grace(seen))).ok_or(error)
            }
            fetched => fetched,
        }
    }

    /// From this age on it is renewed beside the calls that use it.
    pub(crate) fn due_at(&self) -> Duration {
        self.options.max_age / 5 * 4
    }

    fn within_grace(&self, seen: &Seen) -> bool {
        seen.age < self.options.max_age + self.options.grace
    }

    fn is_down(&self, id: &KekId) -> bool {
        let flights = self.flights();
        flights.table.is_down() || flights.epochs.get(id).is_some_and(|(_, slot)| slot.is_down())
    }

    fn grace(&self, seen: Seen) -> Arc<Loaded> {
        self.options.watch.tell(&EpochEvent::Grace { epoch: seen.loaded.id, age: seen.age });
        seen.loaded
    }

    async fn fetch(&self, id: &KekId) -> Result<Option<Arc<Loaded>>, Error> {
        let asked = self.asker.reads.load(Ordering::Relaxed);
        let mut table = self.table().await?;
        if table.row(id).is_none() && table.number <= asked {
            // Another instance may have made it since that was read.
            table = self.table_after(asked).await?;
        }
        let Some(row) = table.row(id) else { return Ok(None) };
        self.load(row).await.map(Some)
    }

    /// The records, not older than the maximum age.
    pub(crate) async fn table(&self) -> Result<Arc<Table>, Error> {
        if let Some(table) = self.cache.table()
            && self.now().since(table.began) < self.options.max_age
        {
            return Ok(table);
        }
        for _ in 0..TRIES {
            let table = self.read_table().await?;
            if self.now().since(table.began) < self.options.max_age {
                return Ok(table);
            }
        }
        Err(too_slow())
    }

    /// The records as a reading has them that began after so many had.
    pub(crate) async fn table_after(&self, reads: u64) -> Result<Arc<Table>, Error> {
        for _ in 0..TRIES {
            let table = self.read_table().await?;
            if table.number > reads {
                return Ok(table);
            }
        }
        Err(too_slow())
    }

    async fn read_table(&self) -> Result<Arc<Table>, Error> {
        let flight =
            self.flights().table.join(self.now(), || self.asker.read()).map_err(|error| own(&error))?;
        let outcome = flight.outcome().await;
        self.settle_table(flight.number, &outcome);
        outcome.map_err(|error| own(&error))
    }

    fn settle_table(&self, number: u64, outcome: &Outcome<Arc<Table>>) {
        let mut flights = self.flights();
        if flights.table.settle(number, outcome, self.now())
            && let Ok(table) = outcome
        {
            self.take_table(&mut flights, table);
            self.tell_read();
        }
    }

    /// Under the lock, as all that calls leave behind: who finds no call there finds what it left.
    pub(crate) fn take_table(&self, flights: &mut Flights, table: &Arc<Table>) {
        self.cache.put_table(table);
        flights.epochs.retain(|id, _| table.row(id).is_some());
    }

    /// Once all that came with a reading is taken over.
    pub(crate) fn tell_read(&self) {
        if self.options.watch.0.is_some()
            && let Some(table) = self.cache.table()
        {
            let now = self.now();
            for row in &table.rows {
                self.options.watch.tell(&EpochEvent::Read(self.status_of(row, now)));
            }
        }
    }

    pub(crate) fn status_of(&self, row: &EpochRecord, now: EpochTime) -> EpochStatus {
        let held_for = self.cache.look(&row.id, now).map(|seen| now.since(seen.loaded.began));
        let age = now.unix_millis.saturating_sub(row.created_at).max(0);
        EpochStatus {
            id: row.id,
            state: row.state,
            age: Duration::from_millis(age.unsigned_abs()),
            wraps_left: if row.state == EpochState::Active { self.wraps_left(row) } else { 0 },
            held_for,
            on_grace: held_for.is_some_and(|age| age >= self.options.max_age),
        }
    }

    /// The epoch of this record, unwrapped no longer ago than the maximum age.
    pub(crate) async fn load(&self, row: &EpochRecord) -> Result<Arc<Loaded>, Error> {
        if row.state == EpochState::Destroying {
            return Err(Error::new(ErrorKind::KeyDestroyed).because("its epoch is being destroyed"));
        }
        for _ in 0..TRIES {
            let now = self.now();
            let fresh = |loaded: &Loaded, now: EpochTime| now.since(loaded.began) < self.options.max_age;
            let held = |seen: &Seen| seen.loaded.is_of(row) && fresh(&seen.loaded, now);
            if let Some(seen) = self.cache.look(&row.id, now).filter(held) {
                return Ok(seen.loaded);
            }
            let joined = {
                let mut flights = self.flights();
                // A call may have ended since.
                if let Some(seen) = self.cache.look(&row.id, now).filter(held) {
                    return Ok(seen.loaded);
                }
                flights.epoch(row).join(now, || self.asker.unwrap_epoch(row))
            };
            let flight = joined.map_err(|error| own(&error))?;
            let outcome = flight.outcome().await;
            self.settle_epoch(row, flight.number, &outcome);
            let loaded = outcome.map_err(|error| own(&error))?;
            if fresh(&loaded, self.now()) {
                return Ok(loaded);
            }
        }
        Err(too_slow())
    }

    fn settle_epoch(&self, row: &EpochRecord, number: u64, outcome: &Outcome<Arc<Loaded>>) {
        let mut flights = self.flights();
        if !flights.epoch(row).settle(number, outcome, self.now()) {
            return;
        }
        match outcome {
            Ok(loaded) => self.take_loaded(&flights, loaded),
            // Nobody opens what its provider says is gone, however young it is here.
            Err(error) if error.kind() == ErrorKind::KeyDestroyed => self.cache.wipe(&row.id),
            Err(_) => {}
        }
    }

    pub(crate) fn take_loaded(&self, _: &Flights, loaded: &Arc<Loaded>) {
        self.cache.put_loaded(loaded);
        self.wiper.wake();
        self.options.watch.tell(&EpochEvent::Loaded { epoch: loaded.id });
    }

    /// Renews what is due while others go on with what is held.
    pub(crate) async fn renew_aside(&self, id: &KekId, now: EpochTime) {
        let Some(table) = self.cache.table() else { return };
        if now.since(table.began) >= self.due_at() {
            let begun = self.flights().table.begin(now, || self.asker.read());
            if let Some(flight) = begun {
                let number = flight.number;
                self.aside(flight, move |inner, outcome| inner.settle_table(number, outcome)).await;
            }
        }
        let Some(row) = table.row(id) else { return };
        let due = |seen: Seen| now.since(seen.loaded.began) >= self.due_at();
        if self.cache.look(id, now).is_some_and(due) {
            let begun = self.flights().epoch(row).begin(now, || self.asker.unwrap_epoch(row));
            if let Some(flight) = begun {
                let (number, row) = (flight.number, row.clone());
                self.aside(flight, move |inner, outcome| inner.settle_epoch(&row, number, outcome)).await;
            }
        }
    }

    /// Sees a call to its end in a task of its own. Outside of tokio, which has tasks, the caller waits.
    pub(crate) async fn aside<T: Clone + Send + Sync + 'static>(
        &self,
        flight: Flight<T>,
        settle: impl FnOnce(&Self, &Outcome<T>) + Send + 'static,
    ) {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let inner = Weak::clone(&self.me);
                drop(runtime.spawn(async move {
                    let outcome = flight.outcome().await;
                    if let Some(inner) = inner.upgrade() {
                        settle(&inner, &outcome);
                    }
                }));
            }
            Err(_) => settle(self, &flight.outcome().await),
        }
    }

    /// A call to the provider that nobody shares.
    pub(crate) async fn asked<T>(
        &self,
        call: crate::ProviderCall,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.asker.timed(call, work).await
    }
}

fn too_slow() -> Error {
    Error::new(ErrorKind::KeysUnavailable).because("answers about epochs take longer than their maximum age")
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochKeys")
            .field("base", &self.asker.base)
            .field("store", &self.asker.store)
            .field("max_age", &self.options.max_age)
            .finish_non_exhaustive()
    }
}
