//! What is told, or runs out, while a push is at work; and requests that arrive late.

use std::sync::Arc;

use tokenkeep::{EnvTarget, Error, ErrorKind, ProviderSpec, SecretEnv, TargetVar, async_trait};
use tokio::sync::Notify;

use crate::common::Fixture;
use crate::push::steps;
use crate::sets::{change, vars};
use crate::target::{Fate, Target};

const MINUTE: i64 = 60 * 1000;

/// A set with A and B, both at the target, and both changed since.
async fn world() -> (Fixture, SecretEnv, Target) {
    let f = Fixture::new().await;
    let target = Target::new();
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "1")])).await.unwrap();
    env.plan(&target).await.unwrap().apply().await.unwrap();
    env.change(&change(&[("A", "2"), ("B", "2")], &[])).await.unwrap();
    target.asked();
    (f, env, target)
}

/// A target whose first change waits for a sign, before or behind what it does.
#[derive(Debug)]
struct Slow<'a> {
    inner: &'a Target,
    waits_behind: bool,
    arrived: Notify,
    goes_on: Notify,
}

impl<'a> Slow<'a> {
    fn new(inner: &'a Target, waits_behind: bool) -> Self {
        let (arrived, goes_on) = (Notify::new(), Notify::new());
        Self { inner, waits_behind, arrived, goes_on }
    }

    async fn wait(&self, behind: bool) {
        if self.waits_behind == behind {
            self.arrived.notify_one();
            self.goes_on.notified().await;
            // The next one finds its sign there.
            self.goes_on.notify_one();
        }
    }
}

#[async_trait]
impl EnvTarget for Slow<'_> {
    fn spec(&self) -> &ProviderSpec {
        self.inner.spec()
    }

    fn id(&self) -> String {
        self.inner.id()
    }

    async fn list(&self) -> Result<Vec<TargetVar>, Error> {
        self.inner.list().await
    }

    async fn create(&self, name: &str, value: &str) -> Result<(), Error> {
        self.wait(false).await;
        let done = self.inner.create(name, value).await;
        self.wait(true).await;
        done
    }

    async fn update(&self, name: &str, value: &str) -> Result<(), Error> {
        self.wait(false).await;
        let done = self.inner.update(name, value).await;
        self.wait(true).await;
        done
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.inner.remove(name).await
    }
}

/// What may have leaked, was removed or was changed goes to nobody any more, once that is told.
#[tokio::test]
async fn nothing_is_sent_once_the_set_ended() {
    for (what, expected) in [
        ("suspect", ErrorKind::Suspected),
        ("remove", ErrorKind::NotConnected),
        ("change", ErrorKind::Conflict),
    ] {
        // Between two steps, by another instance.
        let (f, env, target) = world().await;
        let other = f.second_instance().await.secret_env("t", "scraper").unwrap();
        let end = async || match what {
            "suspect" => drop(other.suspect_leak().finish().await.unwrap()),
            "remove" => drop(other.remove().await.unwrap()),
            _ => drop(other.change(&change(&[("B", "3")], &[])).await.unwrap()),
        };
        let mut push = env.plan(&target).await.unwrap().push();
        push.next().await.unwrap().unwrap();
        end().await;
        for _ in 0..2 {
            assert_eq!(push.next().await.unwrap_err().kind(), expected, "{what}");
        }
        assert_eq!((target.shown().as_str(), target.asked().len()), ("A=2 B=1", 1), "{what}");

        // Between the two requests of one step.
        let (f, env, target) = world().await;
        target.there.lock().unwrap().clear();
        let slow = Slow::new(&target, true);
        let mut push = env.plan(&slow).await.unwrap().push();
        target.holds("A", "somebody's", false);
        let other = f.second_instance().await.secret_env("t", "scraper").unwrap();
        let end = async {
            slow.arrived.notified().await;
            match what {
                "suspect" => drop(other.suspect_leak().finish().await.unwrap()),
                "remove" => drop(other.remove().await.unwrap()),
                _ => drop(other.change(&change(&[("B", "3")], &[])).await.unwrap()),
            }
            slow.goes_on.notify_one();
        };
        let (stepped, ()) = tokio::join!(push.next(), end);
        assert_eq!(stepped.unwrap_err().kind(), expected, "{what}");
        assert_eq!((target.shown().as_str(), target.asked()), ("A=somebody's!", vec!["create A".to_owned()]));
    }
}

