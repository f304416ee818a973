//! A step that is dropped at any of its awaits: the same push goes on, and another one waits only where something was sent.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokenkeep::{SqliteStore, Vault};

use crate::common::Scripted;
use crate::counting::Counting;
use crate::files::Files;
use crate::push::steps;
use crate::sets::vars;
use crate::target::Target;

/// Polls a future up to so many times, each when it is woken, then drops it. Whether it finished.
async fn polled<F: Future>(future: F, times: usize) -> bool {
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
async fn a_step_can_be_dropped_anywhere() {
    let f = Files::new();
    let keys = tokenkeep::LocalKeyring::open_or_create(f.folder.path().join("keys/keyring")).unwrap();
    let store = SqliteStore::open(f.database()).await.unwrap();
    let vault = Vault::open(store, Counting::over(keys)).await.unwrap();
    let (mut unsent, mut sent, mut finished) = (0, 0, false);
    for times in 1..500_usize {
        for same in [true, false] {
            let target = Target::at(Scripted::new(), "actor/0.1");
            let env = vault.secret_env("t", format!("set-{times}-{same}")).unwrap();
            env.create(&f.provider, &vars(&[("A", "1"), ("B", "1")])).await.unwrap();
            let mut push = env.plan(&target).await.unwrap().push();
            finished = polled(push.next(), times).await;
            let asked = !target.asked().is_empty();
            if same {
                push.finish().await.unwrap();
            } else {
                drop(push);
                // What it left is taken back by a task of its own.
                let mut applied = Err(tokenkeep::ErrorKind::Internal.into());
                for _ in 0..200 {
                    applied = env.plan(&target).await.unwrap().apply().await;
                    if asked || applied.is_ok() {
                        break;
                    }
                }
                match (asked, applied) {
                    (false, applied) => {
                        applied.unwrap_or_else(|error| panic!("{times}: {}", error.report()));
                        unsent += 1;
                    }
                    // Where it was answered and not noted, nobody waits either.
                    (true, Ok(_)) => {}
                    (true, Err(error)) => {
                        assert_eq!(error.kind(), tokenkeep::ErrorKind::Conflict, "{times}");
                        sent += 1;
                        continue;
                    }
                }
            }
            assert_eq!(target.shown(), "A=1 B=1", "{times}");
            assert_eq!(steps(&env.plan(&target).await.unwrap()), "", "{times}");
        }
        if finished {
            break;
        }
    }
    assert!(finished && unsent > 5 && sent > 0, "{finished} {unsent} {sent}");
    assert!(vault.verify().await.unwrap().is_whole());
}
