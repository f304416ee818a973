//! What came of all calls, and what of that no failover may show.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_keys_openbao::OpenBaoFailure;

use crate::Result;

/// How long a failover may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kind of work, by several tasks.
#[derive(Debug)]
pub(crate) struct Work {
    name: &'static str,
    /// By task: a failover is over when each has done something more.
    right: Vec<AtomicUsize>,
    /// How much more each must do.
    more: usize,
    wrong: AtomicUsize,
    failures: Mutex<BTreeMap<String, usize>>,
    /// No call of these may fail at all.
    never_fails: bool,
    /// Failures that no failover may show.
    forbidden: Mutex<Vec<String>>,
}

impl Work {
    fn of(name: &'static str, tasks: usize, more: usize) -> Self {
        Self {
            name,
            right: (0..tasks).map(|_| AtomicUsize::new(0)).collect(),
            more,
            wrong: AtomicUsize::new(0),
            failures: Mutex::default(),
            never_fails: false,
            forbidden: Mutex::default(),
        }
    }

    pub(crate) fn done(&self, task: usize) {
        self.right[task].fetch_add(1, Ordering::Relaxed);
    }

    /// Another DEK than was wrapped came back.
    pub(crate) fn wrong(&self) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &Error) {
        let failure = OpenBaoFailure::of(error).map(|failure| format!("{failure:?}")).unwrap_or_default();
        let name = failure.split(['(', ' ']).next().unwrap_or_default();
        let name = format!("{:?}, {name}", error.kind());
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        if self.never_fails || error.kind() != ErrorKind::KeysUnavailable {
            self.forbidden.lock().unwrap_or_else(PoisonError::into_inner).push(error.report());
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.each().iter().sum()
    }

    fn each(&self) -> Vec<usize> {
        self.right.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    fn report(&self) -> Result<()> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        println!("{:>9} {}, {} failed", self.count(), self.name, failures.values().sum::<usize>());
        for (name, count) in &*failures {
            println!("{count:>19} {name}");
        }
        let wrong = self.wrong.load(Ordering::Relaxed);
        if wrong > 0 {
            return Err(format!("{wrong} {} gave a wrong DEK", self.name).into());
        }
        let forbidden = self.forbidden.lock().unwrap_or_else(PoisonError::into_inner);
        match forbidden.first() {
            Some(first) => {
                Err(format!("{} {} failed as none may: {first}", forbidden.len(), self.name).into())
            }
            None => Ok(()),
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) end: AtomicBool,
    /// Straight to the service, without epochs.
    pub(crate) unwraps: Work,
    pub(crate) rotations: Work,
    /// Under epochs that the instance holds.
    pub(crate) held: Work,
    /// By instances that do not hold the epoch.
    pub(crate) asking: Work,
    pub(crate) new_epochs: Work,
}

impl Seen {
    pub(crate) fn new(workers: usize, openers: usize) -> Self {
        Self {
            end: AtomicBool::new(false),
            unwraps: Work::of("unwraps without epochs", workers, 5),
            // One may have been under way.
            rotations: Work::of("rotations of the key", 1, 2),
            held: Work { never_fails: true, ..Work::of("opens that needed no provider call", openers, 5) },
            asking: Work::of("opens that needed a provider call", 1, 2),
            new_epochs: Work::of("new epochs", 1, 1),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    fn all(&self) -> [&Work; 5] {
        [&self.held, &self.asking, &self.new_epochs, &self.unwraps, &self.rotations]
    }

    /// Returns once every task has done something more.
    pub(crate) async fn all_work(&self) -> Result<()> {
        let begin = Instant::now();
        let before: Vec<_> = self.all().map(Work::each).into();
        let stands = |work: &Work, before: &Vec<usize>| {
            work.each().iter().zip(before).any(|(now, before)| *now < before + work.more)
        };
        while self.all().iter().zip(&before).any(|(work, before)| stands(work, before)) {
            if begin.elapsed() > PATIENCE {
                let late: Vec<_> =
                    self.all().into_iter().zip(&before).filter(|(w, b)| stands(w, b)).collect();
                let names: Vec<_> = late.iter().map(|(work, _)| work.name).collect();
                return Err(format!("no more after a minute: {}", names.join(", ")).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Prints it.
    ///
    /// # Errors
    /// A wrong DEK, or a failure that may not be.
    pub(crate) fn report(&self, outages: &[Duration]) -> Result<()> {
        let results: Vec<_> = self.all().map(Work::report).into();
        let times: Vec<_> = outages.iter().map(|outage| format!("{:.2}", outage.as_secs_f64())).collect();
        println!("{:>9} kills; until all worked again (s): {}", outages.len(), times.join(", "));
        results.into_iter().collect()
    }
}
