//! Making checkpoints: one after the other, by many at once, interrupted, and with a sink that fails.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Fixture, Sink, Unsteady, token};
use tokenkeep::{Checkpoint, CheckpointSink, ErrorKind, TokenStore, Vault};
use tokenkeep_testkit::CapturedLog;

async fn instance(f: &Fixture, sink: &Arc<Sink>) -> Vault {
    let options = Vault::options().clock(f.clock.clone()).checkpoints(sink.clone());
    options.open(f.store.clone(), f.keys.clone()).await.unwrap()
}

async fn grow(f: &Fixture, tenant: &str) {
    let connection = f.vault.connection(tenant, "apify").unwrap();
    connection.connect(&f.provider, token("a-fake-token")).await.unwrap();
}

/// All that the sink was given is one run: numbers from 1, each with the digest of the one before.
fn is_one_run(vault: &Vault, sink: &Sink) -> Vec<Checkpoint> {
    let run = sink.kept().into_iter().map(|note| Checkpoint::open(&note, &vault.checkpoint_key()).unwrap());
    let run: Vec<Checkpoint> = run.collect();
    let mut before = [0; 32];
    for (number, checkpoint) in (1..).zip(&run) {
        assert_eq!((checkpoint.number(), *checkpoint.previous()), (number, before));
        before = *checkpoint.digest();
    }
    run
}

#[tokio::test]
async fn a_checkpoint_commits_to_all_heads() {
    let f = Fixture::new().await;
    let sink = Sink::new();
    let vault = instance(&f, &sink).await;
    let first = vault.checkpoint().await.unwrap();
    assert_eq!((first.number(), first.entries(), first.vault()), (1, 0, vault.id()));
    assert_eq!(vault.checkpoint().await.unwrap(), first, "nothing new");
    for tenant in ["a", "b", "c"] {
        grow(&f, tenant).await;
    }
    f.clock.advance(5000);
    let second = vault.checkpoint().await.unwrap();
    assert_eq!((second.number(), second.entries()), (2, 3));
    assert_eq!(second.at().as_millis(), first.at().as_millis() + 5000);
    assert_eq!(second.heads(), f.store.audit_heads().await.unwrap());
    assert_eq!(vault.checkpoint().await.unwrap(), second);
    assert_eq!(is_one_run(&vault, &sink), [first, second.clone()]);
    // Another instance knows it as well.
    assert_eq!(instance(&f, &sink).await.checkpoint().await.unwrap(), second);
    let without = f.vault.checkpoint().await.unwrap_err();
    assert_eq!(without.kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_next() {
    let f = Fixture::new().await;
    let sink = Sink::new();
    let (vault, other) = (instance(&f, &sink).await, instance(&f, &sink).await);
    vault.checkpoint().await.unwrap();
    grow(&f, "a").await;
    sink.fails.store(true, Ordering::SeqCst);
    assert_eq!(vault.checkpoint().await.unwrap_err().kind(), ErrorKind::SinkUnavailable);
    assert_eq!(f.store.checkpoint().await.unwrap().unwrap().number, 2, "it was made");
    assert_eq!(sink.kept().len(), 1);
    assert_eq!(vault.verify().await.unwrap().findings, []);
    grow(&f, "b").await;
    assert_eq!(other.checkpoint().await.unwrap().number(), 3);
    assert_eq!(is_one_run(&vault, &sink).len(), 3);
}

#[tokio::test]
async fn a_dropped_call_is_made_good_by_the_next() {
    let f = Fixture::new().await;
    let sink = Sink::new();
    let vault = instance(&f, &sink).await;
    let mut polls = 0;
    loop {
        grow(&f, &format!("tenant {polls}")).await;
        polls += 1;
        let mut call = Box::pin(vault.checkpoint());
        let mut done = false;
        for _ in 0..polls {
            done = done
                || std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
        }
        drop(call);
        let last = instance(&f, &sink).await.checkpoint().await.unwrap();
        assert_eq!(last.heads(), f.store.audit_heads().await.unwrap(), "dropped at {polls}");
        let run = is_one_run(&vault, &sink);
        assert_eq!(run.last(), Some(&last));
        if done {
            break;
        }
    }
    assert!(polls > 2, "it awaits sink and store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_instances_make_one_run() {
    let f = Arc::new(Fixture::new().await);
    let sink = Sink::new();
    let mut tasks = Vec::new();
    for n in 0..4 {
        let (f, sink) = (Arc::clone(&f), Arc::clone(&sink));
        tasks.push(tokio::spawn(async move {
            let vault = instance(&f, &sink).await;
            for step in 0..25 {
                grow(&f, &format!("tenant {n} {step}")).await;
                match vault.checkpoint().await {
                    Ok(checkpoint) => assert!(checkpoint.entries() > step),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
                }
                let verified = vault.verify().await.unwrap();
                assert_eq!(verified.findings, [], "while others make checkpoints");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let vault = instance(&f, &sink).await;
    let last = vault.checkpoint().await.unwrap();
    assert_eq!(last.entries(), 100);
    assert_eq!(is_one_run(&vault, &sink).last(), Some(&last));
}

#[tokio::test(start_paused = true)]
async fn every_so_often_goes_on_after_an_error_and_ends_when_it_is_dropped() {
    let log = CapturedLog::new();
    let writer = log.clone();
    let logged = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(logged);
    let f = Fixture::new().await;
    let sink = Sink::new();
    let vault = instance(&f, &sink).await;
    let task = tokio::spawn(vault.checkpoint_every(Duration::from_secs(5)));
    let mut counts = Vec::new();
    for step in 0..6 {
        grow(&f, &format!("tenant {step}")).await;
        sink.fails.store(step == 2, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(5)).await;
        counts.push(sink.kept().len());
    }
    assert!(counts.is_sorted() && counts[5] >= 6, "{counts:?}");
    let log = String::from_utf8(log.bytes()).unwrap();
    assert!(log.contains("WARN") && log.contains("no checkpoint made"), "{log}");
    task.abort();
    let _ = task.await;
    grow(&f, "late").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(sink.kept().len(), counts[5]);
    is_one_run(&vault, &sink);
}

#[tokio::test]
async fn a_store_that_fails_says_so() {
    let f = Fixture::new().await;
    let unsteady = Unsteady::new(&f.store);
    let options = Vault::options().checkpoints(Sink::new());
    let vault = options.open(unsteady.clone(), f.keys.clone()).await.unwrap();
    unsteady.fails.store(true, Ordering::SeqCst);
    assert_eq!(vault.checkpoint().await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(vault.checkpoint().await.unwrap().number(), 1);
}

#[tokio::test]
async fn the_sinks_of_two_vaults_are_not_mixed_up() {
    let (f, g) = (Fixture::new().await, Fixture::new().await);
    let sink = Sink::new();
    let vault = instance(&f, &sink).await;
    vault.checkpoint().await.unwrap();
    let other = instance(&g, &sink).await;
    assert_eq!(other.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered);
    assert_eq!(sink.kept().len(), 1);
    let _: &dyn CheckpointSink = &sink;
}
