//! The seam to AES-GCM and to the block cipher. Everything above it is the same for every backend, and so are the bytes.
//!
//! A backend has `seal` and `open`: AES-256-GCM under a key that is used once. The pure Rust one is always compiled; with
//! the feature `aws-lc` the other one is compiled beside it and chosen. The block calls that derive keys and commitments
//! are pure Rust with both: `aws-lc-rs` offers no block cipher without a heap allocation and a decryption schedule.

use aes::Aes256Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg_attr(feature = "aws-lc", allow(dead_code, reason = "compiled beside the one that is chosen"))]
mod rust;
#[cfg(test)]
mod wycheproof_cases;

#[cfg(feature = "aws-lc")]
pub(crate) use aws_lc::{open, seal};
#[cfg(not(feature = "aws-lc"))]
pub(crate) use rust::{open, seal};

pub(crate) type Block = [u8; 16];

/// An expanded AES-256 key, for encryption alone. It wipes itself (feature `zeroize` of `aes`).
pub(crate) struct BlockKey(Aes256Enc);

impl BlockKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Enc::new(key.into()))
    }

    /// Encrypts each block by itself.
    pub(crate) fn encrypt<const N: usize>(&self, blocks: &mut [Block; N]) {
        // In place: no copy is left behind that nobody wipes.
        self.0.encrypt_blocks(aes::Block::cast_slice_from_core_mut(blocks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197, appendix C.3.
    #[test]
    fn the_block_cipher_is_aes_256() {
        let key = core::array::from_fn(|i| i as u8);
        let plain: Block = core::array::from_fn(|i| (i * 0x11) as u8);
        let mut blocks = [plain; 3];
        BlockKey::new(&key).encrypt(&mut blocks);
        assert_eq!(blocks, [0x8ea2b7ca516745bfeafc49904b496089_u128.to_be_bytes(); 3]);
    }

    #[cfg(feature = "aws-lc")]
    #[test]
    fn both_backends_make_the_same_bytes() {
        // `seal` and `open` are those of the backend that was chosen.
        for length in [0, 1, 15, 16, 17, 46, 1024, 16 * 1024] {
            let plain = alloc::vec![0xA5; length];
            let (key, nonce, aad) = ([length as u8; 32], [3; 12], [7; 200]);
            let (mut one, mut other) = (plain.clone(), plain.clone());
            let tags = (rust::seal(&key, &nonce, &aad, &mut one), seal(&key, &nonce, &aad, &mut other));
            assert_eq!((&one, tags.0), (&other, tags.1));
            assert!(rust::open(&key, &nonce, &aad, &mut other, &tags.0));
            assert!(open(&key, &nonce, &aad, &mut one, &tags.1));
            assert_eq!((&one, &other), (&plain, &plain));
        }
    }
}
