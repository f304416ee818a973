//! What the targets seal once and then attack: always the same bytes, so that a finding is found again.

use std::sync::LazyLock;

use tokenkeep_core::{
    ConnectionId, Dek, EncryptionContext, Envelope, Incarnation, Kek, KekId, Origin, PayloadKind, SealDraft,
    SecretVersion, TokenFacts, VaultId,
};

pub(crate) const TOKEN: &str = "a-token-that-is-made-up-for-fuzzing-0123456789";

/// Two records of one vault, sealed under one KEK, and the keys that open them.
pub(crate) struct Sealed {
    pub(crate) kek: Kek,
    pub(crate) other_kek: Kek,
    pub(crate) same_bytes_other_id: Kek,
    pub(crate) same_id_other_bytes: Kek,
    pub(crate) records: [Record; 2],
}

pub(crate) struct Record {
    pub(crate) context: EncryptionContext,
    pub(crate) dek: Dek,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let (id, other) = (kek_id(&[0xa1; 16]), kek_id(&[0xb2; 16]));
    let kek = Kek::from_bytes(id, &[0x11; 32]);
    let records = [0u8, 1].map(|number| {
        let context = EncryptionContext::for_token(&facts(number));
        // Not a byte occurs twice: what is put in the wrong place differs.
        let drawn: [u8; 80] = std::array::from_fn(|at| (at as u8) + 80 * number);
        let bytes = seal(&context, &kek, &drawn, TOKEN.as_bytes()).into_bytes();
        let dek = Dek::from_bytes(drawn.first_chunk().expect("80 bytes hold 32"));
        Record { context, dek, bytes }
    });
    Sealed {
        other_kek: Kek::from_bytes(other, &[0x22; 32]),
        same_bytes_other_id: Kek::from_bytes(other, &[0x11; 32]),
        same_id_other_bytes: Kek::from_bytes(id, &[0x22; 32]),
        kek,
        records,
    }
});

/// Seals with bytes that are given.
pub(crate) fn seal(context: &EncryptionContext, kek: &Kek, drawn: &[u8; 80], payload: &[u8]) -> Envelope {
    let draft = SealDraft::dangerous_from_bytes(context, drawn);
    let wrapped = draft.wrap_request().wrap_with(kek);
    draft.finish(payload, &wrapped).expect("the payload is short")
}

pub(crate) fn kek_id(bytes: &[u8]) -> KekId {
    KekId::from_slice(bytes).expect("an id's length")
}

/// The facts of record 0 and 1, which differ in one.
fn facts(number: u8) -> TokenFacts {
    TokenFacts {
        vault: VaultId::from_bytes([1; 16]),
        connection: ConnectionId::new("customer-17", "apify").expect("a good name"),
        incarnation: Incarnation::from_bytes([2 + number; 16]),
        provider: "apify".parse().expect("a good name"),
        origin: Origin::parse("https://api.apify.com").expect("a good origin"),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    }
}
