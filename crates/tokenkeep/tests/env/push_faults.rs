//! Pushes that end anywhere: what is there is never taken for what it is not, and the next one makes it right.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokenkeep::{ErrorKind, SecretEnv};

use crate::common::Fixture;
use crate::push::steps;
use crate::sets::{change, vars};
use crate::target::{Fate, Target};

/// What a push takes its turn for.
const LEASE: i64 = 6 * 60 * 1000;

/// One that was created, one updated, one that stays and one that goes.
async fn world() -> (Fixture, SecretEnv, Target) {
    let f = Fixture::new().await;
    let target = Target::new();
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2"), ("C", "3")])).await.unwrap();
    env.plan(&target).await.unwrap().apply().await.unwrap();
    env.change(&change(&[("A", "new"), ("B", "new"), ("D", "4")], &[])).await.unwrap();
    target.holds("X", "", false);
    target.asked();
    (f, env, target)
}

const RIGHT: &str = "A=new B=new C=3 D=4";

/// Polls a future until it does not go on by itself, then drops it.
async fn dropped<F: Future>(future: F) {
    let mut future = pin!(future);
    for _ in 0..100 {
        let ended = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        assert!(!ended, "it was to hang");
    }
}

#[tokio::test]
async fn it_is_made_right_after_a_fault_at_any_request() {
    for fate in [
        Fate::Refused(ErrorKind::ScopeTooSmall),
        Fate::Refused(ErrorKind::ProviderUnavailable),
        Fate::Unanswered,
        Fate::Hangs,
    ] {
        for nth in 0..4 {
            for same in [true, false] {
                let (f, env, target) = world().await;
                let plan = env.plan(&target).await.unwrap().removing_others();
                assert_eq!(steps(&plan), "update A, update B, create D, remove X");
                target.will(nth, fate);
                let mut push = plan.push();
                for _ in 0..nth {
                    push.next().await.unwrap().unwrap();
                }
                if fate == Fate::Hangs {
                    dropped(push.next()).await;
                } else {
                    push.next().await.unwrap_err();
                }
                assert_eq!(push.left(), 4 - nth);
                if same {
                    push.finish().await.unwrap();
                } else {
                    drop(push);
                    tokio::task::yield_now().await;
                    let refused = fate == Fate::Refused(ErrorKind::ScopeTooSmall);
                    let plan = env.plan(&target).await.unwrap().removing_others();
                    if !refused && plan.steps().is_empty() {
                        // It was the last one, and is seen to be done.
                        assert_eq!((nth, fate == Fate::Refused(ErrorKind::ProviderUnavailable)), (3, false));
                        continue;
                    }
                    if !refused {
                        // What was sent last may arrive still: nobody else sends before it can't.
                        assert_eq!(
                            plan.apply().await.unwrap_err().kind(),
                            ErrorKind::Conflict,
                            "{fate:?} {nth}"
                        );
                        f.clock.advance(LEASE);
                    } else {
                        drop(plan);
                    }
                    // Another instance goes on.
                    let env = f.second_instance().await.secret_env("t", "scraper").unwrap();
                    let plan = env.plan(&target).await.unwrap().removing_others();
                    let left = plan.steps().len();
                    assert!(left >= 3 - nth.min(3) && left <= 4 - nth, "{fate:?} {nth}: {plan}");
                    plan.apply().await.unwrap();
                }
                assert_eq!(target.shown(), RIGHT, "{fate:?} {nth} {same}");
                let plan = env.plan(&target).await.unwrap();
                assert_eq!((steps(&plan).as_str(), plan.left().len()), ("", 0), "{fate:?} {nth} {same}");
                assert!(f.vault.verify().await.unwrap().is_whole());
            }
        }
    }
}

