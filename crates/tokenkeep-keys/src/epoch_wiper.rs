//! A thread that wipes epochs when their time is over, also where nobody calls.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::EpochClock;
use crate::epoch_cache::Cache;

/// The thread sleeps at least this long: a clock that a test moves is not waited for.
const LEAST: Duration = Duration::from_millis(50);

/// Starts a thread when there is something to wipe. The thread ends when there is nothing any more, or when the cache is gone.
pub(crate) struct Wiper {
    cache: Weak<Cache>,
    clock: Arc<dyn EpochClock>,
    running: Arc<Mutex<Option<Thread>>>,
}

impl Wiper {
    pub(crate) fn new(cache: &Arc<Cache>, clock: Arc<dyn EpochClock>) -> Self {
        Self { cache: Arc::downgrade(cache), clock, running: Arc::default() }
    }

    /// Something is held now.
    pub(crate) fn wake(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            return;
        }
        let (cache, clock, state) = (self.cache.clone(), Arc::clone(&self.clock), Arc::clone(&self.running));
        let thread = thread::Builder::new().name("tokenkeep-epochs".to_owned());
        // Without a thread, the next call wipes.
        if let Ok(started) = thread.spawn(move || run(&cache, &*clock, &state)) {
            *running = Some(started.thread().clone());
        }
    }
}

impl Drop for Wiper {
    fn drop(&mut self) {
        if let Some(thread) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }
}

fn run(cache: &Weak<Cache>, clock: &dyn EpochClock, state: &Mutex<Option<Thread>>) {
    loop {
        let Some(held) = cache.upgrade() else { return };
        let next = {
            // Under the lock, so that what is put there meanwhile starts another thread.
            let mut running = state.lock().unwrap_or_else(PoisonError::into_inner);
            let next = held.sweep(clock.now());
            if next.is_none() {
                *running = None;
                return;
            }
            next
        };
        drop(held);
        thread::park_timeout(next.unwrap_or_default().max(LEAST));
    }
}

impl fmt::Debug for Wiper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiper").finish_non_exhaustive()
    }
}
