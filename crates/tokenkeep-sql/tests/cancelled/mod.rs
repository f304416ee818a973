//! Calls that are dropped at any point, on any store.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record};
use tokenkeep_store::{Change, TokenStore, shard_of};

/// Polls a future up to so many times, each when it is woken, then drops it. Says whether it finished.
pub(crate) async fn poll_times<F: Future>(future: F, times: usize) -> bool {
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

/// Commits that are dropped after any number of polls up to `most`. `settle` waits until the database is done with the dropped one.
pub(crate) async fn commits_dropped_anywhere(store: &dyn TokenStore, most: usize, settle: impl AsyncFn()) {
    let ids = [sample_id("tenant-1", "a"), sample_id("tenant-1", "b"), sample_id("tenant-1", "c")];
    let shard = usize::from(shard_of(ids[0].tenant()));
    let mut revision = 0;
    let (mut made, mut not_made) = (0, 0);
    for round in 0..4 {
        for times in 0..most {
            let before = (revision > 0).then_some(revision);
            let change = |id| sample_change(&sample_record(id, revision + 1), before);
            let changes: Vec<Change> = ids.iter().map(change).collect();
            let chain = sample_chain();
            let finished = poll_times(store.commit(&changes, &chain), times).await;
            settle().await;
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
