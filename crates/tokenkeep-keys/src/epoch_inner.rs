//! What all clones of an instance's `EpochKeys` share: what it holds of records and epochs, and the calls that it has under way.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, KekId};

use crate::epoch_cache::{Cache, Loaded, Seen, Table};
use crate::epoch_calls::Asker;
use crate::epoch_flight::{Flight, Outcome, Slot, own};
use crate::epoch_flights::{Flights, locked, sweep};
use crate::epoch_left::Left;
use crate::epoch_wiper::Wiper;
use crate::{
    DestroyableKeys, EpochEvent, EpochOptions, EpochRecord, EpochState, EpochStatus, EpochStore, EpochTime,
};

/// How often a call begins anew because what it waited for was too old when it came.
pub(crate) const TRIES: usize = 4;

pub(crate) struct Inner {
    pub(crate) asker: Asker,
    pub(crate) options: EpochOptions,
    pub(crate) cache: Arc<Cache>,
    /// KEKs that the provider unwrapped with: never an epoch's.
    pub(crate) of_base: Mutex<HashSet<KekId>>,
    /// Records whose own key this instance used, before it let it be destroyed.
    pub(crate) proved: Mutex<Vec<EpochRecord>>,
    wiper: Wiper,
    flights: Arc<Mutex<Flights>>,
    me: Weak<Self>,
}

impl Inner {
    pub(crate) fn new(
        options: EpochOptions,
        base: Arc<dyn DestroyableKeys>,
        store: Arc<dyn EpochStore>,
    ) -> Arc<Self> {
        let cache = Arc::new(Cache::new(options.max_age + options.grace, options.watch.clone()));
        let reads = Arc::new(AtomicU64::new(0));
        let asker = Asker { base, store, options: options.clone(), reads, left: Left::default() };
        let flights = Arc::default();
        let wiper = Wiper::new(&cache, &flights, Arc::clone(&options.clock));
        Arc::new_cyclic(|me| Self {
            asker,
            options,
            cache,
            of_base: Mutex::default(),
            proved: Mutex::default(),
            wiper,
            flights,
            me: Weak::clone(me),
        })
    }

    pub(crate) fn now(&self) -> EpochTime {
        self.options.clock.now()
    }

    /// Never held over an await.
    pub(crate) fn flights(&self) -> MutexGuard<'_, Flights> {
        locked(&self.flights)
    }

    /// Wipes and gives up what is too old.
    pub(crate) fn sweep(&self, now: EpochTime) {
        sweep(&self.cache, &self.flights, now);
    }

    /// The same where no thread does it.
    pub(crate) fn sweep_in_its_stead(&self) {
        if self.wiper.is_missing() {
            self.sweep(self.now());
        }
    }

    /// From this age on it is renewed beside the calls that use it.
    pub(crate) fn due_at(&self) -> Duration {
        self.options.max_age / 5 * 4
    }

    /// Whether what began then may be used without asking anew.
    pub(crate) fn is_young(&self, began: EpochTime, now: EpochTime) -> bool {
        now.since(began) < self.options.max_age
    }

    /// The records, not older than the maximum age.
    pub(crate) async fn table(&self) -> Result<Arc<Table>, Error> {
        if let Some(table) = self.cache.table()
            && self.is_young(table.began, self.now())
        {
            return Ok(table);
        }
        for _ in 0..TRIES {
            let table = self.read_table().await?;
            if self.is_young(table.began, self.now()) {
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

    /// A call began that will hold an epoch's key.
    pub(crate) fn wake(&self) {
        self.wiper.wake();
    }

    /// Under the lock, as all that calls leave behind: who finds no call there finds what it left.
    pub(crate) fn take_table(&self, flights: &mut Flights, table: &Arc<Table>) {
        self.cache.put_table(table);
        flights.read(table);
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
            let held = || {
                let loaded = self.cache.look(&row.id, now)?.loaded;
                (loaded.is_of(row) && self.is_young(loaded.began, now)).then_some(loaded)
            };
            if let Some(loaded) = held() {
                return Ok(loaded);
            }
            let joined = {
                let mut flights = self.flights();
                // A call may have ended since.
                if let Some(loaded) = held() {
                    return Ok(loaded);
                }
                self.wake();
                flights.epoch(row).join(now, || self.asker.unwrap_epoch(row))
            };
            let flight = joined.map_err(|error| own(&error))?;
            let outcome = flight.outcome().await;
            self.settle_epoch(row, flight.number, &outcome);
            let loaded = outcome.map_err(|error| own(&error))?;
            if self.is_young(loaded.began, self.now()) {
                return Ok(loaded);
            }
        }
        Err(too_slow())
    }

    fn settle_epoch(&self, row: &EpochRecord, number: u64, outcome: &Outcome<Arc<Loaded>>) {
        let mut flights = self.flights();
        if !flights.known(row).is_some_and(|slot| slot.settle(number, outcome, self.now())) {
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

    /// Renews what is due while others go on with what is held. `true` if the caller waited for it: then it must look again.
    pub(crate) async fn renew_aside(&self, id: &KekId) -> bool {
        let now = self.now();
        let Some(table) = self.cache.table() else { return false };
        let mut waited = false;
        if now.since(table.began) >= self.due_at() {
            let begun = self.flights().table.begin(now, || self.asker.read());
            if let Some(flight) = begun {
                let number = flight.number;
                let settle = move |inner: &Self, outcome: &Outcome<_>| inner.settle_table(number, outcome);
                waited |= self.aside(flight, |flights| Some(&mut flights.table), settle).await;
            }
        }
        let Some(row) = table.row(id) else { return waited };
        let due = |seen: Seen| now.since(seen.loaded.began) >= self.due_at();
        if self.cache.look(id, now).is_some_and(due) {
            let begun = self.flights().epoch(row).begin(now, || self.asker.unwrap_epoch(row));
            if let Some(flight) = begun {
                let (number, of) = (flight.number, row.clone());
                let settle =
                    move |inner: &Self, outcome: &Outcome<_>| inner.settle_epoch(&of, number, outcome);
                waited |= self.aside(flight, |flights| flights.known(row), settle).await;
            }
        }
        waited
    }

    /// Sees a call to its end in a task of its own. Outside of tokio, which has tasks, the caller waits, and `true` is given.
    pub(crate) async fn aside<T: Clone + Send + Sync + 'static>(
        &self,
        flight: Flight<T>,
        slot: impl Fn(&mut Flights) -> Option<&mut Slot<T>>,
        settle: impl FnOnce(&Self, &Outcome<T>) + Send + 'static,
    ) -> bool {
        self.wake();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            settle(self, &flight.outcome().await);
            return true;
        };
        let (inner, number) = (Weak::clone(&self.me), flight.number);
        let task = runtime.spawn(async move {
            let outcome = flight.moved_on().await;
            if let Some(inner) = inner.upgrade() {
                settle(&inner, &outcome);
            }
        });
        if let Some(slot) = slot(&mut self.flights()) {
            slot.is_moved_by(number, task.abort_handle());
        }
        false
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

pub(crate) fn too_slow() -> Error {
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
