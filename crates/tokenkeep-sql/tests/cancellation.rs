//! A call that is dropped at any point happened wholly or not at all, and leaves a store that works.

mod cancelled;
mod common;

use cancelled::{commits_dropped_anywhere, poll_times};
use common::open;
use tempfile::TempDir;
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_use};
use tokenkeep_store::{Scan, Scrub, TokenStore, shard_of};

/// A dropped commit that had been handed to SQLite may be made a moment later, but not behind a later one.
async fn settle(store: &SqliteStore) {
    store.commit(&[sample_use(&sample_id("somebody", "else"))], &sample_chain()).await.unwrap();
}

async fn dropped_anywhere() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    assert_ne!(
        shard_of(sample_id("tenant-1", "a").tenant()),
        shard_of(sample_id("somebody", "else").tenant()),
        "settling would change the shard that is looked at"
    );
    commits_dropped_anywhere(&store, 60, async || settle(&store).await).await;
}

#[tokio::test]
async fn a_dropped_commit_is_whole_or_nothing_on_one_thread() {
    dropped_anywhere().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_commit_is_whole_or_nothing_on_several_threads() {
    dropped_anywhere().await;
}

#[tokio::test]
async fn dropped_reads_and_scrubs_pin_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    for n in 0..200 {
        let record = sample_record(&sample_id(&format!("tenant-{n}"), "name"), 1);
        store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
    }
    for times in 0..30 {
        poll_times(store.scan(&Scan::All, None, 1000), times).await;
        poll_times(store.audit_heads(), times).await;
        poll_times(store.scrub(), times).await;
    }
    settle(&store).await;
    assert_eq!(store.scan(&Scan::All, None, 1000).await.unwrap().len(), 200);
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
}

#[tokio::test]
async fn a_dropped_open_can_be_repeated() {
    for times in 0..40 {
        let folder = TempDir::new().unwrap();
        poll_times(SqliteStore::open(common::path(&folder)), times).await;
        let store = open(&folder).await;
        assert_eq!(store.vault().await.unwrap(), None);
    }
}
