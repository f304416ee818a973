//! Pure Rust: `aes` and `aes-gcm`.

use aes::Aes256Enc;
use aes::cipher::BlockCipherEncrypt;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Tag};

use super::Block;

/// An expanded AES-256 key, for encryption alone. It wipes itself (feature `zeroize` of `aes`).
pub(crate) struct BlockKey(Aes256Enc);

impl BlockKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Enc::new(key.into()))
    }

    /// Encrypts each block by itself.
    pub(crate) fn encrypt<const N: usize>(&self, blocks: &mut [Block; N]) {
        let mut whole = blocks.map(aes::Block::from);
        self.0.encrypt_blocks(&mut whole);
        *blocks = whole.map(Block::from);
    }
}

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
