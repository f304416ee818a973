//! Instances whose clocks disagree by some minutes ask about a token once in five minutes, and nothing that a wrong clock wrote hides a
//! connection from the job.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Fixture, TestClock, account, token};
use tokenkeep::{
    Clock, ConnectionId, ConnectionState, ErrorKind, Meaning, Outcome, Provider, RecheckProgress, Timestamp,
    Use, Vault,
};
use tokenkeep_testkit::fake_token;

const MINUTE: i64 = 60_000;

/// Another clock, so far ahead.
#[derive(Debug)]
struct Ahead(Arc<TestClock>, i64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now().as_millis() + self.1)
    }
}

async fn instance(f: &Fixture, ahead: i64) -> Vault {
    let clock = Ahead(Arc::clone(&f.clock), ahead);
    Vault::options().clock(clock).open(Arc::clone(&f.store), f.keys.clone()).await.unwrap()
}

async fn pause(f: &Fixture, vault: &Vault, tenant: &str) -> ConnectionId {
    let connection = vault.connection(tenant, "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    let issued = credential.issue(Use::at(f.provider.spec())).await.unwrap();
    let refused = Outcome::Refused(Meaning::TokenRefused);
    credential.report(issued.incarnation, issued.secret_version, refused).await.unwrap();
    connection.id().clone()
}

async fn run(f: &Fixture, vault: &Vault) -> RecheckProgress {
    vault.recheck_paused(&f.provider).pace(Duration::ZERO).finish().await.unwrap()
}

fn asked(f: &Fixture) -> usize {
    std::mem::take(&mut *f.provider.asked.lock().unwrap()).len()
}

async fn state(f: &Fixture, id: &ConnectionId) -> ConnectionState {
    f.vault.connection_of(id).status().await.unwrap().state
}

/// By a clock that is behind the holder's, too.
#[tokio::test]
async fn what_one_instance_put_off_is_put_off_by_one_whose_clock_is_behind() {
    for behind in [1, 1000, MINUTE, 2 * MINUTE, 5 * MINUTE] {
        let f = Fixture::new().await;
        let slow = instance(&f, -behind).await;
        let id = pause(&f, &f.vault, "t").await;
        asked(&f);
        f.provider.answer(Err(ErrorKind::TokenRefused));
        assert_eq!(run(&f, &f.vault).await.still_paused, 1);
        for _ in 0..5 {
            run(&f, &slow).await;
            let _ = slow.connection_of(&id).recheck(&f.provider).await.unwrap();
            run(&f, &f.vault).await;
            f.clock.advance(MINUTE - 1);
        }
        assert_eq!(asked(&f), 1, "{behind} ms behind");
    }
}

/// Both run the job each minute: an outage revokes nobody, and a token that was deleted is revoked.
#[tokio::test]
async fn two_clocks_that_disagree_decide_as_one() {
    for apart in [-2 * MINUTE, 2 * MINUTE] {
        let f = Fixture::new().await;
        let other = instance(&f, apart).await;
        let mut all = Vec::new();
        for n in 0..40 {
            all.push(pause(&f, [&f.vault, &other][n % 2], &format!("t{n:02}")).await);
        }
        f.provider.answer(Err(ErrorKind::TokenRefused));
        for minute in 0..15 {
            f.clock.advance(MINUTE);
            let (one, two) = tokio::join!(run(&f, &f.vault), run(&f, &other));
            assert_eq!((one.revoked, two.revoked), (0, 0), "minute {minute}");
        }
        f.provider.answer(Ok(account("user-1")));
        for _ in 0..15 {
            f.clock.advance(MINUTE);
            let _ = tokio::join!(run(&f, &f.vault), run(&f, &other));
        }
        for id in &all {
            assert_eq!(state(&f, id).await, ConnectionState::Connected);
        }
        let single = pause(&f, &other, "single").await;
        f.provider.answer(Err(ErrorKind::TokenRefused));
        for _ in 0..15 {
            f.clock.advance(MINUTE);
            let _ = tokio::join!(run(&f, &f.vault), run(&f, &other));
        }
        assert_eq!(state(&f, &single).await, ConnectionState::Revoked);
    }
}

#[tokio::test]
async fn what_was_paused_in_the_future_is_asked_about_and_hides_nobody() {
    let f = Fixture::new().await;
    let fast = instance(&f, 60 * MINUTE).await;
    let one = pause(&f, &fast, "a").await;
    let two = pause(&f, &f.vault, "b").await;
    // And what it was put off for: nobody may be barred for an hour.
    f.provider.answer(Err(ErrorKind::TokenRefused));
    let status = fast.connection_of(&one).recheck(&f.provider).await.unwrap();
    assert_eq!(status.state, ConnectionState::Paused);
    assert_eq!(run(&f, &f.vault).await.still_paused, 2);
    f.provider.answer(Ok(account("user-1")));
    f.clock.advance(5 * MINUTE);
    assert_eq!(run(&f, &f.vault).await.resumed, 2);
    for id in [&one, &two] {
        assert_eq!(state(&f, id).await, ConnectionState::Connected);
    }
}

/// An outage that began by a clock that is ahead is one still.
#[tokio::test]
async fn a_crowd_that_was_paused_in_the_future_is_seen() {
    let f = Fixture::new().await;
    let fast = instance(&f, 60 * MINUTE).await;
    let mut all = Vec::new();
    for n in 0..6 {
        all.push(pause(&f, &fast, &format!("t{n}")).await);
    }
    let status = f.vault.connection_of(&all[0]).status().await.unwrap();
    assert_eq!(status.pause, Some(tokenkeep::PauseReason::ProviderSuspect));
    f.provider.answer(Err(ErrorKind::TokenRefused));
    for _ in 0..90 {
        f.clock.advance(MINUTE);
        assert_eq!(run(&f, &f.vault).await.revoked, 0);
    }
}
