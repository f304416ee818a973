//! The time that epochs go by.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// Tells [`EpochKeys`](crate::EpochKeys) the time. An application keeps the default, [`SystemEpochClock`]; a test moves one on.
pub trait EpochClock: Send + Sync + fmt::Debug {
    /// The present time.
    fn now(&self) -> EpochTime;
}

/// A moment by two clocks. What is measured between two moments is the longer of both times: a clock that was set back, or that
/// stood still while the host slept, makes no key live longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochTime {
    /// Since any fixed moment; never goes back.
    pub steady: Duration,
    /// Milliseconds since 1970 UTC.
    pub unix_millis: i64,
}

impl EpochTime {
    /// How long it is from `earlier` to this moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let wall = self.unix_millis.saturating_sub(earlier.unix_millis).max(0);
        self.steady.saturating_sub(earlier.steady).max(Duration::from_millis(wall.unsigned_abs()))
    }
}

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEpochClock;

impl EpochClock for SystemEpochClock {
    fn now(&self) -> EpochTime {
        static START: OnceLock<Instant> = OnceLock::new();
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        EpochTime {
            steady: START.get_or_init(Instant::now).elapsed(),
            unix_millis: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

impl<T: EpochClock + ?Sized> EpochClock for Arc<T> {
    fn now(&self) -> EpochTime {
        (**self).now()
    }
}
