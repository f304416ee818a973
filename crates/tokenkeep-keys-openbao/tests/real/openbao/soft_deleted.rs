//! A soft delete: the key is disabled, whoever asks, until the operator restores it.

use serde_json::json;
use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{DestroyableKeys, Destruction, KekState, KeyProvider, RetirableKeys};

use crate::support::{APPLICATION, EPOCHS, Place, Sample, fails, own_path};

fn soft_delete(place: &Place, path: &str) {
    place.server.delete(&format!("{path}/soft-delete")).unwrap();
}

fn restore(place: &Place, path: &str) {
    place.server.write(&format!("{path}/soft-delete-restore"), &json!({})).unwrap();
}

#[tokio::test]
async fn an_epochs_key_is_disabled_by_it_and_comes_back() {
    let place = Place::new();
    let (keys, operator, sample) = (place.keys(), place.operator(), Sample::new());
    let id = keys.make_key().await.unwrap();
    let wrapped = keys.wrap_under(&id, &sample.request()).await.unwrap();
    let path = own_path(&place, &id);
    soft_delete(&place, &path);
    for keys in [&keys, &place.keys()] {
        fails(sample.unwrap(keys, &wrapped).await, ErrorKind::KeyDisabled, "Disabled");
        fails(keys.wrap_under(&id, &sample.request()).await, ErrorKind::KeyDisabled, "Disabled");
        let state = keys.keks().await.unwrap().into_iter().find(|kek| kek.id == id).map(|kek| kek.state);
        assert_eq!(state, Some(KekState::OpenOnly), "not destroyed");
    }
    fails(operator.destroy_key(&id).await, ErrorKind::KeyDisabled, "Disabled");
    restore(&place, &path);
    sample.unwrap(&keys, &wrapped).await.unwrap();
    assert_eq!(operator.destroy_key(&id).await.unwrap(), Destruction::Confirmed);
}

#[tokio::test]
async fn the_named_key_is_disabled_by_it_and_comes_back() {
    let place = Place::new();
    let (keys, operator, sample) = (place.keys(), place.operator(), Sample::new());
    let first = sample.wrap(&keys).await.unwrap();
    operator.rotate().await.unwrap();
    soft_delete(&place, &place.path());
    for keys in [&keys, &place.keys()] {
        fails(sample.unwrap(keys, &first).await, ErrorKind::KeyDisabled, "Disabled");
        fails(sample.wrap(keys).await, ErrorKind::KeyDisabled, "Disabled");
        assert_eq!(keys.keks().await.unwrap().len(), 2);
    }
    fails(operator.kek_state(first.kek()).await, ErrorKind::KeyDisabled, "Disabled");
    fails(operator.close_version(first.kek()).await, ErrorKind::KeyDisabled, "Disabled");
    fails(operator.destroy_version(first.kek()).await, ErrorKind::KeyDisabled, "Disabled");
    restore(&place, &place.path());
    sample.unwrap(&keys, &first).await.unwrap();
    sample.wrap(&keys).await.unwrap();
    assert_eq!(operator.destroy_version(first.kek()).await.unwrap(), Destruction::Confirmed);
}

/// Nor does it do anything else to a key but make and use it.
#[tokio::test]
async fn an_application_does_not_undo_it() {
    let place = Place::new();
    let id = place.keys().make_key().await.unwrap();
    let path = own_path(&place, &id);
    soft_delete(&place, &path);
    let token = place.token(&[APPLICATION, EPOCHS], "1h");
    for what in ["soft-delete-restore", "rotate", "trim", "config", "import", "import_version"] {
        for path in [&path, &place.path()] {
            for data in [json!({}), json!({ "type": "aes256-gcm96", "derived": true })] {
                let path = format!("{path}/{what}");
                let refused = place.server.write_as(token.expose_secret(), &path, &data).unwrap_err();
                assert!(refused.to_string().contains("403"), "{what}: {refused}");
            }
        }
    }
    assert_eq!(place.server.read(&path).unwrap()["data"]["soft_deleted"], true);
}
