//! One token held by two connections.

use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{Record, Scan};

use crate::inner::Inner;
use crate::observe::IncidentKind;

/// How many other connections are named.
const NAMED: u32 = 64;

impl Inner {
    /// The other records of the same tenant that hold this token, by name.
    pub(crate) async fn twins(
        &self,
        id: &ConnectionId,
        fingerprint: &[u8; 32],
    ) -> Result<Vec<Record>, Error> {
        let scan = Scan::Fingerprint { of: *fingerprint, tenant: Some(id.tenant().clone()) };
        let mut found = self.store.scan(&scan, None, NAMED + 1).await?;
        found.retain(|record| record.id != *id && self.keys.records.fits(record));
        found.truncate(NAMED as usize);
        Ok(found)
    }

    /// The names of the other connections of the same tenant that hold this token.
    pub(crate) async fn reused(
        &self,
        id: &ConnectionId,
        fingerprint: &[u8; 32],
    ) -> Result<Vec<ConnectionId>, Error> {
        Ok(self.twins(id, fingerprint).await?.into_iter().map(|record| record.id).collect())
    }

    /// Tells the operator when another tenant holds this token. It is told nowhere else: neither tenant may learn of the
    /// other, so nothing of it is in any result.
    pub(crate) async fn tell_other_tenants(
        &self,
        id: &ConnectionId,
        fingerprint: &[u8; 32],
    ) -> Result<bool, Error> {
        let scan = Scan::Fingerprint { of: *fingerprint, tenant: None };
        let (mut others, mut after): (Vec<ConnectionId>, _) = (Vec::new(), None);
        while others.is_empty() {
            let page = self.store.scan(&scan, after.as_ref(), NAMED).await?;
            let Some(last) = page.last() else { return Ok(false) };
            after = Some(last.id.clone());
            let foreign = page.into_iter().filter(|record| record.id.tenant() != id.tenant());
            others.extend(foreign.filter(|record| self.keys.records.fits(record)).map(|record| record.id));
        }
        tracing::warn!(others = others.len(), "one token is held for more than one tenant");
        others.insert(0, id.clone());
        self.watch.incident(IncidentKind::ReusedAcrossTenants, &others);
        Ok(true)
    }
}
