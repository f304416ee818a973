//! How long something that does not help is left alone.

use std::time::{Duration, Instant};

/// Grows with every time that it is begun again, until it is cleared.
#[derive(Default)]
pub(crate) struct Pause {
    until: Option<Instant>,
    length: Duration,
}

/// The first and the longest, and how much longer each is than the one before.
#[derive(Clone, Copy)]
pub(crate) struct Growth {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    pub(crate) factor: u32,
}

impl Pause {
    pub(crate) fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(crate) fn begin(&mut self, now: Instant, growth: Growth) {
        self.length = match self.until {
            Some(_) => (self.length * growth.factor).min(growth.longest),
            None => growth.first,
        };
        self.until = Some(now + self.length);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit_and_starts_anew_when_cleared() {
        let growth = Growth { first: Duration::from_secs(2), longest: Duration::from_secs(20), factor: 4 };
        let mut pause = Pause::default();
        let mut now = Instant::now();
        assert!(!pause.is_on(now));
        for length in [2, 8, 20, 20] {
            pause.begin(now, growth);
            assert!(pause.is_on(now + Duration::from_millis(length * 1000 - 1)));
            now += Duration::from_secs(length);
            assert!(!pause.is_on(now));
        }
        pause.clear();
        pause.begin(now, growth);
        assert!(!pause.is_on(now + Duration::from_secs(2)));
    }
}
