//! A set's whole life, the same on every store.

use tokenkeep::{Action, ConnectionId, ConnectionState, ErrorKind, Scrub, Vault, VaultOptions};

use crate::common::{Fixture, Scripted};
use crate::files::Files;
use crate::sets::{change, named, opened, records, vars};

pub(crate) async fn lives(vault: &Vault, other: &Vault, provider: &Scripted, scrub: Scrub) {
    let env = vault.secret_env("customer-17", "scraper").unwrap();
    let elsewhere = other.secret_env("customer-17", "scraper").unwrap();
    assert_eq!(env.status().await.unwrap().state, ConnectionState::NotConnected);
    for error in [
        opened(&env).await.unwrap_err(),
        named(&env).await.unwrap_err(),
        env.change(&change(&[("A", "1")], &[])).await.unwrap_err().kind(),
        env.remove().await.unwrap_err().kind(),
    ] {
        assert_eq!(error, ErrorKind::NotConnected);
    }

    let status = env.create(provider, &vars(&[("B", "two"), ("A", "one")])).await.unwrap();
    assert_eq!((status.state, status.version.unwrap().get()), (ConnectionState::Connected, 1));
    assert_eq!(elsewhere.status().await.unwrap(), status);
    assert_eq!(opened(&elsewhere).await.as_deref(), Ok("A=one B=two"));
    let again = env.create(provider, &vars(&[])).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyConnected);

    // One step: some are set, some go, one is set to what it is, one that is not there goes.
    let step = change(&[("A", "one"), ("B", "2"), ("C", "three")], &["X"]);
    assert_eq!(elsewhere.change(&step).await.unwrap().version.unwrap().get(), 2);
    assert_eq!(env.change(&step).await.unwrap().version.unwrap().get(), 2, "nothing is left to change");
    assert_eq!(opened(&env).await.as_deref(), Ok("A=one B=2 C=three"));
    assert_eq!(named(&env).await.as_deref(), Ok("A@1 B@2 C@2"));
    env.change(&change(&[("A", "")], &["B"])).await.unwrap();
    assert_eq!(opened(&elsewhere).await.as_deref(), Ok("A= C=three"));
    assert_eq!(named(&elsewhere).await.as_deref(), Ok("A@3 C@2"));

    let receipt = env.remove().await.unwrap();
    assert_eq!((receipt.connection.name().as_str(), receipt.scrub), ("~env/scraper", scrub));
    assert_eq!(elsewhere.remove().await.unwrap(), receipt, "the same removal, told again");
    for env in [&env, &elsewhere] {
        assert_eq!(opened(env).await, Err(ErrorKind::NotConnected));
        assert_eq!(named(env).await, Err(ErrorKind::NotConnected));
        assert_eq!(env.status().await.unwrap().state, ConnectionState::Disconnected);
    }
    let status = env.create(provider, &vars(&[("D", "4")])).await.unwrap();
    assert_eq!((status.version.unwrap().get(), opened(&elsewhere).await.as_deref()), (1, Ok("D=4")));

    let entries = vault.audit().of_tenant("customer-17", 0, 100).await.unwrap();
    let told = |part: &str| -> Vec<Action> {
        let of = entries.iter().filter(|entry| entry.draft.id.name().as_str() == format!("{part}scraper"));
        of.map(|entry| entry.draft.action).collect()
    };
    use Action::{Connected, Disconnected, Replaced, Used};
    assert_eq!(
        told("~env/"),
        [Connected, Used, Replaced, Used, Replaced, Used, Disconnected, Connected, Used],
        "each opening is on record"
    );
    assert_eq!(told("~env-index/"), [Connected, Replaced, Replaced, Disconnected, Connected]);
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn in_memory() {
    let f = Fixture::new().await;
    lives(&f.vault, &f.second_instance().await, &f.provider, Scrub::Impossible).await;
    let [values, index] = records(&*f.store, "customer-17", "scraper").await;
    assert_eq!(values.incarnation, index.incarnation);
}

#[tokio::test]
async fn on_sqlite_under_pseudonyms_too() {
    for options in [Vault::options, || Vault::options().pseudonymous_tenants()] {
        let options: fn() -> VaultOptions = options;
        let f = Files::new();
        let (vault, other) = (f.fresh_with(options()).await, f.fresh_with(options()).await);
        lives(&vault, &other, &f.provider, Scrub::Done).await;
    }
}

