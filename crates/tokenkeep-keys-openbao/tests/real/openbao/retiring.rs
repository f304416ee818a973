//! The end of the key's versions, one by one, and who may bring it about.

use serde_json::json;
use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{DestroyableKeys, Destruction, End, KekState, KeyProvider, RetirableKeys};
use tokenkeep_keys_openbao::OpenBaoKeys;

use crate::support::{OPERATOR, Place, Sample, fails};

async fn state(keys: &OpenBaoKeys, id: &KekId) -> Option<KekState> {
    keys.keks().await.unwrap().into_iter().find(|kek| kek.id == *id).map(|kek| kek.state)
}

fn newest(place: &Place) -> u64 {
    place.server.read(&place.path()).unwrap()["data"]["latest_version"].as_u64().unwrap()
}

#[tokio::test]
async fn what_another_process_rotated_counts_at_once_when_asked() {
    let place = Place::new();
    let keys = place.keys();
    let sample = Sample::new();
    let old = *sample.wrap(&keys).await.unwrap().kek();
    let new = place.operator().rotate().await.unwrap();
    assert_eq!(sample.wrap(&keys).await.unwrap().kek(), &old, "it looks once a minute");
    keys.refresh().await.unwrap();
    let wrapped = sample.wrap(&keys).await.unwrap();
    assert_eq!(wrapped.kek(), &new);
    sample.unwrap(&keys, &wrapped).await.unwrap();
}

#[tokio::test]
async fn a_closed_version_wraps_nothing_more_for_whoever_has_not_looked() {
    let place = Place::new();
    let (stale, operator) = (place.keys(), place.operator());
    let sample = Sample::new();
    let wrapped = sample.wrap(&stale).await.unwrap();
    let first = *wrapped.kek();
    for _ in 0..3 {
        operator.close_version(&first).await.unwrap();
    }
    assert_eq!(newest(&place), 2, "repeated, it rotates no more");
    assert_ne!(sample.wrap(&stale).await.unwrap().kek(), &first, "a closed version wrapped");
    sample.unwrap(&stale, &wrapped).await.unwrap();

    // A version that is not the newest any more, and may still be wrapped under: nothing is rotated.
    let stale = place.keys();
    let second = *sample.wrap(&stale).await.unwrap().kek();
    let third = operator.rotate().await.unwrap();
    assert_eq!(sample.wrap(&stale).await.unwrap().kek(), &second);
    operator.close_version(&second).await.unwrap();
    assert_eq!(newest(&place), 3);
    assert_eq!(sample.wrap(&stale).await.unwrap().kek(), &third, "a closed version wrapped");
}

/// The service has one threshold for wrapping, and what is closed stays closed when something older is destroyed.
#[tokio::test]
async fn a_destruction_opens_no_closed_version() {
    let place = Place::new();
    let operator = place.operator();
    let sample = Sample::new();
    let first = *sample.wrap(&place.keys()).await.unwrap().kek();
    operator.close_version(&first).await.unwrap();
    let stale = place.keys();
    let second = *sample.wrap(&stale).await.unwrap().kek();
    operator.close_version(&second).await.unwrap();
    assert_eq!(operator.destroy_version(&first).await.unwrap(), Destruction::Confirmed);
    assert_ne!(sample.wrap(&stale).await.unwrap().kek(), &second, "a closed version wrapped");
}

#[tokio::test]
async fn a_destruction_that_broke_off_goes_on() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    operator.close_version(wrapped.kek()).await.unwrap();
    let config = json!({ "min_decryption_version": 2, "min_encryption_version": 2 });
    place.server.write(&format!("{}/config", place.path()), &config).unwrap();
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeyDisabled, "Disabled");
    assert_eq!(state(&keys, wrapped.kek()).await, None, "disabled is not destroyed");
    for _ in 0..2 {
        assert_eq!(operator.destroy_version(wrapped.kek()).await.unwrap(), Destruction::Confirmed);
    }
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeyDestroyed, "Destroyed");
    operator.close_version(wrapped.kek()).await.unwrap();
    assert_eq!(newest(&place), 2);
}

#[tokio::test]
async fn an_application_ends_nothing() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    let first = *wrapped.kek();
    fails(keys.close_version(&first).await, ErrorKind::KeysForbidden, "Forbidden");
    assert_eq!(newest(&place), 1);
    operator.rotate().await.unwrap();
    fails(keys.close_version(&first).await, ErrorKind::KeysForbidden, "Forbidden");
    fails(keys.destroy_version(&first).await, ErrorKind::KeysForbidden, "Forbidden");
    let token = place.token(&[crate::support::APPLICATION, crate::support::EPOCHS], "1h");
    for (what, data) in [
        ("config", json!({ "min_decryption_version": 2 })),
        ("config", json!({ "deletion_allowed": true })),
        ("trim", json!({ "min_available_version": 2 })),
        ("rotate", json!({})),
    ] {
        let path = format!("{}/{what}", place.path());
        let refused = place.server.write_as(token.expose_secret(), &path, &data).unwrap_err();
        assert!(refused.to_string().contains("403"), "{what}: {refused}");
    }
    sample.unwrap(&place.keys(), &wrapped).await.unwrap();
    operator.close_version(&first).await.unwrap();
    assert_eq!(operator.destroy_version(&first).await.unwrap(), Destruction::Confirmed);
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeyDestroyed, "Destroyed");
}

