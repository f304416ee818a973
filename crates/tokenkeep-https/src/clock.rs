//! Moments.

use std::time::Duration;

use tokio::time::Instant;

/// As far away as needs to be told, 30 years: an `Instant` can't tell every time that a `Duration` can.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// So long after that moment.
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    start + time.min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_can_be_a_limit() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > now + Duration::from_secs(1 << 29));
        assert_eq!(after(now, Duration::from_secs(3)) - now, Duration::from_secs(3));
    }
}
