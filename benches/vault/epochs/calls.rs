//! How often the key service is asked, with epochs and without: by ten thousand opens that find nothing in memory, and by a day's.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenkeep::{EpochKeys, KeyProvider, MemoryEpochStore, MemoryStore, Provider, Use, Vault};
use tokenkeep_core::Envelope;

use super::Sizes;
use super::service::{Hands, Service, context, open, seal};
use crate::fixture::{Keys, StillClock, Yes, connection};
use crate::load::connect_many;
use crate::rounds::note;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many epochs the tokens of the cold opens are under, and how many instances open them.
const EPOCHS: u64 = 3;
const INSTANCES: u64 = 2;

/// Lines of one table: what, calls with epochs, calls without.
pub(super) fn note_calls(what: &str, with: u64, without: Option<u64>) {
    note(&format!("calls\t{what}\t{with}\t{}", without.map_or("–".into(), |calls| calls.to_string())));
}

/// All at once, each of another token, in an instance that holds no epoch yet.
pub(super) async fn cold_opens(folder: &Arc<TempDir>, opens: u64) {
    // Long enough for all of them to come before the first answer does.
    let service = Service::new(&folder.path().join("cold/keyring"), Duration::from_millis(300));
    let (store, records) = (Arc::new(MemoryStore::new()), Arc::new(MemoryEpochStore::new()));
    let clock = StillClock::new();
    let instance = || EpochKeys::new(service.clone(), Arc::clone(&records)).expect("plain options");
    let epochs = instance();
    let keys = Arc::new(Keys::of(Arc::clone(folder), epochs.clone()));
    drop(keys.vault(Arc::clone(&store), &clock).await);
    for epoch in 0..EPOCHS {
        epochs.rotate().await.expect("a new epoch");
        let numbers = epoch * opens / EPOCHS..(epoch + 1) * opens / EPOCHS;
        connect_many(&keys, &store, &clock, numbers, None).await;
    }
    let mut calls = 0;
    for _ in 0..INSTANCES {
        let vault = Vault::options().clock(Arc::clone(&clock));
        let vault = vault.open(Arc::clone(&store), instance()).await.expect("a vault");
        calls += at_once(&vault, &service, opens).await;
    }
    assert_eq!(calls, EPOCHS * INSTANCES, "one for each epoch and instance");

    // Straight to the service.
    let store = Arc::new(MemoryStore::new());
    let service = Service::new(&folder.path().join("direct/keyring"), Duration::ZERO);
    let keys = Arc::new(Keys::of(Arc::clone(folder), service.clone()));
    let vault = keys.vault(Arc::clone(&store), &clock).await;
    connect_many(&keys, &store, &clock, 0..opens, None).await;
    let mut without = 0;
    for _ in 0..INSTANCES {
        without += at_once(&vault, &service, opens).await;
    }
    let what =
        format!("{opens} opens at once, cold, under {EPOCHS} epochs, on each of {INSTANCES} instances");
    note_calls(&what, calls, Some(without));
}

/// The calls that so many opens make together.
async fn at_once(vault: &Vault, service: &Service, opens: u64) -> u64 {
    let (before, mut tasks) = (service.calls(), Vec::new());
    for number in 0..opens {
        let credential = connection(vault, number).credential();
        tasks.push(tokio::spawn(async move {
            credential.issue(Use::at(Yes::new().spec())).await.expect("a token");
        }));
    }
    for task in tasks {
        task.await.expect("no task panics");
    }
    service.calls() - before
}

/// A day's opens, on a clock that is moved, of tokens that were sealed in the ninety days before.
pub(super) async fn day(folder: &Arc<TempDir>, sizes: Sizes, told: bool) {
    let folder = Arc::clone(folder);
    // On one thread, so that what is renewed beside the opens comes in its turn.
    let ran = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(both_days(folder.path(), sizes, told));
    });
    ran.await.expect("it does not panic");
}

async fn both_days(folder: &Path, sizes: Sizes, told: bool) {
    let Sizes { connections, a_second, .. } = sizes;
    let service = Service::new(&folder.join("day/keyring"), Duration::ZERO);
    let (records, clock) = (Arc::new(MemoryEpochStore::new()), Hands::default());
    let instance = || {
        let options = EpochKeys::options().clock(clock.clone());
        options.build(service.clone(), Arc::clone(&records)).expect("plain options")
    };
    let day = Day { clock: &clock, a_second, told };
    let envelopes = day.sealed_before(&instance(), connections).await;
    let epochs: HashSet<_> = envelopes.iter().map(|envelope| *envelope.kek()).collect();
    let (fresh, before) = (instance(), service.calls());
    let opens = day.pass("with epochs", &fresh, &envelopes).await;
    let with = service.calls() - before;

    let envelopes = day.sealed_before(&service, connections).await;
    let before = service.calls();
    day.pass("without", &service, &envelopes).await;
    let what = format!("a day, {connections} connections under {} epochs, {opens} opens", epochs.len());
    note_calls(&what, with, Some(service.calls() - before));
}

struct Day<'a> {
    clock: &'a Hands,
    a_second: u32,
    told: bool,
}

impl Day<'_> {
    async fn sealed_before(&self, keys: &dyn KeyProvider, connections: usize) -> Vec<Envelope> {
        let mut envelopes = Vec::with_capacity(connections);
        for number in 0..connections {
            if number % (connections / 90).max(1) == 0 {
                self.clock.pass(DAY);
            }
            envelopes.push(seal(keys, &context(number)).await);
        }
        envelopes
    }

    /// So many opens a second, of connections in an order that leaps.
    async fn pass(&self, name: &str, keys: &dyn KeyProvider, envelopes: &[Envelope]) -> u64 {
        let (every, began, mut number) = (Duration::from_secs(1) / self.a_second, Instant::now(), 0);
        let opens = 24 * 60 * 60 * u64::from(self.a_second);
        for open_number in 0..opens {
            self.clock.pass(every);
            // What was begun beside the last open goes on here.
            tokio::task::yield_now().await;
            number = (number + 7919) % envelopes.len();
            open(keys, &envelopes[number], &context(number)).await;
            if self.told && open_number % (opens / 6) == 0 {
                let (hour, seconds) = (24 * open_number / opens, began.elapsed().as_secs());
                eprintln!("  a day {name}: hour {hour} after {seconds} s");
            }
        }
        opens
    }
}
