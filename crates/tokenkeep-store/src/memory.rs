//! The reference: a store without a database, for tests and for the shape of the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range, RangeInclusive};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, ErrorKind, KekId, PayloadKind};

use crate::{
    AtProvider, AuditChain, AuditEntry, AuditHead, Change, Counted, Expected, KekClosure, PausedRecord,
    ProbeLease, ProbeTurn, Purge, PurgeLease, Record, RecordChange, SHARDS, Scan, Scrub, Status,
    StoredCheckpoint, Timestamp, TokenSet, TokenStore, VaultRecord, shard_of,
};

/// Keeps everything in memory, and nothing when it is dropped.
#[derive(Debug)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug)]
struct State {
    vault: Option<VaultRecord>,
    records: BTreeMap<ConnectionId, Record>,
    closed: BTreeMap<KekId, KekClosure>,
    leases: BTreeMap<ConnectionId, PurgeLease>,
    probes: BTreeMap<ConnectionId, ProbeLease>,
    /// One chain for each shard.
    trail: Vec<Vec<AuditEntry>>,
    checkpoint: Option<StoredCheckpoint>,
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let trail = vec![Vec::new(); usize::from(SHARDS)];
        Self(Mutex::new(State {
            vault: None,
            records: BTreeMap::new(),
            closed: BTreeMap::new(),
            leases: BTreeMap::new(),
            probes: BTreeMap::new(),
            trail,
            checkpoint: None,
        }))
    }

    /// The lock is never held over an await, and a panic under it leaves no half-made change: see `commit`.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn head(&self, shard: u16) -> AuditHead {
        self.trail
            .get(usize::from(shard))
            .and_then(|chain| chain.last())
            .map_or(AuditHead::empty(shard), AuditEntry::head)
    }

    /// Whether the record brings an envelope that was not in its place before, and that under a closed KEK.
    fn seals_under_closed(&self, record: &Record, before: Option<&Record>) -> bool {
        let present = before.and_then(|before| before.sealed.as_ref());
        record.sealed.as_ref().is_some_and(|sealed| {
            self.closed.contains_key(&sealed.kek)
                && present.is_none_or(|present| present.envelope != sealed.envelope)
        })
    }
}

