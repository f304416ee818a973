//! Points in time.

use std::fmt;
use std::time::{Duration, SystemTime};

/// Milliseconds since 1970-01-01 UTC. `Display` gives RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The system's clock.
    #[must_use]
    pub fn now() -> Self {
        // A clock before 1970 is broken; zero says so more plainly than a panic in a request would.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The time this many milliseconds after 1970-01-01 UTC.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time that `Display` writes so; nothing else is taken, and no time before 1970 or after the year 9999.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let time = Self(i64::try_from(since.as_millis()).ok()?);
        (time.to_string() == text).then_some(time)
    }

    /// The time this much later; stays at the last one there is.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last millisecond of the year 9999: humantime writes no later one.
        let millis = u64::try_from(self.0).unwrap_or(0).min(253_402_300_799_999);
        humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_each_time() {
        for millis in [0, 1, 999, 1_795_315_548_123, 253_402_300_799_999] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::from_rfc3339(&time.to_string()), Some(time));
        }
        for text in [
            "2026-11-22T02:45:48Z",
            "2026-11-22T02:45:48.123456Z",
            "2026-11-22t02:45:48.123Z",
            "2026-11-22 02:45:48.123Z",
            "2026-11-22T02:45:48.123",
            "2026-11-22T02:45:48.123+00:00",
            " 2026-11-22T02:45:48.123Z",
            "1969-12-31T23:59:59.999Z",
            "2026-02-30T00:00:00.000Z",
            "",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text:?}");
        }
    }
}
