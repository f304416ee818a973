//! One token under several names of its tenant is one token: refused once it is refused under each, asked about once, and one that pauses.

mod common;

use std::time::Duration;

use common::{Fixture, Scripted, Unsteady, account, give, token};
use tokenkeep::{
    Action, Connection, ConnectionState, ErrorKind, Meaning, Outcome, PauseReason, Provider, RecheckProgress,
    Use, Vault,
};
use tokenkeep_testkit::fake_token;

const MINUTE: i64 = 60_000;

async fn connect(vault: &Vault, provider: &Scripted, tenant: &str, name: &str, text: &str) -> Connection {
    let connection = vault.connection(tenant, name).unwrap();
    connection.connect(provider, token(text)).await.unwrap();
    connection
}

/// One token under so many names of a tenant.
async fn twins(f: &Fixture, tenant: &str, count: usize) -> Vec<Connection> {
    let text = fake_token();
    let mut all = Vec::new();
    for n in 0..count {
        all.push(connect(&f.vault, &f.provider, tenant, &format!("name-{n:03}"), &text).await);
    }
    all
}

async fn refuse(connection: &Connection, provider: &Scripted) {
    let credential = connection.credential();
    let issued = credential.issue(Use::at(provider.spec())).await.unwrap();
    let refused = Outcome::Refused(Meaning::TokenRefused);
    credential.report(issued.incarnation, issued.secret_version, refused).await.unwrap();
}

async fn states(all: &[Connection]) -> Vec<ConnectionState> {
    let mut states = Vec::new();
    for connection in all {
        states.push(connection.status().await.unwrap().state);
    }
    states.dedup();
    states
}

async fn run(vault: &Vault, provider: &Scripted) -> RecheckProgress {
    vault.recheck_paused(provider).pace(Duration::ZERO).finish().await.unwrap()
}

fn asked(provider: &Scripted) -> usize {
    std::mem::take(&mut *provider.asked.lock().unwrap()).len()
}

#[tokio::test]
async fn no_call_with_a_refused_token_starts_under_another_name_of_its_tenant() {
    let f = Fixture::new().await;
    let all = twins(&f, "t", 4).await;
    let other = connect(&f.vault, &f.provider, "t", "other", &fake_token()).await;
    // What is suspected or was altered meanwhile stays what it is.
    let suspected = twins(&f, "s", 1).await;
    let elsewhere = f.second_instance().await;
    refuse(&all[2], &f.provider).await;
    for vault in [&f.vault, &elsewhere] {
        for connection in &all {
            let credential = vault.connection_of(connection.id()).credential();
            assert_eq!(give(&credential, &f.provider).await, Err(ErrorKind::Paused));
        }
    }
    assert!(give(&other.credential(), &f.provider).await.is_ok(), "another token");
    assert_eq!(states(&suspected).await, [ConnectionState::Connected], "another tenant's");
    let trail = f.vault.audit().of_tenant("t", 0, 100).await.unwrap();
    let paused = trail.iter().filter(|entry| entry.draft.action == Action::Paused);
    let paused: Vec<(u64, i64)> = paused.map(|entry| (entry.sequence, entry.draft.at.as_millis())).collect();
    assert_eq!(paused.len(), 4, "an entry for each");
    assert!(f.vault.verify().await.unwrap().is_whole());
}

/// That another tenant holds it is told to neither: only its own call pauses it.
#[tokio::test]
async fn another_tenants_connection_is_paused_by_its_own_refusal_alone() {
    let f = Fixture::new().await;
    let text = fake_token();
    let one = connect(&f.vault, &f.provider, "t1", "apify", &text).await;
    let other = connect(&f.vault, &f.provider, "t2", "apify", &text).await;
    refuse(&one, &f.provider).await;
    let status = other.status().await.unwrap();
    assert_eq!((status.state, status.pause), (ConnectionState::Connected, None));
    refuse(&other, &f.provider).await;
    assert_eq!(states(&[one, other]).await, [ConnectionState::Paused]);
}

