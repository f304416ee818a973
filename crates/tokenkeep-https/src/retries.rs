//! When a call that failed is made again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokenkeep_core::{Meaning, fill_random};

/// What a repeat costs of the budget, in what a success gives back.
const COST: u32 = 5;

/// Whether, how often and after which waits a transport makes a call again.
///
/// What is repeated: an answer of status 429, or of 500 and above, a network error, and a success or a 404 that broke off. Not repeated is what
/// would end the same way: any other status, a redirect, a body over the limit or one that a boundary can't project, and a server
/// that can't prove who it is. A [stream](crate::Call::stream) is repeated until its status is there, never after it.
///
/// A call that is not idempotent (a `POST` or a `PATCH`, unless [`Call::idempotent`](crate::Call::idempotent) says otherwise) may
/// have been carried out by a provider that failed to say so. It is repeated after a 429 and where no connection could be made, and
/// never after a time-out, a connection that broke, or an answer of status 500 and above.
///
/// Before the n-th repeat it waits a random time from nothing to `first_wait` × 2ⁿ⁻¹, and that no longer than `longest_wait`; or for what
/// `Retry-After` asks, and up to `first_wait` more, if that is longer. All of it stands under the transport's
/// [deadline](crate::TransportBuilder::deadline): what would have to wait beyond it fails at once, with the answer that there was.
///
/// A transport, with all its clones, has one budget of repeats, for all credentials and tenants together, so that a provider that is down gets at most that much more to do. Each
/// repeat that is sent takes one from it, and each call that succeeds gives a fifth of one back, up to what it began with. Where it is empty, calls
/// are made once.
///
/// Exactly one layer should repeat. What repeats by itself above a transport gives it [`none`](Self::none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    pub(crate) at_most: u32,
    first_wait: Duration,
    longest_wait: Duration,
    budget: u32,
}

impl Retries {
    /// No call is made twice.
    #[must_use]
    pub const fn none() -> Self {
        Self { at_most: 0, ..Self::standard() }
    }

    /// At most 8 repeats of a call, waits of 500 ms doubled up to 30 s, a budget of 20 repeats. What a transport does unless it is told
    /// otherwise.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            at_most: 8,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            budget: 20,
        }
    }

    /// How often a call is repeated at most.
    #[must_use]
    pub const fn at_most(mut self, repeats: u32) -> Self {
        self.at_most = repeats;
        self
    }

    /// How long the first wait is at most; each one after it may be twice as long.
    #[must_use]
    pub const fn first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// How long a wait is at most that no `Retry-After` asks for.
    #[must_use]
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// How many repeats a transport may make beyond one for every five calls that succeed.
    #[must_use]
    pub const fn budget(mut self, repeats: u32) -> Self {
        self.budget = repeats;
        self
    }

    /// How long to wait before the repeat of this number, from 1.
    pub(crate) fn wait(&self, repeat: u32, retry_after: Option<Duration>) -> Duration {
        let factor = 2_u32.saturating_pow(repeat.saturating_sub(1));
        let wait = some_of(self.first_wait.saturating_mul(factor).min(self.longest_wait));
        // Not all who were told the same come back at the same moment.
        let asked = retry_after.map(|asked| asked.saturating_add(some_of(self.first_wait)));
        asked.map_or(wait, |asked| asked.max(wait))
    }
}

/// A random part of this time; all of it where the operating system has no random numbers.
fn some_of(time: Duration) -> Duration {
    let mut bytes = [0; 4];
    match fill_random(&mut bytes) {
        Ok(()) => time.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)),
        Err(_) => time,
    }
}

/// Whether a call may be made again after what came of it, with what `Retry-After` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It was accepted.
    Succeeded,
    Never,
    /// The provider may have carried it out.
    IfIdempotent(Option<Duration>),
    /// It did not carry it out.
    Always(Option<Duration>),
}

