//! A call that is dropped at any point happened wholly or not at all, and leaves a store and a pool that work.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record};
use tokenkeep_store::{Scan, TokenStore};

use super::{Database, NOW};
use crate::cancelled::{commits_dropped_anywhere, poll_times};

/// Waits until no other connection is at work or in a transaction: a dropped commit that had been handed to the server may be
/// made a moment later.
async fn settle(observer: &tokio::sync::Mutex<PgConnection>) {
    const BUSY: &str = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let busy: i64 = sqlx::query_scalar(BUSY).fetch_one(&mut *observer.lock().await).await.unwrap();
        if busy == 0 {
            return;
        }
        assert!(Instant::now() < until, "a dropped call is still at work");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn dropped_anywhere() {
    let database = Database::fresh();
    let store = database.store().await;
    let observer = tokio::sync::Mutex::new(database.stranger().await);
    commits_dropped_anywhere(&store, 30, async || settle(&observer).await).await;
}

#[tokio::test]
async fn a_dropped_commit_is_whole_or_nothing_on_one_thread() {
    dropped_anywhere().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_commit_is_whole_or_nothing_on_several_threads() {
    dropped_anywhere().await;
}

/// A `begin` that was dropped half-way would leave a connection whose next writes nobody commits.
#[tokio::test]
async fn the_pool_that_dropped_calls_leave_commits_what_it_is_given() {
    let database = Database::fresh();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(database.options());
    let pool = pool.await.unwrap();
    let store = PostgresStore::open(pool.clone()).await.unwrap();
    sqlx::query("CREATE TABLE theirs (n int)").execute(&pool).await.unwrap();
    let mut stranger = database.stranger().await;
    for times in 0..30 {
        let record = sample_record(&sample_id("tenant", &format!("name-{times}")), 1);
        poll_times(store.commit(&[sample_change(&record, None)], &sample_chain()), times).await;
        poll_times(store.close_kek(&tokenkeep_core::KekId::random().unwrap(), NOW), times).await;
        poll_times(store.scan(&Scan::All, None, 1000), times).await;
        poll_times(store.audit_heads(), times).await;
        sqlx::query("INSERT INTO theirs VALUES ($1)").bind(times as i32).execute(&pool).await.unwrap();
        let seen: i64 =
            sqlx::query_scalar("SELECT count(*) FROM theirs").fetch_one(&mut stranger).await.unwrap();
        assert_eq!(seen, times as i64 + 1, "after {times} polls");
    }
}

/// The application drops the future of a commit in its own transaction, and commits that transaction all the same.
#[tokio::test]
async fn a_dropped_commit_in_a_transaction_is_whole_or_nothing() {
    let database = Database::fresh();
    let store = database.store().await;
    let (mut made, mut not_made) = (0, 0);
    let mut connection = database.stranger().await;
    // In several rounds: on a busy host some answers are there before they are waited for.
    for (round, times) in (0..6).flat_map(|round| (0..16).map(move |times| (round, times))) {
        let ids = ["a", "b"].map(|name| sample_id(&format!("tenant-{round}-{times}"), name));
        let changes = ids.each_ref().map(|id| sample_change(&sample_record(id, 1), None));
        let mut transaction = connection.begin().await.unwrap();
        let chain = sample_chain();
        let finished = poll_times(store.commit_in(&mut transaction, &changes, &chain), times).await;
        transaction.commit().await.unwrap();
        let tenant = ids[0].tenant().clone();
        let there = store.scan(&Scan::Tenant(tenant), None, 10).await.unwrap().len();
        assert!(there == 2 || there == 0, "{times}: half a commit");
        assert!(there == 2 || !finished, "{times}: acknowledged and lost");
        let counted: u64 = store.audit_heads().await.unwrap().iter().map(|head| head.sequence).sum();
        if there == 2 {
            made += 1;
        } else {
            not_made += 1;
        }
        assert_eq!(counted, made * 2, "{times}: records and entries differ");
    }
    assert!(made > 10 && not_made > 6, "{made} made, {not_made} not");
}

#[tokio::test]
async fn a_dropped_open_can_be_repeated() {
    for times in 0..30 {
        let database = Database::empty();
        poll_times(PostgresStore::open(database.pool().await), times).await;
        assert_eq!(database.store().await.vault().await.unwrap(), None);
    }
}
