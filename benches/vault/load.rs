//! Many connections, made quickly.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokenkeep::{Change, MemoryStore, TokenStore};

use crate::fixture::{Keys, StillClock, Yes, connection, token};

/// How many connections are committed together.
const BATCH: u64 = 500;
/// How many commits are prepared at the same time.
const LOADERS: u64 = 3;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Connects these customers to the vault in the store. Their tokens are evenly spread over ages from 0 to 85 days, so that
/// nothing is overdue and every ninth or so is due.
///
/// Each is sealed and given its MAC by the code that `connect` runs, over an empty copy of the vault in memory, so that no
/// connection is asked for in the database before. Then the store commits 500 at a time, entries and all.
pub(crate) async fn connect_many(
    keys: &Arc<Keys>,
    store: &(impl TokenStore + Clone + 'static),
    clock: &StillClock,
    numbers: Range<u64>,
    told: Option<&str>,
) {
    let record = store.vault().await.expect("it can be read").expect("the vault is there");
    let now = tokenkeep::Clock::now(clock).as_millis();
    let (next, done, began) =
        (Arc::new(AtomicU64::new(numbers.start)), Arc::new(AtomicU64::new(0)), Instant::now());
    let many = numbers.end - numbers.start;
    let mut loaders = Vec::new();
    for _ in 0..LOADERS {
        let (keys, store, record) = (Arc::clone(keys), store.clone(), record.clone());
        let (next, done, end) = (Arc::clone(&next), Arc::clone(&done), numbers.end);
        loaders.push(tokio::spawn(async move {
            let copy = MemoryStore::new();
            copy.init_vault(&record).await.expect("it is empty");
            let clock = StillClock::new();
            let vault = keys.vault(copy, &clock).await;
            let provider = Yes::new();
            loop {
                let from = next.fetch_add(BATCH, Ordering::Relaxed);
                if from >= end {
                    return;
                }
                let batch = from..(from + BATCH).min(end);
                let mut prepared = Vec::new();
                for number in batch.clone() {
                    clock.set(now - age(number));
                    let change = connection(&vault, number).prepare_connect(&provider, token()).await;
                    prepared.push(change.expect("it is sealed"));
                }
                let changes: Vec<Change> =
                    prepared.iter().map(|prepared| prepared.change().clone()).collect();
                store.commit(&changes, prepared[0].chain()).await.expect("it is committed");
                done.fetch_add(batch.end - batch.start, Ordering::Relaxed);
            }
        }));
    }
    let (watched, name) = (Arc::clone(&done), told.map(str::to_owned));
    let watch = tokio::spawn(async move {
        let Some(name) = name else { return };
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let done = watched.load(Ordering::Relaxed);
            eprintln!("  {name}: {done} of {many} after {:.0} s", began.elapsed().as_secs_f64());
        }
    });
    for loader in loaders {
        loader.await.expect("no loader panics");
    }
    watch.abort();
}

/// Neighbours in the table are of quite different ages.
fn age(number: u64) -> i64 {
    let hashed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    (hashed as i64) % (85 * DAY)
}
