//! What an envelope promises: it opens with the key, the context and the bytes it was sealed with, and never otherwise.

#[path = "support/facts.rs"]
mod support;

use proptest::prelude::*;
use support::facts;
use tokenkeep_core::{
    ApiToken, ConnectionId, DecodeError, EncryptionContext, Envelope, Incarnation, Kek, KekId, OpenError,
    Origin, SealDraft, SealError, TokenFacts, VaultId, VaultKeyPurpose, WrapRequest, WrappedDek,
    open_payload, open_token, seal_token,
};

fn token() -> ApiToken {
    ApiToken::new("apify_api_FAKE-0123456789abcdef0123456789".to_owned()).unwrap()
}

fn opens(kek: &Kek, context: &EncryptionContext, bytes: &[u8]) -> bool {
    Envelope::decode(bytes.to_vec())
        .map_err(OpenError::from)
        .and_then(|e| open_token(kek, context, &e))
        .is_ok()
}

#[test]
fn every_flipped_bit_truncation_and_extension_is_refused() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    let bytes = seal_token(&kek, &context, &token()).unwrap().into_bytes();
    assert!(opens(&kek, &context, &bytes));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            assert!(!opens(&kek, &context, &bad), "bit {bit} of byte {at}");
        }
        assert!(!opens(&kek, &context, &bytes[..at]), "cut to {at} bytes");
    }
    for extra in 0..=255 {
        let mut bad = bytes.clone();
        bad.push(extra);
        assert!(!opens(&kek, &context, &bad), "extended by {extra}");
    }
}

#[test]
fn each_fact_is_bound() {
    let kek = Kek::generate().unwrap();
    let envelope = seal_token(&kek, &EncryptionContext::for_token(&facts()), &token()).unwrap();
    type Edit<'a> = &'a dyn Fn(&mut TokenFacts);
    let others: [(&str, Edit<'_>); 8] = [
        ("vault", &|f| f.vault = VaultId::from_bytes([9; 16])),
        ("tenant", &|f| f.connection = ConnectionId::new("customer-18", "apify").unwrap()),
        ("connection", &|f| f.connection = ConnectionId::new("customer-17", "apify2").unwrap()),
        ("shifted names", &|f| f.connection = ConnectionId::new("customer-17a", "pify").unwrap()),
        ("incarnation", &|f| f.incarnation = Incarnation::from_bytes([3; 16])),
        ("provider", &|f| f.provider = "other".parse().unwrap()),
        ("origin", &|f| f.origin = Origin::parse("https://api.apify.com:8443").unwrap()),
        ("version", &|f| f.secret_version = f.secret_version.next()),
    ];
    for (name, change) in others {
        let mut other = facts();
        change(&mut other);
        let context = EncryptionContext::for_token(&other);
        assert_eq!(open_token(&kek, &context, &envelope).err(), Some(OpenError::Rejected), "{name}");
    }
    let vault_key = EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::AuditMac);
    assert_eq!(open_token(&kek, &vault_key, &envelope).err(), Some(OpenError::Rejected));
}

#[test]
fn the_payload_is_bound_to_the_context_by_itself() {
    // The DEK is given, so that the wrap's own binding can't hide a payload that is bound to nothing.
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    let envelope = seal_token(&kek, &context, &token()).unwrap();
    let dek = envelope.unwrap_request(&context).unwrap_with(&kek).unwrap();
    let mut other = facts();
    other.incarnation = Incarnation::from_bytes([3; 16]);
    let other = EncryptionContext::for_token(&other);
    assert_eq!(open_payload(&envelope, &dek, &other).err(), Some(OpenError::Rejected));
    assert!(open_payload(&envelope, &dek, &context).is_ok());
}

#[test]
fn a_dek_of_another_record_is_refused() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    let one = seal_token(&kek, &context, &token()).unwrap();
    let two = seal_token(&kek, &context, &token()).unwrap();
    let mut mixed = one.as_bytes().to_vec();
    let at = 1 + 1 + 1 + 16 + 2;
    mixed[at..at + 104].copy_from_slice(two.wrapped_dek());
    assert!(!opens(&kek, &context, &mixed));
}

#[test]
fn a_rewrap_leaves_the_payload_alone_and_shuts_the_old_key_out() {
    let (old, new) = (Kek::generate().unwrap(), Kek::generate().unwrap());
    let context = EncryptionContext::for_token(&facts());
    let before = seal_token(&old, &context, &token()).unwrap();
    let dek = before.unwrap_request(&context).unwrap_with(&old).unwrap();
    let after = before.with_wrapped_dek(&WrapRequest::for_rewrap(&dek, &context).unwrap().wrap_with(&new));
    assert_eq!((before.nonce(), before.ciphertext()), (after.nonce(), after.ciphertext()));
    assert_eq!(before.as_bytes()[125..], after.as_bytes()[125..], "everything behind the wrapped DEK");
    assert_eq!(after.kek(), new.id());
    assert_eq!(Envelope::decode(after.as_bytes().to_vec()).unwrap(), after);
    assert_eq!(open_token(&new, &context, &after).unwrap().expose_secret(), token().expose_secret());
    assert_eq!(open_token(&old, &context, &after).err(), Some(OpenError::OtherKek));
    // Not even when someone writes the old id back.
    let mut forged = after.into_bytes();
    forged[3..19].copy_from_slice(old.id().as_bytes());
    assert!(!opens(&old, &context, &forged));
}

