//! Epochs: what they add to an open, and what they spare the key provider.

mod calls;
mod new_key;
mod service;

use std::hint::black_box;
use std::sync::Arc;

use tempfile::TempDir;
use tokenkeep::{
    EpochKeys, KeyProvider, LocalKeyring, MemoryEpochStore, MemoryStore, SqliteStore, TokenStore,
};
use tokenkeep_core::{EncryptionContext, Envelope, open_payload};

use crate::fixture::{Keys, StillClock};
use crate::load::connect_many;
use crate::rounds::{Effort, Turn, Work, compare};
use crate::subjects::UseToken;
use crate::{CONNECTIONS, TASKS};

/// How much of everything there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Opens at the same time, on a cold cache.
    opens: u64,
    /// Connections that are opened in a simulated day.
    connections: usize,
    /// Opens in a second of that day.
    a_second: u32,
    /// Tokens that are there when the provider's key is a new one.
    tokens: [u64; 3],
}

impl Sizes {
    pub(crate) const FULL: Self =
        Self { opens: 10_000, connections: 1_000_000, a_second: 100, tokens: [1_000, 100_000, 1_000_000] };
    pub(crate) const SMALL: Self = Self { opens: 100, connections: 100, a_second: 1, tokens: [10, 20, 30] };
}

pub(crate) async fn measure(effort: Effort, sizes: &Sizes) {
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let work = async {
        warm_opens(&folder, effort).await;
        calls::cold_opens(&folder, sizes.opens).await;
        calls::day(&folder, *sizes, effort.is_measured()).await;
        new_key::measure(&folder, effort, sizes.tokens).await;
    };
    tokio::select! {
        () = work => {}
        () = interrupted() => {
            // The databases may be large, and what runs on other threads holds this folder.
            let _ = std::fs::remove_dir_all(folder.path());
            std::process::exit(130);
        }
    }
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("it can be listened for");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Opens through epochs that are held, beside opens through the keyring whose keys wrap them.
async fn warm_opens(folder: &Arc<TempDir>, effort: Effort) {
    let ring = LocalKeyring::create(folder.path().join("warm/keyring")).expect("a keyring");
    let epochs = EpochKeys::new(ring.clone(), MemoryEpochStore::new()).expect("plain options");
    for tasks in [1, TASKS] {
        let floor = Turn::of(Unwrap::sealed_by(ring.clone()).await);
        let subject = Turn::of(Unwrap::sealed_by(epochs.clone()).await);
        compare(&format!("warm open alone by {tasks}"), NAMES, tasks, effort, &floor, &subject).await;
    }
    let memory = Arc::new(MemoryStore::new());
    of_vault("memory", memory, folder, [&ring, &epochs], effort).await;
    let sqlite = SqliteStore::open(folder.path().join("warm-db/tokens.sqlite")).await.expect("it opens");
    of_vault("sqlite", sqlite, folder, [&ring, &epochs], effort).await;
}

const NAMES: [&str; 2] = ["keyring", "epochs"];

/// One vault, by its keyring and by epochs over it: as many of its tokens are sealed by the one as by the other.
async fn of_vault<S: TokenStore + Clone + 'static>(
    name: &str,
    store: S,
    folder: &Arc<TempDir>,
    providers: [&dyn Cloned; 2],
    effort: Effort,
) {
    let clock = StillClock::new();
    let mut turns = Vec::new();
    for (place, provider) in (0..).zip(providers) {
        let keys = Arc::new(Keys::of(Arc::clone(folder), provider.cloned()));
        let numbers = place * CONNECTIONS..(place + 1) * CONNECTIONS;
        let vault = keys.vault(store.clone(), &clock).await;
        connect_many(&keys, &store, &clock, numbers.clone(), None).await;
        turns.push(Turn::of(UseToken::of(&vault, numbers).await));
    }
    for tasks in [1, TASKS] {
        let operation = format!("warm open {name} by {tasks}");
        compare(&operation, NAMES, tasks, effort, &turns[0], &turns[1]).await;
    }
}

trait Cloned {
    fn cloned(&self) -> Arc<dyn KeyProvider>;
}

impl<T: KeyProvider + Clone + 'static> Cloned for T {
    fn cloned(&self) -> Arc<dyn KeyProvider> {
        Arc::new(self.clone())
    }
}

/// What the keys have to do with an open: unwraps the DEK and opens the payload. No record, no MAC, no trail.
struct Unwrap<K> {
    keys: K,
    context: EncryptionContext,
    envelope: Envelope,
}

impl<K: KeyProvider> Unwrap<K> {
    async fn sealed_by(keys: K) -> Self {
        let context = service::context(0);
        let envelope = service::seal(&keys, &context).await;
        Self { keys, context, envelope }
    }
}

impl<K: KeyProvider + 'static> Work for Unwrap<K> {
    async fn once(&self, _: u64) {
        let request = self.envelope.unwrap_request(&self.context);
        let dek = self.keys.unwrap_dek(&request).await.expect("it unwraps");
        black_box(open_payload(&self.envelope, &dek, &self.context).expect("it opens"));
    }
}
