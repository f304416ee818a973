//! KC-XAES-256-GCM, composed from `cmac`, `aes` and `aes-gcm` as published.
//!
//! XAES-256-GCM (C2SP, c2sp.org/XAES-256-GCM): with a 24-byte nonce N, the subkey is
//! `CMAC_K(00 01 'X' 00 ‖ N[..12]) ‖ CMAC_K(00 02 'X' 00 ‖ N[..12])`, and AES-256-GCM under it takes `N[12..]`.
//! The key commitment (Kampanakis et al., eprint 2025/758) is
//! `CMAC_K("XCMT" ‖ N ‖ 00010001) ‖ CMAC_K("XCMT" ‖ N ‖ 00010002)`, checked in constant time before anything is
//! decrypted. It commits to key and nonce, not to the associated data.

use aes::Aes256;
use aes_gcm::{AeadInOut, Aes256Gcm, Nonce, Tag};
use cmac::{Cmac, KeyInit, Mac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(crate) const KEY: usize = 32;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;
pub(crate) const COMMITMENT: usize = 32;
/// What a ciphertext has over its plaintext when the nonce is counted apart.
pub(crate) const OVERHEAD: usize = TAG + COMMITMENT;

/// A key with its CMAC schedule. `Cmac` and `Aes256` wipe themselves (their feature `zeroize`).
#[derive(Clone)]
pub(crate) struct SuiteKey(Cmac<Aes256>);

impl SuiteKey {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        Self(Cmac::new(key.into()))
    }

    /// Encrypts `buffer` in place and returns what follows it: the tag and the commitment.
    pub(crate) fn encrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8]) -> [u8; OVERHEAD] {
        let tag = self
            .payload_cipher(nonce)
            .encrypt_inout_detached(gcm_nonce(nonce), aad, buffer.into())
            // AES-GCM refuses 64 GiB and more alone; a payload has at most 16 KiB.
            .expect("a payload is far below the limit of AES-GCM");
        let mut trailer = [0; OVERHEAD];
        trailer[..TAG].copy_from_slice(&tag);
        trailer[TAG..].copy_from_slice(&self.commitment(nonce));
        trailer
    }

    /// Checks commitment and tag and decrypts `buffer` in place. On `false` the buffer holds no plaintext.
    #[must_use]
    pub(crate) fn decrypt(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        buffer: &mut [u8],
        trailer: &[u8; OVERHEAD],
    ) -> bool {
        let (tag, commitment) = trailer.split_at(TAG);
        if !bool::from(self.commitment(nonce).ct_eq(commitment)) {
            return false;
        }
        // `split_at` gave 16 bytes.
        let Ok(tag) = <&Tag>::try_from(tag) else { return false };
        self.payload_cipher(nonce).decrypt_inout_detached(gcm_nonce(nonce), aad, buffer.into(), tag).is_ok()
    }

    fn payload_cipher(&self, nonce: &[u8; NONCE]) -> Aes256Gcm {
        let mut subkey = Zeroizing::new([0; KEY]);
        for (half, counter) in subkey.chunks_exact_mut(KEY / 2).zip([1, 2]) {
            half.copy_from_slice(&*self.prf(&[&[0, counter, b'X', 0], &nonce[..12]]));
        }
        Aes256Gcm::new((&*subkey).into())
    }

    fn commitment(&self, nonce: &[u8; NONCE]) -> [u8; COMMITMENT] {
        let mut commitment = [0; COMMITMENT];
        for (half, counter) in commitment.chunks_exact_mut(COMMITMENT / 2).zip([1, 2]) {
            half.copy_from_slice(&*self.prf(&[b"XCMT", nonce, &[0, 1, 0, counter]]));
        }
        commitment
    }

    fn prf(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

fn gcm_nonce(nonce: &[u8; NONCE]) -> &Nonce<<Aes256Gcm as aes_gcm::AeadCore>::NonceSize> {
    <&Nonce<_>>::try_from(&nonce[12..]).expect("the nonce's second half has 12 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// Ciphertext and tag: the two examples of C2SP's XAES-256-GCM specification. Commitment: the values that a
    /// JavaScript implementation and libxaes256gcm publish for the same inputs.
    #[test]
    fn known_answers() {
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        for (key, aad, sealed, commitment) in [
            (
                [0x01; 32],
                &b""[..],
                "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
                "04076b6085eebab138855fe57811c04112eff989d44120dfff662d5475a383c3",
            ),
            (
                [0x03; 32],
                b"c2sp.org/XAES-256-GCM",
                "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
                "5553cd21d1592b422e3129632a3187eee8a658cdca5c5b32ce86308dcc18e9d1",
            ),
        ] {
            let suite = SuiteKey::new(&key);
            let mut buffer = *b"XAES-256-GCM";
            let trailer = suite.encrypt(nonce, aad, &mut buffer);
            let sealed: [u8; 28] = unhex(sealed);
            assert_eq!((&buffer[..], &trailer[..TAG]), (&sealed[..12], &sealed[12..]));
            assert_eq!(trailer[TAG..], unhex::<32>(commitment));
            assert!(suite.decrypt(nonce, aad, &mut buffer, &trailer));
            assert_eq!(&buffer, b"XAES-256-GCM");
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
