//! One ciphertext and one tag that fit two keys: only the commitment tells under which of them they were sealed.

use super::{Bad, Payload, WRAP, Wrap, edited_from};
use crate::good;

pub(super) fn all() -> Vec<Bad> {
    let [one_dek, other_dek] = good::two_deks();
    let [one_kek, other_kek] = good::two_keks();
    let other_wrap = other_dek.envelope()[WRAP.nonce..WRAP.end].to_vec();
    let one_envelope = one_kek.envelope();
    let all = vec![
        edited_from(
            &one_dek,
            "payload that fits two DEKs, with the other DEK wrapped",
            "tag and wrap fit; the commitment is to the DEK that was there before",
            Payload,
            |bytes| bytes[WRAP.nonce..WRAP.end].copy_from_slice(&other_wrap),
        ),
        Bad {
            kek: other_kek.kek().clone(),
            ..edited_from(
                &one_kek,
                "wrap that fits two KEKs, opened with the other",
                "a good envelope to the byte, and another KEK of its id; both tags fit",
                Wrap,
                |_| (),
            )
        },
        edited_from(
            &other_kek,
            "wrap that fits two KEKs, committed to the other",
            "the payload commits to the DEK that comes out; the wrap's commitment stands alone against it",
            Wrap,
            |bytes| {
                let commitment = WRAP.commitment..WRAP.end;
                bytes[commitment.clone()].copy_from_slice(&one_envelope[commitment]);
            },
        ),
        edited_from(
            &other_kek,
            "wrap that fits two KEKs, its payload committed to the other's DEK",
            "the wrap commits to the KEK at hand; the payload's commitment stands alone against it",
            Payload,
            |bytes| {
                let commitment = bytes.len() - 32..;
                bytes[commitment.clone()].copy_from_slice(&one_envelope[commitment]);
            },
        ),
    ];
    for bad in &all {
        assert!(bad.without_commitment().is_some(), "{}: not its commitment alone is wrong", bad.name);
    }
    all
}
