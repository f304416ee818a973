//! KC-XAES-256-GCM, composed as published.
//!
//! XAES-256-GCM (C2SP, c2sp.org/XAES-256-GCM; proof: eprint 2025/878): with a 24-byte nonce N, the subkey is
//! `CMAC_K(00 01 'X' 00 ‖ N[..12]) ‖ CMAC_K(00 02 'X' 00 ‖ N[..12])`, and AES-256-GCM under it takes `N[12..]`.
//! The key commitment (Kampanakis et al., eprint 2025/758) is
//! `CMAC_K("XCMT" ‖ N ‖ 00010001) ‖ CMAC_K("XCMT" ‖ N ‖ 00010002)`, checked in constant time before anything is
//! decrypted. It commits to key and nonce, not to the associated data.
//!
//! All four messages are whole blocks, so CMAC (NIST SP 800-38B) is `AES_K(block ⊕ K1)` for the first two and
//! `AES_K(AES_K(block 1) ⊕ block 2 ⊕ K1)` for the others, which share block 1. Both specifications give them so. That
//! is five block calls in two rounds, besides the one for K1, and a test holds them against the crate `cmac`.

use ctutils::CtEq;
use zeroize::Zeroizing;

use crate::backend::{self, Block, BlockKey};

pub(crate) const KEY: usize = 32;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;
pub(crate) const COMMITMENT: usize = 32;
/// What a ciphertext has over its plaintext when the nonce is counted apart.
pub(crate) const OVERHEAD: usize = TAG + COMMITMENT;

/// A key with its schedule and CMAC's first subkey. Both wipe themselves.
pub(crate) struct SuiteKey {
    cipher: BlockKey,
    k1: Zeroizing<Block>,
}

/// What a key makes of a nonce.
struct Derived {
    subkey: Zeroizing<[u8; KEY]>,
    commitment: [u8; COMMITMENT],
}

impl SuiteKey {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        #[cfg(test)]
        SCHEDULES.set(SCHEDULES.get() + 1);
        let cipher = BlockKey::new(key);
        let mut l = Zeroizing::new([[0; 16]]);
        cipher.encrypt(&mut l);
        let l = Zeroizing::new(u128::from_be_bytes(l[0]));
        // Doubling in GF(2^128), without a branch on the key: `>> 127` is 0 or 1.
        let k1 = Zeroizing::new(((*l << 1) ^ (0x87 * (*l >> 127))).to_be_bytes());
        Self { cipher, k1 }
    }

    /// Encrypts `buffer` in place and returns what follows it: the tag and the commitment.
    pub(crate) fn encrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8]) -> [u8; OVERHEAD] {
        let derived = self.derive(nonce);
        let tag = backend::seal(&derived.subkey, gcm_nonce(nonce), aad, buffer);
        let mut trailer = [0; OVERHEAD];
        trailer[..TAG].copy_from_slice(&tag);
        trailer[TAG..].copy_from_slice(&derived.commitment);
        trailer
    }

    /// Checks commitment and tag and decrypts `buffer` in place. On `false` the buffer must not be used.
    #[must_use]
    pub(crate) fn decrypt(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        buffer: &mut [u8],
        trailer: &[u8; OVERHEAD],
    ) -> bool {
        let Some((tag, commitment)) = trailer.split_first_chunk::<TAG>() else { return false };
        let derived = self.derive(nonce);
        if !derived.commitment.as_slice().ct_eq(commitment).to_bool() {
            return false;
        }
        backend::open(&derived.subkey, gcm_nonce(nonce), aad, buffer, tag)
    }

    fn derive(&self, nonce: &[u8; NONCE]) -> Derived {
        let block = |start: [u8; 4], rest: &[u8]| {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&start);
            block[4..].copy_from_slice(rest);
            block
        };
        let (first, second) = nonce.split_at(12);
        let mut round = Zeroizing::new([
            self.masked(block([0, 1, b'X', 0], first)),
            self.masked(block([0, 2, b'X', 0], first)),
            block(*b"XCMT", first),
        ]);
        self.cipher.encrypt(&mut round);
        let mut subkey = Zeroizing::new([0; KEY]);
        subkey.copy_from_slice(round[..2].as_flattened());

        let chained = |counter: u8| {
            let mut last = self.masked(round[2]);
            last[..12].iter_mut().zip(second).for_each(|(byte, nonce)| *byte ^= nonce);
            last[12..].iter_mut().zip([0, 1, 0, counter]).for_each(|(byte, value)| *byte ^= value);
            last
        };
        let mut last = Zeroizing::new([chained(1), chained(2)]);
        self.cipher.encrypt(&mut last);
        let mut commitment = [0; COMMITMENT];
        commitment.copy_from_slice(last.as_flattened());
        Derived { subkey, commitment }
    }

    /// The block that CMAC encrypts last: with its first subkey added.
    fn masked(&self, block: Block) -> Block {
        (u128::from_ne_bytes(block) ^ u128::from_ne_bytes(*self.k1)).to_ne_bytes()
    }
}

