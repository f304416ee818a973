//! GHASH (NIST SP 800-38D, 6.3 and 6.4), bit by bit: for making vectors, where no key is a secret and nothing hurries.

use std::ops::{Add, Mul};

/// An element of GF(2^128) in GHASH's order: the highest bit of the first byte is the coefficient of x^0.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Element(u128);

impl Element {
    const ZERO: Self = Self(0);
    const ONE: Self = Self(1 << 127);
    /// x^128, which is 1 + x + x^2 + x^7.
    const REDUCED: u128 = 0xe1 << 120;

    pub(crate) fn of_block(block: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(block))
    }

    pub(crate) fn block(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Its power 2^128 - 2: the product of its powers 2^1 to 2^127.
    pub(crate) fn inverse(self) -> Self {
        assert!(self != Self::ZERO, "zero has no inverse");
        let (mut inverse, mut power) = (Self::ONE, self);
        for _ in 1..128 {
            power = power * power;
            inverse = inverse * power;
        }
        assert!(self * inverse == Self::ONE, "an element times its inverse is one");
        inverse
    }
}

impl Add for Element {
    type Output = Self;

    #[allow(clippy::suspicious_arithmetic_impl, reason = "in this field a sum is an exclusive or")]
    fn add(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

impl Mul for Element {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (mut product, mut shifted) = (0, other.0);
        for at in (0..128).rev() {
            if (self.0 >> at) & 1 == 1 {
                product ^= shifted;
            }
            let carry = shifted & 1;
            shifted = (shifted >> 1) ^ (Self::REDUCED * carry);
        }
        Self(product)
    }
}

/// What AES-GCM takes the tag from: associated data and ciphertext, each filled up with zeros, and both lengths in bits.
pub(crate) fn ghash(key: Element, aad: &[u8], ciphertext: &[u8]) -> Element {
    let bits = |bytes: &[u8]| u128::try_from(8 * bytes.len()).expect("a length fits");
    let lengths = ((bits(aad) << 64) | bits(ciphertext)).to_be_bytes();
    let chunks = aad.chunks(16).chain(ciphertext.chunks(16)).chain([&lengths[..]]);
    chunks.fold(Element::ZERO, |sum, chunk| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        (sum + Element::of_block(block)) * key
    })
}
