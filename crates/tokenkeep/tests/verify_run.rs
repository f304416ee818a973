//! A verification in steps: progress, interruption, and memory that the length of the trail does not matter to.

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use common::{Fixture, Sink, Unsteady, token};
use tokenkeep::{Action, AuditDraft, Change, ErrorKind, Finding, TokenStore, Vault, Verification};

const CONNECTIONS: u64 = 40;

/// A vault with so many connections and entries. Most entries are uses.
async fn with_entries(f: &Fixture, connections: u64, entries: u64) {
    let mut drafts: Vec<AuditDraft> = Vec::new();
    for n in 0..connections {
        let connection = f.vault.connection(format!("tenant {n}"), "apify").unwrap();
        let prepared =
            connection.prepare_connect(&f.provider, token(&format!("a-fake-token-{n}"))).await.unwrap();
        prepared.commit().await.unwrap();
        let entry = prepared.change().entry.clone();
        drafts.push(AuditDraft { action: Action::Used, record_mac: None, ..entry });
        for step in 0..entries / 4000 {
            connection.replace(&f.provider, token(&format!("another-fake-token-{n}-{step}"))).await.unwrap();
        }
    }
    let written: u64 = f.store.audit_heads().await.unwrap().iter().map(|head| head.sequence).sum();
    // One handle of the chain is as good as another.
    let connection = f.vault.connection("any", "apify").unwrap();
    let prepared = connection.prepare_connect(&f.provider, token("a-fake-token")).await.unwrap();
    let uses: Vec<Change> = (written..entries)
        .map(|n| Change { record: None, entry: drafts[(n % connections) as usize].clone() })
        .collect();
    for uses in uses.chunks(1000) {
        f.store.commit(uses, prepared.chain()).await.unwrap();
    }
}

fn whole(connections: u64, entries: u64) -> impl Fn(&Verification) -> bool {
    move |found| found.is_whole() && (found.entries, found.records) == (entries, connections)
}

#[tokio::test]
async fn each_step_says_how_far_it_is() {
    let f = Fixture::new().await;
    with_entries(&f, CONNECTIONS, 20_000).await;
    let mut run = f.vault.verify_run();
    let mut before = (0, 0);
    let mut steps = 0;
    while let Some(progress) = run.step().await.unwrap() {
        assert_eq!(progress.of_entries, 20_000);
        assert!(progress.entries - before.0 <= 512 && progress.records >= before.1);
        before = (progress.entries, progress.records);
        steps += 1;
    }
    assert_eq!(before, (20_000, CONNECTIONS));
    assert!(steps > 40, "{steps} steps are no progress to look at");
    let found = run.finish().await.unwrap();
    assert!(whole(CONNECTIONS, 20_000)(&found), "{found}");
    assert_eq!(run.step().await.unwrap(), None);
    assert_eq!(run.finish().await.unwrap(), found);
}

#[tokio::test]
async fn a_step_that_was_dropped_or_failed_is_made_again() {
    let f = Fixture::new().await;
    with_entries(&f, CONNECTIONS, 5000).await;
    let unsteady = Unsteady::new(&f.store);
    let options = Vault::options().checkpoints(Sink::new());
    let vault = options.open(Arc::clone(&unsteady), f.keys.clone()).await.unwrap();
    vault.checkpoint().await.unwrap();
    unsteady.hiccup.store(3, Ordering::SeqCst);
    let mut run = vault.verify_run();
    let (mut dropped, mut failed) = (0, 0);
    loop {
        // Dropped after so many polls, then made again with one more.
        let mut polls = 0;
        let done = loop {
            let mut step = pin!(run.step());
            let mut outcome = None;
            for _ in 0..=polls {
                if outcome.is_none()
                    && let Poll::Ready(done) =
                        std::future::poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx))).await
                {
                    outcome = Some(done);
                }
            }
            match outcome {
                Some(Ok(progress)) => break progress,
                Some(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
                    failed += 1;
                }
                None => (dropped, polls) = (dropped + 1, polls + 1),
            }
        };
        if done.is_none() {
            break;
        }
    }
    let found = run.finish().await.unwrap();
    assert!(whole(CONNECTIONS, 5000)(&found), "{found}");
    assert_eq!(found.checkpoint.unwrap().number, 1);
    assert!(dropped > 20 && failed > 10, "{dropped} dropped, {failed} failed");
}

#[tokio::test]
async fn the_trail_may_grow_while_it_is_verified() {
    let f = Fixture::new().await;
    with_entries(&f, CONNECTIONS, 3000).await;
    let mut run = f.second_instance().await.verify_run();
    let mut step = 0;
    while run.step().await.unwrap().is_some() {
        let connection = f.vault.connection(format!("tenant {}", step % CONNECTIONS), "apify").unwrap();
        match step % 3 {
            0 => drop(connection.replace(&f.provider, token("another-fake-token")).await),
            1 => drop(connection.disconnect().await),
            _ => drop(
                f.vault
                    .connection(format!("new {step}"), "apify")
                    .unwrap()
                    .connect(&f.provider, token("new"))
                    .await,
            ),
        }
        step += 1;
    }
    let found = run.finish().await.unwrap();
    assert!(found.is_whole(), "{found}");
}

#[tokio::test]
async fn a_thousand_findings_are_named_and_the_rest_counted() {
    let f = Fixture::new().await;
    // Changes without their records: the trail knows connections that are not there.
    let connection = f.vault.connection("any", "apify").unwrap();
    let prepared = connection.prepare_connect(&f.provider, token("a-fake-token")).await.unwrap();
    let changes: Vec<Change> = (0..1500)
        .map(|n| {
            let mut entry = prepared.change().entry.clone();
            entry.id = tokenkeep::ConnectionId::new(format!("tenant {n}"), "apify").unwrap();
            Change { record: None, entry }
        })
        .collect();
    f.store.commit(&changes, prepared.chain()).await.unwrap();
    let found = f.vault.verify().await.unwrap();
    assert_eq!((found.findings.len(), found.more_findings, found.records), (1000, 500, 1500));
    assert!(found.findings.iter().all(|finding| matches!(finding, Finding::RecordMissing { .. })));
    let said = found.to_string();
    assert!(said.contains("1500 findings") && said.ends_with("and 500 more"), "{said}");
}

/// The most bytes that a verification holds at a time.
fn held(connections: u64, entries: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let f = runtime.block_on(async {
        let f = Fixture::new().await;
        with_entries(&f, connections, entries).await;
        f
    });
    let vault = runtime.block_on(f.second_instance());
    let info = allocation_counter::measure(|| {
        let found = runtime.block_on(vault.verify()).unwrap();
        assert!(whole(connections, entries)(&found), "{found}");
    });
    info.bytes_max
}

/// The long form, with a million entries and a real database, is `cargo run --release --example verify_long`.
#[test]
fn ten_times_the_entries_take_no_more_memory() {
    // Each chain has full pages in both.
    let (few, many) = (held(CONNECTIONS, 20_000), held(CONNECTIONS, 200_000));
    assert!(many < few + few / 50, "{few} bytes for 20,000 entries, {many} for 200,000");
    assert!(many < 1024 * 1024, "{many} bytes");
}

#[test]
fn a_connection_takes_as_much_memory_as_is_said() {
    // Full pages of records in both. A table that was just doubled is half empty, and its former half still there.
    let (few, many) = (held(600, 2000), held(3600, 3600));
    let each = (many - few) as f64 / 3000.0;
    assert!(each < 128.0, "{each} bytes");
}
