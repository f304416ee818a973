//! What sealing and opening allocate. In a test binary of its own, because the counter is the global allocator.

use tokenkeep_core::{
    ApiToken, ConnectionId, EncryptionContext, Incarnation, Kek, Origin, PayloadKind, SecretVersion,
    TokenFacts, VaultId, open_token, seal_token,
};

#[test]
fn a_seal_allocates_its_envelope_and_an_open_its_payload_and_token() {
    let facts = TokenFacts {
        vault: VaultId::from_bytes([1; 16]),
        connection: ConnectionId::new("customer-17", "apify").unwrap(),
        incarnation: Incarnation::from_bytes([2; 16]),
        provider: "apify".parse().unwrap(),
        origin: Origin::parse("https://api.apify.com").unwrap(),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    };
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts));
    for length in [46, 1024, 16 * 1024] {
        let token = ApiToken::new("x".repeat(length)).unwrap();
        let mut sealed = None;
        let seal = allocation_counter::measure(|| sealed = Some(seal_token(&kek, &context, &token).unwrap()));
        let sealed = sealed.unwrap();
        assert_eq!((seal.count_total, seal.bytes_total), (1, sealed.as_bytes().len() as u64), "{length}");
        let open = allocation_counter::measure(|| drop(open_token(&kek, &context, &sealed).unwrap()));
        assert_eq!((open.count_total, open.bytes_current), (2, 0), "{length}");
    }
}
