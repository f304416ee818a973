//! A suspected leak: marked, used no more, listed, replaced or cleared.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Fixture, Unsteady, give, token};
use tokenkeep::{
    Action, ConnectionId, ConnectionState, CustomerAction, Error, ErrorKind, LeakResponse, Meaning, Outcome,
    SuspectedToken, TokenStore, Use, Vault,
};
use tokenkeep_store::{Change, Expected, RecordChange};
use tokenkeep_testkit::fake_token;

async fn connect(f: &Fixture, tenant: &str, name: &str) -> String {
    let text = fake_token();
    let connection = f.vault.connection(tenant, name).unwrap();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    text
}

fn ids(suspected: &[SuspectedToken]) -> Vec<String> {
    suspected.iter().map(|token| token.id.to_string()).collect()
}

async fn state(vault: &Vault, tenant: &str, name: &str) -> ConnectionState {
    vault.connection(tenant, name).unwrap().status().await.unwrap().state
}

async fn count(f: &Fixture, tenant: &str, action: Action) -> usize {
    let entries = f.vault.audit().of_tenant(tenant, 0, 10_000).await.unwrap();
    entries.iter().filter(|entry| entry.draft.action == action).count()
}

#[tokio::test]
async fn a_suspected_token_is_used_no_more_until_it_is_replaced() {
    let f = Fixture::new().await;
    let other = f.second_instance().await;
    let text = connect(&f, "t", "apify").await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let elsewhere = other.connection("t", "apify").unwrap().credential();
    assert!(give(&elsewhere, &f.provider).await.is_ok());

    let response = connection.suspect_leak();
    assert_eq!(state(&f.vault, "t", "apify").await, ConnectionState::Connected, "not before `next`");
    let suspected = response.finish().await.unwrap();
    assert_eq!(ids(&suspected), ["t/apify"]);
    let line = suspected[0].to_string();
    for part in ["t/apify", "delete the token of name of user-1 at apify (https://api.apify.com)", "replace"]
    {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(suspected[0].customer_action(), CustomerAction::DeleteAndReplace);
    for credential in [&connection.credential(), &elsewhere] {
        assert_eq!(give(credential, &f.provider).await, Err(ErrorKind::Suspected));
    }
    let status = connection.status().await.unwrap();
    assert_eq!(status.state, ConnectionState::Suspected);
    assert_eq!(status.customer_actions(), [CustomerAction::DeleteAndReplace]);
    assert_eq!(Error::from(ErrorKind::Suspected).customer_action(), Some(CustomerAction::DeleteAndReplace));

    // Neither the provider's word nor the very same token is a way back.
    let asked = f.provider.asked.lock().unwrap().len();
    assert_eq!(connection.recheck(&f.provider).await.unwrap_err().kind(), ErrorKind::Suspected);
    let same = connection.replace(&f.provider, token(&text)).await.unwrap_err();
    assert_eq!(same.kind(), ErrorKind::SameToken);
    assert_eq!(f.provider.asked.lock().unwrap().len(), asked, "it was sent nowhere");

    let new = fake_token();
    connection.replace(&f.provider, token(&new)).await.unwrap();
    assert_eq!(give(&elsewhere, &f.provider).await, Ok(new));
    assert!(f.vault.verify().await.unwrap().is_whole());
}

/// What `suspect_leak` says of itself: no fingerprint outlives the token, so nobody knows it again.
#[tokio::test]
async fn once_it_is_gone_the_same_token_is_not_known_again() {
    let f = Fixture::new().await;
    let (text, new) = (connect(&f, "t", "apify").await, fake_token());
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.suspect_leak().finish().await.unwrap();
    let again = connection.replace(&f.provider, token(&text)).await.unwrap_err().kind();
    assert_eq!(again, ErrorKind::SameToken, "while it is held");
    connection.replace(&f.provider, token(&new)).await.unwrap();
    connection.replace(&f.provider, token(&text)).await.unwrap();
    connection.suspect_leak().finish().await.unwrap();
    let _ = connection.disconnect().await.unwrap();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(text));
}

#[tokio::test]
async fn an_operator_can_clear_it() {
    let f = Fixture::new().await;
    let text = connect(&f, "t", "apify").await;
    let connection = f.vault.connection("t", "apify").unwrap();
    assert_eq!(connection.suspect_leak().finish().await.unwrap().len(), 1);
    // A refusal that comes late does not turn it into something that a recheck may resume.
    assert_eq!(connection.clear_suspicion().await.unwrap().state, ConnectionState::Connected);
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(text));
    assert_eq!((count(&f, "t", Action::Suspected).await, count(&f, "t", Action::Cleared).await), (1, 1));
    assert_eq!(connection.clear_suspicion().await.unwrap().state, ConnectionState::Connected);
    assert_eq!(count(&f, "t", Action::Cleared).await, 1, "there was nothing to clear");
    let nobody = f.vault.connection("t", "nothing").unwrap();
    assert_eq!(nobody.clear_suspicion().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(nobody.suspect_leak().finish().await.unwrap_err().kind(), ErrorKind::NotConnected);
}

#[tokio::test]
async fn a_late_refusal_does_not_hide_it() {
    let f = Fixture::new().await;
    connect(&f, "t", "apify").await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let credential = connection.credential();
    let issued = credential.issue(Use::at(tokenkeep::Provider::spec(&f.provider))).await.unwrap();
    let _ = connection.suspect_leak().finish().await.unwrap();
    let refused = Outcome::Refused(Meaning::TokenRefused);
    credential.report(issued.incarnation, issued.secret_version, refused).await.unwrap();
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Suspected);
}

