//! How epochs are kept.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};

use crate::epoch_observe::Watch;
use crate::{DestroyableKeys, EpochClock, EpochKeys, EpochObserver, EpochStore, SystemEpochClock};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How [`EpochKeys`] keep their epochs. All instances of an application must have the same.
#[derive(Debug, Clone)]
#[must_use]
pub struct EpochOptions {
    pub(crate) max_age: Duration,
    pub(crate) grace: Duration,
    pub(crate) active_for: Duration,
    pub(crate) wraps: u64,
    pub(crate) reserve: u64,
    pub(crate) unlocked: bool,
    pub(crate) clock: Arc<dyn EpochClock>,
    pub(crate) watch: Watch,
}

impl Default for EpochOptions {
    fn default() -> Self {
        Self {
            max_age: 10 * MINUTE,
            grace: Duration::ZERO,
            active_for: 30 * DAY,
            wraps: 1 << 32,
            reserve: 1 << 16,
            unlocked: false,
            clock: Arc::new(SystemEpochClock),
            watch: Watch::default(),
        }
    }
}

impl EpochOptions {
    /// How long an epoch that was unwrapped is used before the key provider is asked again: 10 minutes. So long may it take
    /// until everybody notices that a key was disabled or an epoch destroyed. 1 second to 1 day.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// For how long past the maximum age an epoch still opens tokens while the key provider, or the epochs' store, is down: not at
    /// all. It never seals then. At most 1 day. [`EpochEvent::Grace`](crate::EpochEvent::Grace) and
    /// [`EpochStatus`](crate::EpochStatus) tell when it is made use of. It is added to the time that everybody takes to notice a
    /// disabled key, if whoever disables it also keeps the provider from answering.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long new tokens are sealed under an epoch: 30 days. In the last tenth of it the next one is made. From 10 times
    /// [`max_age`](Self::max_age) to 400 days.
    pub fn active_for(mut self, active_for: Duration) -> Self {
        self.active_for = active_for;
        self
    }

    /// How many DEKs an epoch wraps at most, over all instances: 2^32. From 16 to 2^36; the suite's own limit is 2^40.
    /// Instances set wraps aside in ranges, up to 2^16 at a time; what one of them does not use is lost.
    pub fn wraps(mut self, wraps: u64) -> Self {
        self.wraps = wraps;
        self.reserve = (wraps / 16).clamp(1, 1 << 16);
        self
    }

    /// Goes on without locked memory where the system refuses to lock it (`RLIMIT_MEMLOCK`): an epoch's key may then be swapped
    /// out to a disk. Otherwise that is an error.
    pub fn allow_unlocked_memory(mut self) -> Self {
        self.unlocked = true;
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: impl EpochClock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: impl EpochObserver + 'static) -> Self {
        self.watch = Watch(Some(Arc::new(observer)));
        self
    }

    /// Epochs of these keys, in this store. Neither is asked anything yet.
    ///
    /// # Errors
    /// `Misuse` for a time or a number that is out of the bounds that are said above.
    pub fn build(
        self,
        keys: impl DestroyableKeys + 'static,
        store: impl EpochStore + 'static,
    ) -> Result<EpochKeys, Error> {
        let refused = |detail| Err(Error::new(ErrorKind::Misuse).because(detail));
        if self.max_age < Duration::from_secs(1) || self.max_age > DAY {
            return refused("an epoch's maximum age is 1 second to 1 day");
        }
        if self.grace > DAY {
            return refused("the time of grace is at most 1 day");
        }
        if self.active_for < self.max_age * 10 || self.active_for > DAY * 400 {
            return refused(
                "an epoch is active for 10 times its maximum age at least, and for 400 days at most",
            );
        }
        if self.wraps < 16 || self.wraps > 1 << 36 {
            return refused("an epoch wraps 16 to 2^36 DEKs");
        }
        Ok(EpochKeys::with(self, Arc::new(keys), Arc::new(store)))
    }
}
