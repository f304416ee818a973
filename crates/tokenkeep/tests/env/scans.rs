//! What goes through all records: sets are left out of it, or belong to it.

use std::time::Duration;

use tokenkeep::{ConnectionState, ErrorKind, KeyProvider, Retirement, Vault};
use tokenkeep_testkit::fake_token;

use crate::common::{Fixture, account, token};
use crate::sets::{change, named, opened, vars};

async fn connect(f: &Fixture, tenant: &str, name: &str) {
    f.vault.connection(tenant, name).unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
}

async fn create(f: &Fixture, tenant: &str, name: &str) {
    f.vault.secret_env(tenant, name).unwrap().create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
}

#[tokio::test]
async fn lists_of_connections_and_of_sets_have_nothing_of_each_other() {
    let f = Fixture::new().await;
    for name in ["a", "z", "ä"] {
        connect(&f, "t", name).await;
    }
    for n in 0..5 {
        create(&f, "t", &format!("set-{n}")).await;
    }
    create(&f, "u", "set").await;
    for limit in 1..6 {
        let (mut connections, mut sets) = (Vec::new(), Vec::new());
        loop {
            let after = connections.last().map(|id: &tokenkeep::ConnectionId| id.name());
            let page = f.vault.connections("t", after, limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            assert!(
                page.len() == limit as usize || connections.len() + page.len() == 3,
                "fewer only at the end"
            );
            connections.extend(page.into_iter().map(|status| status.id));
        }
        loop {
            let after = sets.last().map(String::as_str);
            let page = f.vault.secret_envs("t", after, limit).await.unwrap();
            if page.is_empty() {
                break;
            }
            sets.extend(page.into_iter().map(|status| status.name));
        }
        let connections: Vec<&str> = connections.iter().map(|id| id.name().as_str()).collect();
        assert_eq!(connections, ["a", "z", "ä"]);
        assert_eq!(sets, ["set-0", "set-1", "set-2", "set-3", "set-4"]);
    }
    assert!(f.vault.secret_envs("nobody", None, 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_set_is_due() {
    let f = Fixture::new().await;
    create(&f, "t", "scraper").await;
    connect(&f, "t", "apify").await;
    f.clock.advance(365 * 24 * 3600 * 1000);
    let (mut overdue, mut due) = (f.vault.overdue(), f.vault.due());
    assert_eq!(overdue.next().await.unwrap().unwrap().id.name().as_str(), "apify");
    assert!(overdue.next().await.unwrap().is_none() && due.next().await.unwrap().is_none());
}

/// Sets of a provider say nothing of how many of its tokens are paused: an outage is seen as one, however many sets there are.
#[tokio::test]
async fn sets_hide_no_outage() {
    let f = Fixture::new().await;
    for n in 0..400 {
        create(&f, "sets", &format!("set-{n}")).await;
    }
    for n in 0..7 {
        connect(&f, &format!("t{n}"), "apify").await;
    }
    f.provider.answer(Err(ErrorKind::TokenRefused));
    for n in 0..7 {
        f.vault.connection(format!("t{n}"), "apify").unwrap().recheck(&f.provider).await.unwrap();
    }
    f.clock.advance(6 * 60 * 1000);
    let mut run = f.vault.recheck_paused(&f.provider).pace(Duration::ZERO);
    while run.next().await.unwrap().is_some() {}
    assert_eq!((run.progress().revoked, run.progress().still_paused), (0, 7));
    f.provider.answer(Ok(account("user-1")));
}

#[tokio::test]
async fn an_erased_tenant_has_no_set_left_and_one_receipt_for_each() {
    let f = Fixture::new().await;
    connect(&f, "t", "apify").await;
    for name in ["one", "two"] {
        create(&f, "t", name).await;
    }
    create(&f, "u", "one").await;
    let erased = f.vault.erase_tenant("t").unwrap().finish().await.unwrap();
    let ids: Vec<String> =
        erased.iter().map(|erased| erased.receipt.as_ref().unwrap().connection.to_string()).collect();
    assert_eq!(ids, ["t/apify", "t/~env/one", "t/~env/two"]);
    for name in ["one", "two"] {
        let env = f.vault.secret_env("t", name).unwrap();
        assert_eq!(
            (opened(&env).await, named(&env).await),
            (Err(ErrorKind::NotConnected), Err(ErrorKind::NotConnected))
        );
    }
    assert_eq!(opened(&f.vault.secret_env("u", "one").unwrap()).await.as_deref(), Ok("A=1"));
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_kek_is_retired_from_under_sets_too() {
    let f = Fixture::new().await;
    create(&f, "t", "scraper").await;
    let old = f.keys.keks().await.unwrap()[0].id;
    f.keys.rotate().unwrap();
    let retire = async |vault: &Vault| vault.retire(&f.keys, &old, Duration::ZERO).await.unwrap();
    let mut step = retire(&f.vault).await;
    if let Retirement::Waiting(until) = step {
        f.clock.advance(until.as_millis() - 1_800_000_000_000);
        step = retire(&f.vault).await;
    }
    assert!(matches!(step, Retirement::Needed(census) if census.tokens == 2), "{step:?}");
    let progress = {
        let mut run = f.vault.rewrap(old);
        while run.next().await.unwrap().is_some() {}
        run.progress()
    };
    assert_eq!((progress.moved, progress.failed), (2, 0));
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.change(&change(&[("B", "2")], &[])).await.unwrap();
    assert!(matches!(retire(&f.vault).await, Retirement::Destroyed(_)));
    assert_eq!(opened(&env).await.as_deref(), Ok("A=1 B=2"));
    assert_eq!(env.status().await.unwrap().state, ConnectionState::Connected);
    assert!(f.vault.verify().await.unwrap().is_whole());
}
