//! What a refusal leads to, state by state: paused, asked about once, resumed or revoked.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{Fixture, Scripted, account, give, token};
use tokenkeep::{
    Account, Action, Connection, ConnectionState, Credential, CustomerAction, Error, ErrorKind, Meaning,
    Outcome, PauseReason, Provider, ProviderSpec, RecheckOutcome, RecheckStopped, Use, Vault,
};
use tokenkeep_testkit::fake_token;

const MINUTE: i64 = 60_000;

async fn connected(vault: &Vault, provider: &Scripted, tenant: &str) -> Connection {
    let connection = vault.connection(tenant, "apify").unwrap();
    connection.connect(provider, token(&fake_token())).await.unwrap();
    connection
}

/// A use that the provider answers with this.
async fn answered(connection: &Connection, provider: &Scripted, meaning: Meaning) {
    let credential = connection.credential();
    let issued = credential.issue(Use::at(provider.spec())).await.unwrap();
    credential.report(issued.incarnation, issued.secret_version, Outcome::Refused(meaning)).await.unwrap();
}

async fn paused(vault: &Vault, provider: &Scripted, tenant: &str) -> Connection {
    let connection = connected(vault, provider, tenant).await;
    answered(&connection, provider, Meaning::TokenRefused).await;
    connection
}

async fn stands(connection: &Connection) -> (ConnectionState, Option<PauseReason>) {
    let status = connection.status().await.unwrap();
    (status.state, status.pause)
}

/// What a run gives, by tenant.
async fn run(vault: &Vault, provider: &Scripted) -> Vec<(String, RecheckOutcome)> {
    let mut run = vault.recheck_paused(provider).pace(Duration::ZERO);
    let mut all = Vec::new();
    while let Some(rechecked) = run.next().await.unwrap() {
        all.push((rechecked.id.tenant().to_string(), rechecked.outcome));
    }
    all
}

fn asked(provider: &Scripted) -> usize {
    std::mem::take(&mut *provider.asked.lock().unwrap()).len()
}

#[tokio::test]
async fn only_a_refused_token_pauses() {
    let f = Fixture::new().await;
    let connection = connected(&f.vault, &f.provider, "t").await;
    for meaning in [
        Meaning::ScopeTooSmall,
        Meaning::BadRequest,
        Meaning::PaymentRequired,
        Meaning::NotFound,
        Meaning::NotFoundOrTokenRefused,
        Meaning::AlreadyExists,
        Meaning::RateLimited,
        Meaning::Unavailable,
        Meaning::Unexpected,
    ] {
        answered(&connection, &f.provider, meaning).await;
        assert_eq!(stands(&connection).await, (ConnectionState::Connected, None), "{meaning:?}");
    }
    answered(&connection, &f.provider, Meaning::TokenRefused).await;
    assert_eq!(stands(&connection).await, (ConnectionState::Paused, Some(PauseReason::Undecided)));
}

#[tokio::test]
async fn a_refusal_counts_for_the_token_that_was_sent_alone() {
    let f = Fixture::new().await;
    let connection = connected(&f.vault, &f.provider, "t").await;
    let here = connection.credential();
    let elsewhere = f.second_instance().await.connection("t", "apify").unwrap().credential();
    let refused = Outcome::Refused(Meaning::TokenRefused);
    let old = here.issue(Use::at(f.provider.spec())).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    for late in [&here, &elsewhere] {
        late.report(old.incarnation, old.secret_version, refused).await.unwrap();
        assert_eq!(stands(&connection).await.0, ConnectionState::Connected, "an older version");
    }
    let former = elsewhere.issue(Use::at(f.provider.spec())).await.unwrap();
    let _ = connection.disconnect().await.unwrap();
    for late in [&here, &elsewhere] {
        late.report(former.incarnation, former.secret_version, refused).await.unwrap();
        assert_eq!(stands(&connection).await.0, ConnectionState::Disconnected);
    }
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let current = here.issue(Use::at(f.provider.spec())).await.unwrap();
    assert_eq!(former.secret_version, current.secret_version, "the same number in another life");
    for late in [&here, &elsewhere] {
        late.report(former.incarnation, former.secret_version, refused).await.unwrap();
        assert_eq!(stands(&connection).await.0, ConnectionState::Connected, "a former life");
    }
    elsewhere.report(current.incarnation, current.secret_version, refused).await.unwrap();
    assert_eq!(stands(&connection).await.0, ConnectionState::Paused, "and the present token's does");
}

