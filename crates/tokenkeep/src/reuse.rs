//! One token held by two connections.

use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{Change, Record, Scan};

use crate::inner::Inner;
use crate::observe::IncidentKind;

/// How many other connections are named.
const NAMED: u32 = 64;

fn of_any_tenant(fingerprint: &[u8; 32]) -> Scan {
    Scan::Fingerprint { of: *fingerprint, tenant: None }
}

fn of_same_tenant(id: &ConnectionId, fingerprint: &[u8; 32]) -> Scan {
    Scan::Fingerprint { of: *fingerprint, tenant: Some(id.tenant().clone()) }
}

fn names(records: Vec<Record>) -> Vec<ConnectionId> {
    records.into_iter().map(|record| record.id).collect()
}

/// The other connections that hold a token.
pub(crate) struct Holders {
    /// Of the same tenant, by name; up to 64.
    pub(crate) twins: Vec<Record>,
    /// Of other tenants: those of the first page that has any.
    pub(crate) others: Vec<ConnectionId>,
}

impl Inner {
    /// The other records of the same tenant that hold this token, by name.
    async fn twins(&self, id: &ConnectionId, fingerprint: &[u8; 32]) -> Result<Vec<Record>, Error> {
        let found = self.store.scan(&of_same_tenant(id, fingerprint), None, NAMED + 1).await?;
        Ok(self.of_same_tenant(id, found))
    }

    /// The other records of the same tenant that hold this one's token, for the same provider; up to 64, by name.
    pub(crate) async fn same_token(&self, record: &Record) -> Result<Vec<Record>, Error> {
        let Some(sealed) = &record.sealed else { return Ok(Vec::new()) };
        let mut twins = self.twins(&record.id, &sealed.fingerprint).await?;
        twins.retain(|twin| twin.provider == record.provider && self.is_latest(twin));
        Ok(twins)
    }

    /// The names of the other connections that hold the token of each of these records, in their order: of a page at once.
    pub(crate) async fn reused_each(&self, records: &[&Record]) -> Result<Vec<Vec<ConnectionId>>, Error> {
        let mut scans = Vec::with_capacity(records.len());
        for record in records {
            scans
                .extend(record.sealed.as_ref().map(|sealed| of_same_tenant(&record.id, &sealed.fingerprint)));
        }
        let mut found = self.store.scan_each(&scans, NAMED + 1).await?.into_iter();
        let mut reused = Vec::with_capacity(records.len());
        for record in records {
            let page = record.sealed.as_ref().and_then(|_| found.next());
            reused.push(names(self.of_same_tenant(&record.id, page.unwrap_or_default())));
        }
        Ok(reused)
    }

    /// The names of the other connections of the same tenant that hold this token.
    pub(crate) async fn reused(
        &self,
        id: &ConnectionId,
        fingerprint: &[u8; 32],
    ) -> Result<Vec<ConnectionId>, Error> {
        Ok(names(self.twins(id, fingerprint).await?))
    }

    /// Who else holds this token, in one read unless very many do.
    pub(crate) async fn holders(&self, id: &ConnectionId, fingerprint: &[u8; 32]) -> Result<Holders, Error> {
        let page = self.store.scan(&of_any_tenant(fingerprint), None, NAMED).await?;
        self.holders_from(id, fingerprint, page).await
    }

    /// As [`load`](Self::load), and who else holds this token.
    pub(crate) async fn load_with_holders(
        &self,
        id: &ConnectionId,
        fingerprint: &[u8; 32],
    ) -> Result<(Option<Record>, Holders), Error> {
        let mark = self.seen.mark(id);
        let (record, page) = self.store.record_and_scan(id, &of_any_tenant(fingerprint), NAMED).await?;
        let record = self.checked(id, mark, record)?;
        Ok((record, self.holders_from(id, fingerprint, page).await?))
    }

    /// As [`commit`](Self::commit), and who else holds this token after it. The inner error is the look's.
    pub(crate) async fn commit_and_look(
        &self,
        change: &Change,
        fingerprint: &[u8; 32],
    ) -> Result<Result<Holders, Error>, Error> {
        let (changes, chain) = (std::slice::from_ref(change), self.keys.chain.for_commit());
        let scan = of_any_tenant(fingerprint);
        let page = self.store.commit_and_scan(changes, &chain, &scan, NAMED).await?;
        self.committed(changes, &chain);
        match page {
            Ok(page) => Ok(self.holders_from(&change.entry.id, fingerprint, page).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn holders_from(
        &self,
        id: &ConnectionId,
        fingerprint: &[u8; 32],
        mut page: Vec<Record>,
    ) -> Result<Holders, Error> {
        let scan = of_any_tenant(fingerprint);
        let mut others = self.of_other_tenants(id, &page);
        if page.len() < NAMED as usize {
            return Ok(Holders { twins: self.of_same_tenant(id, page), others });
        }
        while let Some(last) = page.last().filter(|_| others.is_empty()) {
            page = self.store.scan(&scan, Some(&last.id), NAMED).await?;
            others = self.of_other_tenants(id, &page);
        }
        Ok(Holders { twins: self.twins(id, fingerprint).await?, others })
    }

    /// Tells the operator when other tenants hold this token, and returns whether they do. It is told nowhere else: neither
    /// tenant may learn of the other, so nothing of it is in any result.
    pub(crate) fn tell_other_tenants(&self, id: &ConnectionId, mut others: Vec<ConnectionId>) -> bool {
        if others.is_empty() {
            return false;
        }
        tracing::warn!(others = others.len(), "one token is held for more than one tenant");
        others.insert(0, id.clone());
        self.watch.incident(IncidentKind::ReusedAcrossTenants, &others);
        true
    }

    fn of_other_tenants(&self, id: &ConnectionId, page: &[Record]) -> Vec<ConnectionId> {
        let foreign = page.iter().filter(|record| record.id.tenant() != id.tenant());
        foreign.filter(|record| self.keys.records.fits(record)).map(|record| record.id.clone()).collect()
    }

    fn of_same_tenant(&self, id: &ConnectionId, mut page: Vec<Record>) -> Vec<Record> {
        page.retain(|record| {
            record.id.tenant() == id.tenant() && record.id != *id && self.keys.records.fits(record)
        });
        page.truncate(NAMED as usize);
        page
    }
}
