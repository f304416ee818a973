//! How long an instance holds an epoch, and what makes it let go of one.

use std::sync::Arc;

use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{
    DestroyableKeys, EpochEvent, EpochRecord, EpochState, EpochStore, KekState, KeyProvider, MemoryEpochStore,
};

use crate::service::{
    Home, MINUTE, SECOND, fails_with, open, open_for, seal, seal_for, settle, token_context,
    vault_key_context,
};

async fn only_row(home: &Home) -> EpochRecord {
    let rows = home.store.epochs().await.unwrap();
    let [row] = &rows[..] else { panic!("{} epochs", rows.len()) };
    row.clone()
}

#[tokio::test]
async fn within_the_maximum_age_nobody_is_asked_and_after_it_once() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    let (keys, before) = (home.instance(), home.service.all_calls());
    for _ in 0..1000 {
        open(&keys, &envelope).await.unwrap();
    }
    assert_eq!(home.service.all_calls() - before, 1);
    // Nobody calls for an hour, so that nothing is renewed beside a call.
    home.clock.pass(MINUTE * 60);
    for _ in 0..1000 {
        open(&keys, &envelope).await.unwrap();
    }
    assert_eq!(home.service.all_calls() - before, 2);
    // And one for the seal.
    assert_eq!(home.told.count(|event| matches!(event, EpochEvent::Hit { .. })), 1998 + 1);
}

/// While there are calls, none of them waits for the provider: what is held is renewed beside them before its time is over.
#[tokio::test]
async fn it_is_renewed_beside_the_calls() {
    let home = Home::new();
    let keys = home.instance();
    let envelope = seal(&keys).await.unwrap();
    home.clock.pass(MINUTE * 8);
    home.service.hold();
    let before = home.service.all_calls();
    for _ in 0..100 {
        open(&keys, &envelope).await.unwrap();
    }
    settle().await;
    assert_eq!((home.service.waiting(), home.service.all_calls() - before), (1, 1));
    home.service.let_through();
    settle().await;
    for _ in 0..100 {
        open(&keys, &envelope).await.unwrap();
    }
    assert_eq!(home.service.all_calls() - before, 1);
    // It is as old as its call: 7 minutes later it is young still.
    home.clock.pass(MINUTE * 7);
    open(&keys, &envelope).await.unwrap();
    assert_eq!(home.service.all_calls() - before, 1);
}

/// The service is down when it is due: what is held goes on to the maximum age, and not beyond.
#[tokio::test]
async fn what_is_held_goes_on_until_its_time_is_over() {
    let home = Home::new();
    let keys = home.instance();
    let envelope = seal(&keys).await.unwrap();
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    for _ in 0..599 {
        home.clock.pass(SECOND);
        open(&keys, &envelope).await.unwrap();
        seal(&keys).await.unwrap();
    }
    home.clock.pass(SECOND);
    fails_with(open(&keys, &envelope).await, ErrorKind::KeysUnavailable);
    fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
    home.service.fails(None);
    home.clock.pass(SECOND);
    open(&keys, &envelope).await.unwrap();
    seal(&keys).await.unwrap();
}

/// A provider that says that the key is gone is believed at once, however young what is held is.
#[tokio::test]
async fn a_destroyed_key_is_let_go_of_when_that_is_told() {
    let home = Home::new();
    let keys = home.instance();
    let envelope = seal(&keys).await.unwrap();
    let row = only_row(&home).await;
    let key = *tokenkeep_core::Envelope::decode(row.sealed).unwrap().kek();
    home.service.destroy_key(&key).await.unwrap();
    home.clock.pass(MINUTE * 8);
    open(&keys, &envelope).await.unwrap();
    settle().await;
    fails_with(open(&keys, &envelope).await, ErrorKind::KeyDestroyed);
}

