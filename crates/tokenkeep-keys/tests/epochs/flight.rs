//! One call to the provider for each epoch and instance, however many ask, and whoever of them goes away.

use std::time::Instant;

use tokenkeep_core::ErrorKind;

use crate::service::{Home, SECOND, fails_with, open, seal};

const MANY: usize = 10_000;

/// Lets the other tasks run until the service has this many calls in hand.
async fn until_waiting(home: &Home, calls: usize) {
    let began = Instant::now();
    while home.service.waiting() != calls {
        assert!(began.elapsed().as_secs() < 20, "{} calls wait", home.service.waiting());
        tokio::task::yield_now().await;
    }
}

async fn ten_thousand_cold_opens() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    for instances in 1..=2 {
        let (keys, before) = (home.instance(), home.service.all_calls());
        home.service.hold();
        let opens: Vec<_> = (0..MANY)
            .map(|_| {
                let (keys, envelope) = (keys.clone(), envelope.clone());
                tokio::spawn(async move { open(&keys, &envelope).await })
            })
            .collect();
        until_waiting(&home, 1).await;
        home.service.let_through();
        let began = Instant::now();
        for open in opens {
            open.await.unwrap().unwrap();
        }
        assert_eq!(home.service.all_calls() - before, 1);
        println!(
            "instance {instances}: {MANY} cold opens, 1 call, {:?} from its answer to the last open",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn ten_thousand_cold_opens_make_one_call_on_one_thread() {
    ten_thousand_cold_opens().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_cold_opens_make_one_call_on_several_threads() {
    ten_thousand_cold_opens().await;
}

/// The one that began the call is dropped, then all but the last.
#[tokio::test]
async fn the_call_survives_whoever_began_it() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    let (keys, before) = (home.instance(), home.service.all_calls());
    home.service.hold();
    let mut opens = Vec::new();
    for begun in 0..100 {
        let (keys, envelope) = (keys.clone(), envelope.clone());
        opens.push(tokio::spawn(async move { open(&keys, &envelope).await }));
        if begun == 0 {
            until_waiting(&home, 1).await;
        }
    }
    tokio::task::yield_now().await;
    let last = opens.pop().unwrap();
    for open in opens {
        open.abort();
        assert!(open.await.unwrap_err().is_cancelled());
    }
    assert_eq!(home.service.waiting(), 1, "the call went with the one that began it");
    home.service.let_through();
    last.await.unwrap().unwrap();
    assert_eq!(home.service.all_calls() - before, 1);
}

/// All of them leave: the next one takes the same call up, or, much later, makes another.
#[tokio::test]
async fn a_call_that_all_left_is_taken_up_or_made_anew() {
    for (later, calls) in [(SECOND, 1), (SECOND * 31, 2)] {
        let home = Home::new();
        let envelope = seal(&home.instance()).await.unwrap();
        let (keys, before) = (home.instance(), home.service.all_calls());
        home.service.hold();
        let first = tokio::spawn({
            let (keys, envelope) = (keys.clone(), envelope.clone());
            async move { open(&keys, &envelope).await }
        });
        until_waiting(&home, 1).await;
        first.abort();
        let _ = first.await;
        home.clock.pass(later);
        home.service.let_through();
        open(&keys, &envelope).await.unwrap();
        assert_eq!(home.service.all_calls() - before, calls);
    }
}

/// Those who wait for one call all get its error, and the service is not asked again at once.
#[tokio::test]
async fn a_failed_call_fails_all_and_is_not_repeated_at_once() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    let (keys, before) = (home.instance(), home.service.all_calls());
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    for _ in 0..100 {
        let error = fails_with(open(&keys, &envelope).await, ErrorKind::KeysUnavailable);
        assert!(error.is_retryable());
    }
    assert_eq!(home.service.all_calls() - before, 1);
    home.service.fails(None);
    home.clock.pass(SECOND);
    open(&keys, &envelope).await.unwrap();
    assert_eq!(home.service.all_calls() - before, 2);
}

/// An instance that is dropped while a call is under way leaves nothing behind: what it held is freed.
#[tokio::test]
async fn a_call_under_way_does_not_keep_its_instance_alive() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    let (keys, kept) = (home.instance(), std::sync::Arc::strong_count(&home.store));
    home.service.hold();
    let first = tokio::spawn({
        let (keys, envelope) = (keys.clone(), envelope);
        async move { open(&keys, &envelope).await }
    });
    until_waiting(&home, 1).await;
    first.abort();
    let _ = first.await;
    assert_eq!(home.service.waiting(), 1);
    drop(keys);
    assert_eq!(home.service.waiting(), 0, "the call lives on without its instance");
    assert!(std::sync::Arc::strong_count(&home.store) < kept);
}
