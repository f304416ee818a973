//! What is known of the targets of a set, and what is there beside it.

use tokenkeep::{Action, ConnectionId, ErrorKind};

use crate::common::{Fixture, Scripted};
use crate::push::steps;
use crate::sets::{change, vars};
use crate::target::{Fate, Target};

/// A value that was overwritten by hand is not seen; one who knows can have all of it sent again.
#[tokio::test]
async fn all_of_a_set_can_be_sent_again() {
    let f = Fixture::new().await;
    let target = Target::new();
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    env.plan(&target).await.unwrap().apply().await.unwrap();
    target.holds("A", "overwritten", true);
    target.holds("X", "theirs", false);
    env.change(&change(&[("A", "1")], &[])).await.unwrap();
    assert_eq!(steps(&env.plan(&target).await.unwrap()), "");

    env.change(&change(&[("B", "3")], &[])).await.unwrap();
    let plan = env.plan(&target).await.unwrap().sending_all().removing_others();
    assert_eq!((steps(&plan).as_str(), plan.unchanged().len()), ("update B, update A, remove X", 0));
    // An interrupted one leaves what it did not send for the next plan.
    let mut push = plan.push();
    push.next().await.unwrap().unwrap();
    drop(push);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let plan = env.plan(&target).await.unwrap();
    assert_eq!(steps(&plan), "update A");
    plan.apply().await.unwrap();
    assert_eq!(target.shown(), "A=1 B=3 X=theirs!");
}

#[tokio::test]
async fn a_name_that_nothing_can_be_sent_to_is_listed_and_left() {
    let f = Fixture::new().await;
    let target = Target::new();
    let env = f.vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
    target.holds("a\u{200b}", "odd", false);
    target.holds("X", "theirs", false);
    let plan = env.plan(&target).await.unwrap().removing_others();
    assert_eq!(steps(&plan), "create A, remove X");
    assert_eq!(plan.out_of_reach(), ["a\\u{200b}"]);
    assert!(plan.to_string().ends_with("\n  untouched  a\\u{200b}"), "{plan}");
    plan.apply().await.unwrap();
    assert_eq!(target.shown(), "A=1 a\u{200b}=odd!");
}

/// Who has to send anew, or to clear up behind a removal, learns where.
#[tokio::test]
async fn where_a_set_was_sent_to_is_known() {
    let f = Fixture::new().await;
    let env = f.vault.secret_env("t", "scraper").unwrap();
    assert_eq!(env.targets().await.unwrap_err().kind(), ErrorKind::NotConnected);
    env.create(&f.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    assert!(env.targets().await.unwrap().is_empty());
    let (one, two) = (Target::new(), Target::at(Scripted::new(), "actor/0.2"));
    env.plan(&one).await.unwrap().apply().await.unwrap();
    f.clock.advance(1000);
    // Also where it did not come to an end.
    two.will(1, Fate::Refused(ErrorKind::ScopeTooSmall));
    env.plan(&two).await.unwrap().apply().await.unwrap_err();
    env.change(&change(&[("B", "3")], &[])).await.unwrap();
    let _ = env.suspect_leak().finish().await.unwrap();

    let targets = env.targets().await.unwrap();
    let shown: Vec<String> = targets.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["actor/0.1, 1 to be sent", "actor/0.2, 1 to be sent"]);
    assert_eq!((&targets[0].current, &targets[0].behind), (&vec!["A".to_owned()], &vec!["B".to_owned()]));
    assert!(targets[0].sent_at < targets[1].sent_at);

    // The trail has it when the set is gone.
    let _ = env.remove().await.unwrap();
    let index = ConnectionId::new("t", "~env-index/scraper").unwrap();
    let entries = f.vault.audit().of_tenant("t", 0, 1000).await.unwrap();
    let mut noted: Vec<String> = entries
        .iter()
        .filter(|entry| entry.draft.id == index && entry.draft.action == Action::Replaced)
        .filter_map(|entry| entry.draft.subject.clone())
        .collect();
    noted.dedup();
    assert_eq!(noted, ["actor/0.1", "actor/0.2"]);
    assert!(f.vault.verify().await.unwrap().is_whole());
}