/// A request that took longer than its turn may have put an old value over what another push sent meanwhile.
#[tokio::test]
async fn what_took_longer_than_its_turn_is_known_of_no_more() {
    for (fate, changed) in [(None, true), (None, false), (Some(Fate::Unanswered), true)] {
        let (f, env, target) = world().await;
        let slow = Slow::new(&target, false);
        let mut first = env.plan(&slow).await.unwrap().push();
        let meanwhile = async {
            slow.arrived.notified().await;
            f.clock.advance(6 * MINUTE);
            if changed {
                env.change(&change(&[("A", "3")], &[])).await.unwrap();
            }
            env.plan(&target).await.unwrap().apply().await.unwrap();
            if let Some(fate) = fate {
                target.will(0, fate);
            }
            slow.goes_on.notify_one();
        };
        let (stepped, ()) = tokio::join!(first.next(), meanwhile);
        stepped.unwrap_err();
        assert_eq!(target.shown(), "A=2 B=2");
        drop(first);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let plan = env.plan(&target).await.unwrap();
        assert_eq!(steps(&plan), "update A", "{fate:?}: an older value is there, for all that is known");
        plan.apply().await.unwrap();
        assert_eq!(target.shown(), if changed { "A=3 B=2" } else { "A=2 B=2" });
    }
}

/// The first attempt is under way still, whatever came of the push since.
#[tokio::test]
async fn what_may_arrive_late_keeps_others_out_however_the_push_goes_on() {
    for refused in [false, true] {
        let (f, env, target) = world().await;
        let mut push = env.plan(&target).await.unwrap().push();
        target.will(0, Fate::Refused(ErrorKind::ProviderUnavailable));
        push.next().await.unwrap_err();
        f.clock.advance(MINUTE);
        if refused {
            target.will(0, Fate::Refused(ErrorKind::ScopeTooSmall));
            push.next().await.unwrap_err();
        } else {
            assert_eq!(push.finish().await.unwrap().len(), 2);
        }
        drop(push);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        env.change(&change(&[("A", "3"), ("B", "2")], &[])).await.unwrap();
        for (later, expected) in [(0, ErrorKind::Conflict), (4 * MINUTE - 1, ErrorKind::Conflict)] {
            f.clock.advance(later);
            let error = env.plan(&target).await.unwrap().apply().await.unwrap_err();
            assert_eq!(error.kind(), expected, "{refused}: {}", error.report());
        }
        target.holds("A", "2", true);
        f.clock.advance(1);
        env.plan(&target).await.unwrap().apply().await.unwrap();
        assert_eq!(target.shown(), "A=3 B=2", "{refused}");
        // Of what was answered nobody waits.
        env.change(&change(&[("A", "4")], &[])).await.unwrap();
        env.plan(&target).await.unwrap().apply().await.unwrap();
    }
}

/// However long ago the last step was, a request has its five minutes.
#[tokio::test]
async fn each_request_has_all_the_time_to_arrive() {
    let (f, env, target) = world().await;
    let mut push = env.plan(&target).await.unwrap().push();
    push.next().await.unwrap().unwrap();
    f.clock.advance(6 * MINUTE - 1);
    target.will(0, Fate::Refused(ErrorKind::ProviderUnavailable));
    push.next().await.unwrap_err();
    drop(push);
    f.clock.advance(5 * MINUTE - 1);
    let error = env.plan(&target).await.unwrap().apply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.report());
    f.clock.advance(MINUTE + 1);
    env.plan(&target).await.unwrap().apply().await.unwrap();
    assert_eq!(target.shown(), "A=2 B=2");
}

/// What was made before an error is known, and a push can be given to a task.
#[tokio::test]
async fn a_push_says_what_it_made_and_can_be_given_away() {
    let (_f, env, target) = world().await;
    let target = Arc::new(target);
    let mut push = env.plan_shared(Arc::<Target>::clone(&target)).await.unwrap().push();
    target.will(1, Fate::Refused(ErrorKind::ScopeTooSmall));
    let ended = tokio::spawn(async move {
        let error = push.finish().await.unwrap_err().kind();
        let made: Vec<String> = push.made().iter().map(ToString::to_string).collect();
        let rest = push.finish().await.unwrap();
        (error, made, rest.len(), push.made().len())
    });
    assert_eq!(ended.await.unwrap(), (ErrorKind::ScopeTooSmall, vec!["update A".to_owned()], 1, 2));
    assert_eq!(target.shown(), "A=2 B=2");
}