#[tokio::test]
async fn what_is_a_sets_is_no_connections() {
    let f = Fixture::new().await;
    for name in ["~", "~env/scraper", "~env-index/scraper", "~anything"] {
        let error = f.vault.connection("t", name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name}");
    }
    for name in ["", " a", "a\n", &"x".repeat(245)] {
        assert_eq!(f.vault.secret_env("t", name).unwrap_err().kind(), ErrorKind::InvalidName, "{name}");
    }
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    for name in ["~env/scraper", "~env-index/scraper"] {
        let connection = f.vault.connection_of(&ConnectionId::new("t", name).unwrap());
        let refused = crate::common::give(&connection.credential(), &f.provider).await;
        assert_eq!(refused, Err(ErrorKind::Misuse), "{name}");
        assert_eq!(connection.recheck(&f.provider).await.unwrap_err().kind(), ErrorKind::Misuse);
        let token = || crate::common::token(&tokenkeep_testkit::fake_token());
        let error = connection.connect(&f.provider, token()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName);
        let error = connection.replace(&f.provider, token()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName);
    }
    assert_eq!(opened(&env).await.as_deref(), Ok("A=1"));
    // Either half ends both.
    let index = f.vault.connection_of(&ConnectionId::new("t", "~env-index/scraper").unwrap());
    let receipt = index.disconnect().await.unwrap();
    assert_eq!(receipt.connection.name().as_str(), "~env/scraper");
    assert_eq!(
        (opened(&env).await, named(&env).await),
        (Err(ErrorKind::NotConnected), Err(ErrorKind::NotConnected))
    );
    assert!(receipt.to_string().starts_with("Removed t/~env/scraper, for apify\n"), "{receipt}");
}

#[tokio::test]
async fn what_breaks_a_limit_changes_nothing() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", &"x".repeat(9000))])).await.unwrap();
    let error = env.change(&change(&[("B", &"x".repeat(9000))], &[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidVariable);
    assert!(error.report().contains("16 KiB"), "{}", error.report());
    assert_eq!(env.status().await.unwrap().version.unwrap().get(), 1);
    env.change(&change(&[("B", &"y".repeat(9000))], &["A"])).await.unwrap();
    assert_eq!(named(&env).await.as_deref(), Ok("B@2"), "what goes makes room for what comes");
    let most: Vec<(String, &str)> =
        (0..100).map(|n| (format!("{n:A>81}", n = char::from(b'B')) + &n.to_string(), "")).collect();
    let most: Vec<(&str, &str)> = most.iter().map(|(name, value)| (&**name, *value)).collect();
    let full = f.vault.secret_env("t", "full").unwrap();
    full.create(&f.provider, &vars(&most[..95])).await.unwrap();
    assert_eq!(full.names().await.unwrap().len(), 95);
}

#[tokio::test]
async fn a_lost_answer_is_found_out_and_hooks_are_told_the_values() {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    let f = Fixture::new().await;
    let store = crate::common::Unsteady::new(&f.store);
    let seen: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let options = Vault::options().on_disconnect("cache", Hook(Arc::clone(&seen)));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let env = vault.secret_env("t", "scraper").unwrap();
    store.loses_answer.store(true, Ordering::SeqCst);
    env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    store.loses_answer.store(true, Ordering::SeqCst);
    let step = change(&[("A", "2")], &[]);
    assert!(env.change(&step).await.unwrap_err().is_retryable());
    assert_eq!(env.change(&step).await.unwrap().version.unwrap().get(), 2, "made once");
    let receipt = env.remove().await.unwrap();
    assert_eq!(receipt.hooks_done, ["cache"]);
    assert_eq!(*seen.lock().unwrap(), ["t/~env/scraper"]);
    assert!(vault.finish_disconnects().await.unwrap().is_empty());
    assert!(vault.verify().await.unwrap().is_whole());
}

struct Hook(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

#[tokenkeep::async_trait]
impl tokenkeep::PurgeHook for Hook {
    async fn purge(
        &self,
        connection: &ConnectionId,
        _: tokenkeep::Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.lock().unwrap().push(connection.to_string());
        Ok(())
    }
}
