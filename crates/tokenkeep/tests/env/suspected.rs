//! A set that may have leaked.

use tokenkeep::{ConnectionId, ConnectionState, CustomerAction, ErrorKind};
use tokenkeep_testkit::fake_token;

use crate::common::{Fixture, token};
use crate::sets::{change, named, opened, vars};

#[tokio::test]
async fn it_is_not_opened_until_all_its_values_are_replaced() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    let suspected = env.suspect_leak().finish().await.unwrap();
    assert_eq!(suspected.len(), 1);
    assert_eq!(suspected[0].customer_action(), CustomerAction::ReplaceVariables);
    let line = suspected[0].to_string();
    assert!(
        line.starts_with("t/~env/scraper: replace each of these secret variables where it came from"),
        "{line}"
    );
    assert_eq!(opened(&env).await, Err(ErrorKind::Suspected));
    assert_eq!(named(&env).await.as_deref(), Ok("A@1 B@1"), "what is to be replaced can be listed");
    assert_eq!(env.status().await.unwrap().state, ConnectionState::Suspected);

    for step in [
        change(&[], &[]),
        change(&[("A", "new")], &[]),
        change(&[("A", "new"), ("B", "2")], &[]),
        change(&[("C", "3")], &["A"]),
    ] {
        assert_eq!(env.change(&step).await.unwrap_err().kind(), ErrorKind::Suspected, "{step:?}");
        assert_eq!(opened(&env).await, Err(ErrorKind::Suspected));
    }
    env.change(&change(&[("A", "new")], &["B"])).await.unwrap();
    assert_eq!(opened(&env).await.as_deref(), Ok("A=new"));

    // Or by an operator's word.
    let _ = env.suspect_leak().finish().await.unwrap();
    assert_eq!(env.clear_suspicion().await.unwrap().state, ConnectionState::Connected);
    assert_eq!(opened(&env).await.as_deref(), Ok("A=new"));
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_tenants_leak_takes_its_sets_with_it_and_names_each_once() {
    let f = Fixture::new().await;
    f.vault.connection("t", "apify").unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
    for name in ["one", "two"] {
        f.vault.secret_env("t", name).unwrap().create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    }
    let suspected = f.vault.suspect_leaks_of("t").unwrap().finish().await.unwrap();
    let ids: Vec<String> = suspected.iter().map(|token| token.id.to_string()).collect();
    assert_eq!(ids, ["t/apify", "t/~env/one", "t/~env/two"]);
    let all = f.vault.suspect_all_leaked().finish().await.unwrap();
    assert_eq!(all, suspected);
}

/// A leak that ended before one variable was added has the others all the same.
#[tokio::test]
async fn a_set_is_as_old_as_the_oldest_of_its_values() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    let made = env.create(&f.provider, &vars(&[("OLD", "1"), ("B", "2")])).await.unwrap();
    let set_at = made.changed_at.unwrap();
    f.clock.advance(1000);
    let leak_ended = set_at.after(std::time::Duration::from_millis(500));
    let changed = env.change(&change(&[("NEW", "x"), ("B", "3")], &[])).await.unwrap();
    let changed_at = set_at.after(std::time::Duration::from_millis(1000));
    assert_eq!(changed.changed_at, Some(changed_at));
    f.clock.advance(1000);
    env.plan(&crate::target::Target::new()).await.unwrap().apply().await.unwrap();
    assert_eq!(env.status().await.unwrap(), changed, "that it is sent changes no value");

    let suspect =
        async || f.vault.suspect_leaks_of("t").unwrap().set_before(leak_ended).finish().await.unwrap();
    let suspected = suspect().await;
    assert_eq!((suspected.len(), suspected[0].token_set_at), (1, Some(set_at)));
    assert_eq!(opened(&env).await, Err(ErrorKind::Suspected));
    // Once the old one went, nothing of it is left that leaked.
    env.change(&change(&[("B", "4"), ("NEW", "y")], &["OLD"])).await.unwrap();
    assert_eq!(suspect().await, []);
    assert_eq!(opened(&env).await.as_deref(), Ok("B=4 NEW=y"));
}

#[tokio::test]
async fn errors_and_states_advise_about_variables() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    let removed = env.remove().await.unwrap_err();
    let discarded = env.discard_tampered(&f.provider).await.unwrap_err();
    let absent = [env.open().await.unwrap_err(), env.names().await.unwrap_err(), removed, discarded];
    for error in absent.into_iter().chain([
        env.change(&change(&[("A", "1")], &[])).await.unwrap_err(),
        env.suspect_leak().finish().await.unwrap_err(),
        env.clear_suspicion().await.unwrap_err(),
    ]) {
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_eq!(error.customer_action(), Some(CustomerAction::EnterVariables), "{error}");
    }
    assert_eq!(env.status().await.unwrap().customer_action(), Some(CustomerAction::EnterVariables));
    let status = env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    assert_eq!(status.customer_action(), None);
    let error = env.create(&f.provider, &vars(&[])).await.unwrap_err();
    assert_eq!(error.customer_action(), Some(CustomerAction::ChangeVariables), "{error}");
    let _ = env.suspect_leak().finish().await.unwrap();
    for error in [
        env.open().await.unwrap_err(),
        env.change(&change(&[("B", "1")], &[])).await.unwrap_err(),
        env.plan(&crate::target::Target::new()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Suspected);
        assert_eq!(error.customer_action(), Some(CustomerAction::ReplaceVariables), "{error}");
        assert!(!error.to_string().contains("token"), "{error}");
    }
    assert_eq!(env.status().await.unwrap().customer_action(), Some(CustomerAction::ReplaceVariables));
}

/// By the name of either record: what a job has that goes by names.
#[tokio::test]
async fn a_sets_records_lead_to_the_set() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    for name in ["~env-index/scraper", "~env/scraper"] {
        let handle = f.vault.connection_of(&ConnectionId::new("t", name).unwrap());
        let status = handle.status().await.unwrap();
        assert_eq!((status.state, status.id.name().as_str()), (ConnectionState::Connected, "~env/scraper"));
        assert_eq!((status.replace_by, status.replacement), (None, None), "{name}");
        assert_eq!(handle.suspect_leak().finish().await.unwrap().len(), 1, "{name}");
        assert_eq!(opened(&env).await, Err(ErrorKind::Suspected), "{name}");
        let status = handle.status().await.unwrap();
        assert_eq!(status.customer_actions(), [CustomerAction::ReplaceVariables], "{name}");
        assert_eq!(handle.clear_suspicion().await.unwrap().state, ConnectionState::Connected);
        assert_eq!(opened(&env).await.as_deref(), Ok("A=1"), "{name}");
    }
}
