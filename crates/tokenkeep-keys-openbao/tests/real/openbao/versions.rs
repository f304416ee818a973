//! Versions of the key: old, disabled, destroyed, made anew, made wrongly.

use serde_json::json;
use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{Destruction, KekState, KeyProvider, conformance};

use crate::support::{Place, Sample, envelope, fails, under};

#[tokio::test]
async fn the_suite_passes_with_the_published_policy() {
    let place = Place::new();
    let keys = place.keys();
    conformance::run_all(&keys).await;
    place.operator().rotate().await.unwrap();
    conformance::run_all(&keys).await;
    conformance::run_all(&place.keys()).await;
}

#[tokio::test]
async fn an_operator_makes_the_key_and_an_application_can_not() {
    let place = Place::without_key();
    let sample = Sample::new();
    let keys = place.keys();
    fails(sample.wrap(&keys).await, ErrorKind::KeysUnusable, "KeyMissing");
    fails(keys.create_key().await, ErrorKind::KeysForbidden, "Forbidden");
    place.operator().create_key().await.unwrap();
    place.operator().create_key().await.unwrap();
    let wrapped = sample.wrap(&keys).await.unwrap();
    sample.unwrap(&keys, &wrapped).await.unwrap();
    fails(sample.wrap(&place.operator()).await, ErrorKind::KeysForbidden, "Forbidden");
    fails(sample.unwrap(&place.operator(), &wrapped).await, ErrorKind::KeysForbidden, "Forbidden");
    fails(keys.rotate().await, ErrorKind::KeysForbidden, "Forbidden");
}

#[tokio::test]
async fn versions_are_disabled_enabled_and_destroyed_in_order() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let samples = [(); 3].map(|()| Sample::new());
    let mut wrapped = vec![samples[0].wrap(&keys).await.unwrap()];
    for sample in &samples[1..] {
        let primary = operator.rotate().await.unwrap();
        // The application has not looked for a minute; its own list makes it look.
        keys.keks().await.unwrap();
        wrapped.push(sample.wrap(&keys).await.unwrap());
        assert_eq!(wrapped.last().unwrap().kek(), &primary);
    }
    let ids: Vec<KekId> = wrapped.iter().map(|wrapped| *wrapped.kek()).collect();
    let states = async || -> Vec<Option<KekState>> {
        let listed = operator.keks().await.unwrap();
        assert!(listed.iter().all(|kek| ids.contains(&kek.id)));
        ids.iter().map(|id| listed.iter().find(|kek| kek.id == *id).map(|kek| kek.state)).collect()
    };
    use KekState::{Destroyed, OpenOnly, Primary};
    assert_eq!(states().await, [Some(OpenOnly), Some(OpenOnly), Some(Primary)]);
    for (sample, wrapped) in samples.iter().zip(&wrapped) {
        sample.unwrap(&keys, wrapped).await.unwrap();
    }

    let config = format!("{}/config", place.path());
    place.server.write(&config, &json!({ "min_decryption_version": 3 })).unwrap();
    for (sample, wrapped) in samples[..2].iter().zip(&wrapped) {
        fails(sample.unwrap(&keys, wrapped).await, ErrorKind::KeyDisabled, "Disabled");
        fails(sample.unwrap(&place.keys(), wrapped).await, ErrorKind::KeyDisabled, "Disabled");
    }
    samples[2].unwrap(&keys, &wrapped[2]).await.unwrap();
    assert_eq!(states().await, [None, None, Some(Primary)]);
    place.server.write(&config, &json!({ "min_decryption_version": 1 })).unwrap();
    samples[0].unwrap(&keys, &wrapped[0]).await.unwrap();

    fails(operator.destroy_version(&ids[1]).await, ErrorKind::Misuse, "OutOfOrder");
    fails(operator.destroy_version(&ids[2]).await, ErrorKind::Misuse, "OutOfOrder");
    fails(keys.destroy_version(&ids[0]).await, ErrorKind::KeysForbidden, "Forbidden");
    samples[0].unwrap(&keys, &wrapped[0]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(operator.destroy_version(&ids[0]).await.unwrap(), Destruction::Confirmed);
    }
    fails(samples[0].unwrap(&keys, &wrapped[0]).await, ErrorKind::KeyDestroyed, "Destroyed");
    fails(samples[0].unwrap(&place.keys(), &wrapped[0]).await, ErrorKind::KeyDestroyed, "Destroyed");
    let back = place.server.write(&config, &json!({ "min_decryption_version": 1 }));
    assert!(back.is_err(), "the service brings a trimmed version back");
    samples[1].unwrap(&keys, &wrapped[1]).await.unwrap();
    assert_eq!(states().await, [Some(Destroyed), Some(OpenOnly), Some(Primary)]);
    fails(operator.destroy_version(&ids[2]).await, ErrorKind::Misuse, "OutOfOrder");
    assert_eq!(operator.destroy_version(&ids[1]).await.unwrap(), Destruction::Confirmed);
    samples[2].unwrap(&keys, &wrapped[2]).await.unwrap();
    conformance::run_all(&keys).await;
}

