//! The facts of a token, where a test needs some.

use tokenkeep_core::{ConnectionId, Incarnation, Origin, PayloadKind, SecretVersion, TokenFacts, VaultId};

pub(crate) fn facts() -> TokenFacts {
    TokenFacts {
        vault: VaultId::from_bytes([1; 16]),
        connection: ConnectionId::new("customer-17", "apify").unwrap(),
        incarnation: Incarnation::from_bytes([2; 16]),
        provider: "apify".parse().unwrap(),
        origin: Origin::parse("https://api.apify.com").unwrap(),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    }
}
