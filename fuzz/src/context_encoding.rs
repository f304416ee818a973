//! Two contexts are equal where their facts are, and nowhere else; what is sealed for one never opens for another.

use arbitrary::Unstructured;
use sha2::{Digest, Sha256};
use tokenkeep_core::{
    EncryptionContext, KekId, OpenError, TokenFacts, VaultId, VaultKeyPurpose, WrapRequest, open_token,
};

use crate::facts;
use crate::sealed::{SEALED, TOKEN, seal};

/// Makes two sets of facts and holds their contexts against each other and against FORMAT.md.
///
/// # Panics
/// When a promise is broken.
pub fn context_encoding(bytes: &[u8]) -> bool {
    let mut source = Unstructured::new(bytes);
    let Ok(one) = facts::any(&mut source) else { return false };
    let two = if source.arbitrary().unwrap_or(false) {
        facts::any(&mut source)
    } else {
        facts::near(&one, &mut source)
    };
    let Ok(two) = two else { return false };
    let (first, second) = (EncryptionContext::for_token(&one), EncryptionContext::for_token(&two));
    assert_eq!(first == second, one == two, "contexts are equal where their facts are");

    let kek = &SEALED.kek;
    assert_eq!(digest(kek.id(), &first), expected(kek.id(), &token_fields(&one)));
    assert_eq!(digest(kek.id(), &second), expected(kek.id(), &token_fields(&two)));
    for purpose in VaultKeyPurpose::ALL {
        let key = EncryptionContext::for_vault_key(one.vault, purpose);
        assert_eq!(digest(kek.id(), &key), expected(kek.id(), &key_fields(&one.vault, purpose)));
        assert!(key != first && key != second, "a vault's key is no token");
    }

    // The same bytes for every seal: were a fact left out of the binding, the envelopes would be equal.
    let envelope = seal(&first, kek, &[7; 80], TOKEN.as_bytes());
    assert_eq!(open_token(kek, &first, &envelope).expect("it was sealed for this").expose_secret(), TOKEN);
    match open_token(kek, &second, &envelope) {
        Ok(token) => {
            assert_eq!(one, two, "it opened for other facts");
            assert_eq!(token.expose_secret(), TOKEN);
        }
        Err(error) => {
            assert_ne!(one, two, "it did not open for the facts it was sealed with");
            assert_eq!(error, OpenError::Rejected);
        }
    }
    true
}

fn digest(kek: &KekId, context: &EncryptionContext) -> [u8; 32] {
    let request = WrapRequest::for_rewrap(&SEALED.records[0].dek, context).expect("random bytes");
    request.context_digest(kek)
}

/// SHA-256 of FORMAT.md's wrap AAD, written from it.
fn expected(kek: &KekId, fields: &[Vec<u8>]) -> [u8; 32] {
    let mut aad = Vec::new();
    let mut push = |field: &[u8]| {
        aad.extend_from_slice(&u16::try_from(field.len()).expect("a short field").to_be_bytes());
        aad.extend_from_slice(field);
    };
    push(b"tokenkeep wrapped dek");
    push(kek.as_bytes());
    fields.iter().for_each(|field| push(field));
    // Version and suite stand between the label and the KEK id, without a length.
    aad.splice(2 + 21..2 + 21, [1, 1]);
    Sha256::digest(&aad).into()
}

fn token_fields(facts: &TokenFacts) -> [Vec<u8>; 9] {
    [
        b"tokenkeep token".to_vec(),
        facts.vault.as_bytes().to_vec(),
        facts.connection.tenant().as_str().into(),
        facts.connection.name().as_str().into(),
        facts.incarnation.as_bytes().to_vec(),
        facts.provider.as_str().into(),
        facts.origin.as_str().into(),
        vec![1],
        facts.secret_version.get().to_be_bytes().to_vec(),
    ]
}

fn key_fields(vault: &VaultId, purpose: VaultKeyPurpose) -> [Vec<u8>; 3] {
    [b"tokenkeep vault key".to_vec(), vault.as_bytes().to_vec(), purpose.name().into()]
}
