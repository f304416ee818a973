//! One token for two connections: told within a tenant, and across tenants to the operator alone.

mod common;

use common::{Fixture, token};
use tokenkeep::{ConnectionState, ConnectionStatus, CustomerAction, ErrorKind, KeptToken, Vault};
use tokenkeep_testkit::{CapturedLog, fake_token};

async fn connect(vault: &Vault, f: &Fixture, tenant: &str, name: &str, text: &str) -> KeptToken {
    vault.connection(tenant, name).unwrap().connect(&f.provider, token(text)).await.unwrap()
}

async fn status(f: &Fixture, tenant: &str, name: &str) -> ConnectionStatus {
    f.vault.connection(tenant, name).unwrap().status().await.unwrap()
}

fn names(reused: &[tokenkeep::ConnectionId]) -> Vec<String> {
    reused.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn within_a_tenant_the_other_connection_is_named() {
    let f = Fixture::new().await;
    let (text, other) = (fake_token(), fake_token());
    assert_eq!(connect(&f.vault, &f, "t", "one", &text).await.reused, []);
    assert_eq!(connect(&f.vault, &f, "t", "other", &other).await.reused, []);
    let kept = connect(&f.vault, &f, "t", "two", &text).await;
    assert_eq!(names(&kept.reused), ["t/one"]);
    assert_eq!(kept.customer_actions(), [CustomerAction::UseOwnToken]);
    let first = status(&f, "t", "one").await;
    assert_eq!((names(&first.reused), first.state), (vec!["t/two".to_owned()], ConnectionState::Connected));
    assert_eq!(first.customer_actions(), [CustomerAction::UseOwnToken]);
    assert_eq!(status(&f, "t", "other").await.reused, []);
    let listed = f.vault.connections("t", None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|status| status.reused.len()).collect::<Vec<_>>(), [1, 0, 1]);

    // A replacement is looked at as well, and ends it.
    let third = f.vault.connection("t", "other").unwrap();
    let kept = third.replace(&f.provider, token(&text)).await.unwrap();
    assert_eq!(names(&kept.reused), ["t/one", "t/two"]);
    assert_eq!(kept.customer_actions(), [CustomerAction::DeleteOldToken, CustomerAction::UseOwnToken]);
    for name in ["one", "two"] {
        let connection = f.vault.connection("t", name).unwrap();
        connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    }
    assert_eq!(status(&f, "t", "other").await.reused, []);
    let _ = third.disconnect().await.unwrap();
    assert_eq!(connect(&f.vault, &f, "t", "new", &text).await.reused, [], "what is gone is not named");
}

#[tokio::test]
async fn two_at_the_same_time_do_not_both_miss_it() {
    let f = Fixture::new().await;
    let text = fake_token();
    let (one, two) = (f.vault.connection("t", "one").unwrap(), f.vault.connection("t", "two").unwrap());
    let one = one.prepare_connect(&f.provider, token(&text)).await.unwrap();
    let two = two.prepare_connect(&f.provider, token(&text)).await.unwrap();
    assert_eq!(one.commit().await.unwrap().reused, []);
    assert_eq!(names(&two.commit().await.unwrap().reused), ["t/one"]);
}

#[tokio::test]
async fn across_tenants_only_the_operator_is_told() {
    let f = Fixture::new().await;
    let log = CapturedLog::new();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let (text, alone) = (fake_token(), fake_token());
    let first = connect(&f.vault, &f, "tenant-anna", "apify", &text).await;
    assert!(!String::from_utf8_lossy(&log.bytes()).contains("more than one tenant"));
    let second = connect(&f.vault, &f, "tenant-bert", "apify", &text).await;
    let said = String::from_utf8_lossy(&log.bytes()).into_owned();
    assert_eq!(said.matches("one token is held for more than one tenant").count(), 1, "{said}");
    assert!(!said.contains("tenant-anna") && !said.contains("tenant-bert"), "{said}");

    // All that either tenant can be shown is what one with a token of its own is shown.
    let unique = connect(&f.vault, &f, "tenant-carl", "apify", &alone).await;
    assert_eq!((&first, &second), (&unique, &unique));
    for tenant in ["tenant-anna", "tenant-bert"] {
        let status = status(&f, tenant, "apify").await;
        assert_eq!((status.reused.len(), status.customer_actions().len()), (0, 0));
    }
    let connection = f.vault.connection("tenant-anna", "apify").unwrap();
    let suspected = connection.suspect_leak().finish().await.unwrap();
    assert_eq!(suspected.len(), 1, "another tenant's is not named");
    assert_eq!(status(&f, "tenant-bert", "apify").await.state, ConnectionState::Connected);
}

#[tokio::test]
async fn a_suspected_token_is_stopped_under_each_of_its_names_and_not_taken_under_another() {
    let f = Fixture::new().await;
    let text = fake_token();
    for name in ["one", "two"] {
        connect(&f.vault, &f, "t", name, &text).await;
    }
    connect(&f.vault, &f, "t", "other", &fake_token()).await;
    let suspected = f.vault.connection("t", "one").unwrap().suspect_leak().finish().await.unwrap();
    assert_eq!(suspected.iter().map(|token| token.id.name().as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(status(&f, "t", "two").await.state, ConnectionState::Suspected);
    assert_eq!(status(&f, "t", "other").await.state, ConnectionState::Connected);
    for name in ["three", "other"] {
        let connection = f.vault.connection("t", name).unwrap();
        let error = match name {
            "three" => connection.connect(&f.provider, token(&text)).await.unwrap_err(),
            _ => connection.replace(&f.provider, token(&text)).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Suspected);
    }
}

/// More than are read at a time, and the other tenant's is the last of them.
#[tokio::test]
async fn very_many_that_hold_one_token_hide_no_other_tenant() {
    let f = Fixture::new().await;
    let text = fake_token();
    connect(&f.vault, &f, "tenant-zoe", "apify", &text).await;
    let log = CapturedLog::new();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    for n in 0..130 {
        let before = log.bytes().len();
        let kept = connect(&f.vault, &f, "t", &format!("name-{n:03}"), &text).await;
        assert_eq!(kept.reused.len(), n.min(64));
        assert!(kept.reused.iter().all(|id| id.tenant().as_str() == "t"));
        let said = String::from_utf8_lossy(&log.bytes()[before..]).into_owned();
        assert_eq!(said.matches("more than one tenant").count(), 1, "{n}: {said}");
    }
}
