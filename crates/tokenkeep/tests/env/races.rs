//! Two at once, and calls that are dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokenkeep::{ErrorKind, SqliteStore, Vault};

use crate::common::{Fixture, Scripted};
use crate::counting::Counting;
use crate::files::{Files, findings};
use crate::sets::{change, named, opened, vars};

/// Both apply, whichever comes first, and the halves never part.
pub(crate) async fn all_count(provider: &Scripted, vaults: [Vault; 4]) {
    let vault = vaults[0].clone();
    vault.secret_env("t", "scraper").unwrap().create(provider, &vars(&[])).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for (n, vault) in vaults.into_iter().enumerate() {
        tasks.spawn(async move {
            let env = vault.secret_env("t", "scraper").unwrap();
            for round in 0..5 {
                let (mine, value) = (format!("MINE_{n}"), round.to_string());
                let step = change(&[(&mine, &value), ("SHARED", &format!("{n}.{round}"))], &[]);
                while let Err(error) = env.change(&step).await {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.report());
                }
                let seen = opened(&env).await;
                assert!(matches!(&seen, Ok(vars) if vars.contains(&format!("{mine}={value}"))), "{seen:?}");
            }
        });
    }
    tasks.join_all().await;
    let env = vault.secret_env("t", "scraper").unwrap();
    let vars = opened(&env).await.unwrap();
    assert!((0..4).all(|n| vars.contains(&format!("MINE_{n}=4"))), "{vars}");
    assert_eq!(env.status().await.unwrap().version.unwrap().get(), 21);
    assert_eq!(findings(&vault).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_all_count() {
    let f = Files::new();
    let vaults = [f.fresh().await, f.fresh().await, f.fresh().await, f.fresh().await];
    all_count(&f.provider, vaults).await;
}

#[tokio::test]
async fn of_two_that_make_a_set_one_does() {
    let f = Fixture::new().await;
    let keys = Counting::over(f.keys.clone());
    let vault = Vault::open(Arc::clone(&f.store), keys).await.unwrap();
    let env = vault.secret_env("t", "scraper").unwrap();
    let (one, two) = (vars(&[("A", "1")]), vars(&[("A", "2")]));
    let (one, two) = tokio::join!(env.create(&f.provider, &one), env.create(&f.provider, &two));
    let lost = match (&one, &two) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error.kind(),
        both => panic!("{both:?}"),
    };
    assert_eq!(lost, ErrorKind::AlreadyConnected);
    assert_eq!(opened(&env).await.unwrap(), if one.is_ok() { "A=1" } else { "A=2" });
    assert!(vault.verify().await.unwrap().is_whole());
}

/// A removal that is told while a set is being opened counts: the values are not given.
#[tokio::test]
async fn what_ends_meanwhile_is_not_given() {
    let f = Fixture::new().await;
    let keys = Counting::over(f.keys.clone());
    let vault = Vault::open(Arc::clone(&f.store), keys).await.unwrap();
    for suspected in [false, true] {
        let env = vault.secret_env("t", format!("set-{suspected}")).unwrap();
        env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
        let mut opening = pin!(env.open());
        // Until the values' key is being unwrapped: the second one, behind the index's.
        for _ in 0..2 {
            let waits = poll_fn(|context| Poll::Ready(opening.as_mut().poll(context).is_pending())).await;
            assert!(waits);
        }
        let expected = if suspected {
            assert_eq!(env.suspect_leak().finish().await.unwrap().len(), 1);
            ErrorKind::Suspected
        } else {
            let _ = env.remove().await.unwrap();
            ErrorKind::NotConnected
        };
        assert_eq!(opening.await.unwrap_err().kind(), expected);
    }
}

/// Polls a future up to so many times, each when it is woken, then drops it. Whether it finished.
pub(crate) async fn polled<F: Future>(future: F, times: usize) -> bool {
    let (mut future, mut polled) = (pin!(future), 0);
    poll_fn(|context| {
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if polled == times => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_dropped_call_happened_wholly_or_not_at_all() {
    let f = Files::new();
    let keys = tokenkeep::LocalKeyring::open_or_create(f.folder.path().join("keys/keyring")).unwrap();
    let store = SqliteStore::open(f.database()).await.unwrap();
    let vault = Vault::open(store, Counting::over(keys)).await.unwrap();
    let env = vault.secret_env("t", "scraper").unwrap();
    // Whatever SQLite still does of a call that was dropped is done once something else is committed.
    let settled = vault.secret_env("t", "settled").unwrap();
    settled.create(&f.provider, &vars(&[])).await.unwrap();
    let (mut finished, mut made, mut not_made) = (0, 0, 0);
    for times in 1..500 {
        let (first, second) = (vars(&[("A", "1"), ("B", "1")]), change(&[("A", "2"), ("C", "2")], &["B"]));
        let done = polled(env.create(&f.provider, &first), times).await;
        drop(settled.open().await.unwrap());
        let now = opened(&env).await;
        match now.as_deref() {
            Ok("A=1 B=1") => {}
            Err(ErrorKind::NotConnected) if !done => {
                env.create(&f.provider, &first).await.unwrap();
            }
            other => panic!("{times}: {other:?}"),
        }
        let done = done & polled(env.change(&second), times).await;
        drop(settled.open().await.unwrap());
        let now = (opened(&env).await, named(&env).await);
        match (now.0.as_deref(), now.1.as_deref()) {
            (Ok("A=2 C=2"), Ok("A@2 C@2")) => made += 1,
            (Ok("A=1 B=1"), Ok("A@1 B@1")) if !done => not_made += 1,
            other => panic!("{times}: {other:?}"),
        }
        env.change(&second).await.unwrap();
        assert_eq!(opened(&env).await.as_deref(), Ok("A=2 C=2"));
        let done = done & polled(env.remove(), times).await;
        drop(settled.open().await.unwrap());
        let now = (opened(&env).await, named(&env).await);
        match (now.0.as_deref(), now.1.as_deref()) {
            (Err(ErrorKind::NotConnected), Err(ErrorKind::NotConnected)) => {}
            (Ok("A=2 C=2"), Ok("A@2 C@2")) if !done => {}
            other => panic!("{times}: {other:?}"),
        }
        let _ = env.remove().await.unwrap();
        finished += usize::from(done);
        if finished == 3 {
            break;
        }
    }
    assert!(finished == 3 && made > 3 && not_made > 3, "{finished} {made} {not_made}");
    assert_eq!(findings(&vault).await, []);
}