#[tokio::test]
async fn an_answer_about_a_token_that_was_replaced_meanwhile_changes_nothing() {
    let f = Fixture::new().await;
    for answer in [Ok(account("user-1")), Err(ErrorKind::TokenRefused)] {
        let tenant = format!("{}", answer.is_ok());
        let connection = paused(&f.vault, &f.provider, &tenant).await;
        f.clock.advance(5 * MINUTE);
        let slow = Waiting::new(answer);
        let (rechecked, ()) = tokio::join!(connection.recheck(&slow), async {
            slow.asked().await;
            connection.replace(&f.provider, token(&fake_token())).await.unwrap();
            slow.go.notify_one();
        });
        let kind = rechecked.err().map(|error| error.kind());
        assert_eq!(
            (kind, stands(&connection).await.0),
            (Some(ErrorKind::Conflict), ConnectionState::Connected)
        );
    }
}

#[tokio::test]
async fn accepted_it_is_resumed_at_once_and_refused_it_is_revoked_after_five_minutes() {
    let f = Fixture::new().await;
    let (good, bad) =
        (paused(&f.vault, &f.provider, "good").await, paused(&f.vault, &f.provider, "bad").await);
    assert_eq!(asked(&f.provider), 2, "by connecting");
    assert_eq!(good.recheck(&f.provider).await.unwrap().state, ConnectionState::Connected);
    f.provider.answer(Err(ErrorKind::TokenRefused));
    assert_eq!(run(&f.vault, &f.provider).await, [("bad".to_owned(), RecheckOutcome::StillRefused)]);
    assert_eq!(asked(&f.provider), 2);
    for _ in 0..4 {
        f.clock.advance(MINUTE);
        assert_eq!(run(&f.vault, &f.provider).await, []);
        let status = bad.recheck(&f.provider).await.unwrap();
        assert_eq!((status.state, status.pause), (ConnectionState::Paused, Some(PauseReason::AskedAlready)));
        assert_eq!(status.customer_actions(), [CustomerAction::TryAgainLater]);
    }
    assert_eq!(asked(&f.provider), 0, "nobody asks about it again in its five minutes");
    f.clock.advance(MINUTE);
    assert_eq!(run(&f.vault, &f.provider).await, [("bad".to_owned(), RecheckOutcome::Revoked)]);
    assert_eq!((stands(&bad).await, asked(&f.provider)), ((ConnectionState::Revoked, None), 1));
    assert_eq!(bad.status().await.unwrap().customer_actions(), [CustomerAction::ReplaceToken]);
    assert_eq!(run(&f.vault, &f.provider).await, [], "a job asks about paused ones alone");
    assert_eq!(bad.recheck(&f.provider).await.unwrap().state, ConnectionState::Revoked);

    f.provider.answer(Ok(account("user-1")));
    assert_eq!(
        bad.recheck(&f.provider).await.unwrap().state,
        ConnectionState::Connected,
        "its envelope is kept"
    );
    assert!(give(&bad.credential(), &f.provider).await.is_ok());
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_token_that_is_refused_when_asked_about_is_paused_first() {
    let f = Fixture::new().await;
    let connection = connected(&f.vault, &f.provider, "t").await;
    f.provider.answer(Err(ErrorKind::TokenRefused));
    assert_eq!(connection.recheck(&f.provider).await.unwrap().state, ConnectionState::Paused);
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Paused));
    f.provider.answer(Err(ErrorKind::ScopeTooSmall));
    f.clock.advance(5 * MINUTE);
    let status = connection.recheck(&f.provider).await.unwrap();
    assert_eq!(status.state, ConnectionState::Connected, "who says what it is not for accepts it");
}

/// A provider that answers once it is told to.
#[derive(Debug)]
struct Waiting {
    inner: Scripted,
    begun: tokio::sync::Semaphore,
    go: tokio::sync::Notify,
    times: AtomicUsize,
}

impl Waiting {
    fn new(answer: Result<Account, ErrorKind>) -> Self {
        let inner = Scripted::new();
        inner.answer(answer);
        let (begun, go) = (tokio::sync::Semaphore::new(0), tokio::sync::Notify::new());
        Self { inner, begun, go, times: AtomicUsize::new(0) }
    }

