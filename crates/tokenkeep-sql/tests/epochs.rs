//! Epochs in SQLite: the contract, several instances at once, and beside the tokens in one file.

use tempfile::TempDir;
use tokenkeep_core::{ErrorKind, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochState, EpochStore, epoch_conformance};
use tokenkeep_sql::{SqliteEpochStore, SqliteStore};

fn epoch(state: EpochState) -> EpochRecord {
    EpochRecord {
        id: KekId::random().unwrap(),
        state,
        revision: Revision::FIRST,
        sealed: b"sealed bytes of an epoch".repeat(8),
        wraps_reserved: 3,
        created_at: 1,
        state_since: 1,
    }
}

#[tokio::test]
async fn it_conforms_also_in_the_tokens_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tokens.db");
    let _tokens = SqliteStore::open(&path).await.unwrap();
    epoch_conformance::run_all(&SqliteEpochStore::open(&path).await.unwrap()).await;
    SqliteStore::open(&path).await.unwrap();
    epoch_conformance::run_all(&SqliteEpochStore::open(folder.path().join("a/epochs.db")).await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_make_an_epoch_one_wins() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("epochs.db");
    let mut racing = Vec::new();
    for _ in 0..8 {
        let store = SqliteEpochStore::open(&path).await.unwrap();
        let mine = epoch(EpochState::Active);
        racing.push(tokio::spawn(async move { store.insert_epoch(&mine, None).await }));
    }
    let mut won = 0;
    for racer in racing {
        match racer.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    assert_eq!((won, SqliteEpochStore::open(&path).await.unwrap().epochs().await.unwrap().len()), (1, 1));
}

/// What is removed is in none of the files any more: neither while the store is open, nor in what closing it writes.
#[tokio::test]
async fn a_removed_epoch_leaves_nothing() {
    const GONE: &[u8] = b"what is to be gone";
    let folder = TempDir::new().unwrap();
    let store = SqliteEpochStore::open(folder.path().join("epochs.db")).await.unwrap();
    let places = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let bytes = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        bytes.filter(|bytes| bytes.windows(GONE.len()).any(|window| window == GONE)).count()
    };
    let (gone, stays) = (epoch(EpochState::Drained), epoch(EpochState::Active));
    let gone = EpochRecord { sealed: GONE.repeat(8), ..gone };
    store.insert_epoch(&gone, None).await.unwrap();
    store.insert_epoch(&stays, None).await.unwrap();
    let gone = gone.in_next_state(2);
    store.update_epoch(&gone).await.unwrap();
    assert!(places() > 0);
    store.remove_epoch(&gone.id, gone.revision).await.unwrap();
    assert_eq!(store.epochs().await.unwrap(), [stays]);
    assert_eq!(places(), 0, "it is left while the store is open");
    store.close().await;
    assert_eq!(places(), 0);
}
