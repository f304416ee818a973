//! AWS-LC, through `aws-lc-rs`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

fn gcm(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256-GCM takes any 32 bytes"))
}

/// Encrypts `buffer` in place and returns the tag.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> [u8; 16] {
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let tag = gcm(key)
        .seal_in_place_separate_tag(nonce, Aad::from(aad), buffer)
        .expect("a payload is far below the limit of AES-GCM");
    let mut bytes = [0; 16];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Checks the tag and decrypts `buffer` in place. On `false` the buffer must not be used.
#[must_use]
pub(crate) fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: &[u8; 16]) -> bool {
    let nonce = Nonce::assume_unique_for_key(*nonce);
    gcm(key).open_in_place_separate_tag(nonce, Aad::from(aad), tag, buffer).is_ok()
}
