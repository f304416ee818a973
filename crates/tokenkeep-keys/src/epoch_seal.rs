//! Which epoch new DEKs are wrapped under, and how the next one comes in time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};

use crate::epoch_cache::{Loaded, Range, Table};
use crate::epoch_calls::Renewed;
use crate::epoch_flight::{Outcome, Slot, own};
use crate::epoch_flights::Flights;
use crate::epoch_inner::Inner;
use crate::{EpochEvent, EpochRecord, EpochTime};

/// How often the active epoch is looked for anew while other instances change it.
const TRIES: usize = 8;

/// A record that claims to be made later than this from now is not waited for to grow old.
const CLOCKS_APART: i64 = 24 * 60 * 60 * 1000;

impl Inner {
    /// The active epoch, to wrap so many DEKs with; they are taken off what was set aside. Never one that is past the maximum age.
    pub(crate) async fn sealing(&self, wraps: u64) -> Result<Arc<Loaded>, Error> {
        self.sweep_in_its_stead();
        let (mut renewed, mut destroyed) = (false, false);
        for _ in 0..TRIES {
            let table = self.table().await?;
            let now = self.now();
            let Some(row) = table.active().filter(|row| self.remaining(row, now).is_some()) else {
                self.succeed(&table).await?;
                continue;
            };
            if self.range(row, |range| range.left.load(Ordering::Relaxed) < wraps) != Some(false) {
                self.replenish(&table, row, wraps).await?;
                continue;
            }
            if !renewed {
                renewed = true;
                // Whoever waited for it looks again.
                if self.succeed_aside(row, now).await | self.renew_aside(&row.id).await {
                    continue;
                }
            }
            let loaded = match self.load(row).await {
                // It will never seal again, and need not wait for the end of its time to be succeeded.
                Err(error) if error.kind() == ErrorKind::KeyDestroyed && !destroyed => {
                    destroyed = true;
                    self.succeed(&table).await?;
                    continue;
                }
                loaded => loaded?,
            };
            let now = self.now();
            let young = self.is_young(table.began, now) && self.is_young(loaded.began, now);
            if young && self.range(row, |range| range.take(wraps)) == Some(true) {
                self.options.watch.tell(&EpochEvent::Hit { epoch: row.id });
                return Ok(loaded);
            }
        }
        Err(Error::new(ErrorKind::KeysUnavailable)
            .because("other instances changed the active epoch all the time"))
    }

    /// What is said of the wraps that are set aside under this epoch, if any are.
    fn range<T>(&self, row: &EpochRecord, says: impl FnOnce(&Range) -> T) -> Option<T> {
        let range = self.cache.read().range.clone();
        range.filter(|range| range.epoch == row.id).map(|range| says(&range))
    }

    /// For how long it stays active; `None` when its time is over.
    pub(crate) fn remaining(&self, row: &EpochRecord, now: EpochTime) -> Option<Duration> {
        let age = now.unix_millis.saturating_sub(row.created_at);
        if age < -CLOCKS_APART {
            return None;
        }
        let left = self.options.active_for.checked_sub(Duration::from_millis(age.max(0).unsigned_abs()))?;
        (!left.is_zero()).then_some(left)
    }

    /// Whether it is in the last tenth of its time or of its wraps: the next one is made beside it.
    fn is_ending(&self, row: &EpochRecord, now: EpochTime) -> bool {
        let time = self.remaining(row, now).is_none_or(|left| left < self.options.active_for / 10);
        time || row.wraps_reserved > self.options.wraps / 10 * 9
    }

    async fn replenish(&self, table: &Arc<Table>, row: &EpochRecord, wraps: u64) -> Result<(), Error> {
        if wraps > self.options.reserve {
            return Err(
                Error::new(ErrorKind::Misuse).because("more DEKs than an instance sets aside at a time")
            );
        }
        if row.wraps_reserved > self.options.wraps - self.options.reserve {
            return self.succeed(table).await;
        }
        let epoch = row.id;
        self.renew(table, |flights| &mut flights.reserving, || self.asker.reserve(epoch)).await
    }

    /// Waits for a new epoch in the place of the active one that this table has.
    pub(crate) async fn succeed(&self, table: &Arc<Table>) -> Result<(), Error> {
        let active = table.active().cloned();
        self.renew(table, |flights| &mut flights.making, || self.asker.make(active)).await
    }

    /// The same while the old epoch is still good, towards its end: nobody waits for it, and while the provider is down it is tried once in
    /// every maximum age. `true` if the caller waited after all.
    async fn succeed_aside(&self, row: &EpochRecord, now: EpochTime) -> bool {
        if !self.is_ending(row, now) {
            return false;
        }
        let begun = {
            let mut flights = self.flights();
            let active = self.cache.table().and_then(|table| table.active().map(|active| active.id));
            let tried = flights.tried.is_some_and(|tried| now.since(tried) < self.options.max_age);
            if tried || active != Some(row.id) {
                return false;
            }
            flights.tried = Some(now);
            flights.making.begin(now, || self.asker.make(Some(row.clone())))
        };
        let Some(flight) = begun else { return false };
        let number = flight.number;
        let settle = move |inner: &Self, outcome: &Outcome<Renewed>| {
            inner.settle(|flights| &mut flights.making, number, outcome);
        };
        self.aside(flight, |flights| Some(&mut flights.making), settle).await
    }

    /// One call for all that saw this table. Where a later one is known by now, the caller looks again first.
    async fn renew<C>(
        &self,
        table: &Table,
        slot: impl Fn(&mut Flights) -> &mut Slot<Renewed>,
        start: impl FnOnce() -> C,
    ) -> Result<(), Error>
    where
        C: Future<Output = Result<Renewed, Error>> + Send + 'static,
    {
        let joined = {
            let mut flights = self.flights();
            if self.cache.table().is_some_and(|known| known.number > table.number) {
                return Ok(());
            }
            slot(&mut flights).join(self.now(), start)
        };
        let flight = joined.map_err(|error| own(&error))?;
        self.wake();
        let outcome = flight.outcome().await;
        self.settle(slot, flight.number, &outcome);
        outcome.map(drop).map_err(|error| own(&error))
    }

    fn settle(
        &self,
        slot: impl Fn(&mut Flights) -> &mut Slot<Renewed>,
        number: u64,
        outcome: &Outcome<Renewed>,
    ) {
        let mut flights = self.flights();
        if !slot(&mut flights).settle(number, outcome, self.now()) {
            return;
        }
        let Ok(renewed) = outcome else { return };
        self.take_table(&mut flights, &renewed.table);
        if let Some(range) = &renewed.range {
            self.cache.put_range(Arc::clone(range));
        }
        if let Some(loaded) = &renewed.loaded {
            self.take_loaded(&flights, loaded);
        }
        self.tell_read();
    }

    /// What is left for new wraps of an epoch, as far as this instance knows: what nobody set aside, and what it did.
    pub(crate) fn wraps_left(&self, row: &EpochRecord) -> u64 {
        let aside = self.range(row, |range| range.left.load(Ordering::Relaxed)).unwrap_or(0);
        self.options.wraps.saturating_sub(row.wraps_reserved).saturating_add(aside)
    }
}