/// By hand or by the job of several instances: the token is sent once, and its answer is that of all its names.
#[tokio::test]
async fn one_question_decides_for_all_names() {
    for (answer, state) in [
        (Ok(account("user-1")), ConnectionState::Connected),
        (Err(ErrorKind::TokenRefused), ConnectionState::Revoked),
    ] {
        let f = Fixture::new().await;
        let all = twins(&f, "t", 6).await;
        refuse(&all[3], &f.provider).await;
        let others = [f.second_instance().await, f.second_instance().await];
        f.clock.advance(5 * MINUTE);
        asked(&f.provider);
        f.provider.answer(answer);
        let (a, b, c, by_hand) = tokio::join!(
            run(&f.vault, &f.provider),
            run(&others[0], &f.provider),
            run(&others[1], &f.provider),
            all[5].recheck(&f.provider)
        );
        assert_eq!(asked(&f.provider), 1, "{state}: {a:?} {b:?} {c:?} {by_hand:?}");
        assert_eq!(states(&all).await, [state]);
        assert!(f.vault.verify().await.unwrap().is_whole());
    }
}

/// Also where two that ask begin at the same time, and each could have the lease of its own name.
#[tokio::test]
async fn of_two_who_ask_under_two_names_one_does() {
    let f = Fixture::new().await;
    let all = twins(&f, "t", 3).await;
    refuse(&all[0], &f.provider).await;
    asked(&f.provider);
    let slow = Unsteady::new(&f.store);
    let vault = Vault::options().clock(f.clock.clone()).open(slow, f.keys.clone()).await.unwrap();
    let [a, b, c] = [0, 1, 2].map(|n: usize| vault.connection_of(all[n].id()));
    let (a, b, c) = tokio::join!(a.recheck(&f.provider), b.recheck(&f.provider), c.recheck(&f.provider));
    assert_eq!(asked(&f.provider), 1, "{a:?} {b:?} {c:?}");
    assert_eq!(states(&all).await, [ConnectionState::Connected]);
}

#[tokio::test]
async fn a_token_that_stays_paused_is_put_off_under_all_its_names() {
    let f = Fixture::new().await;
    let all = twins(&f, "t", 6).await;
    refuse(&all[0], &f.provider).await;
    asked(&f.provider);
    f.provider.answer(Err(ErrorKind::TokenRefused));
    assert_eq!(run(&f.vault, &f.provider).await.still_paused, 1);
    for _ in 0..4 {
        f.clock.advance(MINUTE);
        run(&f.vault, &f.provider).await;
        for connection in &all {
            let status = connection.recheck(&f.provider).await.unwrap();
            assert_eq!(status.pause, Some(PauseReason::AskedAlready));
        }
    }
    assert_eq!(asked(&f.provider), 1);
}

/// Six names of one token are no crowd: it is revoked, and so is another's single one beside it.
#[tokio::test]
async fn one_token_under_many_names_makes_no_provider_suspect() {
    let f = Fixture::new().await;
    let all = twins(&f, "t", 40).await;
    let single = twins(&f, "other", 1).await;
    refuse(&all[0], &f.provider).await;
    refuse(&single[0], &f.provider).await;
    assert_eq!(all[7].status().await.unwrap().pause, Some(PauseReason::Undecided));
    f.provider.answer(Err(ErrorKind::TokenRefused));
    for _ in 0..7 {
        f.clock.advance(MINUTE);
        run(&f.vault, &f.provider).await;
    }
    assert_eq!(states(&all).await, [ConnectionState::Revoked]);
    assert_eq!(states(&single).await, [ConnectionState::Revoked]);
}

/// And six tokens of one tenant and account are one: an outage may be seen by nobody else.
#[tokio::test]
async fn six_tokens_of_one_tenant_are_a_crowd() {
    let f = Fixture::new().await;
    let mut all = Vec::new();
    for n in 0..6 {
        all.push(connect(&f.vault, &f.provider, "t", &format!("name-{n}"), &fake_token()).await);
    }
    for connection in &all {
        refuse(connection, &f.provider).await;
    }
    f.provider.answer(Err(ErrorKind::TokenRefused));
    for _ in 0..20 {
        f.clock.advance(MINUTE);
        run(&f.vault, &f.provider).await;
    }
    assert_eq!(states(&all).await, [ConnectionState::Paused]);
}