/// The value that was being sent when the push ended may be there: it is sent over, also when the set is changed back to what was there.
#[tokio::test]
async fn what_may_be_there_is_not_taken_for_what_was() {
    for fate in [Fate::Unanswered, Fate::Refused(ErrorKind::ProviderUnavailable), Fate::Hangs] {
        let (f, env, target) = world().await;
        target.will(0, fate);
        let mut push = env.plan(&target).await.unwrap().push();
        if fate == Fate::Hangs {
            dropped(push.next()).await;
        } else {
            push.next().await.unwrap_err();
        }
        drop(push);
        env.change(&change(&[("A", "1"), ("B", "2")], &["D"])).await.unwrap();
        f.clock.advance(LEASE);
        let plan = env.plan(&target).await.unwrap();
        assert_eq!(steps(&plan), "update A, update B", "{fate:?}");
        plan.apply().await.unwrap();
        assert_eq!(target.shown(), "A=1 B=2 C=3 X=!");
    }
}

#[tokio::test]
async fn one_sends_to_a_target_at_a_time() {
    let (f, env, target) = world().await;
    let elsewhere = f.second_instance().await.secret_env("t", "scraper").unwrap();
    let (mut first, mut second) =
        (env.plan(&target).await.unwrap().push(), elsewhere.plan(&target).await.unwrap().push());
    first.next().await.unwrap().unwrap();
    let (error, asked) = (second.next().await.unwrap_err(), target.asked());
    assert_eq!((error.kind(), asked.len()), (ErrorKind::Conflict, 1), "{}", error.report());
    // To another target meanwhile.
    let other = Target::at(crate::common::Scripted::new(), "actor/0.2");
    elsewhere.plan(&other).await.unwrap().apply().await.unwrap();
    assert_eq!(other.shown(), RIGHT);

    // Each step keeps it, and it is over when the push is.
    for _ in 0..2 {
        f.clock.advance(LEASE - 1);
        assert_eq!(second.next().await.unwrap_err().kind(), ErrorKind::Conflict);
        assert!(first.next().await.unwrap().is_some());
    }
    assert!(first.next().await.unwrap().is_none());
    elsewhere.plan(&target).await.unwrap().removing_others().apply().await.unwrap();
    assert_eq!(target.shown(), RIGHT);

    // One whose lease ran out takes it again, unless another one has sent since.
    env.change(&change(&[("A", "a"), ("B", "b")], &[])).await.unwrap();
    let (mut first, mut second) =
        (env.plan(&target).await.unwrap().push(), elsewhere.plan(&target).await.unwrap().push());
    first.next().await.unwrap().unwrap();
    f.clock.advance(LEASE);
    second.next().await.unwrap().unwrap();
    assert_eq!(first.next().await.unwrap_err().kind(), ErrorKind::Conflict);
    second.finish().await.unwrap();
    // It is of the same version of the set, and may go on then.
    assert_eq!(first.next().await.unwrap().unwrap().to_string(), "update B");
    // Nor does it go on unseen where the other one is done already.
    env.change(&change(&[("A", "x"), ("B", "y")], &[])).await.unwrap();
    let mut third = env.plan(&target).await.unwrap().push();
    third.next().await.unwrap().unwrap();
    f.clock.advance(LEASE);
    elsewhere.plan(&target).await.unwrap().apply().await.unwrap();
    assert_eq!(third.next().await.unwrap_err().kind(), ErrorKind::Conflict);
    drop((first, third));
    tokio::task::yield_now().await;
    assert_eq!(target.shown(), "A=x B=y C=3 D=4");
    assert_eq!(steps(&env.plan(&target).await.unwrap()), "");
    assert!(f.vault.verify().await.unwrap().is_whole());
}

/// A push that is dropped between two steps keeps nobody waiting.
#[tokio::test]
async fn a_push_that_is_dropped_gives_its_turn_back() {
    let (_f, env, target) = world().await;
    let mut push = env.plan(&target).await.unwrap().push();
    push.next().await.unwrap().unwrap();
    drop(push);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let plan = env.plan(&target).await.unwrap();
    assert_eq!(steps(&plan), "update B, create D");
    plan.apply().await.unwrap();
    assert_eq!(target.shown(), format!("{RIGHT} X=!"));
}
