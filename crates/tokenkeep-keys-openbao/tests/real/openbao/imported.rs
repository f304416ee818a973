//! A key that was brought to the service: there is a copy of it outside, so nothing is wrapped under it.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64ct::{Base64, Encoding};
use serde_json::json;
use tokenkeep_core::{ErrorKind, fill_random};
use tokenkeep_keys::{Destruction, KeyProvider};

use crate::support::{Place, Sample, fails};

/// As the service wants it: an AES key under RSA, and behind it the key to import under that one.
fn import(place: &Place) {
    let told = place.server.read("transit/wrapping_key").unwrap();
    let pem: String =
        told["data"]["public_key"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    let public = PublicEncryptingKey::from_der(&Base64::decode_vec(&pem).unwrap()).unwrap();
    let mut bytes = [0; 64];
    fill_random(&mut bytes).unwrap();
    let (ephemeral, key) = bytes.split_at(32);
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut under_rsa = vec![0; public.ciphertext_size()];
    let under_rsa = public.encrypt(&OAEP_SHA256_MGF1SHA256, ephemeral, &mut under_rsa, None).unwrap();
    let mut wrapped = [0; 40];
    let wrapped = AesKek::new(&AES_256, ephemeral).unwrap().wrap_with_padding(key, &mut wrapped).unwrap();
    let text = Base64::encode_string(&[&*under_rsa, &*wrapped].concat());
    let data = json!({ "ciphertext": text, "type": "aes256-gcm96", "derived": true, "allow_rotation": true });
    place.server.write(&format!("{}/import", place.path()), &data).unwrap();
}

#[tokio::test]
async fn nothing_is_wrapped_under_a_key_that_was_imported() {
    let place = Place::without_key();
    import(&place);
    let sample = Sample::new();
    fails(sample.wrap(&place.keys()).await, ErrorKind::KeysInsecure, "KeyUnfit");
    fails(place.operator().create_key().await, ErrorKind::KeysInsecure, "KeyUnfit");
    // The second version is the service's own, and all that is ever under the key.
    place.server.write(&format!("{}/rotate", place.path()), &json!({})).unwrap();
    let wrapped = sample.wrap(&place.keys()).await.unwrap();
    sample.unwrap(&place.keys(), &wrapped).await.unwrap();
    let operator = place.operator();
    operator.rotate().await.unwrap();
    fails(operator.destroy_version(wrapped.kek()).await, ErrorKind::Misuse, "OutOfOrder");
    let first = operator.keks().await.unwrap()[0].id;
    operator.destroy_version(&first).await.unwrap();
    assert_eq!(operator.destroy_version(wrapped.kek()).await.unwrap(), Destruction::Confirmed);
}
