//! One call that many wait for, and that none of them owns.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use thiserror::Error as ThisError;
use tokenkeep_core::{Error, ErrorKind};
use tokio::task::AbortHandle;

use crate::EpochTime;

/// How long a failed call speaks for the next ones: while a provider is down it is asked once in this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call of which nobody knows more after this time is made anew: those who waited for it may all be gone, its connection too. So long,
/// too, something that failed is taken to be down.
const STALE: Duration = Duration::from_secs(30);

pub(crate) type Outcome<T> = Result<T, Arc<Error>>;

/// A call under way. Whoever awaits it moves it on; who stops waiting leaves it to the others.
#[derive(Clone)]
pub(crate) struct Flight<T> {
    /// Tells flights of one slot apart, in the order in which they began.
    pub(crate) number: u64,
    began: EpochTime,
    call: Shared<BoxFuture<'static, Outcome<T>>>,
    /// How many callers wait.
    waiting: Arc<AtomicUsize>,
}

impl<T: Clone> Flight<T> {
    /// As a caller waits for it: meanwhile it is nobody's to give up.
    pub(crate) async fn outcome(&self) -> Outcome<T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        self.call.clone().await
    }

    /// As a task waits that moves it on for nobody.
    pub(crate) async fn moved_on(&self) -> Outcome<T> {
        self.call.clone().await
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A task that moves a call on. It ends when nobody is to know of the call any more.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A place for one call at a time. It holds the call while it is under way, so that one whose callers all left can be taken up by
/// the next; the call must not hold what the slot is in.
pub(crate) struct Slot<T> {
    flight: Option<Flight<T>>,
    task: Option<Task>,
    failed: Option<(Arc<Error>, EpochTime)>,
    last: u64,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { flight: None, task: None, failed: None, last: 0 }
    }
}

impl<T: Clone + Send + Sync + 'static> Slot<T> {
    /// Another slot in its place, whose calls are told apart from those of this one.
    pub(crate) fn anew(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }

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
        let call = call.boxed().shared();
        let flight = Flight { number: self.last, began: now, call, waiting: Arc::default() };
        self.flight = Some(flight.clone());
        self.task = None;
        Ok(flight)
    }

    /// Notes how a call ended. `true` for the first one to do so.
    pub(crate) fn settle(&mut self, number: u64, outcome: &Outcome<T>, now: EpochTime) -> bool {
        if self.flight.as_ref().is_none_or(|flight| flight.number != number) {
            return false;
        }
        self.flight = None;
        self.task = None;
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

    /// The task that moves this call on; it may have ended it by now.
    pub(crate) fn is_moved_by(&mut self, number: u64, task: AbortHandle) {
        let task = Task(task);
        if self.flight.as_ref().is_some_and(|flight| flight.number == number) {
            self.task = Some(task);
        }
    }

    /// Whether something is down: the last call to end failed so a moment ago, or the call that was begun soon after is not answered yet.
    pub(crate) fn is_down(&self, now: EpochTime) -> bool {
        let Some((error, at)) = &self.failed else { return false };
        let recent = |time: EpochTime, since: EpochTime| time.since(since) < STALE;
        let hangs = |flight: &Flight<T>| recent(flight.began, *at) && recent(now, flight.began);
        error.kind() == ErrorKind::KeysUnavailable
            && (recent(now, *at) || self.flight.as_ref().is_some_and(hangs))
    }

    /// What it would have answered came by another way, from a call that began then.
    pub(crate) fn works(&mut self, began: EpochTime) {
        self.failed = self.failed.take().filter(|(_, at)| at.steady > began.steady);
    }

    /// Gives up a call that nobody waits for any more, into `left`; and how long the one that stays has.
    pub(crate) fn sweep(&mut self, now: EpochTime, left: &mut Vec<Box<dyn Any + Send>>) -> Option<Duration> {
        let flight = self.flight.as_ref()?;
        let age = now.since(flight.began);
        if age < STALE || flight.waiting.load(Ordering::Relaxed) > 0 {
            return Some(STALE.saturating_sub(age));
        }
        left.push(Box::new((self.flight.take(), self.task.take())));
        None
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
