//! Every use is on record, a token goes to its own origin alone, and a refused token is not used again.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Fixture, Scripted, Unsteady, give, token};
use tokenkeep::{Action, ConnectionId, ConnectionState, ErrorKind, Meaning, Outcome, Provider, Use, Vault};
use tokenkeep_testkit::fake_token;

async fn actions(vault: &Vault) -> Vec<(Action, u64)> {
    let entries = vault.audit().of_tenant("t", 0, 1000).await.unwrap();
    entries.iter().map(|entry| (entry.draft.action, entry.draft.count)).collect()
}

#[tokio::test]
async fn the_first_use_of_a_minute_is_written_and_the_rest_counted() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    for _ in 0..5 {
        give(&credential, &f.provider).await.unwrap();
    }
    assert_eq!(actions(&f.vault).await, [(Action::Connected, 1), (Action::Used, 1)]);
    f.clock.advance(60_000);
    give(&credential, &f.provider).await.unwrap();
    let so_far = [(Action::Connected, 1), (Action::Used, 1), (Action::UsedAgain, 4), (Action::Used, 1)];
    assert_eq!(actions(&f.vault).await, so_far);
    give(&credential, &f.provider).await.unwrap();
    f.vault.flush().await.unwrap();
    assert_eq!(actions(&f.vault).await.last(), Some(&(Action::UsedAgain, 1)));
    give(&credential, &f.provider).await.unwrap();
    give(&credential, &f.provider).await.unwrap();
    let _ = connection.disconnect().await.unwrap();
    let all = actions(&f.vault).await;
    let used: u64 =
        all.iter().filter(|(a, _)| matches!(a, Action::Used | Action::UsedAgain)).map(|(_, n)| n).sum();
    assert_eq!(used, 9, "five, one, one, two: none is lost");
    assert_eq!(all.last(), Some(&(Action::Disconnected, 1)), "the count stands before the end");
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_use_that_can_not_be_written_gives_no_token_and_loses_no_count() {
    let f = Fixture::new().await;
    let store = Unsteady::new(&f.store);
    let options = Vault::options().clock(Arc::clone(&f.clock));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    for _ in 0..4 {
        give(&credential, &f.provider).await.unwrap();
    }
    f.clock.advance(60_000);
    store.fails.store(true, Ordering::SeqCst);
    assert_eq!(give(&credential, &f.provider).await, Err(ErrorKind::StoreUnavailable));
    store.fails.store(true, Ordering::SeqCst);
    assert_eq!(vault.flush().await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    give(&credential, &f.provider).await.unwrap();
    let expected = [(Action::Connected, 1), (Action::Used, 1), (Action::UsedAgain, 3), (Action::Used, 1)];
    assert_eq!(actions(&vault).await, expected);
}

/// How many uses of this connection are on record, counted ones too.
async fn uses_of(vault: &Vault, id: &ConnectionId) -> u64 {
    let entries = vault.audit().of_tenant(id.tenant().as_str(), 0, 1000).await.unwrap();
    let used = entries.iter().filter(|e| matches!(e.draft.action, Action::Used | Action::UsedAgain));
    used.filter(|entry| entry.draft.id == *id).map(|entry| entry.draft.count).sum()
}

#[tokio::test]
async fn a_flush_leaves_nothing_unwritten() {
    let f = Fixture::new().await;
    let store = Unsteady::new(&f.store);
    let options = Vault::options().clock(Arc::clone(&f.clock));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    // Most of them in one chain, more than are written at a time.
    let tenant = |n: usize| if n < 150 { "many".to_owned() } else { format!("tenant {n}") };
    let connections: Vec<_> =
        (0..200).map(|n| vault.connection(tenant(n), format!("name-{n}")).unwrap()).collect();
    for connection in &connections {
        connection.connect(&f.provider, token(&fake_token())).await.unwrap();
        for _ in 0..3 {
            give(&connection.credential(), &f.provider).await.unwrap();
        }
        f.clock.advance(60_000);
        store.fails.store(true, Ordering::SeqCst);
        let failed = give(&connection.credential(), &f.provider).await;
        assert_eq!(failed, Err(ErrorKind::StoreUnavailable));
    }
    let on_record = async || {
        let mut times = Vec::new();
        for connection in &connections {
            times.push(uses_of(&vault, connection.id()).await);
        }
        times
    };
    assert_eq!(on_record().await, [1; 200], "no other connection's use writes it");
    // A flush that fails at its first commit does the other chains.
    store.fails.store(true, Ordering::SeqCst);
    assert_eq!(vault.flush().await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    let times = on_record().await;
    assert!(times.contains(&1) && times.contains(&3), "{times:?}");
    for _ in 0..2 {
        vault.flush().await.unwrap();
        assert_eq!(on_record().await, [3; 200], "none is lost, none doubled");
    }
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn another_token_in_the_same_minute_is_another_first_use() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let firsts = async || {
        let entries = f.vault.audit().of_tenant("t", 0, 1000).await.unwrap();
        let firsts = entries.into_iter().filter(|entry| entry.draft.action == Action::Used);
        let firsts: Vec<_> = firsts.map(|e| (e.draft.incarnation, e.draft.secret_version.get())).collect();
        firsts
    };
    let twice = async || {
        give(&connection.credential(), &f.provider).await.unwrap();
        give(&connection.credential(), &f.provider).await.unwrap();
    };
    // Changed by another instance: this one is not told.
    let other = f.second_instance().await.connection("t", "apify").unwrap();
    twice().await;
    let _ = other.disconnect().await.unwrap();
    other.connect(&f.provider, token(&fake_token())).await.unwrap();
    twice().await;
    let seen = firsts().await;
    assert_eq!(seen.len(), 2, "a new life");
    assert_ne!(seen[0].0, seen[1].0);
    assert_eq!(seen[0].1, seen[1].1, "only the incarnation tells");
    other.replace(&f.provider, token(&fake_token())).await.unwrap();
    twice().await;
    let seen = firsts().await;
    assert_eq!(seen.len(), 3, "a new token");
    assert_eq!(seen[1].0, seen[2].0, "only the version tells");
    f.vault.flush().await.unwrap();
    assert_eq!(uses_of(&f.vault, connection.id()).await, 6);
}

#[tokio::test]
async fn strict_writes_each_use() {
    let f = Fixture::new().await;
    let vault = Vault::options().strict_audit().open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    for _ in 0..3 {
        give(&connection.credential(), &f.provider).await.unwrap();
    }
    let used = actions(&vault).await.into_iter().filter(|action| *action == (Action::Used, 1)).count();
    assert_eq!(used, 3);
}

#[tokio::test]
async fn a_token_is_given_for_its_own_origin_and_provider_alone() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    for other in [
        Scripted::named("apify", "https://api.apify.com:8443"),
        Scripted::named("apify", "https://api-apify.com"),
        Scripted::named("other", "https://api.apify.com"),
    ] {
        assert_eq!(give(&credential, &other).await, Err(ErrorKind::Misuse));
    }
    assert_eq!(actions(&f.vault).await, [(Action::Connected, 1)], "what is refused is no use");
}

#[tokio::test]
async fn a_refused_token_pauses_until_a_recheck_clears_it_up() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    let text = fake_token();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    let credential = connection.credential();
    let issued = credential.issue(Use::at(f.provider.spec())).await.unwrap();
    let refused = Outcome::Refused(Meaning::TokenRefused);

    for harmless in [Outcome::Accepted, Outcome::Unanswered, Outcome::Refused(Meaning::ScopeTooSmall)] {
        credential.report(issued.incarnation, issued.secret_version, harmless).await.unwrap();
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected);
    }
    credential.report(issued.incarnation, issued.secret_version, refused).await.unwrap();
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Paused);
    assert_eq!(give(&credential, &f.provider).await, Err(ErrorKind::Paused));

    f.provider.answer(Err(ErrorKind::ProviderUnavailable));
    let error = connection.recheck(&f.provider).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "no clear answer changes nothing");
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Paused);

    f.provider.answer(Ok(common::account("user-1")));
    assert_eq!(connection.recheck(&f.provider).await.unwrap().state, ConnectionState::Connected);
    assert_eq!(give(&credential, &f.provider).await, Ok(text));

    f.provider.answer(Err(ErrorKind::TokenRefused));
    assert_eq!(connection.recheck(&f.provider).await.unwrap().state, ConnectionState::Paused);
    f.clock.advance(5 * 60_000);
    assert_eq!(connection.recheck(&f.provider).await.unwrap().state, ConnectionState::Revoked);
    assert_eq!(give(&credential, &f.provider).await, Err(ErrorKind::Revoked));

    f.provider.answer(Ok(common::account("user-1")));
    let new = fake_token();
    connection.replace(&f.provider, token(&new)).await.unwrap();
    assert_eq!(give(&credential, &f.provider).await, Ok(new), "a new token is the way back");
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_late_refusal_of_an_older_token_changes_nothing() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    let old = credential.issue(Use::at(f.provider.spec())).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let refused = Outcome::Refused(Meaning::TokenRefused);
    credential.report(old.incarnation, old.secret_version, refused).await.unwrap();
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected, "an older version");
    let current = credential.issue(Use::at(f.provider.spec())).await.unwrap();
    let _ = connection.disconnect().await.unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    credential.report(current.incarnation, current.secret_version, refused).await.unwrap();
    credential.report(current.incarnation, old.secret_version, refused).await.unwrap();
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected, "a former incarnation");
}

#[tokio::test]
async fn what_a_use_made_is_on_record_if_it_is_an_identifier() {
    let f = Fixture::new().await;
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    let credential = connection.credential();
    let issued = credential.issue(Use::at(f.provider.spec())).await.unwrap();
    for subject in ["run-4711", "two words", &"x".repeat(129)] {
        credential
            .report(issued.incarnation, issued.secret_version, Outcome::Created(subject))
            .await
            .unwrap();
    }
    let entries = f.vault.audit().of_tenant("t", 0, 100).await.unwrap();
    let made: Vec<_> = entries
        .iter()
        .filter(|e| e.draft.action == Action::Created)
        .map(|e| e.draft.subject.as_deref())
        .collect();
    assert_eq!(made, [Some("run-4711"), None, None]);
}
