//! Plans, and what comes of them.

use tokenkeep::{Action, EnvPlan, ErrorKind};

use crate::common::{Fixture, Scripted};
use crate::sets::{change, opened, vars};
use crate::target::Target;

/// `create A, update B`.
pub(crate) fn steps(plan: &EnvPlan<'_>) -> String {
    plan.steps().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_plan_says_what_is_done_and_holds_no_value() {
    let f = Fixture::new().await;
    let target = Target::new();
    target.holds("B", "by hand", true);
    target.holds("C", "plain", false);
    target.holds("X", "theirs", false);
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "one-value"), ("B", "two"), ("C", "three")])).await.unwrap();

    let plan = env.plan(&target).await.unwrap();
    assert_eq!(steps(&plan), "create A, update B, update C");
    assert_eq!((plan.unchanged(), plan.left(), plan.version().get()), (&[][..], &["X".to_owned()][..], 1));
    let shown = format!("{plan} {plan:?}");
    assert!(
        shown.starts_with("scraper, version 1, to actor/0.1\n  create     A\n  update     B\n  update     C\n  left alone X "),
        "{shown}"
    );
    assert!(!["one-value", "two", "three", "by hand"].iter().any(|value| shown.contains(value)), "{shown}");
    assert!(target.asked().is_empty(), "a plan changes nothing");
    let done = plan.apply().await.unwrap();
    assert_eq!(done.len(), 3);
    assert_eq!(target.shown(), "A=one-value B=two C=three X=theirs!");

    // What is there is not sent again; what changed is, and what lost its secrecy or went there.
    let plan = env.plan(&target).await.unwrap();
    assert_eq!((steps(&plan).as_str(), plan.unchanged().len()), ("", 3));
    assert!(plan.apply().await.unwrap().is_empty());
    target.asked();
    env.change(&change(&[("A", "1")], &["B"])).await.unwrap();
    target.there.lock().unwrap().get_mut("C").unwrap().1 = false;
    let plan = env.plan(&target).await.unwrap();
    assert_eq!((steps(&plan).as_str(), plan.left().len()), ("update A, update C", 2));
    let plan = plan.removing_others();
    assert_eq!(steps(&plan), "update A, update C, remove B, remove X");
    plan.apply().await.unwrap();
    assert_eq!((target.shown().as_str(), target.asked().len()), ("A=1 C=three", 4));

    // A value that is set back is known to be another one than what is there, and one that is there is known.
    env.change(&change(&[("A", "2")], &[])).await.unwrap();
    env.change(&change(&[("A", "1")], &[])).await.unwrap();
    assert_eq!(steps(&env.plan(&target).await.unwrap()), "", "what is there is what is to be there");
    target.there.lock().unwrap().clear();
    assert_eq!(steps(&env.plan(&target).await.unwrap()), "create A, create C");
    // Of another target nothing is known.
    let other = Target::at(Scripted::new(), "actor/0.2");
    other.holds("A", "1", true);
    assert_eq!(steps(&env.plan(&other).await.unwrap()), "update A, create C");
    assert!(f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn what_came_or_went_since_the_plan_is_as_well() {
    let f = Fixture::new().await;
    let target = Target::new();
    target.holds("B", "old", true);
    target.holds("X", "old", true);
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    let plan = env.plan(&target).await.unwrap().removing_others();
    assert_eq!(steps(&plan), "create A, update B, remove X");
    target.there.lock().unwrap().clear();
    target.holds("A", "somebody's", false);
    plan.apply().await.unwrap();
    assert_eq!(target.shown(), "A=1 B=2");
    assert_eq!(target.asked(), ["create A", "update A", "update B", "create B", "remove X"]);
    assert_eq!(steps(&env.plan(&target).await.unwrap()), "");
}

#[tokio::test]
async fn a_set_goes_to_its_own_place_alone() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    for provider in [
        Scripted::named("apify", "https://elsewhere.example"),
        Scripted::named("other", "https://api.apify.com"),
    ] {
        let target = Target::at(provider, "actor/0.1");
        assert_eq!(env.plan(&target).await.unwrap_err().kind(), ErrorKind::Misuse);
        assert_eq!((*target.lists.lock().unwrap(), target.asked().len()), (0, 0), "nobody is asked");
    }
    for id in ["", "a\n", &"x".repeat(256)] {
        let target = Target::at(Scripted::new(), id);
        assert_eq!(env.plan(&target).await.unwrap_err().kind(), ErrorKind::Misuse, "{id}");
    }
}

/// A plan is of one version of a set that may be used.
#[tokio::test]
async fn a_plan_of_what_is_no_more_sends_nothing() {
    let f = Fixture::new().await;
    let target = Target::new();
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    let uses = async || {
        let entries = f.vault.audit().of_tenant("t", 0, 1000).await.unwrap();
        entries.iter().filter(|entry| entry.draft.action == Action::Used).count()
    };
    let plan = env.plan(&target).await.unwrap();
    env.change(&change(&[("A", "new")], &[])).await.unwrap();
    assert_eq!(plan.apply().await.unwrap_err().kind(), ErrorKind::Conflict);
    let plan = env.plan(&target).await.unwrap();
    let _ = env.suspect_leak().finish().await.unwrap();
    assert_eq!(plan.apply().await.unwrap_err().kind(), ErrorKind::Suspected);
    assert_eq!(env.plan(&target).await.unwrap_err().kind(), ErrorKind::Suspected);
    env.clear_suspicion().await.unwrap();
    let plan = env.plan(&target).await.unwrap();
    let _ = env.remove().await.unwrap();
    assert_eq!(plan.apply().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!((target.asked().len(), uses().await), (0, 0), "nothing is sent, nothing opened");

    // One push, one use, however many variables.
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    env.plan(&target).await.unwrap().apply().await.unwrap();
    assert_eq!(uses().await, 1);

    // While it is at work: what was changed meanwhile is sent by the next one.
    env.change(&change(&[("A", "3"), ("B", "4")], &[])).await.unwrap();
    let mut push = env.plan(&target).await.unwrap().push();
    assert_eq!(push.next().await.unwrap().unwrap().to_string(), "update A");
    env.change(&change(&[("A", "1")], &[])).await.unwrap();
    assert_eq!(push.next().await.unwrap_err().kind(), ErrorKind::Conflict);
    let plan = env.plan(&target).await.unwrap();
    assert_eq!(steps(&plan), "update A, update B", "A was changed back, and is not what is there");
    plan.apply().await.unwrap();
    assert_eq!((target.shown().as_str(), opened(&env).await.as_deref()), ("A=1 B=4", Ok("A=1 B=4")));
    assert!(f.vault.verify().await.unwrap().is_whole());
}