    async fn asked(&self) {
        self.begun.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Provider for Waiting {
    fn spec(&self) -> &ProviderSpec {
        self.inner.spec()
    }

    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        let answer = self.inner.check(credential).await;
        self.times.fetch_add(1, Ordering::SeqCst);
        self.begun.add_permits(1);
        self.go.notified().await;
        answer
    }
}

#[tokio::test]
async fn of_several_instances_one_asks() {
    let f = Fixture::new().await;
    let connection = paused(&f.vault, &f.provider, "t").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(f.second_instance().await);
    }
    let slow = Waiting::new(Ok(account("user-1")));
    let (first, ()) = tokio::join!(connection.recheck(&slow), async {
        slow.asked().await;
        for other in &others {
            let status = other.connection("t", "apify").unwrap().recheck(&slow).await.unwrap();
            assert_eq!(
                (status.state, status.pause),
                (ConnectionState::Paused, Some(PauseReason::AskedAlready))
            );
            let done = other.recheck_paused(&slow).finish().await.unwrap();
            assert_eq!((done.resumed, done.passed_over), (0, 0));
        }
        slow.go.notify_one();
    });
    assert_eq!((first.unwrap().state, slow.times.load(Ordering::SeqCst)), (ConnectionState::Connected, 1));
    for other in &others {
        let status = other.connection("t", "apify").unwrap().status().await.unwrap();
        assert_eq!(status.state, ConnectionState::Connected, "its outcome is everybody's");
    }
    let entries = f.vault.audit().of_tenant("t", 0, 100).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.draft.action == Action::Resumed).count(), 1);
}

