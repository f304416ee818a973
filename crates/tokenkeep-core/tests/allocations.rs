//! What sealing and opening allocate. In a test binary of its own, because the counter is the global allocator.

#[path = "support/facts.rs"]
mod support;

use tokenkeep_core::{ApiToken, EncryptionContext, Kek, open_token, seal_token};

#[test]
fn a_seal_allocates_its_envelope_and_an_open_its_token() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&support::facts()));
    for length in [46, 1024, 16 * 1024] {
        let token = ApiToken::new("x".repeat(length)).unwrap();
        let mut sealed = None;
        let seal = allocation_counter::measure(|| sealed = Some(seal_token(&kek, &context, &token).unwrap()));
        let sealed = sealed.unwrap();
        assert_eq!((seal.count_total, seal.bytes_total), (1, sealed.as_bytes().len() as u64), "{length}");
        let open = allocation_counter::measure(|| drop(open_token(&kek, &context, &sealed).unwrap()));
        assert_eq!(
            (open.count_total, open.bytes_total, open.bytes_current),
            (1, length as u64, 0),
            "{length}"
        );
    }
}
