//! A connection's life: connected, used, replaced, disconnected, and what each refuses.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::{Fixture, Scripted, account, finish, give, token};
use tokenkeep::{
    Action, ApiToken, ConnectionId, ConnectionState, CustomerAction, ErrorKind, Fault, Incarnation,
    PurgeHook, Scrub, TokenStore, Vault,
};
use tokenkeep_testkit::fake_token;

#[tokio::test(flavor = "current_thread")]
async fn connected_used_and_disconnected() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("customer-17", "apify").unwrap();
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::NotConnected);

    let text = fake_token();
    let kept = connection.connect(&f.provider, token(&text)).await.unwrap();
    assert_eq!((kept.account, kept.replaced), (account("user-1"), false));
    assert_eq!(
        f.provider.asked.lock().unwrap().as_slice(),
        std::slice::from_ref(&text),
        "the provider is asked once, before"
    );

    let credential = connection.credential();
    assert_eq!(give(&credential, &f.provider).await, Ok(text.clone()));
    let status = connection.status().await.unwrap();
    assert_eq!((status.state, status.account), (ConnectionState::Connected, Some(account("user-1"))));

    let receipt = connection.disconnect().await.unwrap();
    assert_eq!(receipt.scrub, Scrub::Impossible, "memory can't be scrubbed, and the receipt says so");
    assert_eq!(give(&credential, &f.provider).await, Err(ErrorKind::NotConnected));
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected);
    let record = f.store.record(connection.id()).await.unwrap().unwrap();
    assert_eq!((record.sealed, record.account), (None, None), "the tombstone holds nothing of the token");
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_live_connection_is_not_connected_over() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let first = fake_token();
    connection.connect(&f.provider, token(&first)).await.unwrap();
    let error = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyConnected);
    assert_eq!(error.customer_action(), Some(CustomerAction::ReplaceInstead));
    assert_eq!(f.provider.asked.lock().unwrap().len(), 1, "the provider is not even asked");
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(first));
}

#[tokio::test]
async fn what_the_provider_answers_is_told_and_nothing_is_kept() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    for (kind, fault, retryable) in [
        (ErrorKind::TokenRefused, Fault::Customer, false),
        (ErrorKind::ScopeTooSmall, Fault::Customer, false),
        (ErrorKind::RateLimited, Fault::Provider, true),
        (ErrorKind::ProviderUnavailable, Fault::Provider, true),
        (ErrorKind::ProviderMisbehaved, Fault::Provider, false),
    ] {
        f.provider.answer(Err(kind));
        let error = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
        assert_eq!((error.kind(), error.fault(), error.is_retryable()), (kind, fault, retryable));
        assert_eq!(f.store.record(connection.id()).await.unwrap(), None);
        assert!(f.vault.audit().of_tenant("t", 0, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_token_is_replaced_by_one_of_the_same_account_alone() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let credential = connection.credential();
    assert_eq!(
        connection.replace(&f.provider, token("x-FAKE-1")).await.unwrap_err().kind(),
        ErrorKind::NotConnected
    );

    let (old, new) = (fake_token(), fake_token());
    connection.connect(&f.provider, token(&old)).await.unwrap();
    f.provider.answer(Ok(account("user-2")));
    let error = connection.replace(&f.provider, token(&new)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.customer_action()),
        (ErrorKind::OtherAccount, Some(CustomerAction::UseSameAccount))
    );
    assert_eq!(give(&credential, &f.provider).await, Ok(old.clone()), "the old one is kept");

    f.provider.answer(Ok(account("user-1")));
    let elsewhere = Scripted::named("apify", "https://elsewhere.example");
    assert_eq!(connection.replace(&elsewhere, token(&new)).await.unwrap_err().kind(), ErrorKind::Misuse);
    assert!(elsewhere.asked.lock().unwrap().is_empty(), "a new token goes to the bound origin alone");

    connection.replace(&f.provider, token(&new)).await.unwrap();
    assert_eq!(give(&credential, &f.provider).await, Ok(new));
    assert_eq!(connection.status().await.unwrap().secret_version.unwrap().get(), 2);
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn of_two_that_prepare_one_commits() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let (one, two) = (fake_token(), fake_token());
    let first = connection.prepare_connect(&f.provider, token(&one)).await.unwrap();
    let second = connection.prepare_connect(&f.provider, token(&two)).await.unwrap();
    assert_eq!(
        connection.status().await.unwrap().state,
        ConnectionState::NotConnected,
        "preparing changes nothing"
    );
    second.commit().await.unwrap();
    let error = first.commit().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Conflict, true));
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(two));
}