#[tokio::test]
async fn what_is_no_version_is_ended_by_nobody() {
    let (place, other) = (Place::new(), Place::new());
    let operator = place.operator();
    let epoch = place.keys().make_key().await.unwrap();
    let foreign = *Sample::new().wrap(&other.keys()).await.unwrap().kek();
    for id in [epoch, foreign, KekId::random().unwrap()] {
        fails(operator.close_version(&id).await, ErrorKind::Misuse, "Misuse");
        let error = fails(operator.destroy_version(&id).await, ErrorKind::Misuse, "Misuse");
        assert_eq!(error.report().contains("retire the epoch"), id == epoch, "{}", error.report());
    }
    assert_eq!((newest(&place), newest(&other)), (1, 1));
    assert_eq!(state(&place.keys(), &epoch).await, Some(KekState::OpenOnly));
}

#[tokio::test]
async fn a_version_that_may_have_left_has_no_provable_end() {
    let place = Place::new();
    let operator = place.operator();
    let first = *Sample::new().wrap(&place.keys()).await.unwrap().kek();
    let config = format!("{}/config", place.path());
    let token = place.token(&[OPERATOR], "1h");
    let refused = place.server.write_as(token.expose_secret(), &config, &json!({ "exportable": true }));
    assert!(refused.unwrap_err().to_string().contains("403"));
    place.server.write(&config, &json!({ "exportable": true })).unwrap();
    operator.close_version(&first).await.unwrap();
    assert_eq!(operator.destroy_version(&first).await.unwrap(), Destruction::Unprovable);
}

/// As a vault takes the steps, and as each of them may be the first that a new process makes.
#[tokio::test]
async fn a_version_is_retired_step_by_step() {
    let place = Place::new();
    let keys = place.keys();
    let (sample, ids) = (Sample::new(), place.versions(&keys, 3).await);
    let operator = || Box::new(place.operator()) as Box<dyn RetirableKeys>;
    assert_eq!(operator().settles_in(), std::time::Duration::from_secs(60));
    let state = async |id: &KekId| operator().kek_state(id).await.unwrap();
    assert_eq!(state(&ids[0]).await, Some(KekState::OpenOnly));
    assert_eq!(state(&ids[2]).await, Some(KekState::Primary));
    assert_eq!(state(&KekId::random().unwrap()).await, None);
    let error = fails(operator().destroy_kek(&ids[1]).await, ErrorKind::Misuse, "OutOfOrder");
    assert!(error.report().contains("retire the older ones first"), "{}", error.report());
    fails(operator().destroy_kek(&ids[2]).await, ErrorKind::Misuse, "OutOfOrder");

    operator().make_open_only(&ids[0]).await.unwrap();
    assert_eq!(operator().mark_drained(&ids[0]).await.unwrap(), None);
    // Broken off: it is neither gone nor forgotten, but a new process can't tell whether it is that version.
    let config = |version| {
        let data = json!({ "min_decryption_version": version });
        place.server.write(&format!("{}/config", place.path()), &data).unwrap();
    };
    config(2);
    fails(operator().kek_state(&ids[0]).await, ErrorKind::KeyDisabled, "Disabled");
    fails(operator().destroy_kek(&ids[0]).await, ErrorKind::KeyDisabled, "Disabled");
    config(1);
    assert_eq!(state(&ids[0]).await, Some(KekState::OpenOnly));
    let last = operator();
    for _ in 0..2 {
        let end = last.destroy_kek(&ids[0]).await.unwrap();
        assert_eq!(end, End::Destroyed(Destruction::Confirmed));
        assert_eq!(state(&ids[0]).await, Some(KekState::Destroyed));
    }
    assert_eq!(operator().destroy_kek(&ids[0]).await.unwrap(), End::Destroyed(Destruction::Unprovable));
    operator().make_open_only(&ids[2]).await.unwrap();
    assert_eq!(state(&ids[2]).await, Some(KekState::OpenOnly));
    assert_eq!(newest(&place), 4);
    sample.unwrap(&keys, &sample.wrap(&keys).await.unwrap()).await.unwrap();

    let epoch = keys.make_key().await.unwrap();
    fails(operator().kek_state(&epoch).await, ErrorKind::Misuse, "Misuse");
    fails(operator().make_open_only(&epoch).await, ErrorKind::Misuse, "Misuse");
    fails(operator().destroy_kek(&epoch).await, ErrorKind::Misuse, "Misuse");
    assert_eq!(self::state(&keys, &epoch).await, Some(KekState::OpenOnly));
}
