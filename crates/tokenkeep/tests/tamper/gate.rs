//! A store in which a discard is overtaken at its last moment.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokenkeep::{
    Action, AuditChain, AuditDraft, AuditEntry, AuditHead, Change, ConnectionId, Error, Scrub, SqliteStore,
    Timestamp, TokenStore,
};
use tokenkeep_core::KekId;
use tokenkeep_store::{
    AtProvider, Counted, KekClosure, PausedRecord, ProbeLease, ProbeTurn, PurgeLease, Record, Scan,
    StoredCheckpoint, TokenSet, VaultRecord,
};
use tokio::sync::Barrier;

#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) inner: SqliteStore,
    /// So many discards wait, each for one other.
    pub(crate) gated: AtomicUsize,
    pub(crate) together: Barrier,
    /// Before so many discards another use of the same shard is committed.
    pub(crate) overtaken: AtomicUsize,
}

impl Gate {
    pub(crate) fn new(inner: SqliteStore, gated: usize, overtaken: usize) -> Arc<Self> {
        let (gated, overtaken) = (AtomicUsize::new(gated), AtomicUsize::new(overtaken));
        Arc::new(Self { inner, gated, together: Barrier::new(2), overtaken })
    }
}

fn one_less(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl TokenStore for Gate {
    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        self.inner.vault().await
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        self.inner.init_vault(vault).await
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        self.inner.record(id).await
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        self.inner.scan(scan, after, limit).await
    }

    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        self.inner.tokens_set(during, after, limit).await
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        if let Some(discard) = changes.iter().find(|change| change.entry.action == Action::Discarded) {
            if one_less(&self.gated) {
                self.together.wait().await;
            }
            if one_less(&self.overtaken) {
                let entry = AuditDraft {
                    action: Action::Used,
                    record_mac: None,
                    subject: None,
                    ..discard.entry.clone()
                };
                self.inner.commit(&[Change { record: None, entry }], chain).await?;
            }
        }
        self.inner.commit(changes, chain).await
    }

    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error> {
        self.inner.paused(at, due, after, limit).await
    }

    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
        self.inner.count(at, which, limit).await
    }

    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
        self.inner.lease_probe(id, lease).await
    }

    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
        self.inner.lease_purge(id, lease).await
    }

    async fn rewrap_vault(
        &self,
        before: &VaultRecord,
        after: &VaultRecord,
        kek: &KekId,
    ) -> Result<(), Error> {
        self.inner.rewrap_vault(before, after, kek).await
    }

    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
        self.inner.close_kek(kek, now).await
    }

    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
        self.inner.kek_closure(kek).await
    }

    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
        self.inner.note_drained(kek, now).await
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        self.inner.audit_heads().await
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        self.inner.audit_entries(shard, after, limit).await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        self.inner.checkpoint().await
    }

    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        self.inner.put_checkpoint(checkpoint).await
    }

    async fn writable(&self) -> Result<(), Error> {
        self.inner.writable().await
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        self.inner.scrub().await
    }
}