#[tokio::test]
async fn a_reconnected_connection_is_a_new_one() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let before = f.store.record(connection.id()).await.unwrap().unwrap();
    let _ = connection.disconnect().await.unwrap();
    f.provider.answer(Ok(account("someone-else")));
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let after = f.store.record(connection.id()).await.unwrap().unwrap();
    assert_ne!(before.incarnation, after.incarnation);
    assert!(after.revision > before.revision, "revisions are counted over all incarnations");
    assert_eq!(after.secret_version.get(), 1);
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn disconnecting_can_be_repeated_but_needs_a_connection() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    assert_eq!(connection.disconnect().await.unwrap_err().kind(), ErrorKind::NotConnected);
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let first = connection.disconnect().await.unwrap();
    f.clock.advance(5_000);
    let second = connection.disconnect().await.unwrap();
    assert_eq!(first, second, "the same removal, told again");
    let entries = f.vault.audit().of_tenant("t", 0, 10).await.unwrap();
    let actions: Vec<Action> = entries.iter().map(|entry| entry.draft.action).collect();
    assert_eq!(actions, [Action::Connected, Action::Disconnected]);
}

#[tokio::test]
async fn every_instance_refuses_at_once() {
    let f = Fixture::new().await;
    let other = f.second_instance().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let elsewhere = other.connection("t", "apify").unwrap().credential();
    assert!(give(&elsewhere, &f.provider).await.is_ok());
    let _ = connection.disconnect().await.unwrap();
    assert_eq!(give(&elsewhere, &f.provider).await, Err(ErrorKind::NotConnected));
}

#[derive(Default)]
struct Flaky {
    last: Mutex<Option<Incarnation>>,
    hangs: AtomicBool,
    fails: AtomicBool,
    runs: AtomicU32,
}

#[async_trait]
impl PurgeHook for Flaky {
    async fn purge(
        &self,
        _: &ConnectionId,
        former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        *self.last.lock().unwrap() = Some(former);
        self.runs.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::SeqCst) { Err("the cache is down".into()) } else { Ok(()) }
    }
}

async fn with_hook() -> (Fixture, Vault, Arc<Flaky>) {
    let f = Fixture::new().await;
    let hook = Arc::new(Flaky::default());
    let options = Vault::options().on_disconnect("run lists", Arc::clone(&hook));
    let vault = options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    (f, vault, hook)
}

