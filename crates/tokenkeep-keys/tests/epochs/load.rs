//! What a key service sees of a day's load, and of a new key. The large ones are ignored by default: run them with
//! `cargo test --release -p tokenkeep-keys --test epochs -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use tokenkeep_core::{Envelope, KekId};
use tokenkeep_keys::{EpochKeys, KeyProvider};

use crate::service::{DAY, Home, MINUTE, SECOND, open_for, seal_for, token_context};

fn name(connection: usize) -> String {
    format!("connection-{connection}")
}

/// So many connections, sealed over three months, so that they are under several epochs.
async fn connected(home: &Home, keys: &EpochKeys, connections: usize) -> Vec<Envelope> {
    let mut envelopes = Vec::with_capacity(connections);
    for connection in 0..connections {
        if connection % (connections / 90).max(1) == 0 {
            home.clock.pass(DAY);
        }
        envelopes.push(seal_for(keys, &token_context(&name(connection))).await.unwrap());
    }
    envelopes
}

/// Opens at this rate for a day, connections in a fixed order that leaps.
async fn a_day(home: &Home, keys: &dyn KeyProvider, envelopes: &[Envelope], every: Duration) -> u64 {
    let (opens, mut connection) = (DAY.as_millis() / every.as_millis(), 0);
    for _ in 0..opens {
        home.clock.pass(every);
        tokio::task::yield_now().await;
        connection = (connection + 7919) % envelopes.len();
        open_for(keys, &envelopes[connection], &token_context(&name(connection))).await.unwrap();
    }
    u64::try_from(opens).unwrap()
}

async fn calls_of_a_day(connections: usize, every: Duration) {
    let home = Home::new();
    let envelopes = connected(&home, &home.instance(), connections).await;
    let epochs: std::collections::HashSet<KekId> = envelopes.iter().map(|envelope| *envelope.kek()).collect();
    let (keys, before) = (home.instance(), home.service.all_calls());
    let began = Instant::now();
    let opens = a_day(&home, &keys, &envelopes, every).await;
    let calls = home.service.all_calls() - before;
    println!(
        "a day: {connections} connections under {} epochs, {opens} opens: {calls} calls to the key service ({:.1} an hour); \
         without epochs one for each open, {opens}; {:?}",
        epochs.len(),
        calls as f64 / 24.0,
        began.elapsed()
    );
    // One for each epoch in each 8 minutes: what is held is renewed in the last fifth of its 10 minutes.
    let most = epochs.len() as u64 * (24 * 60 / 8 + 1);
    assert!((1..=most).contains(&calls), "{calls} calls, {most} at most");

    // The same without epochs: a tenth of an hour is enough to see that each open is a call.
    let direct = seal_for(&home.service, &token_context("direct")).await.unwrap();
    let before = home.service.all_calls();
    for _ in 0..1000 {
        open_for(&home.service, &direct, &token_context("direct")).await.unwrap();
    }
    assert_eq!(home.service.all_calls() - before, 1000);
}

#[tokio::test]
async fn a_day_costs_a_few_calls_an_hour() {
    calls_of_a_day(1000, SECOND * 5).await;
}

#[ignore = "half a minute, optimized"]
#[tokio::test]
async fn a_day_of_a_million_connections_costs_the_same() {
    calls_of_a_day(1_000_000, SECOND / 100).await;
}

/// A new epoch under a new key of the provider: three calls, whatever is sealed already.
async fn a_new_key(tokens: usize) {
    let home = Home::new();
    let keys = home.instance();
    for token in 0..tokens {
        seal_for(&keys, &token_context(&name(token))).await.unwrap();
    }
    let (before, began) = (home.service.all_calls(), Instant::now());
    keys.rotate().await.unwrap();
    let took = began.elapsed();
    println!("a new key with {tokens} tokens: {} calls, {took:?}", home.service.all_calls() - before);
    assert_eq!(home.service.all_calls() - before, 3);
    assert!(took < SECOND);
    home.clock.pass(MINUTE);
    seal_for(&keys, &token_context("next")).await.unwrap();
}

#[tokio::test]
async fn a_new_key_costs_three_calls() {
    a_new_key(10).await;
    a_new_key(1000).await;
}

#[ignore = "a minute, optimized"]
#[tokio::test]
async fn a_new_key_costs_three_calls_however_many_tokens_there_are() {
    for tokens in [1_000, 100_000, 1_000_000] {
        a_new_key(tokens).await;
    }
}

/// What epochs cost over a keyring, where both hold their KEK: in turns, the best of each.
#[ignore = "means something optimized alone"]
#[tokio::test]
async fn an_unwrap_costs_little_more_than_with_a_keyring() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = tokenkeep_keys::LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let home = Home::new();
    let epochs =
        EpochKeys::options().build(home.service.clone(), std::sync::Arc::clone(&home.store)).unwrap();
    let context = token_context("apify");
    let mut best = [Duration::MAX; 2];
    for _ in 0..30 {
        for (keys, best) in [&keyring as &dyn KeyProvider, &epochs].into_iter().zip(&mut best) {
            let envelope = seal_for(keys, &context).await.unwrap();
            let began = Instant::now();
            for _ in 0..10_000 {
                open_for(keys, &envelope, &context).await.unwrap();
            }
            *best = began.elapsed().min(*best);
        }
    }
    let [keyring, epochs] = best.map(|best| best.as_nanos() as f64 / 10_000.0);
    println!(
        "an open: {keyring:.0} ns with a keyring, {epochs:.0} ns with epochs, {:.3} times",
        epochs / keyring
    );
}
