//! Pairs of a floor and a subject, measured in turn.

use std::fs::OpenOptions;
use std::io::Write;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Something to do over and over, by several tasks at a time.
pub(crate) trait Work: Send + Sync + 'static {
    /// Does it once; each call has another number.
    fn once(&self, number: u64) -> impl Future<Output = ()> + Send;
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: u32,
    /// How many slices of each make a pair: floor, subject, floor, subject and so on, so that a machine that is busy with
    /// something else for a moment is so for both.
    pub(crate) slices: u32,
    /// How long a slice is; zero: each task does it once, to see that it works.
    pub(crate) slice: Duration,
}

impl Effort {
    pub(crate) const UNMEASURED: Self = Self { rounds: 1, slices: 1, slice: Duration::ZERO };

    pub(crate) fn is_measured(self) -> bool {
        !self.slice.is_zero()
    }
}

/// A piece of work and the numbers that it was not done for yet.
pub(crate) struct Turn<W> {
    work: Arc<W>,
    next: Arc<AtomicU64>,
}

impl<W: Work> Turn<W> {
    pub(crate) fn of(work: W) -> Self {
        Self { work: Arc::new(work), next: Arc::default() }
    }

    /// Does it for so long, in so many tasks.
    pub(crate) async fn run(&self, tasks: usize, slice: Duration) -> Took {
        let began = Instant::now();
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let (work, next) = (Arc::clone(&self.work), Arc::clone(&self.next));
                tokio::spawn(async move {
                    let mut done = 0_u32;
                    loop {
                        work.once(next.fetch_add(1, Ordering::Relaxed)).await;
                        done += 1;
                        if began.elapsed() >= slice {
                            return done;
                        }
                    }
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.expect("no task panics");
        }
        Took { time: began.elapsed(), done }
    }
}

/// How long it took to do something so many times.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Took {
    time: Duration,
    done: u32,
}

impl Took {
    /// Nanoseconds for each.
    pub(crate) fn each(self) -> f64 {
        self.time.as_nanos() as f64 / f64::from(self.done)
    }
}

impl AddAssign for Took {
    fn add_assign(&mut self, more: Self) {
        self.time += more.time;
        self.done += more.done;
    }
}

/// Measures a subject beside its floor: floor, subject, floor, subject and so on. What comes of it is noted under the
/// operation's name. Nothing is done unless `only` is in that name.
pub(crate) async fn pairs(
    operation: &str,
    only: &str,
    tasks: usize,
    effort: Effort,
    floor: &Turn<impl Work>,
    subject: &Turn<impl Work>,
) {
    if operation.contains(only) {
        compare(operation, ["floor", "tokenkeep"], tasks, effort, floor, subject).await;
    }
}

/// The same under other names than floor and tokenkeep.
pub(crate) async fn compare(
    operation: &str,
    names: [&str; 2],
    tasks: usize,
    effort: Effort,
    floor: &Turn<impl Work>,
    subject: &Turn<impl Work>,
) {
    // Connections are opened, statements prepared and caches filled before anything counts.
    let _ = (floor.run(tasks, effort.slice).await, subject.run(tasks, effort.slice).await);
    for round in 1..=effort.rounds {
        let (mut of_floor, mut of_subject) = (Took::default(), Took::default());
        for _ in 0..effort.slices {
            of_floor += floor.run(tasks, effort.slice).await;
            of_subject += subject.run(tasks, effort.slice).await;
        }
        if effort.is_measured() {
            for (name, took) in names.into_iter().zip([of_floor, of_subject]) {
                note(&format!("{operation}\t{name}\t{round}\t{:.1}", took.each()));
            }
        }
    }
}

/// A line for `cargo xtask bench`, or for who runs the benchmark by hand.
pub(crate) fn note(line: &str) {
    match std::env::var_os("TOKENKEEP_BENCH_RESULTS") {
        Some(file) => {
            let mut file =
                OpenOptions::new().create(true).append(true).open(file).expect("it can be written");
            writeln!(file, "{line}").expect("it can be written");
        }
        None => println!("{line}"),
    }
}
