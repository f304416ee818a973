//! A pointer to a store is a store.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, KekId};

use crate::{
    AtProvider, AuditChain, AuditEntry, AuditHead, Change, Counted, KekClosure, PausedRecord, ProbeLease,
    ProbeTurn, PurgeLease, Record, Scan, Scrub, StoredCheckpoint, Timestamp, TokenSet, TokenStore,
    VaultRecord,
};

/// Forwards every method; a default that is forgotten here would hide the store's own.
macro_rules! forward_to_inner {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<T: TokenStore + ?Sized> TokenStore for $pointer<T> {
            async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
                (**self).vault().await
            }

            async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
                (**self).init_vault(vault).await
            }

            async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
                (**self).record(id).await
            }

            async fn scan(
                &self,
                scan: &Scan,
                after: Option<&ConnectionId>,
                limit: u32,
            ) -> Result<Vec<Record>, Error> {
                (**self).scan(scan, after, limit).await
            }

            async fn tokens_set(
                &self,
                during: Range<Timestamp>,
                after: Option<&TokenSet>,
                limit: u32,
            ) -> Result<Vec<Record>, Error> {
                (**self).tokens_set(during, after, limit).await
            }

            async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
                (**self).commit(changes, chain).await
            }

            async fn record_and_scan(
                &self,
                id: &ConnectionId,
                scan: &Scan,
                limit: u32,
            ) -> Result<(Option<Record>, Vec<Record>), Error> {
                (**self).record_and_scan(id, scan, limit).await
            }

            async fn scan_each(&self, scans: &[Scan], limit: u32) -> Result<Vec<Vec<Record>>, Error> {
                (**self).scan_each(scans, limit).await
            }

            async fn commit_and_scan(
                &self,
                changes: &[Change],
                chain: &AuditChain,
                scan: &Scan,
                limit: u32,
            ) -> Result<Result<Vec<Record>, Error>, Error> {
                (**self).commit_and_scan(changes, chain, scan, limit).await
            }

            async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
                (**self).lease_purge(id, lease).await
            }

            async fn paused(
                &self,
                at: &AtProvider,
                due: RangeInclusive<Timestamp>,
                after: Option<&ProbeTurn>,
                limit: u32,
            ) -> Result<Vec<PausedRecord>, Error> {
                (**self).paused(at, due, after, limit).await
            }

            async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
                (**self).count(at, which, limit).await
            }

            async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
                (**self).lease_probe(id, lease).await
            }

            async fn rewrap_vault(
                &self,
                before: &VaultRecord,
                after: &VaultRecord,
                kek: &KekId,
            ) -> Result<(), Error> {
                (**self).rewrap_vault(before, after, kek).await
            }

            async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
                (**self).close_kek(kek, now).await
            }

            async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
                (**self).kek_closure(kek).await
            }

            async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
                (**self).note_drained(kek, now).await
            }

            async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
                (**self).audit_heads().await
            }

            async fn audit_entries(
                &self,
                shard: u16,
                after: u64,
                limit: u32,
            ) -> Result<Vec<AuditEntry>, Error> {
                (**self).audit_entries(shard, after, limit).await
            }

            async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
                (**self).checkpoint().await
            }

            async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
                (**self).put_checkpoint(checkpoint).await
            }

            async fn writable(&self) -> Result<(), Error> {
                (**self).writable().await
            }

            async fn scrub(&self) -> Result<Scrub, Error> {
                (**self).scrub().await
            }

            fn database_file(&self) -> Option<&Path> {
                (**self).database_file()
            }
        }
    };
}

forward_to_inner!(Arc);
forward_to_inner!(Box);