impl Repeat {
    /// After an answer of status 400 or above.
    pub(crate) fn of_error(status: u16, meaning: Meaning, retry_after: Option<Duration>) -> Self {
        match (status, meaning) {
            (429, Meaning::RateLimited | Meaning::Unavailable | Meaning::Unexpected) => {
                Self::Always(retry_after)
            }
            (500.., Meaning::RateLimited | Meaning::Unavailable | Meaning::Unexpected) => {
                Self::IfIdempotent(retry_after)
            }
            _ => Self::Never,
        }
    }
}

/// What a transport may still repeat.
pub(crate) struct Budget {
    most: u32,
    left: Mutex<u32>,
}

impl Budget {
    pub(crate) fn of(retries: &Retries) -> Self {
        let most = retries.budget.saturating_mul(COST);
        Self { most, left: Mutex::new(most) }
    }

    /// A repeat, if one is left.
    pub(crate) fn take(&self) -> Option<Reserved<'_>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(COST)?;
        Some(Reserved(Some(self)))
    }

    /// A call succeeded.
    pub(crate) fn give_back(&self) {
        self.add(1);
    }

    fn add(&self, parts: u32) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = self.most.min(left.saturating_add(parts));
    }
}

/// A repeat that was taken from the budget. Dropped before it is sent, it goes back.
#[must_use = "a repeat that is sent is spent"]
pub(crate) struct Reserved<'a>(Option<&'a Budget>);

impl Reserved<'_> {
    /// It is sent.
    pub(crate) fn spend(mut self) {
        self.0 = None;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.0 {
            budget.add(COST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries::standard();

    fn longest_of_many(repeat: u32, retry_after: Option<u64>) -> (Duration, Duration) {
        let waits = (0..1000).map(|_| RETRIES.wait(repeat, retry_after.map(Duration::from_secs)));
        let waits: Vec<_> = waits.collect();
        (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
    }

    #[test]
    fn waits_double_up_to_their_limit_and_are_random_from_nothing() {
        for (repeat, most) in [(1, 500), (2, 1000), (3, 2000), (6, 16_000), (7, 30_000), (40, 30_000)] {
            let (shortest, longest) = longest_of_many(repeat, None);
            let most = Duration::from_millis(most);
            assert!(longest <= most && longest > most.mul_f64(0.9), "{repeat}: {longest:?}");
            assert!(shortest < most.mul_f64(0.1), "{repeat}: {shortest:?}");
        }
    }

    #[test]
    fn what_is_asked_for_is_waited_and_a_little_more() {
        let (shortest, longest) = longest_of_many(1, Some(90));
        assert!(shortest >= Duration::from_secs(90) && longest <= Duration::from_millis(90_500));
        assert!(longest > shortest);
        // What asks for nothing does not make it faster.
        assert!(longest_of_many(7, Some(0)).1 > Duration::from_secs(20));
        assert_eq!(RETRIES.wait(1, Some(Duration::MAX)), Duration::MAX);
        assert!(RETRIES.longest_wait(Duration::MAX).first_wait(Duration::MAX).wait(9, None) <= Duration::MAX);
    }

    #[test]
    fn five_successes_buy_one_repeat_and_never_more_than_there_were() {
        let budget = Budget::of(&RETRIES.budget(2));
        let take_all = || std::iter::from_fn(|| budget.take()).map(Reserved::spend).count();
        assert_eq!(take_all(), 2);
        (0..4).for_each(|_| budget.give_back());
        assert_eq!(take_all(), 0);
        budget.give_back();
        assert_eq!(take_all(), 1);
        (0..100).for_each(|_| budget.give_back());
        assert_eq!(take_all(), 2);
    }

    #[test]
    fn a_repeat_that_is_not_sent_goes_back() {
        let budget = Budget::of(&RETRIES.budget(1));
        drop(budget.take());
        let reserved = budget.take();
        assert!(budget.take().is_none());
        drop(reserved);
        assert!(budget.take().is_some());
    }
}
