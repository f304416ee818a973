//! The sets of a tenant.

use tokenkeep_core::{ConnectionId, Error, ErrorKind, TenantId};
use tokenkeep_store::{Record, Scan};

use super::names::{SetIds, before_sets, behind_reserved, is_reserved};
use super::status::{SecretEnvStatus, status};
use crate::inner::Inner;
use crate::status::ConnectionState;

/// Up to `limit` of a tenant's sets by name, from behind `after`.
pub(crate) async fn list(
    vault: &Inner,
    tenant: TenantId,
    after: Option<SetIds>,
    limit: u32,
) -> Result<Vec<SecretEnvStatus>, Error> {
    let after: ConnectionId = match after {
        Some(ids) => ids.values,
        None => before_sets(&tenant)?,
    };
    let page = vault.store.scan(&Scan::Tenant(tenant), Some(&after), limit).await?;
    let mut listed = Vec::new();
    for record in page {
        // The values of sets lie together, so what comes behind them is none.
        let Some(ids) = SetIds::of(&record.id).filter(|ids| ids.values == record.id) else { break };
        // Read by itself: one that was altered, or changed meanwhile, spoils no list.
        listed.push(match status(vault, &ids).await {
            Err(error) if error.kind() == ErrorKind::Tampered => {
                SecretEnvStatus::without_record(&ids, ConnectionState::Tampered)
            }
            status => status?,
        });
    }
    Ok(listed)
}

impl Inner {
    /// Up to `limit` records of a tenant's connections by name, from behind `after`: without those of sets.
    pub(crate) async fn connections(
        &self,
        tenant: TenantId,
        mut after: Option<ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let behind = behind_reserved(&tenant)?;
        let scan = Scan::Tenant(tenant);
        let mut found = Vec::new();
        loop {
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(limit));
            let mut page = self.store.scan(&scan, after.as_ref(), left).await?;
            let is_last = page.len() < left as usize;
            let mut last = page.last().map(|record| record.id.clone());
            let read = page.len();
            page.retain(|record| !is_reserved(record.id.name()));
            if page.len() == read || is_last {
                found.append(&mut page);
                return Ok(found);
            }
            // However many sets there are, they are gone through once.
            last = last.max(Some(behind.clone()));
            found.append(&mut page);
            after = last;
        }
    }
}
