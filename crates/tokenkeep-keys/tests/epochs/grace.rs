//! The time of grace: off unless it is asked for, bounded, told, and for opening alone.

use futures_util::future::join_all;
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::EpochEvent;

use crate::service::{DAY, Home, MINUTE, SECOND, fails_with, open, seal, settle};

fn graces(home: &Home) -> usize {
    home.told.count(|event| matches!(event, EpochEvent::Grace { .. }))
}

#[tokio::test]
async fn it_opens_for_so_long_and_never_seals() {
    let home = Home::new();
    let keys = home.with(home.options().grace(MINUTE * 5));
    let envelope = seal(&keys).await.unwrap();
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    home.clock.pass(MINUTE * 10);
    for minute in 1..=5 {
        open(&keys, &envelope).await.unwrap();
        assert_eq!(graces(&home), minute);
        fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
        assert!(keys.status().await.unwrap()[0].on_grace);
        home.clock.pass(MINUTE);
    }
    fails_with(open(&keys, &envelope).await, ErrorKind::KeysUnavailable);
    assert_eq!(graces(&home), 5);
    // It is back: no restart, and no grace.
    home.service.fails(None);
    home.clock.pass(SECOND);
    open(&keys, &envelope).await.unwrap();
    seal(&keys).await.unwrap();
    assert_eq!(graces(&home), 5);
    assert!(!keys.status().await.unwrap()[0].on_grace);
}

/// Only an outage is borne: what the provider refuses is refused.
#[tokio::test]
async fn a_refusal_is_no_outage() {
    for kind in [ErrorKind::KeyDestroyed, ErrorKind::KeysWrong, ErrorKind::KeysUnusable, ErrorKind::Tampered]
    {
        let home = Home::new();
        let keys = home.with(home.options().grace(DAY));
        let envelope = seal(&keys).await.unwrap();
        home.service.fails(Some(kind));
        home.clock.pass(MINUTE * 10);
        fails_with(open(&keys, &envelope).await, kind);
        assert_eq!(graces(&home), 0);
    }
}

/// A provider that hangs: once it is known to be down, nobody waits for it.
#[tokio::test]
async fn nobody_waits_for_a_provider_that_is_down() {
    let home = Home::new();
    let keys = home.with(home.options().grace(MINUTE * 5));
    let envelope = seal(&keys).await.unwrap();
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    home.clock.pass(MINUTE * 11);
    open(&keys, &envelope).await.unwrap();
    home.clock.pass(SECOND * 2);
    home.service.hold();
    for _ in 0..10 {
        open(&keys, &envelope).await.unwrap();
    }
    settle().await;
    assert_eq!(home.service.waiting(), 1);
    home.service.fails(None);
    home.service.let_through();
    settle().await;
    let before = graces(&home);
    open(&keys, &envelope).await.unwrap();
    assert_eq!(graces(&home), before);
}

/// An outage is over once nothing failed for a while: what the provider says then is waited for, by everybody.
#[tokio::test]
async fn an_outage_of_long_ago_is_none() {
    let home = Home::new();
    let keys = home.with(home.options().grace(MINUTE * 60));
    let envelope = seal(&keys).await.unwrap();
    home.clock.pass(MINUTE * 9);
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    open(&keys, &envelope).await.unwrap();
    settle().await;
    // It was back at once, and the key was disabled; nobody called for 50 minutes.
    home.service.fails(Some(ErrorKind::KeyDisabled));
    home.clock.pass(MINUTE * 50);
    for open in join_all((0..100).map(|_| open(&keys, &envelope))).await {
        fails_with(open, ErrorKind::KeyDisabled);
    }
    assert_eq!(graces(&home), 0);
}
