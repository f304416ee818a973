//! What a remote key service is told of a context: SHA-256 of the wrap's associated data. The figures were worked out
//! apart from this code, from FORMAT.md.

#[path = "support/facts.rs"]
mod support;

use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, KekId, PayloadKind, VaultId, VaultKeyPurpose, WrapRequest,
};

fn token() -> EncryptionContext {
    EncryptionContext::for_token(&support::facts())
}

fn digest(context: &EncryptionContext) -> String {
    let (dek, kek) = (Dek::from_bytes(&[5; 32]), KekId::from_slice(b"a-kek").unwrap());
    let digest = WrapRequest::for_rewrap(&dek, context).unwrap().context_digest(&kek);

    // Whoever unwraps names the same one.
    let bytes = [&[1, 1, 5], &b"a-kek"[..], &[0, 1, 9], &[0; 72]].concat();
    let envelope = Envelope::decode(bytes).unwrap();
    assert_eq!(envelope.unwrap_request(context).context_digest(), digest);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_digests_are_those_of_the_format() {
    let key = EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::RecordMac);
    let epoch = EncryptionContext::for_epoch(&KekId::from_slice(b"an-epoch").unwrap(), 1_795_315_548_123);
    assert_eq!(digest(&epoch), "cf0a02605ecb2c8630551522f30552f0a9ebc39dc75bdb448624c9a56195f1ce");
    assert_eq!(digest(&token()), "10aa8406aff0218ae5b91912e982c91861ea14a2df02cb88a0b6f0b685439c3a");
    assert_eq!(digest(&key), "3f13c3d2a0e7b75d019730f550d23de98f5bdddb102267eef6c6766faad3b6b4");
}

#[test]
fn a_request_tells_a_vault_key_from_a_token() {
    let dek = Dek::from_bytes(&[5; 32]);
    let key = EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::RecordMac);
    let epoch = EncryptionContext::for_epoch(&KekId::from_slice(b"tokenkeep vault key").unwrap(), 0);
    for (context, is) in [(&key, true), (&token(), false), (&epoch, false)] {
        assert_eq!(WrapRequest::for_rewrap(&dek, context).unwrap().is_for_vault_key(), is);
    }
}

#[test]
fn kinds_and_purposes_keep_their_numbers_and_names() {
    let kinds = [PayloadKind::ApiToken, PayloadKind::EnvVars, PayloadKind::EnvIndex];
    assert_eq!(kinds.map(PayloadKind::number), [1, 2, 3]);
    for number in 0..=255 {
        let known = kinds.into_iter().find(|kind| kind.number() == number);
        assert_eq!(PayloadKind::from_number(number), known);
    }
    let names = VaultKeyPurpose::ALL.map(VaultKeyPurpose::name);
    assert_eq!(names, ["fingerprint", "record-mac", "audit-mac", "checkpoint-signing", "tenant-pseudonym"]);
    for purpose in VaultKeyPurpose::ALL {
        assert_eq!(VaultKeyPurpose::from_name(purpose.name()), Some(purpose));
    }
    assert_eq!(VaultKeyPurpose::from_name("record-MAC"), None);
}
