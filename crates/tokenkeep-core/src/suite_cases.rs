//! The suite against a long published test: C2SP's accumulated test of XAES-256-GCM, here of its ciphertext and tag. The
//! digests are those of the specification's reference implementation in Go.

use alloc::vec;

use shake::digest::{ExtendableOutput, Update, XofReader};
use shake::{Shake128, Shake128Reader};

use crate::suite::{SuiteKey, TAG};

fn read<const N: usize>(source: &mut Shake128Reader) -> [u8; N] {
    let mut bytes = [0; N];
    source.read(&mut bytes);
    bytes
}

/// A length of one byte, and as many bytes.
fn read_some(source: &mut Shake128Reader) -> vec::Vec<u8> {
    let [length] = read(source);
    let mut bytes = vec![0; usize::from(length)];
    source.read(&mut bytes);
    bytes
}

/// Inputs from SHAKE128 of nothing; SHAKE128 over every ciphertext and tag.
fn accumulated(rounds: u32) -> [u8; 32] {
    let (mut source, mut digest) = (Shake128::default().finalize_xof(), Shake128::default());
    for _ in 0..rounds {
        let suite = SuiteKey::new(&read(&mut source));
        let nonce = read(&mut source);
        let plain = read_some(&mut source);
        let aad = read_some(&mut source);

        let mut buffer = plain.clone();
        let trailer = suite.encrypt(&nonce, &aad, &mut buffer);
        digest.update(&buffer);
        digest.update(&trailer[..TAG]);
        assert!(suite.decrypt(&nonce, &aad, &mut buffer, &trailer));
        assert_eq!(buffer, plain);
    }
    read(&mut digest.finalize_xof())
}

#[test]
fn ten_thousand_rounds_of_c2sps_accumulated_test() {
    let digest = accumulated(10_000);
    assert_eq!(digest[..16], 0xe6b9edf2df6cec60c8cbd864e2211b59_u128.to_be_bytes());
    assert_eq!(digest[16..], 0x7fb69a529160cd040d56c0c210081939_u128.to_be_bytes());
}
