//! How long tokens are used: due, overdue, replaced.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Fixture, Unsteady, give, token};
use tokenkeep::{
    ConnectionState, ConnectionStatus, CustomerAction, DueConnections, Error, ErrorKind, Replacement,
    TokenStore, Vault, VaultOptions,
};
use tokenkeep_store::{Change, Expected, RecordChange, conformance};
use tokenkeep_testkit::fake_token;

const DAY: i64 = 24 * 60 * 60 * 1000;

async fn with(f: &Fixture, options: VaultOptions) -> Result<Vault, Error> {
    options.clock(Arc::clone(&f.clock)).open(Arc::clone(&f.store), f.keys.clone()).await
}

async fn connect(f: &Fixture, tenant: &str) {
    let connection = f.vault.connection(tenant, "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
}

async fn all(mut due: DueConnections) -> Vec<ConnectionStatus> {
    let mut found = Vec::new();
    while let Some(status) = due.next().await.unwrap() {
        found.push(status);
    }
    found
}

fn tenants(found: &[ConnectionStatus]) -> Vec<&str> {
    found.iter().map(|status| status.id.tenant().as_str()).collect()
}

#[tokio::test]
async fn ninety_days_are_tracked_with_a_warning_of_fourteen() {
    let f = Fixture::new().await;
    connect(&f, "t").await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let set_at = connection.status().await.unwrap().token_set_at.unwrap();
    let mut passed = 0;
    for (millis, expected, action) in [
        (0, Replacement::Fresh, None),
        (76 * DAY - 1, Replacement::Fresh, None),
        (76 * DAY, Replacement::Due, Some(CustomerAction::ReplaceSoon)),
        (90 * DAY - 1, Replacement::Due, Some(CustomerAction::ReplaceSoon)),
        (90 * DAY, Replacement::Overdue, Some(CustomerAction::ReplaceToken)),
        (9000 * DAY, Replacement::Overdue, Some(CustomerAction::ReplaceToken)),
    ] {
        f.clock.advance(millis - passed);
        passed = millis;
        let status = connection.status().await.unwrap();
        assert_eq!(status.replacement, Some(expected), "after {millis} ms");
        assert_eq!(status.replace_by.unwrap().as_millis(), set_at.as_millis() + 90 * DAY);
        assert_eq!(status.state, ConnectionState::Connected, "an old token is told, not stopped");
        assert_eq!(status.customer_actions(), Vec::from_iter(action));
        // The two lists say the same as the status, to the millisecond.
        let lists = (all(f.vault.due()).await.len(), all(f.vault.overdue()).await.len());
        let listed =
            (usize::from(expected == Replacement::Due), usize::from(expected == Replacement::Overdue));
        assert_eq!(lists, listed, "after {millis} ms");
    }
    assert!(give(&connection.credential(), &f.provider).await.is_ok());

    let kept = connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(kept.customer_actions(), [CustomerAction::DeleteOldToken]);
    assert!(CustomerAction::DeleteOldToken.to_string().contains("Delete the old token at the provider"));
    assert_eq!(connection.status().await.unwrap().replacement, Some(Replacement::Fresh));
    assert_eq!(all(f.vault.overdue()).await, []);
    let _ = connection.disconnect().await.unwrap();
    let status = connection.status().await.unwrap();
    assert_eq!((status.replace_by, status.replacement), (None, None));
}

#[tokio::test]
async fn the_policy_can_be_set_and_counts_for_tokens_that_are_there() {
    let f = Fixture::new().await;
    connect(&f, "t").await;
    f.clock.advance(6 * DAY);
    for (options, expected) in [
        (Vault::options().replace_every(30).replace_warning(24), Replacement::Due),
        (Vault::options().replace_every(30).replace_warning(23), Replacement::Fresh),
        (Vault::options().replace_every(6), Replacement::Overdue),
        (Vault::options().replace_every(7), Replacement::Due),
        (Vault::options().replace_every(12), Replacement::Due),
        (Vault::options().replace_every(13), Replacement::Fresh),
        (Vault::options().replace_every(7).replace_warning(0), Replacement::Fresh),
        (Vault::options().replace_every(3650), Replacement::Fresh),
    ] {
        let said = format!("{options:?}");
        let vault = with(&f, options).await.unwrap();
        let status = vault.connection("t", "apify").unwrap().status().await.unwrap();
        assert_eq!(status.replacement, Some(expected), "{said}");
    }
}

#[tokio::test]
async fn nonsense_is_refused() {
    let f = Fixture::new().await;
    for options in [
        Vault::options().replace_every(0),
        Vault::options().replace_every(3651),
        Vault::options().replace_every(u32::MAX),
        Vault::options().replace_every(30).replace_warning(30),
        Vault::options().replace_warning(90),
        Vault::options().replace_warning(u32::MAX),
    ] {
        let said = format!("{options:?}");
        let error = with(&f, options).await.expect_err(&said);
        assert_eq!(error.kind(), ErrorKind::Misuse, "{said}");
    }
}

#[tokio::test]
async fn they_come_by_date_and_a_failure_skips_none() {
    let f = Fixture::new().await;
    // More than a page of them, named against the order of their dates, several on one date.
    let mut expected = Vec::new();
    for n in 0..300 {
        let tenant = format!("tenant-{:03}", 299 - n);
        connect(&f, &tenant).await;
        expected.push((n / 3, tenant));
        f.clock.advance(if n % 3 == 2 { 1000 } else { 0 });
    }
    expected.sort();
    f.clock.advance(80 * DAY);
    let found = all(f.vault.due()).await;
    assert_eq!(tenants(&found), expected.iter().map(|(_, tenant)| tenant.as_str()).collect::<Vec<_>>());
    assert!(found.is_sorted_by_key(|status| status.replace_by));

    // On a database that is gone for a moment now and then, and with calls that are dropped.
    let store = Unsteady::new(&f.store);
    let options = Vault::options().clock(Arc::clone(&f.clock));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let (mut due, mut again, mut failed) = (vault.due(), Vec::new(), 0);
    loop {
        store.fails.store(again.len() % 50 == 0 && failed <= again.len() / 50, Ordering::SeqCst);
        // Dropped at its first await, if it has one.
        let given = match tokio::time::timeout(Duration::ZERO, due.next()).await {
            Ok(given) => given,
            Err(_) => due.next().await,
        };
        match given {
            Ok(Some(status)) => again.push(status),
            Ok(None) => break,
            Err(error) => {
                assert!(error.is_retryable());
                failed += 1;
            }
        }
    }
    assert!(failed > 0, "nothing failed");
    assert_eq!(tenants(&again), tenants(&found));
}

#[tokio::test]
async fn what_is_replaced_meanwhile_is_not_told_again() {
    let f = Fixture::new().await;
    for n in 0..200 {
        connect(&f, &format!("tenant-{n:03}")).await;
    }
    f.clock.advance(91 * DAY);
    let (mut overdue, mut seen) = (f.vault.overdue(), BTreeSet::new());
    while let Some(status) = overdue.next().await.unwrap() {
        let name = status.id.tenant().to_string();
        assert!(seen.insert(name.clone()), "{name} twice");
        // This one and another one further on.
        let further = format!("tenant-{:03}", 199 - (seen.len() - 1));
        for tenant in [name, further] {
            let connection = f.vault.connection(tenant, "apify").unwrap();
            connection.replace(&f.provider, token(&fake_token())).await.unwrap();
        }
    }
    assert_eq!(seen.len(), 100, "each was told or replaced before its turn");
    assert_eq!(all(f.vault.overdue()).await, []);
}

#[tokio::test]
async fn what_another_instance_did_meanwhile_counts_too() {
    let f = Fixture::new().await;
    let tenants: Vec<String> = (0..7).map(|n| format!("tenant-{n}")).collect();
    for tenant in &tenants {
        connect(&f, tenant).await;
    }
    f.clock.advance(91 * DAY);
    let altered = f.vault.connection(&tenants[5], "apify").unwrap();
    let older = f.store.record(altered.id()).await.unwrap().unwrap();
    let _ = altered.suspect_leak().finish().await.unwrap();
    // One that has seen nothing of these connections yet.
    let vault = with(&f, Vault::options()).await.unwrap();
    let mut overdue = vault.overdue();
    assert_eq!(overdue.next().await.unwrap().unwrap().id.tenant().as_str(), tenants[0]);
    // Meanwhile a mail is written.
    let other = |tenant: &str| f.vault.connection(tenant, "apify").unwrap();
    let _ = other(&tenants[1]).disconnect().await.unwrap();
    other(&tenants[2]).replace(&f.provider, token(&fake_token())).await.unwrap();
    let _ = other(&tenants[3]).suspect_leak().finish().await.unwrap();
    let _ = other(&tenants[4]).disconnect().await.unwrap();
    other(&tenants[4]).connect(&f.provider, token(&fake_token())).await.unwrap();
    // Someone who can write to the database puts an old row back.
    let newer = f.store.record(altered.id()).await.unwrap().unwrap();
    let entry = f.vault.audit().of_tenant(&tenants[5], 0, 1).await.unwrap()[0].draft.clone();
    let step = RecordChange { record: older, expected: Expected::Revision(newer.revision) };
    let change = Change { record: Some(step), entry };
    f.store.commit(&[change], &conformance::sample_chain_of(f.vault.id())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let left = all(overdue).await;
    let states: Vec<_> = left.iter().map(|status| (status.id.tenant().as_str(), status.state)).collect();
    let expected = [
        (&*tenants[3], ConnectionState::Suspected),
        (&*tenants[5], ConnectionState::Tampered),
        (&*tenants[6], ConnectionState::Connected),
    ];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn the_same_token_is_no_new_one() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let text = fake_token();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    f.clock.advance(91 * DAY);
    let error = connection.replace(&f.provider, token(&text)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.customer_action()),
        (ErrorKind::SameToken, Some(CustomerAction::ReplaceToken))
    );
    assert_eq!(f.provider.asked.lock().unwrap().len(), 1, "the provider is not even asked");
    assert_eq!(connection.status().await.unwrap().replacement, Some(Replacement::Overdue));
}
