//! What holds for any facts and any payload.

use proptest::collection::vec;
use proptest::prelude::*;
use tokenkeep_core::{
    ConnectionId, EncryptionContext, Envelope, Incarnation, Kek, KekId, OpenError, Origin, PayloadKind,
    SealDraft, SecretVersion, TokenFacts, VaultId, WrapRequest, open_payload,
};

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9äß客.@/-]{1,40}"
}

prop_compose! {
    fn facts()(
        vault: [u8; 16],
        tenant in name(),
        connection in name(),
        incarnation: [u8; 16],
        provider in "[a-z0-9]{1,64}",
        host in "[a-z]{1,63}",
        port in 444_u16..,
        secret_version: u64,
    ) -> TokenFacts {
        TokenFacts {
            vault: VaultId::from_bytes(vault),
            connection: ConnectionId::new(tenant, connection).unwrap(),
            incarnation: Incarnation::from_bytes(incarnation),
            provider: provider.parse().unwrap(),
            origin: Origin::parse(&format!("https://{host}.example:{port}")).unwrap(),
            kind: PayloadKind::ApiToken,
            secret_version: SecretVersion::from_u64(secret_version),
        }
    }
}

/// All but the kind, of which there is one.
const FACTS: usize = 7;

/// The facts of `one`, but for one of them, which is that of `other`.
fn mixed(one: &TokenFacts, other: &TokenFacts, which: usize) -> TokenFacts {
    let mut facts = one.clone();
    let connection = |tenant: &TokenFacts, name: &TokenFacts| {
        let (tenant, name) = (tenant.connection.tenant(), name.connection.name());
        ConnectionId::new(tenant.as_str(), name.as_str()).unwrap()
    };
    match which {
        0 => facts.vault = other.vault,
        1 => facts.connection = connection(other, one),
        2 => facts.connection = connection(one, other),
        3 => facts.incarnation = other.incarnation,
        4 => facts.provider = other.provider.clone(),
        5 => facts.origin = other.origin.clone(),
        6 => facts.secret_version = other.secret_version,
        _ => unreachable!("there are {FACTS}"),
    }
    facts
}

fn seal(kek: &Kek, context: &EncryptionContext, payload: &[u8]) -> Envelope {
    let draft = SealDraft::new(context).unwrap();
    let wrapped = draft.wrap_request().wrap_with(kek);
    draft.finish(payload, &wrapped).unwrap()
}

proptest! {
    #[test]
    fn one_other_fact_is_another_context_at_both_levels(one in facts(), other in facts(), which in 0..FACTS) {
        let other = mixed(&one, &other, which);
        let same = one == other;
        let (here, there) = (EncryptionContext::for_token(&one), EncryptionContext::for_token(&other));
        prop_assert_eq!(here == there, same);
        let kek = Kek::generate().unwrap();
        let envelope = seal(&kek, &here, b"payload");
        let dek = envelope.unwrap_request(&here).unwrap_with(&kek).unwrap();
        prop_assert_eq!(envelope.unwrap_request(&there).unwrap_with(&kek).is_ok(), same);
        prop_assert_eq!(open_payload(&envelope, &dek, &there).is_ok(), same);
    }

    #[test]
    fn a_rewrap_moves_the_dek_and_nothing_else(
        facts in facts(),
        payload in vec(any::<u8>(), 0..512),
        old_id in vec(any::<u8>(), 1..=29),
        new_id in vec(any::<u8>(), 1..=29),
    ) {
        prop_assume!(old_id != new_id);
        let context = EncryptionContext::for_token(&facts);
        let kek = |id: &[u8], byte| Kek::from_bytes(KekId::from_slice(id).unwrap(), &[byte; 32]);
        let (old, new) = (kek(&old_id, 1), kek(&new_id, 2));
        let before = seal(&old, &context, &payload);
        let dek = before.unwrap_request(&context).unwrap_with(&old).unwrap();
        let after = before.with_wrapped_dek(&WrapRequest::for_rewrap(&dek, &context).unwrap().wrap_with(&new));

        let payload_of = |envelope: &Envelope| {
            let bytes = envelope.as_bytes();
            bytes[bytes.len() - (24 + payload.len() + 16 + 32)..].to_vec()
        };
        prop_assert_eq!(payload_of(&before), payload_of(&after));
        prop_assert_eq!(after.unwrap_request(&context).unwrap_with(&old).err(), Some(OpenError::OtherKek));
        // Nor does the old key open it under the new one's id.
        let disguised = kek(&new_id, 1);
        prop_assert_eq!(after.unwrap_request(&context).unwrap_with(&disguised).err(), Some(OpenError::Rejected));
        let dek = after.unwrap_request(&context).unwrap_with(&new).unwrap();
        prop_assert_eq!(&**open_payload(&after, &dek, &context).unwrap(), &payload[..]);
    }
}