/// A record with another content is not served from what is held of the old one.
#[tokio::test]
async fn a_changed_record_is_unwrapped_anew() {
    let home = Home::new();
    let (keys, thief) = (home.instance(), Home::new());
    let envelope = seal(&keys).await.unwrap();
    let row = only_row(&home).await;
    // An envelope that another service sealed, and one whose age was altered.
    seal(&thief.instance()).await.unwrap();
    let foreign = only_row(&thief).await.sealed;
    let mut altered = row.sealed.clone();
    *altered.last_mut().unwrap() ^= 1;
    for (sealed, kind) in [(foreign, ErrorKind::KeysWrong), (altered, ErrorKind::Tampered)] {
        let now = only_row(&home).await;
        let changed = EpochRecord { sealed, revision: now.revision.next(), ..now };
        home.store.update_epoch(&changed).await.unwrap();
        home.clock.pass(MINUTE * 10);
        fails_with(open(&keys, &envelope).await, kind);
        home.clock.pass(SECOND);
    }
    assert_eq!(home.told.count(|event| matches!(event, EpochEvent::Wiped { .. })), 1);
    let now = only_row(&home).await;
    let back = EpochRecord { sealed: row.sealed, revision: now.revision.next(), ..now };
    home.store.update_epoch(&back).await.unwrap();
    home.clock.pass(MINUTE * 10);
    open(&keys, &envelope).await.unwrap();
}

/// Also while what is held is young: the record decides.
#[tokio::test]
async fn a_changed_record_counts_once_it_was_read() {
    let home = Home::new();
    let keys = home.instance();
    let envelope = seal(&keys).await.unwrap();
    let row = only_row(&home).await;
    let mut sealed = row.sealed.clone();
    *sealed.last_mut().unwrap() ^= 1;
    let altered = EpochRecord { sealed, revision: row.revision.next(), ..row.clone() };
    home.store.update_epoch(&altered).await.unwrap();
    open(&keys, &envelope).await.unwrap();
    keys.refresh().await.unwrap();
    fails_with(open(&keys, &envelope).await, ErrorKind::Tampered);
    // Wraps set aside are a change too, but not of what was unwrapped.
    let back = EpochRecord { sealed: row.sealed, revision: altered.revision.next(), ..altered };
    home.store.update_epoch(&back).await.unwrap();
    keys.refresh().await.unwrap();
    home.clock.pass(SECOND);
    open(&keys, &envelope).await.unwrap();
    let before = home.service.all_calls();
    let more =
        EpochRecord { wraps_reserved: back.wraps_reserved + 1, revision: back.revision.next(), ..back };
    home.store.update_epoch(&more).await.unwrap();
    keys.refresh().await.unwrap();
    open(&keys, &envelope).await.unwrap();
    assert_eq!(home.service.all_calls(), before);
}

/// Another age makes another context: who can write to the store makes no epoch younger.
#[tokio::test]
async fn an_altered_age_is_refused() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    let row = only_row(&home).await;
    let altered = Arc::new(MemoryEpochStore::new());
    altered.insert_epoch(&EpochRecord { created_at: row.created_at + 1, ..row }, None).await.unwrap();
    let keys = home.options().build(home.service.clone(), altered).unwrap();
    fails_with(open(&keys, &envelope).await, ErrorKind::Tampered);
}

#[tokio::test]
async fn two_epochs_are_not_exchanged() {
    let home = Home::new();
    let keys = home.instance();
    let first = seal(&keys).await.unwrap();
    home.clock.pass(MINUTE * 60 * 24 * 31);
    let second = seal(&keys).await.unwrap();
    let mut rows = home.store.epochs().await.unwrap();
    let (one, other) = (rows[0].sealed.clone(), rows[1].sealed.clone());
    (rows[0].sealed, rows[1].sealed) = (other, one);
    let exchanged = Arc::new(MemoryEpochStore::new());
    for row in &rows {
        exchanged.insert_epoch(row, None).await.unwrap();
    }
    let keys = home.options().build(home.service.clone(), exchanged).unwrap();
    fails_with(open(&keys, &first).await, ErrorKind::Tampered);
    fails_with(open(&keys, &second).await, ErrorKind::Tampered);
}

