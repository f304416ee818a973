//! Disconnecting everything of a tenant.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use tokenkeep_core::{ConnectionId, Error, ErrorKind, TenantId};
use tokenkeep_store::Scan;

use crate::disconnect::disconnect;
use crate::env::SetIds;
use crate::inner::Inner;
use crate::observe::Operation;
use crate::receipt::Receipt;

/// How many connections are read at a time.
const PAGE: u32 = 64;

/// What came of one connection of a tenant that is erased.
#[derive(Debug)]
#[non_exhaustive]
pub struct Erased {
    /// Which connection; or the values of a set of secret environment variables, named `~env/NAME`.
    pub id: ConnectionId,
    /// What its disconnect did. `Tampered` when its record was altered: its token is not used any more, but an operator
    /// must end it ([`Connection::discard_tampered`](crate::Connection::discard_tampered)). The others are disconnected all the same.
    pub receipt: Result<Receipt, Error>,
}

/// Disconnects a tenant's connections. Made by [`Vault::erase_tenant`](crate::Vault::erase_tenant); after an interruption,
/// make another one: disconnecting can be repeated.
#[must_use = "nothing is disconnected until `next` is called"]
pub struct TenantErasure {
    vault: Arc<Inner>,
    scan: Scan,
    after: Option<ConnectionId>,
    page: VecDeque<ConnectionId>,
    /// Whether the first pass, which gives everything, is over.
    again: bool,
}

impl TenantErasure {
    pub(crate) fn new(vault: Arc<Inner>, tenant: TenantId) -> Self {
        Self { vault, scan: Scan::Tenant(tenant), after: None, page: VecDeque::new(), again: false }
    }

    /// Disconnects the next one; `None` when there is none left. A connection that is made meanwhile is found, unless it is
    /// made after the last look.
    ///
    /// # Errors
    /// `Tampered` when a record's very name can't be read; `StoreUnavailable`, also when a single connection can't be
    /// disconnected for that: the same call tries it again.
    ///
    /// # Cancellation
    /// Safe: a dropped call disconnected the connection or did not, and the same call gives it again.
    pub async fn next(&mut self) -> Result<Option<Erased>, Error> {
        loop {
            if let Some(id) = self.page.front() {
                if !self.again && self.comes_with_its_set(id).await? {
                    self.page.pop_front();
                    continue;
                }
                let work = disconnect(&self.vault, id);
                let receipt = self.vault.watch.over(Operation::Disconnect, Some(id), work).await;
                return match receipt {
                    Err(error) if error.is_retryable() => Err(error),
                    receipt => Ok(self.page.pop_front().map(|id| Erased { id, receipt })),
                };
            }
            let work = self.vault.store.scan(&self.scan, self.after.as_ref(), PAGE);
            let page = self.vault.watch.over(Operation::List, None, work).await?;
            if let Some(last) = page.last() {
                self.after = Some(last.id.clone());
                let again = self.again;
                // What was altered may say that it holds nothing.
                let records = &self.vault.keys.records;
                let left =
                    page.into_iter().filter(|record| !again || record.is_live() || !records.fits(record));
                self.page = left.map(|record| record.id).collect();
            } else if self.again {
                return Ok(None);
            } else {
                // One more look, for what came in behind.
                (self.again, self.after) = (true, None);
            }
        }
    }

    /// Whether this is one half of a set, and the other one is still to come, which ends both: a set has one receipt.
    async fn comes_with_its_set(&self, id: &ConnectionId) -> Result<bool, Error> {
        match SetIds::of(id).filter(|ids| ids.index == *id) {
            None => Ok(false),
            Some(ids) => match self.vault.store.record(&ids.values).await {
                Err(error) if error.kind() == ErrorKind::Tampered => Ok(true),
                values => Ok(values?.is_some()),
            },
        }
    }

    /// All that are left.
    ///
    /// # Errors
    /// As [`next`](Self::next). What was disconnected stays so.
    pub async fn finish(mut self) -> Result<Vec<Erased>, Error> {
        let mut all = Vec::new();
        while let Some(erased) = self.next().await? {
            all.push(erased);
        }
        Ok(all)
    }
}

impl fmt::Debug for TenantErasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantErasure").field("after", &self.after).finish_non_exhaustive()
    }
}
