//! The associated data of both levels: what is authenticated beside the ciphertext.

use crate::envelope::{SUITE, VERSION};
use crate::{EncryptionContext, KekId};

/// The longest encoded context: its label and fields at their longest (15 + 16 + 255 + 255 + 16 + 64 + 267 + 1 + 8
/// bytes) and nine lengths of 2 bytes.
pub(crate) const MAX_CONTEXT: usize = 915;

const PAYLOAD_LABEL: &[u8] = b"tokenkeep payload";
const WRAP_LABEL: &[u8] = b"tokenkeep wrapped dek";

/// The longest wrap AAD: label and KEK id with their lengths, version and suite, context.
const MAX_AAD: usize = 2 + WRAP_LABEL.len() + 2 + KekId::MAX_LEN + 2 + MAX_CONTEXT;

/// Associated data on the stack: a seal allocates nothing for it.
pub(crate) struct Aad {
    bytes: [u8; MAX_AAD],
    length: usize,
}

impl Aad {
    /// Label, version, suite, context. No KEK id, so that a rewrap leaves the payload alone.
    pub(crate) fn of_payload(context: &EncryptionContext) -> Self {
        let mut aad = Self::start(PAYLOAD_LABEL, VERSION, SUITE);
        aad.push(context.encoded());
        aad
    }

    /// Another label, version, suite, KEK id, the same context.
    pub(crate) fn of_wrap(kek: &KekId, context: &EncryptionContext) -> Self {
        let mut aad = Self::start(WRAP_LABEL, VERSION, SUITE);
        aad.push_field(kek.as_bytes());
        aad.push(context.encoded());
        aad
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn start(label: &[u8], version: u8, suite: u8) -> Self {
        let mut aad = Self { bytes: [0; MAX_AAD], length: 0 };
        aad.push_field(label);
        aad.push(&[version, suite]);
        aad
    }

    fn push_field(&mut self, field: &[u8]) {
        self.push(&(field.len() as u16).to_be_bytes());
        self.push(field);
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ConnectionId, Incarnation, Origin, PayloadKind, ProviderName, SecretVersion, TokenFacts, VaultId,
    };
    use alloc::format;

    /// Version 1 has suite 1, so that no vector can tell one from the other.
    #[test]
    fn the_version_stands_before_the_suite() {
        assert_eq!(Aad::start(b"label", 8, 9).as_bytes(), b"\0\x05label\x08\x09");
    }

    #[test]
    fn the_longest_context_fits() {
        let label = "a".repeat(63);
        let host = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        let facts = TokenFacts {
            vault: VaultId::from_bytes([1; 16]),
            connection: ConnectionId::new("t".repeat(255), "c".repeat(255)).unwrap(),
            incarnation: Incarnation::from_bytes([2; 16]),
            provider: ProviderName::new("p".repeat(64)).unwrap(),
            origin: Origin::parse(&format!("https://{host}:65535")).unwrap(),
            kind: PayloadKind::ApiToken,
            secret_version: SecretVersion::FIRST,
        };
        let context = EncryptionContext::for_token(&facts);
        assert_eq!(context.encoded().len(), MAX_CONTEXT);
        let kek = KekId::from_slice(&[7; 29]).unwrap();
        assert_eq!(Aad::of_wrap(&kek, &context).as_bytes().len(), MAX_AAD);
    }
}
