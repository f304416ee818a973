//! As much of DER as an encrypted private key is written in.

use zeroize::Zeroizing;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// `AlgorithmIdentifier` of RSA: its OID 1.2.840.113549.1.1.1, and NULL.
const RSA: &[u8] = &[0x30, 13, OID, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an element of this kind comes next.
    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The content of the next element, which must be of this kind. Lengths of up to two bytes, in their one spelling.
    pub(super) fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_first_chunk::<2>()?;
        if head[0] != tag {
            return None;
        }
        let (len, rest) = match head[1] {
            short @ ..=0x7f => (usize::from(short), rest),
            0x81 => {
                let (len, rest) = rest.split_first()?;
                (usize::from(*len).checked_sub(0x80)? + 0x80, rest)
            }
            0x82 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*len)).checked_sub(0x100)? + 0x100, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(content)
    }

    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.element(SEQUENCE).map(Self)
    }

    /// The next element, which must be a whole number from 0 to 2³² − 1.
    pub(super) fn number(&mut self) -> Option<u32> {
        let bytes = match self.element(INTEGER)? {
            // A zero before what would else be a negative number, and no other.
            [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => rest,
            [0] => &[0],
            bytes if (1..0x80).contains(bytes.first()?) => bytes,
            _ => return None,
        };
        (bytes.len() <= 4).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

/// An `RSAPrivateKey` (PKCS#1) as a `PrivateKeyInfo` (PKCS#8), in one block. `None` for one that is longer than any key.
pub(super) fn pkcs8_of_rsa(rsa: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let version: &[u8] = &[INTEGER, 1, 0];
    let inner = version.len() + RSA.len() + HEAD + rsa.len();
    let mut pkcs8 = Zeroizing::new(Vec::with_capacity(HEAD + inner));
    pkcs8.extend_from_slice(&head(SEQUENCE, inner)?);
    pkcs8.extend_from_slice(version);
    pkcs8.extend_from_slice(RSA);
    pkcs8.extend_from_slice(&head(OCTETS, rsa.len())?);
    pkcs8.extend_from_slice(rsa);
    Some(pkcs8)
}

/// An `RSAPublicKey` (PKCS#1) as a `SubjectPublicKeyInfo`. `None` for one that is longer or shorter than any key of 2048 bits or more.
pub(super) fn spki_of_rsa(rsa: &[u8]) -> Option<Vec<u8>> {
    let bits = [&head(BITS, rsa.len() + 1)?[..], &[0], rsa].concat();
    Some([&head(SEQUENCE, RSA.len() + bits.len())?[..], RSA, &bits].concat())
}

const BITS: u8 = 0x03;
const HEAD: usize = 4;

/// What stands before a content of this length: of two bytes, which a key of 2048 bits and more needs.
fn head(tag: u8, len: usize) -> Option<[u8; HEAD]> {
    let [high, low] = u16::try_from(len).ok().filter(|len| *len > 0xff)?.to_be_bytes();
    Some([tag, 0x82, high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_have_one_spelling() {
        for (bytes, expected) in [
            (&[2, 1, 0][..], Some(0)),
            (&[2, 1, 0x7f], Some(127)),
            (&[2, 2, 0, 0x80], Some(128)),
            (&[2, 2, 8, 0], Some(2048)),
            (&[2, 4, 0x7f, 0xff, 0xff, 0xff], Some(0x7fff_ffff)),
            (&[2, 5, 0, 0xff, 0xff, 0xff, 0xff], Some(u32::MAX)),
            (&[2, 5, 1, 0, 0, 0, 0], None),
            (&[2, 1, 0x80], None),
            (&[2, 2, 0, 1], None),
            (&[2, 2, 0, 0], None),
            (&[2, 0], None),
            (&[2, 0x81, 1, 5], None),
            (&[2, 0x80, 5], None),
            (&[2, 2, 1], None),
            (&[4, 1, 1], None),
        ] {
            assert_eq!(Der::new(bytes).number(), expected, "{bytes:02x?}");
        }
        for (len, head) in [(0x7f, &[4, 0x7f][..]), (0x80, &[4, 0x81, 0x80]), (0x100, &[4, 0x82, 1, 0])] {
            let whole = [head, &vec![7; len]].concat();
            assert_eq!(Der::new(&whole).element(OCTETS).map(<[u8]>::len), Some(len));
            assert!(Der::new(&whole[..whole.len() - 1]).element(OCTETS).is_none());
        }
        assert!(Der::new(&[&[4, 0x82, 0, 0x80][..], &[0; 128]].concat()).element(OCTETS).is_none());
        assert!(Der::new(&[4, 0x83, 0, 1, 0]).element(OCTETS).is_none());
        assert!(Der::new(&[]).element(OCTETS).is_none());
    }
}
