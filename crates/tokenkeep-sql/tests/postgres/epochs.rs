//! Epochs in PostgreSQL: the contract, and several instances at once.

use tokenkeep_core::{ErrorKind, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochState, EpochStore, epoch_conformance};
use tokenkeep_sql::PostgresEpochStore;

use super::{Database, run};

#[tokio::test]
async fn it_conforms_beside_the_tokens_and_alone() {
    for database in [Database::fresh(), Database::empty()] {
        for _ in 0..2 {
            let store = PostgresEpochStore::open(database.pool().await).await.unwrap();
            epoch_conformance::run_all(&store).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_open_and_make_an_epoch_one_wins() {
    let database = Database::empty();
    let mut racing = Vec::new();
    for _ in 0..8 {
        let pool = database.pool().await;
        racing.push(tokio::spawn(async move {
            let epoch = EpochRecord {
                id: KekId::random().unwrap(),
                state: EpochState::Active,
                revision: Revision::FIRST,
                sealed: vec![1],
                wraps_reserved: 0,
                created_at: 1,
                state_since: 1,
            };
            PostgresEpochStore::open(pool).await.unwrap().insert_epoch(&epoch, None).await
        }));
    }
    let mut won = 0;
    for racer in racing {
        match racer.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_if_it_says_so() {
    let database = Database::empty();
    PostgresEpochStore::open(database.pool().await).await.unwrap();
    let mut stranger = database.stranger().await;
    run(&mut stranger, "INSERT INTO tokenkeep_epochs.migration (version, needs) VALUES (2, 1)").await;
    PostgresEpochStore::open(database.pool().await).await.unwrap();
    run(&mut stranger, "INSERT INTO tokenkeep_epochs.migration (version, needs) VALUES (3, 3)").await;
    let error = PostgresEpochStore::open(database.pool().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
}
