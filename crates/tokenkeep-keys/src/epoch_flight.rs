//! One call that many wait for, and that none of them owns.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use thiserror::Error as ThisError;
use tokenkeep_core::{Error, ErrorKind};

use crate::EpochTime;

/// How long a failed call speaks for the next ones: while a provider is down it is asked once in this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call of which nobody knows more after this time is made anew: those who waited for it may all be gone, its connection too.
const STALE: Duration = Duration::from_secs(30);

pub(crate) type Outcome<T> = Result<T, Arc<Error>>;

/// A call under way. Whoever awaits it moves it on; who stops waiting leaves it to the others.
#[derive(Clone)]
pub(crate) struct Flight<T> {
    /// Tells flights of one slot apart, in the order in which they began.
    pub(crate) number: u64,
    began: EpochTime,
    call: Shared<BoxFuture<'static, Outcome<T>>>,
}

impl<T: Clone> Flight<T> {
    pub(crate) async fn outcome(&self) -> Outcome<T> {
        self.call.clone().await
    }
}

/// A place for one call at a time. It holds the call while it is under way, so that one whose callers all left can be taken up by
/// the next; the call must not hold what the slot is in.
pub(crate) struct Slot<T> {
    flight: Option<Flight<T>>,
    failed: Option<(Arc<Error>, EpochTime)>,
    last: u64,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { flight: None, failed: None, last: 0 }
    }
}

impl<T: Clone + Send + 'static> Slot<T> {
    /// The call under way, or a new one. What failed just now is not tried again yet.
    pub(crate) fn join<C>(&mut self, now: EpochTime, start: impl FnOnce() -> C) -> Outcome<Flight<T>>
    where
        C: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if let Some(flight) = &self.flight
            && now.since(flight.began) < STALE
        {
            return Ok(flight.clone());
        }
        match &self.failed {
            Some((error, at)) if now.since(*at) < RETRY_AFTER => return Err(Arc::clone(error)),
            _ => {}
        }
        self.last += 1;
        let call = AssertUnwindSafe(start()).catch_unwind().map(|ended| match ended {
            Ok(outcome) => outcome.map_err(Arc::new),
            // Those who wait are not to blame, and must not all panic.
            Err(_) => Err(Arc::new(Error::new(ErrorKind::Internal).because("a key provider panicked"))),
        });
        let flight = Flight { number: self.last, began: now, call: call.boxed().shared() };
        self.flight = Some(flight.clone());
        Ok(flight)
    }

    /// Notes how a call ended. `true` for the first one to do so.
    pub(crate) fn settle(&mut self, number: u64, outcome: &Outcome<T>, now: EpochTime) -> bool {
        if self.flight.as_ref().is_none_or(|flight| flight.number != number) {
            return false;
        }
        self.flight = None;
        self.failed = outcome.as_ref().err().map(|error| (Arc::clone(error), now));
        true
    }

    /// A new call, if none is under way and none failed just now.
    pub(crate) fn begin<C>(&mut self, now: EpochTime, start: impl FnOnce() -> C) -> Option<Flight<T>>
    where
        C: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let last = self.last;
        self.join(now, start).ok().filter(|flight| flight.number > last)
    }

    /// Whether the last call to end failed because something is down.
    pub(crate) fn is_down(&self) -> bool {
        self.failed.as_ref().is_some_and(|(error, _)| error.kind() == ErrorKind::KeysUnavailable)
    }
}

/// An error that several callers got from one call.
#[derive(Debug, ThisError)]
#[error("{0}")]
struct SharedCause(#[source] Arc<Error>);

/// The error for one of the callers.
pub(crate) fn own(error: &Arc<Error>) -> Error {
    Error::new(error.kind()).with_source(SharedCause(Arc::clone(error)))
}
