//! Epochs in PostgreSQL: the contract, and several instances at once.

use sqlx::AssertSqlSafe;
use tokenkeep_core::{ErrorKind, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochState, EpochStore, epoch_conformance};
use tokenkeep_sql::PostgresEpochStore;

use super::{Database, SERVER, pool, run};

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

/// The operator runs the script as the owner; the application's role may do what the documentation grants it, and no more: it
/// neither alters the tables nor forges which migrations were made. Each right is needed.
#[tokio::test]
async fn a_role_with_few_privileges_keeps_the_contract() {
    const GRANTS: &str = include_str!("../../migrations/postgres/epochs_grants.sql");
    // Another name than the tokens' role, which another test makes.
    SERVER.sql("postgres", "CREATE ROLE epochs_app LOGIN PASSWORD 'app'").unwrap();
    let database = Database::empty();
    let mut owner = database.stranger().await;
    for migration in PostgresEpochStore::MIGRATIONS {
        run(&mut owner, migration.sql).await;
    }
    run(&mut owner, AssertSqlSafe(GRANTS.replace(" TO app", " TO epochs_app"))).await;
    run(
        &mut owner,
        "CREATE SCHEMA decoy; GRANT USAGE ON SCHEMA decoy TO epochs_app; CREATE TABLE decoy.epoch (decoy int)",
    )
    .await;
    let options = database.options().username("epochs_app").password("app");
    let app = pool(options.options([("search_path", "decoy")])).await;
    for forbidden in [
        "DROP TABLE tokenkeep_epochs.epoch",
        "TRUNCATE tokenkeep_epochs.epoch",
        "CREATE TABLE tokenkeep_epochs.another (id int)",
        "INSERT INTO tokenkeep_epochs.migration (version, needs) VALUES (2, 2)",
    ] {
        sqlx::query(forbidden).execute(&app).await.unwrap_err();
    }
    let store = PostgresEpochStore::open(app.clone()).await.unwrap();
    epoch_conformance::run_all(&store).await;

    let epoch = EpochRecord {
        id: KekId::random().unwrap(),
        state: EpochState::Destroying,
        revision: Revision::FIRST,
        sealed: vec![1],
        wraps_reserved: 0,
        created_at: 1,
        state_since: 1,
    };
    for right in ["INSERT", "UPDATE", "DELETE", "SELECT"] {
        let revoke = format!("REVOKE {right} ON tokenkeep_epochs.epoch FROM epochs_app");
        run(&mut owner, AssertSqlSafe(revoke)).await;
        let refused = match right {
            "INSERT" => store.insert_epoch(&epoch, None).await.map(drop),
            "UPDATE" => {
                run(&mut owner, "GRANT INSERT ON tokenkeep_epochs.epoch TO epochs_app").await;
                store.insert_epoch(&epoch, None).await.unwrap();
                store.update_epoch(&EpochRecord { revision: epoch.revision.next(), ..epoch.clone() }).await
            }
            "DELETE" => store.remove_epoch(&epoch.id, epoch.revision).await,
            _ => store.epochs().await.map(drop),
        };
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::StoreUnusable, "{right}");
    }
}
