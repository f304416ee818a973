//! Pure Rust: `aes-gcm`.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Tag};

/// Encrypts `buffer` in place and returns the tag.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> [u8; 16] {
    Aes256Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, buffer.into())
        // AES-GCM refuses 64 GiB and more alone; a payload has at most 16 KiB.
        .expect("a payload is far below the limit of AES-GCM")
        .into()
}

/// Checks the tag and decrypts `buffer` in place. On `false` the buffer must not be used.
#[must_use]
pub(crate) fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: &[u8; 16]) -> bool {
    let tag = <&Tag>::from(tag);
    Aes256Gcm::new(key.into()).decrypt_inout_detached(nonce.into(), aad, buffer.into(), tag).is_ok()
}
