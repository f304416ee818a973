//! Reading the audit trail.

use std::sync::Arc;

use tokenkeep_core::Error;
use tokenkeep_store::{AuditEntry, shard_of};

use crate::export::AuditExport;
use crate::inner::Inner;
use crate::observe::Operation;

/// How many entries are read at a time.
const PAGE: u32 = 256;

/// The audit trail of a vault: what was done with each connection, in order.
#[derive(Debug, Clone)]
pub struct AuditTrail {
    vault: Arc<Inner>,
}

impl AuditTrail {
    pub(crate) fn new(vault: Arc<Inner>) -> Self {
        Self { vault }
    }

    /// All of it as JSON lines, page by page: to be kept, searched, or handed to an auditor.
    ///
    /// ```
    /// # async fn example(vault: tokenkeep::Vault, kept: &str) -> Result<String, Box<dyn std::error::Error>> {
    /// use std::io::Write;
    ///
    /// # let mut file = Vec::new();
    /// let mut export = vault.audit().export().after(kept.parse()?); // where the last one ended
    /// while let Some(lines) = export.next().await? {
    ///     file.write_all(lines.as_bytes())?;
    /// }
    /// let kept = export.cursor().to_string(); // once the file is safe
    /// # Ok(kept) }
    /// ```
    pub fn export(&self) -> AuditExport {
        AuditExport::new(Arc::clone(&self.vault))
    }

    /// Up to `limit` of a tenant's entries, oldest first, from behind the place `after` (0 for the start). Places are
    /// counted over all tenants that share a chain, so they have gaps. [`Vault::verify`](crate::Vault::verify) tells
    /// whether the trail is whole; this only reads it.
    ///
    /// # Errors
    /// `InvalidName`; `Tampered` when an entry can't be read; `StoreUnavailable`.
    pub async fn of_tenant(
        &self,
        tenant: impl AsRef<str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, Error> {
        self.vault.watch.over(Operation::ReadAudit, None, self.read(tenant.as_ref(), after, limit)).await
    }

    async fn read(&self, tenant: &str, mut after: u64, limit: usize) -> Result<Vec<AuditEntry>, Error> {
        let tenant = self.vault.keys.tenants.of(tenant)?;
        let shard = shard_of(&tenant);
        let mut found = Vec::new();
        loop {
            let page = self.vault.store.audit_entries(shard, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.sequence;
            for entry in page {
                if found.len() == limit {
                    return Ok(found);
                }
                if *entry.draft.id.tenant() == tenant {
                    found.push(entry);
                }
            }
        }
    }
}
