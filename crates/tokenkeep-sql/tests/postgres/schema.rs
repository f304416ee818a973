//! The schema: made once, by any number of instances; refused when it is another; out of the application's way.

use std::time::{Duration, Instant};

use tokenkeep_core::ErrorKind;
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::TokenStore;
use tokenkeep_store::conformance::{
    run_all, sample_chain, sample_change, sample_id, sample_record, sample_use,
};

use super::{Database, SERVER, pool, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_instances_that_start_at_once_all_succeed() {
    for _ in 0..5 {
        let database = Database::empty();
        let mut pools = Vec::new();
        for _ in 0..8 {
            pools.push(database.pool().await);
        }
        let opening: Vec<_> = pools.into_iter().map(|pool| tokio::spawn(PostgresStore::open(pool))).collect();
        for store in opening {
            assert!(store.await.unwrap().unwrap().vault().await.unwrap().is_none());
        }
        let applied: Vec<i64> =
            sqlx::query_scalar("SELECT version FROM tokenkeep.migration ORDER BY version")
                .fetch_all(&mut database.stranger().await)
                .await
                .unwrap();
        assert!(applied.iter().eq(PostgresStore::MIGRATIONS.iter().map(|migration| &migration.version)));
    }
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    let database = Database::empty();
    let record = sample_record(&sample_id("tenant", "name"), 1);
    database.store().await.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
    assert_eq!(database.store().await.record(&record.id).await.unwrap(), Some(record));
}

#[tokio::test]
async fn a_newer_schema_is_refused_unless_it_says_that_it_fits() {
    let latest = PostgresStore::MIGRATIONS.len();
    for (needs, fits) in [(latest, true), (latest + 1, false)] {
        let database = Database::empty();
        database.store().await;
        let newer = format!(
            "INSERT INTO tokenkeep.migration (version, name, needs) VALUES ({}, 'later', {needs})",
            latest + 1
        );
        run(&mut database.stranger().await, sqlx::AssertSqlSafe(newer)).await;
        for opened in [
            PostgresStore::open(database.pool().await).await,
            PostgresStore::open_migrated(database.pool().await).await,
        ] {
            match opened {
                Ok(store) if fits => assert!(store.vault().await.unwrap().is_none()),
                Err(error) if !fits => assert_eq!(error.kind(), ErrorKind::StoreUnusable),
                other => panic!("needs {needs}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_schema_with_a_gap_is_refused() {
    let database = Database::empty();
    database.store().await;
    run(&mut database.stranger().await, "UPDATE tokenkeep.migration SET version = 7").await;
    let error = PostgresStore::open(database.pool().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
}

#[tokio::test]
async fn a_missing_schema_is_made_only_by_who_may() {
    let database = Database::empty();
    let error = PostgresStore::open_migrated(database.pool().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
    let there: bool = sqlx::query_scalar("SELECT to_regnamespace('tokenkeep') IS NOT NULL")
        .fetch_one(&mut database.stranger().await)
        .await
        .unwrap();
    assert!(!there, "looking at it made it");
}

#[tokio::test]
async fn a_missing_table_makes_it_unusable() {
    let database = Database::empty();
    let store = database.store().await;
    run(&mut database.stranger().await, "DROP TABLE tokenkeep.connection").await;
    let error = store.record(&sample_id("tenant", "name")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
}

/// The operator runs the scripts as the owner; the application's role may do what the documentation grants it, and has the
/// most awkward search path there is.
#[tokio::test]
async fn a_role_with_few_privileges_and_another_search_path_keeps_the_contract() {
    const GRANTS: &str = include_str!("../../migrations/postgres/grants.sql");
    let once = SERVER.sql("postgres", "CREATE ROLE app LOGIN PASSWORD 'app'");
    once.unwrap();
    run_all(async || {
        let database = Database::empty();
        let mut owner = database.stranger().await;
        for migration in PostgresStore::MIGRATIONS {
            run(&mut owner, migration.sql).await;
        }
        run(&mut owner, GRANTS).await;
        run(
            &mut owner,
            "CREATE SCHEMA decoy; GRANT USAGE ON SCHEMA decoy TO app; \
             CREATE TABLE decoy.connection (decoy int); CREATE TABLE decoy.audit (decoy int); \
             CREATE FUNCTION decoy.unnest(text[], text[]) RETURNS int LANGUAGE sql AS 'SELECT 1'; \
             CREATE FUNCTION decoy.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
             CREATE DOMAIN decoy.text AS int; CREATE DOMAIN decoy.bigint AS bytea",
        )
        .await;
        let options = database.options().username("app").password("app").options([("search_path", "decoy")]);
        let app = pool(options).await;
        for forbidden in ["DELETE FROM tokenkeep.audit", "UPDATE tokenkeep.audit SET times = 2"] {
            sqlx::query(forbidden).execute(&app).await.unwrap_err();
        }
        // There is nothing to migrate, so it needs no privilege to do so.
        Box::new(PostgresStore::open(app).await.unwrap()) as Box<dyn TokenStore>
    })
    .await;
}

/// Names are told apart and ordered by their bytes, whatever the database's own collation does.
#[tokio::test]
async fn a_database_that_sorts_like_people_do_keeps_the_contract() {
    run_all(async || {
        let fresh = Database::empty();
        let name = format!("{}_icu", fresh.options().get_database().unwrap());
        SERVER
            .sql(
                "postgres",
                &format!(
                    "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-u-ks-level1'"
                ),
            )
            .unwrap();
        let store = PostgresStore::open(pool(fresh.options().database(&name)).await).await.unwrap();
        Box::new(store) as Box<dyn TokenStore>
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_not_utf8_is_refused() {
    let name = "latin";
    let latin = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'";
    SERVER.sql("postgres", latin).unwrap();
    let options = Database { url: SERVER.url(name) }.options();
    let error = PostgresStore::open(pool(options).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
}

/// Sealed bytes are never compressed, and an ordinary change touches no index.
#[tokio::test]
async fn rows_are_laid_out_as_the_schema_says() {
    let database = Database::empty();
    let store = database.store().await;
    let mut stranger = database.stranger().await;
    let mut record = sample_record(&sample_id("tenant", "name"), 1);
    let sealed = record.sealed.as_mut().unwrap();
    sealed.envelope = vec![0; 16 * 1024];
    store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
    let stored: i32 = sqlx::query_scalar("SELECT pg_column_size(envelope) FROM tokenkeep.connection")
        .fetch_one(&mut stranger)
        .await
        .unwrap();
    assert!(stored >= 16 * 1024, "compressed to {stored} bytes");
    let id = sample_id("another", "name");
    let first = sample_record(&id, 1);
    store.commit(&[sample_change(&first, None)], &sample_chain()).await.unwrap();
    for revision in 2..=40 {
        // What stays while the token does, unless it is paused.
        let mut record = sample_record(&id, revision);
        (record.sealed, record.token_set_at) = (first.sealed.clone(), first.token_set_at);
        (record.provider, record.origin) = (first.provider.clone(), first.origin.clone());
        record.paused_at = first.paused_at;
        let change = sample_change(&record, Some(revision - 1));
        store.commit(&[change, sample_use(&id)], &sample_chain()).await.unwrap();
    }
    let until = Instant::now() + Duration::from_secs(20);
    for table in ["connection", "audit_head"] {
        loop {
            let (updates, hot): (i64, i64) = sqlx::query_as(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = 'tokenkeep' AND relname = $1",
            )
            .bind(table)
            .fetch_one(&mut stranger)
            .await
            .unwrap();
            // Statistics come with a delay, when a connection falls idle or closes.
            if updates >= 39 {
                assert!(hot * 10 >= updates * 9, "{table}: {hot} of {updates} updates were HOT");
                break;
            }
            assert!(Instant::now() < until, "{table}: {updates} updates were counted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            store.vault().await.unwrap();
        }
    }
}
