//! After a KEK was closed, no seal under it is committed: not by a transaction either that had begun before.

use std::time::Duration;

use sqlx::Connection;
use tokenkeep_core::{ErrorKind, KekId, VaultId, VaultKeyPurpose};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_use};
use tokenkeep_store::{Change, TokenStore, VaultRecord};

use super::{Database, NOW, run};

fn kek() -> KekId {
    sample_record(&sample_id("tenant", "name"), 1).sealed.unwrap().kek
}

fn seal(name: &str) -> Change {
    sample_change(&sample_record(&sample_id("tenant", name), 1), None)
}

async fn there(store: &PostgresStore, name: &str) -> bool {
    store.record(&sample_id("tenant", name)).await.unwrap().is_some()
}

const LEVELS: [&str; 3] = [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
];

/// The transaction sealed first: closing waits until it has ended.
#[tokio::test]
async fn closing_waits_for_a_seal_that_was_made_before() {
    for level in LEVELS {
        let database = Database::fresh();
        let store = database.store().await;
        let mut application = database.stranger().await;
        let mut transaction = application.begin_with(level).await.unwrap();
        store.commit_in(&mut transaction, &[seal("early")], &sample_chain()).await.unwrap();
        let closing = tokio::spawn({
            let store = store.clone();
            async move { store.close_kek(&kek(), NOW).await }
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(!closing.is_finished(), "{level}: closed while a seal was under way");
        // Others (of another shard, whose head is free) are held up for moments only.
        let other = sample_change(&sample_record(&sample_id("somebody", "else"), 1), None);
        let (other, chain) = ([other], sample_chain());
        let sealing = tokio::time::timeout(Duration::from_secs(3), store.commit(&other, &chain));
        sealing.await.expect("another seal was held up").unwrap();
        transaction.commit().await.unwrap();
        closing.await.unwrap().unwrap();
        assert!(there(&store, "early").await);
        let late = store.commit(&[seal("late")], &sample_chain()).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Conflict);
    }
}

/// The same for the vault's own keys, which come under the KEK: whoever closes it finds them there afterwards.
#[tokio::test]
async fn closing_waits_for_a_vault_that_is_being_rewrapped() {
    let database = Database::fresh();
    let store = database.store().await;
    let with = |envelope: u8| VaultRecord {
        id: VaultId::from_bytes([1; 16]),
        keys: vec![(VaultKeyPurpose::AuditMac, vec![envelope])],
    };
    store.init_vault(&with(1)).await.unwrap();
    let mut stranger = database.stranger().await;
    let mut holding = stranger.begin().await.unwrap();
    run(&mut holding, "SELECT * FROM tokenkeep.vault_key FOR UPDATE").await;
    let rewrapping = tokio::spawn({
        let store = store.clone();
        async move { store.rewrap_vault(&with(1), &with(2), &kek()).await }
    });
    // It waits for the row, and has looked whether the KEK is closed.
    let waits = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity \
        WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE tokenkeep.vault_key%' \
        AND datname = pg_catalog.current_database()";
    let mut observer = database.stranger().await;
    for _ in 0..200 {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&mut observer).await.unwrap();
        if waiting == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let closing = tokio::spawn({
        let store = store.clone();
        async move { store.close_kek(&kek(), NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(
        !closing.is_finished() && !rewrapping.is_finished(),
        "closed while the vault's keys came under it"
    );
    holding.rollback().await.unwrap();
    rewrapping.await.unwrap().unwrap();
    closing.await.unwrap().unwrap();
    assert_eq!(store.vault().await.unwrap(), Some(with(2)));
    let late = store.rewrap_vault(&with(2), &with(3), &kek()).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
}

/// The transaction had begun, and had looked at the database, before the KEK was closed; it seals after that.
#[tokio::test]
async fn a_transaction_that_began_before_cannot_seal_after() {
    for level in LEVELS {
        let database = Database::fresh();
        let store = database.store().await;
        let mut application = database.stranger().await;
        let mut transaction = application.begin_with(level).await.unwrap();
        run(&mut transaction, "SELECT * FROM tokenkeep.closed_kek, tokenkeep.kek_gate").await;
        store.close_kek(&kek(), NOW).await.unwrap();
        let error = store.commit_in(&mut transaction, &[seal("late")], &sample_chain()).await.unwrap_err();
        assert!(error.is_retryable(), "{level}: {error:?}");
        let _ = transaction.commit().await;
        assert!(!there(&store, "late").await, "{level}: sealed under a closed KEK");
    }
}

/// What does not seal holds up nobody who closes a KEK.
#[tokio::test]
async fn a_use_does_not_hold_up_closing() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    let mut transaction = application.begin().await.unwrap();
    let a_use = sample_use(&sample_id("tenant", "name"));
    store.commit_in(&mut transaction, &[a_use], &sample_chain()).await.unwrap();
    store.close_kek(&kek(), NOW).await.unwrap();
    transaction.commit().await.unwrap();
}

/// A transaction of the application's that never ends: closing gives up, and closes nothing.
#[tokio::test]
async fn closing_does_not_wait_for_ever() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    let mut transaction = application.begin().await.unwrap();
    store.commit_in(&mut transaction, &[seal("early")], &sample_chain()).await.unwrap();
    let error = store.close_kek(&kek(), NOW).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}");
    transaction.rollback().await.unwrap();
    store.commit(&[seal("late")], &sample_chain()).await.unwrap();
}

/// Seals and closings at once: whatever was sealed under a KEK was sealed before its closing was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_seal_slips_through() {
    let database = Database::fresh();
    let (store, closer) = (database.store().await, database.store().await);
    for round in 0..12_u8 {
        let kek = KekId::from_slice(&[round, 1]).unwrap();
        let sealing: Vec<_> = (0..4)
            .map(|racer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..200 {
                        let id = sample_id(&format!("tenant-{racer}"), &format!("{round}-{n}"));
                        let mut record = sample_record(&id, 1);
                        record.sealed.as_mut().unwrap().kek = kek;
                        match store.commit(&[sample_change(&record, None)], &sample_chain()).await {
                            Ok(()) => {}
                            Err(error) if error.kind() == ErrorKind::Conflict => return n,
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                    panic!("the KEK was never closed");
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 5)).await;
        closer.close_kek(&kek, NOW).await.unwrap();
        let count = async || {
            let scan = tokenkeep_store::Scan::UnderKek(kek);
            closer.scan(&scan, None, 10_000).await.unwrap().len()
        };
        let at_closing = count().await;
        let mut sealed = 0;
        for racer in sealing {
            sealed += racer.await.unwrap();
        }
        assert_eq!(count().await, at_closing, "sealed after the closing was acknowledged");
        assert_eq!(sealed, at_closing);
    }
}