#[cfg(test)]
extern crate std;

#[cfg(test)]
std::thread_local! {
    /// How many key schedules this thread made.
    pub(crate) static SCHEDULES: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

fn gcm_nonce(nonce: &[u8; NONCE]) -> &[u8; 12] {
    nonce.last_chunk().expect("the nonce's second half has 12 bytes")
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// AWS-LC, `crypto/cipher_extra/test/xaes_256_gcm_kc_tests.txt` at commit 9f16beeb. Ciphertext and tag of the first two
    /// are the examples of C2SP's XAES-256-GCM specification.
    #[test]
    fn known_answers() {
        for (key, nonce, plain, aad, sealed, commitment) in [
            (
                [0x01; 32],
                b"ABCDEFGHIJKLMNOPQRSTUVWX",
                &b"XAES-256-GCM"[..],
                &b""[..],
                "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
                "04076b6085eebab138855fe57811c04112eff989d44120dfff662d5475a383c3",
            ),
            (
                [0x03; 32],
                b"ABCDEFGHIJKLMNOPQRSTUVWX",
                b"XAES-256-GCM",
                b"c2sp.org/XAES-256-GCM",
                "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
                "5553cd21d1592b422e3129632a3187eee8a658cdca5c5b32ce86308dcc18e9d1",
            ),
            (
                [0x01; 32],
                &[0x42; 24],
                b"Hello, XAES-256-GCM!",
                b"",
                "01e5f78bc99de880bd2eeff2870d361f0eab5b2fc55268f34b14045878fe3668db980319",
                "bf37571be1b43aeca64a95d99a2f162e24f8bfd79bbb71fa7d943e6fc060a8ae",
            ),
        ] {
            let suite = SuiteKey::new(&key);
            let mut buffer = plain.to_vec();
            let trailer = suite.encrypt(nonce, aad, &mut buffer);
            assert_eq!([&buffer, &trailer[..TAG]].concat(), unhex(sealed));
            assert_eq!(trailer[TAG..], unhex(commitment));
            assert!(suite.decrypt(nonce, aad, &mut buffer, &trailer));
            assert_eq!(buffer, plain);
        }
    }

    #[test]
    fn the_block_calls_are_cmac() {
        use cmac::{Cmac, KeyInit, Mac};
        for round in 0..64_u8 {
            let (key, nonce) = ([round.wrapping_mul(37); KEY], core::array::from_fn(|i| round ^ (i as u8)));
            let cmac = |message: &[&[u8]]| {
                let mut mac = Cmac::<aes::Aes256>::new(&key.into());
                message.iter().for_each(|part| mac.update(part));
                <[u8; 16]>::from(mac.finalize().into_bytes())
            };
            let derived = SuiteKey::new(&key).derive(&nonce);
            let subkey = [1, 2].map(|counter| cmac(&[&[0, counter, b'X', 0], &nonce[..12]]));
            let commitment = [1, 2].map(|counter| cmac(&[b"XCMT", &nonce, &[0, 1, 0, counter]]));
            assert_eq!(
                (derived.subkey.as_slice(), &derived.commitment[..]),
                (subkey.as_flattened(), commitment.as_flattened())
            );
        }
    }

    #[test]
    fn a_wrong_commitment_is_refused_though_the_tag_fits() {
        let suite = SuiteKey::new(&[5; 32]);
        let nonce = [9; 24];
        let mut buffer = *b"some payload";
        let mut trailer = suite.encrypt(&nonce, b"aad", &mut buffer);
        let sealed = buffer;
        for byte in TAG..OVERHEAD {
            trailer[byte] ^= 1;
            assert!(!suite.decrypt(&nonce, b"aad", &mut buffer, &trailer));
            assert_eq!(buffer, sealed, "nothing is decrypted before the commitment is checked");
            trailer[byte] ^= 1;
        }
        assert!(suite.decrypt(&nonce, b"aad", &mut buffer, &trailer));
    }
}
