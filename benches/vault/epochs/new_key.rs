//! A new key at the provider, and a new epoch under it, beside databases of different sizes.

use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenkeep::{EpochKeys, Provider, SqliteEpochStore, SqliteStore, Use, Vault};

use super::calls::note_calls;
use super::service::Service;
use crate::fixture::{Keys, StillClock, Yes, connection, token};
use crate::load::connect_many;
use crate::rounds::{Effort, note};

/// A vault in a file, its epochs in another one.
struct Size {
    tokens: u64,
    folder: PathBuf,
    service: Service,
    epochs: EpochKeys,
    vault: Vault,
}

pub(super) async fn measure(folder: &Arc<TempDir>, effort: Effort, sizes: [u64; 3]) {
    let mut all = Vec::new();
    for tokens in sizes {
        all.push(Size::load(folder, tokens, effort).await);
    }
    let before: Vec<u64> = all.iter().map(Size::bytes).collect();
    let mut calls = [u64::MAX; 3];
    for round in 0..=effort.rounds {
        let mut took = [Duration::ZERO; 3];
        for _ in 0..effort.slices {
            for ((size, took), calls) in all.iter().zip(&mut took).zip(&mut calls) {
                let (asked, began) = (size.service.calls(), Instant::now());
                size.epochs.rotate().await.expect("a new epoch");
                *took += began.elapsed();
                *calls = size.service.calls() - asked;
            }
        }
        // The first round fills the caches.
        if round > 0 && effort.is_measured() {
            for (size, took) in all.iter().zip(took) {
                let each = took.as_nanos() as f64 / f64::from(effort.slices);
                note(&format!("new key, tokens\t{}\t{round}\t{each:.1}", size.tokens));
            }
        }
    }
    for ((size, calls), before) in all.iter().zip(calls).zip(before) {
        assert_eq!(size.bytes(), before, "no byte of the tokens' database has changed");
        size.goes_on().await;
        note_calls(&format!("a new key and epoch beside {} tokens on SQLite", size.tokens), calls, None);
    }
}

impl Size {
    async fn load(folder: &Arc<TempDir>, tokens: u64, effort: Effort) -> Self {
        let place = |name: &str| folder.path().join(format!("{name}-{tokens}"));
        let service = Service::new(&place("keys").join("keyring"), Duration::ZERO);
        let records = SqliteEpochStore::open(place("epochs").join("epochs.sqlite")).await.expect("it opens");
        // Long enough that nothing is renewed while it is measured.
        let options = EpochKeys::options().max_age(Duration::from_secs(60 * 60));
        let epochs = options.build(service.clone(), records).expect("plain options");
        let store = SqliteStore::open(place("tokens").join("tokens.sqlite")).await.expect("it opens");
        let keys = Arc::new(Keys::of(Arc::clone(folder), epochs.clone()));
        let clock = StillClock::new();
        let vault = keys.vault(store.clone(), &clock).await;
        let told = effort.is_measured().then(|| format!("{tokens} tokens on SQLite"));
        connect_many(&keys, &store, &clock, 0..tokens, told.as_deref()).await;
        Self { tokens, folder: place("tokens"), service, epochs, vault }
    }

    /// A hash of all files of the tokens' database.
    fn bytes(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .expect("the folder is there")
            .map(|file| file.expect("it can be read").path())
            // Who reads is noted in it, and nothing of the tokens.
            .filter(|path| path.extension().is_none_or(|extension| extension != "sqlite-shm"))
            .collect();
        files.sort();
        for file in files {
            hash(&file, &mut hasher);
        }
        hasher.finish()
    }

    /// What was sealed before opens, and what is sealed now costs no call.
    async fn goes_on(&self) {
        let (provider, before) = (Yes::new(), self.service.calls());
        for number in [0, self.tokens / 2, self.tokens - 1] {
            let credential = connection(&self.vault, number).credential();
            credential.issue(Use::at(provider.spec())).await.expect("a token");
        }
        let new = connection(&self.vault, self.tokens);
        new.connect(&provider, token()).await.expect("it connects");
        assert_eq!(self.service.calls(), before, "all epochs are held");
    }
}

fn hash(file: &Path, hasher: &mut DefaultHasher) {
    let mut file = std::fs::File::open(file).expect("it is there");
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).expect("it can be read") {
            0 => return,
            read => hasher.write(&buffer[..read]),
        }
    }
}
