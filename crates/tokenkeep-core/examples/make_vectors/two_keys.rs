//! Ciphertexts that AES-GCM accepts under two keys: the attack that the commitment is there for.
//!
//! Under a derived key with `H = AES(0)` and `E = AES(N[12..24] ‖ 00 00 00 01)`, the tag of a ciphertext is `GHASH_H ⊕ E`, and
//! GHASH is linear in each block: the last one, X, adds `X · H²`. So with everything else chosen at will,
//! `X = (GHASH_H1 ⊕ E1 ⊕ GHASH_H2 ⊕ E2) · (H1² ⊕ H2²)⁻¹`, both sums taken with a last block of zeros, gives one tag under both.

use aes::cipher::{BlockCipherEncrypt, KeyInit};

use crate::format::{TestKek, derived_key, payload_aad, wrap_aad, xaes_open};
use crate::ghash::{Element, ghash};
use crate::{good, kek, made_up};

/// What goes into an envelope whose payload, or whose wrap too, fits the keys of its twin.
pub(crate) struct Twin {
    pub(crate) kek: TestKek,
    pub(crate) drawn: [u8; 80],
    pub(crate) payload: Vec<u8>,
}

/// One KEK, two DEKs: the same nonce, ciphertext and tag are a payload under each.
pub(crate) fn deks() -> [Twin; 2] {
    let deks = [made_up("two DEKs: one"), made_up("two DEKs: the other")];
    let nonce = made_up("two DEKs, the payload's nonce");
    let payloads = payloads(&deks, &nonce);
    // Two wraps under one KEK, so two wrap nonces.
    let wrap_nonces = ["two DEKs: one, wrapped", "two DEKs: the other, wrapped"].map(made_up::<24>);
    twins([kek("one", 16), kek("one", 16)], deks, nonce, wrap_nonces, payloads)
}

/// Two KEKs with one id: the same nonce, ciphertext and tag are a wrapped DEK under each, and the payload fits both DEKs. An
/// attacker chooses neither DEK, but needs to choose neither: the payload is made after them.
pub(crate) fn keks() -> [Twin; 2] {
    let one = kek("two KEKs: one", 16);
    let other = TestKek { key: made_up("KEK two KEKs: the other"), ..one.clone() };
    let (nonce, wrap_nonce) =
        (made_up("two KEKs, the payload's nonce"), made_up("two KEKs, the wrap's nonce"));
    let aad = wrap_aad(&one.id, &good::plain().context().encoded());
    let start: [u8; 16] = made_up("two KEKs, the wrap's first block");
    let wrapped = plaintexts([&one.key, &other.key], &wrap_nonce, &aad, &start);
    let deks = wrapped.map(|dek| dek.try_into().expect("two blocks are 32 bytes"));
    let payloads = payloads(&deks, &nonce);
    twins([one, other], deks, nonce, [wrap_nonce; 2], payloads)
}

fn payloads(deks: &[[u8; 32]; 2], nonce: &[u8; 24]) -> [Vec<u8>; 2] {
    let aad = payload_aad(&good::plain().context().encoded());
    let start: [u8; 32] = made_up("two keys, all of a payload's blocks but the last");
    plaintexts([&deks[0], &deks[1]], nonce, &aad, &start)
}

fn twins(
    keks: [TestKek; 2],
    deks: [[u8; 32]; 2],
    nonce: [u8; 24],
    wrap_nonces: [[u8; 24]; 2],
    payloads: [Vec<u8>; 2],
) -> [Twin; 2] {
    let mut parts = keks.into_iter().zip(deks).zip(wrap_nonces).zip(payloads);
    [(); 2].map(|()| {
        let (((kek, dek), wrap_nonce), payload) = parts.next().expect("two of each");
        let drawn = [&dek[..], &nonce, &wrap_nonce].concat().try_into().expect("80 bytes");
        Twin { kek, drawn, payload }
    })
}

/// What the ciphertext that begins with `start`, whole blocks, and has one block more is under each of two keys. The crate
/// `aes-gcm` has opened it under both.
fn plaintexts(keys: [&[u8; 32]; 2], nonce: &[u8; 24], aad: &[u8], start: &[u8]) -> [Vec<u8>; 2] {
    assert!(start.len().is_multiple_of(16), "whole blocks");
    let mut sealed = [start, &[0; 16]].concat();
    let [one, other] = keys.map(|key| Hashed::new(&derived_key(key, nonce), nonce));
    let missing = one.tag(aad, &sealed) + other.tag(aad, &sealed);
    let last = missing * (one.key * one.key + other.key * other.key).inverse();
    sealed[start.len()..].copy_from_slice(&last.block());
    sealed.extend_from_slice(&one.tag(aad, &sealed).block());

    let open = |key| xaes_open(key, nonce, aad, &sealed).expect("AES-GCM accepts it under both keys");
    let plaintexts = keys.map(open);
    assert_ne!(plaintexts[0], plaintexts[1]);
    plaintexts
}

/// What AES-GCM's tag takes from a derived key and a nonce.
struct Hashed {
    /// `H`.
    key: Element,
    /// `E`.
    mask: Element,
}

impl Hashed {
    fn new(derived: &[u8; 32], nonce: &[u8; 24]) -> Self {
        let cipher = aes::Aes256::new(derived.into());
        let encrypted = |block: [u8; 16]| {
            let mut block = block.into();
            cipher.encrypt_block(&mut block);
            Element::of_block(block.into())
        };
        let mut counter = [0; 16];
        counter[..12].copy_from_slice(&nonce[12..]);
        counter[15] = 1;
        Self { key: encrypted([0; 16]), mask: encrypted(counter) }
    }

    fn tag(&self, aad: &[u8], ciphertext: &[u8]) -> Element {
        ghash(self.key, aad, ciphertext) + self.mask
    }
}