/// The database, the epochs with it, and another service: nothing opens, also not with a service that answers.
#[tokio::test]
async fn a_stolen_database_with_its_epochs_opens_nothing() {
    let home = Home::new();
    let envelope = seal(&home.instance()).await.unwrap();
    let thief = Home { store: Arc::clone(&home.store), ..Home::new() };
    fails_with(open(&thief.instance(), &envelope).await, ErrorKind::KeysWrong);
    // The rows and the envelopes hold the epoch's key nowhere.
    let row = only_row(&home).await;
    let sealed = tokenkeep_core::Envelope::decode(row.sealed.clone()).unwrap();
    let context = tokenkeep_core::EncryptionContext::for_epoch(&row.id, row.created_at);
    let dek = home.service.unwrap_dek(&sealed.unwrap_request(&context)).await.unwrap();
    let key = tokenkeep_core::open_payload(&sealed, &dek, &context).unwrap();
    assert_eq!(key.len(), 32);
    for stolen in [row.sealed, envelope.into_bytes()] {
        assert!(stolen.windows(8).all(|bytes| key.windows(8).all(|part| part != bytes)));
    }
}

#[tokio::test]
async fn vault_keys_and_what_is_no_epochs_go_to_the_service_itself() {
    let home = Home::new();
    let keys = home.instance();
    let key = seal_for(&keys, &vault_key_context()).await.unwrap();
    assert_eq!(home.store.epochs().await.unwrap(), []);
    open_for(&home.service, &key, &vault_key_context()).await.unwrap();
    open_for(&keys, &key, &vault_key_context()).await.unwrap();
    // A token from before there were epochs.
    let old = seal(&home.service).await.unwrap();
    open(&keys, &old).await.unwrap();
    let token = seal(&keys).await.unwrap();
    assert_eq!(*token.kek(), only_row(&home).await.id);
    fails_with(open(&home.service, &token).await, ErrorKind::KeysWrong);
    fails_with(open_for(&keys, &token, &token_context("another")).await, ErrorKind::Tampered);
}

/// An epoch that another instance made just now is found, though the records were read just before.
#[tokio::test]
async fn another_instances_epoch_is_found_at_once() {
    let home = Home::new();
    let (one, other) = (home.instance(), home.instance());
    let first = seal(&one).await.unwrap();
    open(&other, &first).await.unwrap();
    home.clock.pass(MINUTE * 60 * 24 * 31);
    open(&other, &first).await.unwrap();
    let second = seal(&one).await.unwrap();
    assert_ne!(first.kek(), second.kek());
    open(&other, &second).await.unwrap();
}

#[tokio::test]
async fn the_list_has_one_primary_and_every_key() {
    let home = Home::new();
    let keys = home.instance();
    for _ in 0..2 {
        let list = keys.keks().await.unwrap();
        let primary: Vec<KekId> =
            list.iter().filter(|kek| kek.state == KekState::Primary).map(|kek| kek.id).collect();
        assert_eq!(primary, [*seal(&keys).await.unwrap().kek()]);
        // The service's primary, the epoch, and the key that wraps it.
        assert_eq!(list.len(), 3);
    }
}

#[tokio::test]
async fn status_and_events_tell_what_is_held() {
    let home = Home::new();
    let keys = home.instance();
    let envelope = seal(&keys).await.unwrap();
    home.clock.pass(MINUTE);
    let [status] = &keys.status().await.unwrap()[..] else { panic!() };
    assert_eq!((status.id, status.state, status.age), (*envelope.kek(), EpochState::Active, MINUTE));
    assert_eq!(status.wraps_left, (1 << 32) - 1);
    assert_eq!((status.held_for, status.on_grace), (Some(MINUTE), false));
    let called = |event: &EpochEvent| matches!(event, EpochEvent::Called { failed: None, .. });
    assert_eq!(home.told.count(called) as u64, home.service.all_calls());
}

/// With the real clock: a key is wiped when its time is over, though nobody calls.
#[tokio::test]
async fn an_idle_instance_wipes() {
    let home = Home::new();
    let options = tokenkeep_keys::EpochKeys::options().observer(home.told.clone()).max_age(SECOND);
    let keys = home.with(options);
    seal(&keys).await.unwrap();
    let wiped = |event: &EpochEvent| matches!(event, EpochEvent::Wiped { .. });
    assert_eq!(home.told.count(wiped), 0);
    for _ in 0..100 {
        tokio::time::sleep(SECOND / 20).await;
        if home.told.count(wiped) == 1 {
            return;
        }
    }
    panic!("it is still held after 5 seconds");
}
