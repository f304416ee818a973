//! Keys that are destroyed alone.

use serde_json::json;
use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{DestroyableKeys, Destruction, KekState, KeyProvider};

use crate::support::{APPLICATION, EPOCHS, OPERATOR, Place, Sample, fails, own_path};

async fn state(keys: &dyn KeyProvider, id: &KekId) -> Option<KekState> {
    keys.keks().await.unwrap().into_iter().find(|kek| kek.id == *id).map(|kek| kek.state)
}

#[tokio::test]
async fn each_is_made_used_and_destroyed_alone() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let ids = [keys.make_key().await.unwrap(), keys.make_key().await.unwrap()];
    let sample = Sample::new();
    let mut wrapped = Vec::new();
    for id in &ids {
        let one = keys.wrap_under(id, &sample.request()).await.unwrap();
        assert_eq!(one.kek(), id);
        sample.unwrap(&keys, &one).await.unwrap();
        fails(Sample::new().unwrap(&keys, &one).await, ErrorKind::Tampered, "Rejected");
        assert_eq!(state(&keys, id).await, Some(KekState::OpenOnly));
        wrapped.push(one);
    }
    fails(keys.destroy_key(&ids[1]).await, ErrorKind::KeysForbidden, "Forbidden");
    sample.unwrap(&keys, &wrapped[1]).await.unwrap();
    // The later one first: they are independent.
    for _ in 0..2 {
        assert_eq!(operator.destroy_key(&ids[1]).await.unwrap(), Destruction::Confirmed);
    }
    for keys in [&keys, &place.keys()] {
        fails(sample.unwrap(keys, &wrapped[1]).await, ErrorKind::KeyDestroyed, "Destroyed");
        fails(keys.wrap_under(&ids[1], &sample.request()).await, ErrorKind::KeyDestroyed, "Destroyed");
        assert_eq!(state(keys, &ids[1]).await, Some(KekState::Destroyed));
        sample.unwrap(keys, &wrapped[0]).await.unwrap();
        assert_eq!(state(keys, &ids[0]).await, Some(KekState::OpenOnly));
    }
    let back = place
        .server
        .write(&format!("{}/config", own_path(&place, &ids[1])), &json!({ "min_decryption_version": 1 }));
    assert!(back.is_err(), "the service brings a trimmed version back");
}

#[tokio::test]
async fn a_destruction_that_broke_off_goes_on() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let sample = Sample::new();
    for done in 1..=2 {
        let id = keys.make_key().await.unwrap();
        let wrapped = keys.wrap_under(&id, &sample.request()).await.unwrap();
        let path = own_path(&place, &id);
        place.server.write(&format!("{path}/rotate"), &json!({})).unwrap();
        sample.unwrap(&keys, &wrapped).await.unwrap();
        if done == 2 {
            let data = json!({ "min_decryption_version": 2, "min_encryption_version": 2 });
            place.server.write(&format!("{path}/config"), &data).unwrap();
            fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeyDisabled, "Disabled");
            assert_eq!(state(&keys, &id).await, Some(KekState::OpenOnly), "not destroyed yet");
        }
        assert_eq!(operator.destroy_key(&id).await.unwrap(), Destruction::Confirmed);
        fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeyDestroyed, "Destroyed");
    }
}

#[tokio::test]
async fn what_is_not_known_is_not_called_destroyed() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let id = keys.make_key().await.unwrap();
    let sample = Sample::new();
    let wrapped = keys.wrap_under(&id, &sample.request()).await.unwrap();
    let path = own_path(&place, &id);
    place.server.write(&format!("{path}/config"), &json!({ "deletion_allowed": true })).unwrap();
    place.server.delete(&path).unwrap();
    fails(operator.destroy_key(&id).await, ErrorKind::KeysWrong, "UnknownKey");
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    // An update of a key that is not there is refused: it is not made by the way.
    fails(keys.wrap_under(&id, &sample.request()).await, ErrorKind::KeysWrong, "UnknownKey");
    assert!(place.server.read(&path).is_err(), "it was made again");
    assert_eq!(state(&keys, &id).await, None);
    let primary = *sample.wrap(&keys).await.unwrap().kek();
    fails(operator.destroy_key(&primary).await, ErrorKind::KeysWrong, "UnknownKey");
    fails(operator.destroy_key(&KekId::random().unwrap()).await, ErrorKind::KeysWrong, "UnknownKey");
}

#[tokio::test]
async fn a_key_that_may_have_left_has_no_provable_end() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let id = keys.make_key().await.unwrap();
    let config = format!("{}/config", own_path(&place, &id));
    for flag in ["exportable", "allow_plaintext_backup", "deletion_allowed"] {
        for policies in [&[APPLICATION, EPOCHS][..], &[OPERATOR]] {
            let token = place.token(policies, "1h");
            let set = place.server.write_as(token.expose_secret(), &config, &json!({ flag: true }));
            assert!(set.unwrap_err().to_string().contains("403"), "a policy lets {flag} be set");
        }
    }
    place.server.write(&config, &json!({ "exportable": true })).unwrap();
    assert_eq!(operator.destroy_key(&id).await.unwrap(), Destruction::Unprovable);
}

#[tokio::test]
async fn without_the_setting_there_are_none() {
    let place = Place::new();
    let id = place.keys().make_key().await.unwrap();
    let sample = Sample::new();
    let wrapped = place.keys().wrap_under(&id, &sample.request()).await.unwrap();
    let plain = place.builder().token(place.token(&[APPLICATION], "1h")).build().unwrap();
    fails(plain.make_key().await, ErrorKind::Misuse, "Misuse");
    fails(plain.destroy_key(&id).await, ErrorKind::Misuse, "Misuse");
    fails(sample.unwrap(&plain, &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    assert_eq!(plain.keks().await.unwrap().len(), 1);
}

/// Anybody with the application's policy may make a key that binds no context.
#[tokio::test]
async fn a_key_that_is_not_fit_hides_no_other() {
    let place = Place::new();
    let (keys, operator, sample) = (place.keys(), place.operator(), Sample::new());
    let id = keys.make_key().await.unwrap();
    let wrapped = keys.wrap_under(&id, &sample.request()).await.unwrap();
    let bad = KekId::from_slice(&[&id.as_bytes()[..9], &[0xbd; 16]].concat()).unwrap();
    let token = place.token(&[APPLICATION, EPOCHS], "1h");
    place.server.write_as(token.expose_secret(), &own_path(&place, &bad), &json!({})).unwrap();
    assert_eq!(state(&keys, &id).await, Some(KekState::OpenOnly));
    assert_eq!(state(&keys, &bad).await, None);
    fails(operator.destroy_key(&bad).await, ErrorKind::KeysInsecure, "KeyUnfit");
    sample.unwrap(&keys, &wrapped).await.unwrap();
    assert_eq!(operator.destroy_key(&id).await.unwrap(), Destruction::Confirmed);
}