#[tokio::test]
async fn a_failing_hook_delays_no_deletion_and_runs_until_it_succeeds() {
    let (f, vault, hook) = with_hook().await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let former = f.store.record(connection.id()).await.unwrap().unwrap().incarnation;

    hook.fails.store(true, Ordering::SeqCst);
    let receipt = connection.disconnect().await.unwrap();
    assert_eq!(
        (receipt.hooks_done.as_slice(), receipt.hooks_pending.as_slice()),
        (&[][..], &["run lists"][..])
    );
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::NotConnected));
    assert!(connection.status().await.unwrap().purge_pending);

    // What was cached for the former account must not be found by the next one.
    f.provider.answer(Ok(account("someone-else")));
    let error = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::PurgePending, true));
    assert_eq!(finish(&vault).await[0].hooks_pending, ["run lists"]);

    hook.fails.store(false, Ordering::SeqCst);
    assert_eq!(finish(&vault).await[0].hooks_done, ["run lists"]);
    assert_eq!(*hook.last.lock().unwrap(), Some(former));
    assert!(!connection.status().await.unwrap().purge_pending);
    assert!(finish(&vault).await.is_empty(), "what is done is not done again");
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn connecting_anew_runs_pending_hooks_first() {
    let (f, vault, hook) = with_hook().await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    hook.fails.store(true, Ordering::SeqCst);
    let _ = connection.disconnect().await.unwrap();
    hook.fails.store(false, Ordering::SeqCst);
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(hook.runs.load(Ordering::SeqCst), 2);
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_disconnect_that_is_dropped_in_its_hook_is_finished_later() {
    let (f, vault, hook) = with_hook().await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    hook.hangs.store(true, Ordering::SeqCst);
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(50), connection.disconnect()).await;
    assert!(dropped.is_err());
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::NotConnected));
    assert!(connection.status().await.unwrap().purge_pending);
    hook.hangs.store(false, Ordering::SeqCst);
    assert_eq!(finish(&vault).await.len(), 1);
}

#[tokio::test]
async fn every_process_that_is_asked_to_disconnect_runs_its_own_hooks() {
    let (f, vault, hook) = with_hook().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(
        connection.disconnect().await.unwrap().hooks_done,
        [""; 0],
        "this one has none, nor says that others have"
    );
    let receipt = vault.connection("t", "apify").unwrap().disconnect().await.unwrap();
    assert_eq!((receipt.hooks_done.as_slice(), hook.runs.load(Ordering::SeqCst)), (&["run lists"][..], 1));
}

#[tokio::test]
async fn a_commit_can_be_repeated_and_a_token_given_again() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let kept = Arc::new(token(&fake_token()));
    f.provider.answer(Err(ErrorKind::RateLimited));
    let error = connection.connect(&f.provider, Arc::clone(&kept)).await.unwrap_err();
    assert!(error.is_retryable());
    f.provider.answer(Ok(account("user-1")));
    let prepared = connection.prepare_connect(&f.provider, kept).await.unwrap();
    prepared.commit().await.unwrap();
    prepared.commit().await.unwrap();
    assert_eq!(f.vault.audit().of_tenant("t", 0, 9).await.unwrap().len(), 1, "committed once");
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(prepared.commit().await.unwrap_err().kind(), ErrorKind::Conflict, "not over what came later");
}

#[tokio::test]
async fn names_and_tokens_that_can_be_none_are_refused() {
    let f = Fixture::new().await;
    for (tenant, name) in [("", "apify"), ("t", ""), ("a\nb", "apify"), ("t", &*"x".repeat(256))] {
        let error = f.vault.connection(tenant, name).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::InvalidName, Fault::Caller));
    }
    let error = tokenkeep::Error::from(ApiToken::new("https://console.apify.com/".to_owned()).unwrap_err());
    assert_eq!(
        (error.kind(), error.customer_action()),
        (ErrorKind::InvalidToken, Some(CustomerAction::EnterTokenAgain))
    );
    let shown = format!("{error} {error:?} {}", std::error::Error::source(&error).unwrap());
    assert!(!shown.contains("console.apify.com"), "{shown}");
}

#[tokio::test]
async fn connections_of_a_tenant_are_listed_in_pages() {
    let f = Fixture::new().await;
    for (tenant, name) in [("a", "two"), ("a", "one"), ("a", "three"), ("b", "one")] {
        f.vault.connection(tenant, name).unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
    }
    let _ = f.vault.connection("a", "two").unwrap().disconnect().await.unwrap();
    let page = f.vault.connections("a", None, 2).await.unwrap();
    let names = |page: &[tokenkeep::ConnectionStatus]| {
        page.iter().map(|status| status.id.name().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&page), ["one", "three"]);
    let rest = f.vault.connections("a", Some(page[1].id.name()), 2).await.unwrap();
    assert_eq!(names(&rest), ["two"]);
    assert_eq!(rest[0].state, ConnectionState::Disconnected);
}
