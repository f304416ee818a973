//! Which key an id means: neither another service's of the same name and number, nor one that was made anew.

use serde_json::json;
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{Destruction, KekState, KeyProvider, RetirableKeys};
use tokenkeep_testkit::ThrowawayOpenBao;

use crate::support::{APPLICATION, Place, Sample, builder, fails, token};

/// Creation times are in seconds.
const ANOTHER_SECOND: std::time::Duration = std::time::Duration::from_millis(1100);

fn config(place: &Place, data: &serde_json::Value) {
    place.server.write(&format!("{}/config", place.path()), data).unwrap();
}

async fn make_anew(place: &Place) {
    config(place, &json!({ "deletion_allowed": true }));
    place.server.delete(&place.path()).unwrap();
    tokio::time::sleep(ANOTHER_SECOND).await;
    place.server.write(&place.path(), &json!({ "derived": true })).unwrap();
}

#[tokio::test]
async fn the_end_of_a_key_is_not_the_end_of_its_namesake_elsewhere() {
    let place = Place::new();
    let operator = place.operator();
    let mine = operator.keks().await.unwrap()[0].id;
    tokio::time::sleep(ANOTHER_SECOND).await;
    let other = ThrowawayOpenBao::start().unwrap();
    other.write(&place.path(), &json!({ "derived": true })).unwrap();
    let there = builder(&other, &place.key).token(token(other.root_token())).build().unwrap();
    let sample = Sample::new();
    let theirs = sample.wrap(&there).await.unwrap();

    operator.rotate().await.unwrap();
    assert_eq!(operator.destroy_version(&mine).await.unwrap(), Destruction::Confirmed);
    fails(operator.destroy_version(theirs.kek()).await, ErrorKind::Misuse, "Misuse");
    assert_eq!(operator.kek_state(theirs.kek()).await.unwrap(), None);
    // Who never saw the version can't tell, and says so.
    assert_eq!(place.operator().destroy_version(theirs.kek()).await.unwrap(), Destruction::Unprovable);
    sample.unwrap(&there, &theirs).await.unwrap();

    // A name tells them apart.
    let there = builder(&other, &place.key).service("staging").token(token(other.root_token()));
    let theirs = sample.wrap(&there.build().unwrap()).await.unwrap();
    let keys = |name| place.builder().service(name).token(place.token(&[APPLICATION], "1h")).build().unwrap();
    fails(sample.unwrap(&keys("production"), &theirs).await, ErrorKind::KeysWrong, "UnknownKey");
    fails(place.operator().destroy_version(theirs.kek()).await, ErrorKind::Misuse, "Misuse");
    fails(sample.unwrap(&keys("staging"), &theirs).await, ErrorKind::KeyDestroyed, "Destroyed");
}

#[tokio::test]
async fn a_former_keys_id_ends_no_version_of_the_new_key() {
    let place = Place::new();
    let sample = Sample::new();
    let former = sample.wrap(&place.keys()).await.unwrap();
    // There is a copy of the former key, so that nobody may say it is gone.
    config(&place, &json!({ "exportable": true }));
    make_anew(&place).await;
    let operator = place.operator();
    let anew = operator.keks().await.unwrap()[0].id;
    fails(operator.destroy_version(former.kek()).await, ErrorKind::Misuse, "Misuse");
    operator.rotate().await.unwrap();
    config(&place, &json!({ "min_decryption_version": 2 }));
    for operator in [&place.operator(), &operator] {
        // Disabled, a version is not listed: who did not see it before must not touch it.
        let unseen = operator.kek_state(&anew).await.is_err();
        let (kind, failure) = match unseen {
            true => (ErrorKind::KeyDisabled, "Disabled"),
            false => (ErrorKind::Misuse, "Misuse"),
        };
        fails(operator.destroy_version(former.kek()).await, kind, failure);
        fails(operator.close_version(former.kek()).await, kind, failure);
    }
    fails(place.operator().destroy_version(&anew).await, ErrorKind::KeyDisabled, "Disabled");
    let left = &place.server.read(&place.path()).unwrap()["data"];
    assert_eq!(left["min_available_version"], 0, "a version was trimmed");

    // Enabled again, it is seen; and what one process saw it knows when the version is disabled.
    config(&place, &json!({ "min_decryption_version": 1 }));
    let fresh = place.operator();
    assert_eq!(fresh.kek_state(&anew).await.unwrap(), Some(KekState::OpenOnly));
    config(&place, &json!({ "min_decryption_version": 2 }));
    assert_eq!(fresh.destroy_version(&anew).await.unwrap(), Destruction::Confirmed);
    assert_eq!(fresh.destroy_version(&anew).await.unwrap(), Destruction::Confirmed);
    fails(fresh.destroy_version(former.kek()).await, ErrorKind::Misuse, "Misuse");
    assert_eq!(place.operator().destroy_version(former.kek()).await.unwrap(), Destruction::Unprovable);
}

/// What was seen of a key says nothing of the one in its place, though no listed version contradicts it.
#[tokio::test]
async fn a_key_made_anew_and_rotated_ends_no_former_version() {
    let place = Place::new();
    let operator = place.operator();
    let former = operator.keks().await.unwrap()[0].id;
    make_anew(&place).await;
    place.server.write(&format!("{}/rotate", place.path()), &json!({})).unwrap();
    config(&place, &json!({ "min_decryption_version": 2 }));
    fails(operator.destroy_version(&former).await, ErrorKind::KeyDisabled, "Disabled");
    config(&place, &json!({ "min_encryption_version": 2 }));
    place.server.write(&format!("{}/trim", place.path()), &json!({ "min_available_version": 2 })).unwrap();
    assert_eq!(operator.destroy_version(&former).await.unwrap(), Destruction::Unprovable);
    assert!(operator.keks().await.unwrap().iter().all(|kek| kek.id != former), "the former key is listed");
}

#[tokio::test]
async fn what_is_wrapped_before_the_new_key_is_seen_opens() {
    let place = Place::new();
    let (keys, sample) = (place.keys(), Sample::new());
    let former = sample.wrap(&keys).await.unwrap();
    make_anew(&place).await;
    // Within the minute: the id is the former key's, and the service knows the new one alone.
    let wrapped = sample.wrap(&keys).await.unwrap();
    assert_eq!(wrapped.kek(), former.kek());
    sample.unwrap(&keys, &wrapped).await.unwrap();
    keys.refresh().await.unwrap();
    for keys in [&keys, &place.keys()] {
        sample.unwrap(keys, &wrapped).await.unwrap();
        fails(sample.unwrap(keys, &former).await, ErrorKind::KeysWrong, "UnknownKey");
        fails(Sample::new().unwrap(keys, &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    }
    assert_ne!(sample.wrap(&keys).await.unwrap().kek(), former.kek());
}
