//! What was started in an account's name, but not by us, is listed; what we started is not.

#[path = "../common/mod.rs"]
mod common;
mod listing;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Unsteady, token};
use listing::{World, all, connected, ids, start};
use tokenkeep::{ErrorKind, ListedRun, TenantId, Timestamp, Vault};
use tokenkeep_store::shard_of;
use tokenkeep_testkit::fake_token;

#[tokio::test]
async fn runs_that_we_did_not_start_are_listed() {
    let w = World::new().await;
    let other = connected(&w.f.vault, "t", "second", &w.listing).await;
    // Its entries are in the same chain.
    let tenant = |name: &str| shard_of(&TenantId::new(name).unwrap());
    let stranger = (0..).map(|number| format!("u{number}")).find(|name| tenant(name) == tenant("t")).unwrap();
    let stranger = connected(&w.f.vault, &stranger, "apify", &w.listing).await;
    for (by, run) in
        [(Some(&w.connection), "ours"), (Some(&other), "same-tenant"), (Some(&stranger), "other-tenant")]
    {
        w.listing.add(run, w.now());
        start(by.unwrap(), &w.listing, run).await;
        w.f.clock.advance(1000);
    }
    let theirs = ListedRun::new("theirs", w.now()).unwrap().with_origin("API");
    let theirs = theirs.with_address("203.0.113.7").with_user_agent("curl/8.7\u{1b}[2J\u{202e}");
    w.listing.runs.lock().unwrap().push(theirs);
    w.listing
        .runs
        .lock()
        .unwrap()
        .push(ListedRun::new("web", w.now() + 1_800_000).unwrap().with_origin("WEB").without_token());
    w.f.clock.advance(1_800_000);
    start(&other, &w.listing, "unlisted").await;
    w.f.clock.advance(-1_800_000);
    w.listing.add("before", w.around().start.as_millis() - 1);
    w.listing.add("after", w.around().end.as_millis());

    w.listing.careless.store(true, Ordering::SeqCst);
    assert_eq!(ids(&all(&mut w.reconcile()).await), ["other-tenant", "theirs", "web"]);
    w.listing.careless.store(false, Ordering::SeqCst);
    let mut runs = w.reconcile();
    let found = all(&mut runs).await;
    assert_eq!(ids(&found), ["other-tenant", "theirs", "web"]);
    assert_eq!((runs.listed(), runs.ours()), (5, 2));
    assert_eq!(runs.done_until(), w.around().end);
    let theirs = &found[1];
    assert_eq!(theirs.started_at.map(Timestamp::as_millis), theirs.run.started_at());
    assert!(theirs.run.may_be_by_token() && theirs.while_in_use);
    let shown = theirs.to_string();
    assert!(shown.contains("203.0.113.7") && shown.contains("curl/8.7[2J\""), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    let web = &found[2];
    assert!(!web.run.may_be_by_token() && !web.while_in_use, "half an hour after the last use of this one");
    assert_eq!(runs.next().await.unwrap(), None, "the end is the end");
}

#[tokio::test]
async fn a_run_without_a_time_is_listed_and_hides_no_other() {
    let w = World::new().await;
    let untimed = |id: &str| ListedRun::without_time(id).unwrap();
    // It is on every page.
    w.listing.runs.lock().unwrap().push(untimed("untimed"));
    for number in 0..5 {
        w.listing.add(&format!("theirs-{number}"), w.now() + number);
    }
    let mut runs = w.reconcile();
    let found = all(&mut runs).await;
    assert_eq!(ids(&found), ["untimed", "theirs-0", "theirs-1", "theirs-2", "theirs-3", "theirs-4"]);
    assert_eq!((runs.listed(), found[0].started_at, found[0].while_in_use), (6, None, true));
    assert!(found[0].to_string().starts_with("at an unknown time: run untimed"), "{}", found[0]);
    // One of our own is known by its identifier.
    start(&w.connection, &w.listing, "untimed").await;
    let mut runs = w.reconcile();
    assert_eq!((all(&mut runs).await.len(), runs.ours()), (5, 1));
    // Pages of nothing else do not go on: they are given, and then it is an error, not an end.
    w.listing.runs.lock().unwrap().extend(["a", "b", "c", "d"].map(untimed));
    let mut runs = w.reconcile();
    for _ in 0..2 {
        assert!(runs.next().await.unwrap().is_some());
    }
    assert_eq!(runs.next().await.unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
}

#[tokio::test]
async fn a_run_that_starts_meanwhile_is_ours() {
    let w = World::new().await;
    w.listing.add("theirs", w.now());
    let mut runs = w.reconcile();
    for number in 0..6 {
        w.listing.add(&format!("ours-{number}"), w.now() + 1 + number);
    }
    // The first page is listed and the trail read. The second page comes after these were put on record.
    let first = [runs.next().await.unwrap().unwrap(), runs.next().await.unwrap().unwrap()];
    assert_eq!(ids(&first), ["theirs", "ours-0"], "listed, and not on record yet");
    for number in 2..6 {
        start(&w.connection, &w.listing, &format!("ours-{number}")).await;
    }
    assert_eq!(ids(&all(&mut runs).await), ["ours-1"], "it was on the first page");
    assert_eq!((runs.listed(), runs.ours()), (7, 4));

    let w = World::new().await;
    *w.listing.meanwhile.lock().unwrap() = Some((w.connection.clone(), "ours"));
    let mut runs = w.reconcile();
    assert_eq!(all(&mut runs).await, [], "the trail is read when the page is there, not before");
    assert_eq!((runs.listed(), runs.ours()), (1, 1));
}

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
async fn nobody_hides_a_run_by_writing_it_into_the_trail() {
    let w = World::new().await;
    let store = Unsteady::new(&w.f.store);
    let options = Vault::options().clock(Arc::clone(&w.f.clock));
    let vault = options.open(Arc::clone(&store), w.f.keys.clone()).await.unwrap();
    start(&w.connection, &w.listing, "ours").await;
    w.listing.add("theirs", w.now());
    let connection = vault.connection("t", "apify").unwrap();
    let found = all(&mut connection.reconcile(&w.listing, w.around())).await;
    assert_eq!(ids(&found), ["theirs"], "before");
    *store.forge.lock().unwrap() = Some(|entry| {
        if let Some(subject) = &mut entry.draft.subject {
            "theirs".clone_into(subject);
        }
    });
    let error = connection.reconcile(&w.listing, w.around()).next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
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

#[tokio::test]
async fn a_token_that_may_not_be_used_lists_nothing() {
    let w = World::new().await;
    w.listing.add("theirs", w.now());
    let mut response = w.connection.suspect_leak();
    while response.next().await.unwrap().is_some() {}
    assert_eq!(w.reconcile().next().await.unwrap_err().kind(), ErrorKind::Suspected);
    assert_eq!(w.listing.pages.load(Ordering::SeqCst), 0);
    // The list is the account's: the token that took its place shows what was started with the old one.
    w.connection.replace(&w.listing, token(&fake_token())).await.unwrap();
    assert_eq!(ids(&all(&mut w.reconcile()).await), ["theirs"]);
    let _ = w.connection.disconnect().await.unwrap();
    assert_eq!(w.reconcile().next().await.unwrap_err().kind(), ErrorKind::NotConnected);

    let empty = w.around().end..w.around().start;
    assert_eq!(w.connection.reconcile(&w.listing, empty).next().await.unwrap(), None);
}