#[tokio::test]
async fn a_question_that_was_dropped_is_asked_again_a_minute_later() {
    let f = Fixture::new().await;
    let connection = paused(&f.vault, &f.provider, "t").await;
    let slow = Waiting::new(Ok(account("user-1")));
    tokio::select! {
        biased;
        _ = connection.recheck(&slow) => panic!("it waits"),
        () = slow.asked() => {}
    }
    let status = connection.recheck(&f.provider).await.unwrap();
    assert_eq!(status.pause, Some(PauseReason::AskedAlready), "the token may be on its way");
    f.clock.advance(MINUTE);
    assert_eq!(connection.recheck(&f.provider).await.unwrap().state, ConnectionState::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up() {
    let f = Fixture::new().await;
    let connection = paused(&f.vault, &f.provider, "t").await;
    let slow = Waiting::new(Ok(account("user-1")));
    let began = tokio::time::Instant::now();
    assert_eq!(connection.recheck(&slow).await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    assert!(began.elapsed() < Duration::from_secs(40), "within its lease of a minute");
    assert_eq!(
        connection.recheck(&f.provider).await.unwrap().state,
        ConnectionState::Connected,
        "the turn is given back"
    );
}

/// Fifteen in a row that settle nothing end a run, and each is put off: by a minute at first, by five at most.
#[tokio::test]
async fn a_run_ends_where_the_provider_does_not_answer() {
    for (kind, stopped) in [
        (ErrorKind::ProviderUnavailable, RecheckStopped::ProviderUnavailable),
        (ErrorKind::ProviderMisbehaved, RecheckStopped::ProviderUnavailable),
        (ErrorKind::RateLimited, RecheckStopped::ProviderUnavailable),
        (ErrorKind::KeysUnavailable, RecheckStopped::KeysUnavailable),
    ] {
        let f = Fixture::new().await;
        for n in 0..20 {
            paused(&f.vault, &f.provider, &format!("t{n:02}")).await;
        }
        asked(&f.provider);
        f.provider.answer(Err(kind));
        let run = async || f.vault.recheck_paused(&f.provider).pace(Duration::ZERO).finish().await.unwrap();
        let done = run().await;
        assert_eq!((done.stopped, done.unanswered + done.failed), (Some(stopped), 15), "{kind:?}");
        assert_eq!(asked(&f.provider), 15, "{kind:?}");
        assert_eq!((run().await.stopped, asked(&f.provider)), (None, 5), "the others, {kind:?}");
        f.clock.advance(MINUTE - 1);
        assert_eq!((run().await, asked(&f.provider)), (Default::default(), 0), "too soon, {kind:?}");
        f.clock.advance(1);
        assert_eq!((run().await.stopped, asked(&f.provider)), (Some(stopped), 15), "{kind:?}");
        // Paused for an hour.
        f.clock.advance(60 * MINUTE);
        run().await;
        run().await;
        assert_eq!(asked(&f.provider), 20);
        f.clock.advance(5 * MINUTE - 1);
        assert_eq!((run().await, asked(&f.provider)), (Default::default(), 0), "too soon, {kind:?}");
        f.provider.answer(Ok(account("user-1")));
        f.clock.advance(1);
        let done = run().await;
        assert_eq!((done.resumed, done.stopped), (20, None), "and nothing of that kept them");
    }
}

/// By hand it is asked again at once.
#[tokio::test]
async fn what_got_no_answer_by_hand_is_not_put_off() {
    let f = Fixture::new().await;
    let connection = paused(&f.vault, &f.provider, "t").await;
    f.provider.answer(Err(ErrorKind::ProviderUnavailable));
    for _ in 0..3 {
        let kind = connection.recheck(&f.provider).await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::ProviderUnavailable);
    }
}

/// Limits are per account: another token of one that asked for fewer calls is not sent in the same run.
#[tokio::test]
async fn of_an_account_without_an_answer_a_run_asks_once() {
    let f = Fixture::new().await;
    for name in ["a", "b", "c"] {
        let connection = f.vault.connection("t", name).unwrap();
        connection.connect(&f.provider, token(&fake_token())).await.unwrap();
        answered(&connection, &f.provider, Meaning::TokenRefused).await;
    }
    asked(&f.provider);
    f.provider.answer(Err(ErrorKind::RateLimited));
    for _ in 0..3 {
        let done = f.vault.recheck_paused(&f.provider).finish().await.unwrap();
        assert_eq!((done.unanswered, asked(&f.provider)), (1, 1));
    }
    let done = f.vault.recheck_paused(&f.provider).finish().await.unwrap();
    assert_eq!((done.unanswered, asked(&f.provider)), (0, 0), "each had its turn");
}

/// What one has leased of a token says nothing of the next one.
#[tokio::test]
async fn the_hold_of_a_token_is_not_that_of_the_next() {
    let f = Fixture::new().await;
    for by_hand in [true, false] {
        let connection = paused(&f.vault, &f.provider, &format!("{by_hand}")).await;
        f.provider.answer(Err(ErrorKind::TokenRefused));
        assert_eq!(connection.recheck(&f.provider).await.unwrap().pause, Some(PauseReason::Undecided));
        f.provider.answer(Ok(account("user-1")));
        connection.replace(&f.provider, token(&fake_token())).await.unwrap();
        answered(&connection, &f.provider, Meaning::TokenRefused).await;
        if by_hand {
            let status = connection.recheck(&f.provider).await.unwrap();
            assert_eq!((status.state, status.pause), (ConnectionState::Connected, None));
        } else {
            let done = f.vault.recheck_paused(&f.provider).finish().await.unwrap();
            assert_eq!(done.resumed, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_keeps_its_pace() {
    let f = Fixture::new().await;
    for n in 0..11 {
        paused(&f.vault, &f.provider, &format!("t{n}")).await;
    }
    let began = tokio::time::Instant::now();
    assert_eq!(f.vault.recheck_paused(&f.provider).finish().await.unwrap().resumed, 11);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_run_that_was_dropped_goes_on() {
    let f = Fixture::new().await;
    for n in 0..3 {
        paused(&f.vault, &f.provider, &format!("t{n}")).await;
    }
    let slow = Waiting::new(Ok(account("user-1")));
    let mut run = f.vault.recheck_paused(&slow).pace(Duration::ZERO);
    tokio::select! {
        biased;
        _ = run.next() => panic!("it waits"),
        () = slow.asked() => {}
    }
    slow.go.notify_one();
    let next = run.next().await.unwrap().unwrap();
    assert_eq!((next.id.tenant().as_str(), next.outcome), ("t1", RecheckOutcome::Resumed), "the same run");
    let done = f.second_instance().await.recheck_paused(&f.provider).finish().await.unwrap();
    assert_eq!((done.resumed, done.passed_over), (1, 0), "and another");
    f.clock.advance(MINUTE);
    let done = f.vault.recheck_paused(&f.provider).finish().await.unwrap();
    assert_eq!((done.resumed, done.passed_over), (1, 0), "the one that was dropped");
}
