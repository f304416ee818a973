//! The facts that a ciphertext is bound to, in their one canonical encoding.

use alloc::vec::Vec;
use core::fmt;

use crate::{ConnectionId, Incarnation, KekId, Origin, ProviderName, SecretVersion, VaultId, aad};

const VAULT_KEY_LABEL: &[u8] = b"tokenkeep vault key";

/// The facts of one token. Tenant, connection, provider and origin must come from the caller and from code, never from
/// the record that is being opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// The vault that holds the token.
    pub vault: VaultId,
    /// Whose token it is, and which of theirs.
    pub connection: ConnectionId,
    /// Which life of that connection.
    pub incarnation: Incarnation,
    /// The provider that the token is for.
    pub provider: ProviderName,
    /// The one place that the token may be sent to.
    pub origin: Origin,
    /// What the payload is.
    pub kind: PayloadKind,
    /// Which token of that incarnation.
    pub secret_version: SecretVersion,
}

/// What an envelope's payload is. Others (an OAuth token pair) get numbers of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadKind {
    /// An API token, as it is sent.
    ApiToken,
    /// The values of a set of environment variables: [`SecretVars::to_payload`](crate::SecretVars::to_payload).
    EnvVars,
    /// What is known of such a set without its values: names, and where they were sent.
    EnvIndex,
}

impl PayloadKind {
    /// Its number in the encryption context and in a database.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::ApiToken => 1,
            Self::EnvVars => 2,
            Self::EnvIndex => 3,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::ApiToken),
            2 => Some(Self::EnvVars),
            3 => Some(Self::EnvIndex),
            _ => None,
        }
    }
}

/// What one of a vault's own keys is for. Each purpose has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VaultKeyPurpose {
    /// Keyed fingerprints of tokens.
    Fingerprint,
    /// The MAC over a record.
    RecordMac,
    /// The MAC that chains the audit trail.
    AuditMac,
    /// The signature under the audit trail's checkpoints.
    CheckpointSigning,
    /// The pseudonyms that a vault keeps in place of tenants' names. If it was made to keep the names, nothing is sealed for this
    /// purpose, in an envelope all the same.
    TenantPseudonym,
}

impl VaultKeyPurpose {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Fingerprint, Self::RecordMac, Self::AuditMac, Self::CheckpointSigning, Self::TenantPseudonym];

    /// The name that is bound into the key's envelope and under which a store keeps it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::RecordMac => "record-mac",
            Self::AuditMac => "audit-mac",
            Self::CheckpointSigning => "checkpoint-signing",
            Self::TenantPseudonym => "tenant-pseudonym",
        }
    }

    /// The purpose with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// What a ciphertext is bound to: it opens for an equal context only.
///
/// The encoding is a label and then every field, each led by its length as a big-endian `u16`, so that two
/// contexts never encode alike.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionContext {
    encoded: Vec<u8>,
}

impl EncryptionContext {
    /// The context of a token.
    #[must_use]
    pub fn for_token(facts: &TokenFacts) -> Self {
        Self::encode(&[
            b"tokenkeep token",
            facts.vault.as_bytes(),
            facts.connection.tenant().as_str().as_bytes(),
            facts.connection.name().as_str().as_bytes(),
            facts.incarnation.as_bytes(),
            facts.provider.as_str().as_bytes(),
            facts.origin.as_str().as_bytes(),
            &[facts.kind.number()],
            &facts.secret_version.get().to_be_bytes(),
        ])
    }

    /// The context of one of a vault's own keys.
    #[must_use]
    pub fn for_vault_key(vault: VaultId, purpose: VaultKeyPurpose) -> Self {
        Self::encode(&[VAULT_KEY_LABEL, vault.as_bytes(), purpose.name().as_bytes()])
    }

    /// The context of an epoch: a KEK that is kept sealed under a key of a remote provider, with this id and made at this time
    /// (milliseconds since 1970 UTC). So who can write to where epochs are kept can neither exchange two of them nor make one
    /// younger than it is.
    #[must_use]
    pub fn for_epoch(epoch: &KekId, created_at: i64) -> Self {
        Self::encode(&[b"tokenkeep epoch", epoch.as_bytes(), &created_at.to_be_bytes()])
    }

    /// The label stands first and is led by its length, so nothing else begins so.
    pub(crate) fn is_vault_key(&self) -> bool {
        let rest = self.encoded.split_first_chunk::<2>().map(|(_, rest)| rest);
        let length = (VAULT_KEY_LABEL.len() as u16).to_be_bytes();
        self.encoded.starts_with(&length) && rest.is_some_and(|rest| rest.starts_with(VAULT_KEY_LABEL))
    }

    fn encode(fields: &[&[u8]]) -> Self {
        let mut encoded = Vec::with_capacity(fields.iter().map(|field| 2 + field.len()).sum());
        for field in fields {
            // Every field is bounded by its type far below 65,536 bytes.
            encoded.extend_from_slice(&(field.len() as u16).to_be_bytes());
            encoded.extend_from_slice(field);
        }
        debug_assert!(encoded.len() <= aad::MAX_CONTEXT);
        Self { encoded }
    }

    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

impl fmt::Debug for EncryptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionContext").finish_non_exhaustive()
    }
}
