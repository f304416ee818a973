//! What a vault keeps about itself.

use tokenkeep_core::{VaultId, VaultKeyPurpose};

/// A vault's id and its own keys, each sealed in an envelope under the key provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRecord {
    /// Drawn when the vault was made.
    pub id: VaultId,
    /// One envelope for each [`VaultKeyPurpose`], as bytes; none of them may be missing.
    pub keys: Vec<(VaultKeyPurpose, Vec<u8>)>,
}