#[test]
fn two_seals_share_nothing() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    let one = seal_token(&kek, &context, &token()).unwrap();
    let two = seal_token(&kek, &context, &token()).unwrap();
    assert_ne!(one.nonce(), two.nonce());
    assert_ne!(one.ciphertext(), two.ciphertext());
    assert_ne!(one.wrapped_dek(), two.wrapped_dek());
    assert_ne!(one.wrapped_dek()[..24], one.nonce()[..], "the two levels draw their own nonces");
}

#[test]
fn sizes_are_as_documented() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    let envelope = seal_token(&kek, &context, &token()).unwrap();
    assert_eq!(envelope.as_bytes().len(), 181 + 16 + token().expose_secret().len());
    let kek = Kek::from_bytes(KekId::from_slice(&[7; 29]).unwrap(), &[8; 32]);
    let envelope = seal_token(&kek, &context, &token()).unwrap();
    assert_eq!(envelope.as_bytes().len(), 210 + token().expose_secret().len());
    let draft = SealDraft::new(&context).unwrap();
    let wrapped = draft.wrap_request().wrap_with(&kek);
    assert_eq!(draft.finish(&[0; 16 * 1024 + 1], &wrapped).err(), Some(SealError::PayloadTooLong));
}

#[test]
fn each_rule_of_decoding_has_its_error() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    let good = seal_token(&kek, &context, &token()).unwrap().into_bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Envelope::decode(bytes).err()
    };
    assert_eq!(with(0, 2), Some(DecodeError::UnknownVersion));
    assert_eq!(with(1, 0), Some(DecodeError::UnknownSuite));
    assert_eq!(with(2, 0), Some(DecodeError::Length));
    assert_eq!(with(2, 30), Some(DecodeError::Length));
    assert_eq!(with(19, 0xff), Some(DecodeError::Truncated));
    assert_eq!(Envelope::decode(Vec::new()).err(), Some(DecodeError::Truncated));
    let mut empty_dek = good[..19].to_vec();
    empty_dek.extend_from_slice(&[0; 2 + 72]);
    assert_eq!(Envelope::decode(empty_dek).err(), Some(DecodeError::Length));
    let mut long = good.clone();
    long.resize(125 + 24 + 48 + 16 * 1024 + 1, 0);
    assert_eq!(Envelope::decode(long).err(), Some(DecodeError::Length));
    assert!(WrappedDek::from_service(*kek.id(), vec![0; 65_536]).is_err());
}

proptest! {
    #[test]
    fn any_payload_comes_back(payload in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
        let draft = SealDraft::new(&context).unwrap();
        let wrapped = draft.wrap_request().wrap_with(&kek);
        let envelope = Envelope::decode(draft.finish(&payload, &wrapped).unwrap().into_bytes()).unwrap();
        let dek = envelope.unwrap_request(&context).unwrap_with(&kek).unwrap();
        prop_assert_eq!(&**open_payload(&envelope, &dek, &context).unwrap(), &payload);
    }

    #[test]
    fn what_decodes_encodes_alike(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        // The first five bytes are set so that most cases get past the header.
        let mut bytes = bytes;
        for (byte, value) in bytes.iter_mut().zip([1, 1, 1, 0, 0]) { *byte = value; }
        if let Ok(envelope) = Envelope::decode(bytes.clone()) {
            prop_assert_eq!(envelope.as_bytes(), &bytes[..]);
        }
    }
}

#[test]
fn secrets_show_nothing() {
    let kek = Kek::from_bytes(KekId::from_slice(b"an-id").unwrap(), &[0xAB; 32]);
    let context = EncryptionContext::for_token(&facts());
    let draft = SealDraft::new(&context).unwrap();
    for shown in [
        format!("{kek:?}"),
        format!("{draft:?}"),
        format!("{:?}", draft.wrap_request()),
        format!("{context:?}"),
    ] {
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
        assert!(!shown.contains("customer-17"), "{shown}");
    }
}

#[test]
fn types_cross_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<ApiToken>();
    send_and_sync::<Kek>();
    send_and_sync::<Envelope>();
    send_and_sync::<tokenkeep_core::Error>();
    send_and_sync::<tokenkeep_core::Credential>();
}

#[test]
fn a_payload_that_is_no_token_opens_as_a_payload_alone() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&facts()));
    for payload in [
        &b""[..],
        b"two words",
        b"a line\n",
        b"\xff\xfe",
        "tök".as_bytes(),
        b"a\0b",
        b"\x7f",
        b"https://a.example",
    ] {
        let draft = SealDraft::new(&context).unwrap();
        let wrapped = draft.wrap_request().wrap_with(&kek);
        let envelope = draft.finish(payload, &wrapped).unwrap();
        let dek = envelope.unwrap_request(&context).unwrap_with(&kek).unwrap();
        assert_eq!(**open_payload(&envelope, &dek, &context).unwrap(), *payload);
        assert_eq!(open_token(&kek, &context, &envelope).err(), Some(OpenError::Rejected), "{payload:?}");
        assert_eq!(ApiToken::open(&envelope, &dek, &context).err(), Some(OpenError::Rejected), "{payload:?}");
    }
}
