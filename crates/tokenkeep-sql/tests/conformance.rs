//! The store keeps the contract, also with several instances and many callers at once.

mod common;

use std::sync::Mutex;

use common::open;
use tempfile::TempDir;
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::conformance::{run_all, sample_chain, sample_change, sample_id, sample_record};
use tokenkeep_store::{AuditHead, TokenStore};

async fn conforms() {
    let folders = Mutex::new(Vec::new());
    run_all(async || {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        folders.lock().unwrap().push(folder);
        Box::new(store) as Box<dyn TokenStore>
    })
    .await;
}

#[tokio::test]
async fn it_conforms_on_one_thread() {
    conforms().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_on_several_threads() {
    conforms().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_have_one_winner_per_revision() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (open(&folder).await, open(&folder).await);
    let id = sample_id("tenant", "name");
    for revision in 1..=12 {
        let race = |store: &SqliteStore, mac| {
            let store = store.clone();
            let mut record = sample_record(&id, revision);
            record.mac = [mac; 32];
            let change = sample_change(&record, (revision > 1).then_some(revision - 1));
            tokio::spawn(async move { store.commit(&[change], &sample_chain()).await })
        };
        let racing: Vec<_> = (0..6).map(|mac| race(if mac % 2 == 0 { &one } else { &other }, mac)).collect();
        let mut winners = Vec::new();
        for (mac, racer) in (0..).zip(racing) {
            match racer.await.unwrap() {
                Ok(()) => winners.push(mac),
                Err(error) => assert_eq!(error.kind(), tokenkeep_core::ErrorKind::Conflict, "{error:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "revision {revision}");
        // Read through both: an acknowledged commit is seen from any instance.
        for store in [&one, &other] {
            assert_eq!(store.record(&id).await.unwrap().unwrap().mac, [winners[0]; 32]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_at_once_all_succeed() {
    let folder = TempDir::new().unwrap();
    let stores = [open(&folder).await, open(&folder).await];
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                let id = sample_id(&format!("tenant-{n}"), "name");
                for revision in 1..=4 {
                    let before = (revision > 1).then_some(revision - 1);
                    let change = sample_change(&sample_record(&id, revision), before);
                    store.commit(&[change], &sample_chain()).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let heads = stores[0].audit_heads().await.unwrap();
    assert_eq!(heads.iter().map(|head| head.sequence).sum::<u64>(), 64 * 4);
    for end in heads {
        let mut head = AuditHead::empty(end.shard);
        for entry in stores[1].audit_entries(end.shard, 0, 1000).await.unwrap() {
            assert!(sample_chain().follows(&head, &entry));
            head = entry.head();
        }
        assert_eq!(head, end);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_open_a_new_file_at_once_all_succeed() {
    for _ in 0..40 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("tokens.db");
        let opening: Vec<_> = (0..8).map(|_| tokio::spawn(SqliteStore::open(path.clone()))).collect();
        for store in opening {
            assert!(store.await.unwrap().unwrap().vault().await.unwrap().is_none());
        }
    }
}