fn matches(scan: &Scan, record: &Record) -> bool {
    match scan {
        Scan::All => true,
        Scan::Tenant(tenant) => record.id.tenant() == tenant,
        Scan::UnderKek(kek) => record.sealed.as_ref().is_some_and(|sealed| sealed.kek == *kek),
        Scan::PurgePending => record.purge == Purge::Pending,
        Scan::Fingerprint { of, tenant } => {
            record.sealed.as_ref().is_some_and(|sealed| sealed.fingerprint == *of)
                && tenant.as_ref().is_none_or(|tenant| record.id.tenant() == tenant)
        }
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        Ok(self.state().vault.clone())
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        let mut state = self.state();
        let in_use = !state.records.is_empty()
            || state.trail.iter().any(|chain| !chain.is_empty())
            || state.checkpoint.is_some();
        if state.vault.is_none() && in_use {
            return Err(
                Error::new(ErrorKind::StoreUnusable).because("its vault is missing, its records are not")
            );
        }
        Ok(state.vault.get_or_insert_with(|| vault.clone()).clone())
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        Ok(self.state().records.get(id).cloned())
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let found = state.records.range((from, Bound::Unbounded)).map(|(_, record)| record);
        Ok(found.filter(|record| matches(scan, record)).take(limit as usize).cloned().collect())
    }

    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        let state = self.state();
        let held = state.records.values().filter(|record| record.sealed.is_some());
        let due = held.filter(|record| during.contains(&record.token_set_at));
        let mut found: Vec<(TokenSet, &Record)> = due.map(|record| (TokenSet::of(record), record)).collect();
        found.retain(|(place, _)| after.is_none_or(|after| place > after));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found.into_iter().take(limit as usize).map(|(_, record)| record.clone()).collect())
    }

    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error> {
        let state = self.state();
        let paused =
            state.records.values().filter(|record| record.status == Status::Paused && at.has(record));
        let turn = |record: &Record| {
            let lease = state.probes.get(&record.id);
            let due = lease.map_or(Timestamp::from_millis(0), |lease| lease.until);
            ProbeTurn { due, id: record.id.clone() }
        };
        let mut found: Vec<(ProbeTurn, &Record)> = paused.map(|record| (turn(record), record)).collect();
        found.retain(|(turn, _)| due.contains(&turn.due) && after.is_none_or(|after| turn > after));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let page = found.into_iter().take(limit as usize);
        Ok(page.map(|(turn, record)| PausedRecord { record: record.clone(), due: turn.due }).collect())
    }

    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
        let state = self.state();
        let during = |record: &Record, time: &Range<Timestamp>| {
            record.paused_at.is_some_and(|paused| time.contains(&paused))
        };
        let is_meant = |record: &&Record| match which {
            Counted::Held => record.kind == PayloadKind::ApiToken,
            Counted::PausedDuring(time) => during(record, time),
            Counted::StillPaused(time) => record.status == Status::Paused && during(record, time),
        };
        let meant = state.records.values().filter(|record| at.has(record)).filter(is_meant);
        let sealed = meant.filter_map(|record| record.sealed.as_ref());
        let counted = match which {
            Counted::Held => sealed.take(limit as usize).count(),
            _ => sealed.map(|sealed| sealed.fingerprint).collect::<BTreeSet<_>>().len(),
        };
        Ok(u32::try_from(counted).unwrap_or(limit).min(limit))
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        let mut state = self.state();
        chain.belongs_to(state.vault.as_ref().map(|vault| vault.id))?;
        // A second change of one record must see the first, so all are made on a side and taken over at the end.
        let mut records = BTreeMap::new();
        let mut entries: Vec<AuditEntry> = Vec::with_capacity(changes.len());
        for change in changes {
            let shard = shard_of(change.entry.id.tenant());
            let before = entries.iter().rev().find(|entry| entry.shard == shard);
            let head = before.map_or_else(|| state.head(shard), AuditEntry::head);
            if let Some(RecordChange { record, expected }) = &change.record {
                let before = records.get(&record.id).or_else(|| state.records.get(&record.id));
                let met = match (expected, before) {
                    (Expected::Absent, None) => true,
                    (Expected::Revision(revision), Some(before)) => before.revision == *revision,
                    (Expected::Tampered { head: pinned }, _) => head.sequence == *pinned,
                    _ => false,
                };
                if !met || state.seals_under_closed(record, before) {
                    return Err(ErrorKind::Conflict.into());
                }
                records.insert(record.id.clone(), record.clone());
            }
            entries.push(chain.append(&head, change.entry.clone())?);
        }
        for record in records.values() {
            if state.probes.get(&record.id).is_some_and(|lease| !lease.is_of(record)) {
                state.probes.remove(&record.id);
            }
        }
        state.records.append(&mut records);
        for entry in entries {
            state.trail[usize::from(entry.shard)].push(entry);
        }
        Ok(())
    }

    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
        let mut state = self.state();
        let tombstone = state.records.get(id).is_some_and(|record| record.status == Status::Disconnected);
        let held = state.leases.get(id);
        let taken = held.is_some_and(|held| lease.is_barred_by(&held.holder, held.until));
        if tombstone && !taken {
            state.leases.insert(id.clone(), *lease);
        }
        Ok(tombstone && !taken)
    }

    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
        let mut state = self.state();
        let held = state.records.get(id).is_some_and(|record| lease.is_of(record));
        let taken = state.probes.get(id).is_some_and(|other| lease.is_barred_by(&other.holder, other.until));
        if held && !taken {
            state.probes.insert(id.clone(), *lease);
        }
        Ok(held && !taken)
    }

    async fn rewrap_vault(
        &self,
        before: &VaultRecord,
        after: &VaultRecord,
        kek: &KekId,
    ) -> Result<(), Error> {
        let mut state = self.state();
        if state.vault.as_ref() != Some(before) || state.closed.contains_key(kek) {
            return Err(ErrorKind::Conflict.into());
        }
        state.vault = Some(after.clone());
        Ok(())
    }

    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
        let new = KekClosure { closed_at: now, drained_at: None };
        Ok(*self.state().closed.entry(*kek).or_insert(new))
    }

    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
        Ok(self.state().closed.get(kek).copied())
    }

    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
        let mut state = self.state();
        let closure = state.closed.get_mut(kek).ok_or(ErrorKind::Conflict)?;
        closure.drained_at = now.map(|now| closure.drained_at.unwrap_or(now));
        Ok(*closure)
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        let state = self.state();
        Ok((0..SHARDS).map(|shard| state.head(shard)).collect())
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let state = self.state();
        let chain = state.trail.get(usize::from(shard)).map_or(&[][..], Vec::as_slice);
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(chain.iter().skip(after).take(limit as usize).cloned().collect())
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        Ok(self.state().checkpoint.clone())
    }

    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        let mut state = self.state();
        let last = state.checkpoint.as_ref().map_or(0, |last| last.number);
        if last.checked_add(1) != Some(checkpoint.number) {
            return Err(ErrorKind::Conflict.into());
        }
        state.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    async fn writable(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        // Freed memory is not wiped: it holds sealed bytes alone, and this store promises nothing about it.
        Ok(Scrub::Impossible)
    }
}
