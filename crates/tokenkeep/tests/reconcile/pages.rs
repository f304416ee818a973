//! Page by page: nothing is skipped, read twice or lost half-way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokenkeep::{ErrorKind, Timestamp, Vault};

use crate::common::Unsteady;
use crate::world::{World, all, ids, start};

#[tokio::test]
async fn nothing_is_skipped_or_given_twice_between_pages() {
    let w = World::new().await;
    // Two that started in one millisecond are at the border of a page.
    for (id, at) in [("a", 0), ("b", 1), ("c", 2), ("d", 2), ("e", 3), ("f", 4)] {
        w.listing.add(id, w.now() + at);
    }
    let mut runs = w.reconcile();
    assert_eq!(runs.next().await.unwrap().unwrap().run.id(), "a");
    // What was listed before vanishes: places in the list move, times do not.
    w.listing.runs.lock().unwrap().retain(|run| run.id() != "a");
    assert_eq!(ids(&all(&mut runs).await), ["b", "c", "d", "e", "f"]);

    // A list that can't go on is refused, not ended.
    for id in ["g", "h", "i", "j"] {
        w.listing.add(id, w.now() + 10);
    }
    let mut runs = w.reconcile();
    let error = loop {
        match runs.next().await {
            Ok(found) => assert!(found.is_some(), "it ended without an error"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved);
    w.listing.runs.lock().unwrap().clear();
    w.listing.endless.store(true, Ordering::SeqCst);
    assert_eq!(w.reconcile().next().await.unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
}

#[tokio::test]
async fn what_fails_or_is_dropped_goes_on_where_it_was() {
    let w = World::new().await;
    let store = Unsteady::new(&w.f.store);
    let options = Vault::options().clock(Arc::clone(&w.f.clock));
    let vault = options.open(Arc::clone(&store), w.f.keys.clone()).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    let mut expected = Vec::new();
    for number in 0..30 {
        let run = format!("run-{number:02}");
        w.listing.add(&run, w.now());
        if number % 3 == 0 {
            start(&w.connection, &w.listing, &run).await;
        } else {
            expected.push(run);
        }
        w.f.clock.advance(1);
    }
    store.hiccup.store(17, Ordering::SeqCst);
    let mut runs = connection.reconcile(&w.listing, w.around());
    let (mut found, mut failed, mut dropped) = (Vec::new(), 0, 0);
    loop {
        if failed + dropped < 100 && found.len() % 4 == 1 {
            w.listing.fails.store(true, Ordering::SeqCst);
        }
        // Dropped after a while, a little later each time.
        let mut polls = 0;
        let next = {
            let mut next = Box::pin(runs.next());
            std::future::poll_fn(|context| {
                polls += 1;
                match next.as_mut().poll(context) {
                    std::task::Poll::Pending if polls > dropped % 20 => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                    std::task::Poll::Ready(next) => std::task::Poll::Ready(Some(next)),
                }
            })
            .await
        };
        match next {
            None => dropped += 1,
            Some(Ok(Some(unknown))) => found.push(unknown.run.id().to_owned()),
            Some(Ok(None)) => break,
            Some(Err(error)) => {
                assert!(error.is_retryable(), "{error:?}");
                failed += 1;
            }
        }
        assert!(failed + dropped < 10_000, "it gets nowhere");
    }
    assert_eq!(found, expected);
    assert!(failed > 5 && dropped > 5, "{failed} {dropped}");
    assert_eq!((runs.listed(), runs.ours()), (30, 10));
}

#[tokio::test]
async fn a_long_trail_is_read_from_where_it_matters() {
    let w = World::new().await;
    let store = Unsteady::new(&w.f.store);
    let options = Vault::options().clock(Arc::clone(&w.f.clock));
    let vault = options.open(Arc::clone(&store), w.f.keys.clone()).await.unwrap();
    for number in 0..3000 {
        start(&w.connection, &w.listing, &format!("old-{number}")).await;
    }
    w.f.clock.advance(2 * 3_600_000);
    // An instance whose clock is nine minutes behind wrote in between.
    w.f.clock.advance(-9 * 60_000);
    start(&w.connection, &w.listing, "slow-clock").await;
    w.f.clock.advance(9 * 60_000);
    start(&w.connection, &w.listing, "new").await;
    let now = w.now();
    for run in ["slow-clock", "new", "theirs", "theirs-too"] {
        w.listing.add(run, w.now());
        w.f.clock.advance(1);
    }
    let connection = vault.connection("t", "apify").unwrap();
    let before = store.reads.load(Ordering::SeqCst);
    let time = Timestamp::from_millis(now)..Timestamp::from_millis(now + 1000);
    let mut runs = connection.reconcile(&w.listing, time);
    assert_eq!(ids(&all(&mut runs).await), ["theirs", "theirs-too"]);
    assert_eq!((runs.ours(), w.listing.pages.load(Ordering::SeqCst)), (2, 2));
    let read = store.reads.load(Ordering::SeqCst) - before;
    assert!(read < 18, "{read} reads of the trail: three thousand entries take twelve to halve, once");
}