#[tokio::test]
async fn of_a_tenant_or_all() {
    let f = Fixture::new().await;
    for (tenant, name) in [("a", "one"), ("a", "two"), ("a", "gone"), ("ab", "one"), ("b", "one")] {
        connect(&f, tenant, name).await;
    }
    let _ = f.vault.connection("a", "gone").unwrap().disconnect().await.unwrap();
    let of_tenant = f.vault.suspect_leaks_of("a").unwrap().finish().await.unwrap();
    assert_eq!(ids(&of_tenant), ["a/one", "a/two"], "what is gone is not listed");
    assert_eq!(state(&f.vault, "ab", "one").await, ConnectionState::Connected);
    assert_eq!(state(&f.vault, "a", "gone").await, ConnectionState::Disconnected);
    let all = f.vault.suspect_all_leaked().finish().await.unwrap();
    assert_eq!(ids(&all), ["a/one", "a/two", "ab/one", "b/one"], "also those that were marked before");
    assert_eq!(count(&f, "a", Action::Suspected).await, 2, "and no one twice");
    assert_eq!(f.vault.suspect_leaks_of("").unwrap_err().kind(), ErrorKind::InvalidName);
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn it_can_be_interrupted_anywhere() {
    let f = Fixture::new().await;
    for n in 0..150 {
        connect(&f, &format!("t-{n:03}"), "apify").await;
    }
    let store = Unsteady::new(&f.store);
    let options = Vault::options().clock(Arc::clone(&f.clock));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    // The second page fails, and fails again: the same call goes on.
    let (mut response, mut seen, mut failures) = (vault.suspect_all_leaked(), Vec::new(), 0);
    while seen.len() < 100 {
        store.fails.store(seen.len() == 64 && failures < 3, Ordering::SeqCst);
        match response.next().await {
            Ok(marked) => seen.push(marked.unwrap()),
            Err(error) => {
                assert!(error.is_retryable());
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 3);
    // The process ends. Two customers bring new tokens. Another process goes on behind the last one it heard of.
    let last = seen.last().unwrap().id.clone();
    drop(response);
    let started = f.vault.connection("t-000", "apify").unwrap().status().await.unwrap().token_set_at.unwrap();
    f.clock.advance(1000);
    for tenant in ["t-001", "t-140"] {
        let connection = f.vault.connection(tenant, "apify").unwrap();
        connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    }
    let before = tokenkeep::Timestamp::from_millis(started.as_millis() + 1000);
    let rest = |response: LeakResponse| async move { response.set_before(before).finish().await.unwrap() };
    let other = f.second_instance().await;
    seen.extend(rest(other.suspect_all_leaked().behind(last)).await);
    let mut expected: Vec<String> = (0..150).map(|n| format!("t-{n:03}/apify")).collect();
    expected.remove(140);
    assert_eq!(ids(&seen), expected);
    for n in 0..150 {
        let tenant = format!("t-{n:03}");
        let replaced = n == 1 || n == 140;
        let expected = if replaced { ConnectionState::Connected } else { ConnectionState::Suspected };
        assert_eq!(state(&other, &tenant, "apify").await, expected, "{tenant}");
        assert_eq!(count(&f, &tenant, Action::Suspected).await, usize::from(n != 140), "{tenant}");
    }
    // Begun anew, it lists what is open and marks nothing new.
    assert_eq!(rest(other.suspect_all_leaked()).await.len(), 148);
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn an_altered_record_is_listed_and_spares_no_other() {
    let f = Fixture::new().await;
    for tenant in ["a", "b", "c"] {
        connect(&f, tenant, "apify").await;
    }
    // Someone writes to the database: the record says that it holds nothing.
    let mut record = f.store.record(&ConnectionId::new("b", "apify").unwrap()).await.unwrap().unwrap();
    let expected = Expected::Revision(record.revision);
    let entry = f.vault.audit().of_tenant("b", 0, 1).await.unwrap()[0].draft.clone();
    (record.sealed, record.account) = (None, None);
    let change = Change { record: Some(RecordChange { record, expected }), entry };
    f.store.commit(&[change], &tokenkeep_store::conformance::sample_chain_of(f.vault.id())).await.unwrap();

    let other = f.second_instance().await;
    let all = other.suspect_all_leaked().finish().await.unwrap();
    assert_eq!(ids(&all), ["a/apify", "b/apify", "c/apify"]);
    let states: Vec<ConnectionState> = all.iter().map(|token| token.state).collect();
    let (suspected, tampered) = (ConnectionState::Suspected, ConnectionState::Tampered);
    assert_eq!(states, [suspected, tampered, suspected]);
    assert!(all[1].to_string().contains("run verify"), "{}", all[1]);
    assert_eq!(tampered.customer_action(), Some(CustomerAction::ContactSupport));
    assert_eq!(state(&other, "c", "apify").await, suspected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_meanwhile_is_marked_too() {
    let f = Arc::new(Fixture::new().await);
    for n in 0..64 {
        connect(&f, &format!("t-{n:02}"), "apify").await;
    }
    let replacing = tokio::spawn({
        let f = Arc::clone(&f);
        async move {
            for round in 0..20 {
                let connection = f.vault.connection(format!("t-{:02}", round * 3), "apify").unwrap();
                if let Err(error) = connection.replace(&f.provider, token(&fake_token())).await {
                    assert_eq!(error.kind(), ErrorKind::Conflict);
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let all = f.second_instance().await.suspect_all_leaked().finish().await.unwrap();
    replacing.await.unwrap();
    assert_eq!(all.len(), 64);
    for n in 0..64 {
        assert_eq!(count(&f, &format!("t-{n:02}"), Action::Suspected).await, 1);
    }
    assert!(f.vault.verify().await.unwrap().is_whole());
}