#[tokio::test]
async fn a_key_made_anew_is_another_key() {
    let place = Place::new();
    let keys = place.keys();
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    place.server.write(&format!("{}/config", place.path()), &json!({ "deletion_allowed": true })).unwrap();
    place.server.delete(&place.path()).unwrap();
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysUnusable, "KeyMissing");
    // A second's part of the id is the creation time.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    place.server.write(&place.path(), &json!({ "derived": true })).unwrap();
    fails(sample.unwrap(&keys, &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    fails(sample.unwrap(&place.keys(), &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    let anew = sample.wrap(&keys).await.unwrap();
    assert_ne!(anew.kek(), wrapped.kek());
    sample.unwrap(&keys, &anew).await.unwrap();
}

#[tokio::test]
async fn a_key_that_binds_no_context_is_refused() {
    for data in [
        json!({ "derived": false }),
        json!({ "derived": true, "convergent_encryption": true }),
        json!({ "derived": true, "type": "chacha20-poly1305" }),
    ] {
        let place = Place::without_key();
        place.server.write(&place.path(), &data).unwrap();
        fails(Sample::new().wrap(&place.keys()).await, ErrorKind::KeysInsecure, "KeyUnfit");
        fails(place.operator().create_key().await, ErrorKind::KeysInsecure, "KeyUnfit");
    }
}

#[tokio::test]
async fn another_keys_ids_are_not_known_and_its_bytes_do_not_open() {
    let (place, other) = (Place::new(), Place::new());
    let sample = Sample::new();
    let wrapped = sample.wrap(&place.keys()).await.unwrap();
    fails(sample.unwrap(&other.keys(), &wrapped).await, ErrorKind::KeysWrong, "UnknownKey");
    let theirs = sample.wrap(&other.keys()).await.unwrap();
    let disguised = under(theirs.kek(), &wrapped);
    fails(sample.unwrap(&other.keys(), &disguised).await, ErrorKind::Tampered, "Rejected");
}

#[tokio::test]
async fn a_batch_of_a_thousand_comes_back_in_order() {
    let place = Place::new();
    let keys = place.keys();
    let samples: Vec<Sample> = (0..1100).map(|_| Sample::new()).collect();
    let requests: Vec<_> = samples.iter().map(Sample::request).collect();
    let wrapped = keys.wrap_deks(&requests).await;
    let envelopes: Vec<_> = wrapped.into_iter().map(|wrapped| envelope(&wrapped.unwrap())).collect();
    let requests: Vec<_> = samples
        .iter()
        .zip(&envelopes)
        .map(|(sample, envelope)| envelope.unwrap_request(&sample.context))
        .collect();
    let deks = keys.unwrap_deks(&requests).await;
    assert_eq!(deks.len(), samples.len());
    for (sample, dek) in samples.iter().zip(deks) {
        assert_eq!(dek.unwrap().expose_secret(), sample.dek.expose_secret());
    }
}
