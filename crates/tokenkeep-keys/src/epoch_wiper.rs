//! A thread that wipes epochs when their time is over, also where nobody calls.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::EpochClock;
use crate::epoch_cache::Cache;
use crate::epoch_flights::{Flights, sweep};

/// The thread sleeps at least this long: a clock that a test moves is not waited for.
const LEAST: Duration = Duration::from_millis(50);
/// And at most this long: the clock that it sleeps by stands still while the host does, and knows nothing of one that is set.
const MOST: Duration = Duration::from_secs(1);

/// Starts a thread when there is something to wipe. The thread ends when there is nothing any more, or when the instance is gone.
pub(crate) struct Wiper {
    swept: Swept,
    running: Arc<Mutex<Running>>,
    /// No thread could be started.
    alone: AtomicBool,
}

#[derive(Clone)]
struct Swept {
    cache: Weak<Cache>,
    flights: Weak<Mutex<Flights>>,
    clock: Arc<dyn EpochClock>,
}

#[derive(Default)]
struct Running {
    thread: Option<Thread>,
    /// How often there was something new.
    wakes: u64,
}

impl Wiper {
    pub(crate) fn new(cache: &Arc<Cache>, flights: &Arc<Mutex<Flights>>, clock: Arc<dyn EpochClock>) -> Self {
        let swept = Swept { cache: Arc::downgrade(cache), flights: Arc::downgrade(flights), clock };
        Self { swept, running: Arc::default(), alone: AtomicBool::new(false) }
    }

    /// Something is held now, or on its way.
    pub(crate) fn wake(&self) {
        let mut running = locked(&self.running);
        running.wakes += 1;
        if running.thread.is_some() {
            return;
        }
        let (swept, state) = (self.swept.clone(), Arc::clone(&self.running));
        let thread = thread::Builder::new().name("tokenkeep-epochs".to_owned());
        let started = thread.spawn(move || run(&swept, &state));
        self.alone.store(started.is_err(), Ordering::Relaxed);
        running.thread = started.ok().map(|started| started.thread().clone());
    }

    /// Whether calls must wipe themselves.
    pub(crate) fn is_missing(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }
}

impl Drop for Wiper {
    fn drop(&mut self) {
        if let Some(thread) = &locked(&self.running).thread {
            thread.unpark();
        }
    }
}

fn run(swept: &Swept, state: &Mutex<Running>) {
    loop {
        let wakes = locked(state).wakes;
        let next = {
            let (Some(cache), Some(flights)) = (swept.cache.upgrade(), swept.flights.upgrade()) else {
                return;
            };
            sweep(&cache, &flights, swept.clock.now())
        };
        match next {
            Some(next) => thread::park_timeout(next.clamp(LEAST, MOST)),
            None => {
                let mut running = locked(state);
                // What came since the sweep needs this thread, or another one.
                if running.wakes == wakes {
                    running.thread = None;
                    return;
                }
            }
        }
    }
}

fn locked(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Wiper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiper").finish_non_exhaustive()
    }
}
