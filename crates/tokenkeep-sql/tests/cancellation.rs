//! A call that is dropped at any point happened wholly or not at all, and leaves a store that works.

mod common;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use common::open;
use tempfile::TempDir;
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_use};
use tokenkeep_store::{Change, Scan, Scrub, TokenStore, shard_of};

/// Polls a future up to so many times, each when it is woken, then drops it. Says whether it finished.
async fn poll_times<F: Future>(future: F, times: usize) -> bool {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == times {
            return Poll::Ready(false);
        }
        polled += 1;
        let done = future.as_mut().poll(context).is_ready();
        if done {
            return Poll::Ready(true);
        }
        if polled == times {
            return Poll::Ready(false);
        }
        Poll::Pending
    })
    .await
}

/// A dropped commit that had been handed to SQLite may be made a moment later, but not behind a later one.
async fn settle(store: &SqliteStore) {
    store.commit(&[sample_use(&sample_id("somebody", "else"))], &sample_chain()).await.unwrap();
}

async fn commits_dropped_anywhere() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let ids = [sample_id("tenant-1", "a"), sample_id("tenant-1", "b"), sample_id("tenant-1", "c")];
    let shard = usize::from(shard_of(ids[0].tenant()));
    assert_ne!(shard, usize::from(shard_of(sample_id("somebody", "else").tenant())));
    let mut revision = 0;
    let (mut made, mut not_made) = (0, 0);
    for round in 0..4 {
        for times in 0..60 {
            let before = (revision > 0).then_some(revision);
            let change = |id| sample_change(&sample_record(id, revision + 1), before);
            let changes: Vec<Change> = ids.iter().map(change).collect();
            let chain = sample_chain();
            let finished = poll_times(store.commit(&changes, &chain), times).await;
            settle(&store).await;
            let mut seen = Vec::new();
            for id in &ids {
                seen.push(store.record(id).await.unwrap().map_or(0, |record| record.revision.get()));
            }
            assert!(seen.iter().all(|other| *other == seen[0]), "{round}/{times}: half a commit: {seen:?}");
            assert!(!finished || seen[0] == revision + 1, "{round}/{times}: acknowledged and lost");
            let head = store.audit_heads().await.unwrap()[shard];
            assert_eq!(head.sequence, seen[0] * 3, "{round}/{times}: records and entries differ");
            if seen[0] > revision {
                made += 1;
            } else {
                not_made += 1;
            }
            revision = seen[0];
        }
    }
    // Else the points at which it was dropped missed what this test is for.
    assert!(made > 10 && not_made > 10, "{made} made, {not_made} not");
}

#[tokio::test]
async fn a_dropped_commit_is_whole_or_nothing_on_one_thread() {
    commits_dropped_anywhere().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_commit_is_whole_or_nothing_on_several_threads() {
    commits_dropped_anywhere().await;
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
