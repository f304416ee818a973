//! Uses on record: the first of a minute before its token is given, the rest as a count.

use std::collections::{BTreeMap, HashMap};
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{Action, AuditDraft, Change, Record, shard_of};

use crate::inner::Inner;

/// How many connections are remembered before those with nothing to write are dropped.
const MANY: usize = 10_000;

/// Of how many connections the counts are written at a time: a bounded number keeps a commit short.
const BATCH: usize = 64;

/// The windows of one process.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Every use is written, none is only counted.
    strict: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    windows: HashMap<ConnectionId, Window>,
    /// Counts whose write failed or was dropped. They are no other connection's business: a chain that takes no entry
    /// must not keep the uses of the others' from being written.
    unwritten: HashMap<ConnectionId, Vec<AuditDraft>>,
}

#[derive(Debug, Clone)]
struct Window {
    minute: i64,
    /// Uses after the first, not yet written.
    more: u64,
    /// The first use's entry: what the count will be written beside.
    first: AuditDraft,
}

impl Window {
    fn covers(&self, minute: i64, record: &Record) -> bool {
        self.minute == minute
            && self.first.incarnation == record.incarnation
            && self.first.secret_version == record.secret_version
    }

    fn count(&self) -> Option<AuditDraft> {
        let entry = AuditDraft { action: Action::UsedAgain, count: self.more, ..self.first.clone() };
        (self.more > 0).then_some(entry)
    }
}

impl Uses {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one use on record. When it returns `Ok`, the token may be given; `true` when that waited for a commit.
    pub(crate) async fn note(&self, vault: &Inner, record: &Record) -> Result<bool, Error> {
        let entry = vault.entry(record, Action::Used);
        let minute = entry.at.as_millis().div_euclid(60_000);
        if !self.strict
            && let Some(window) =
                self.state().windows.get_mut(&record.id).filter(|w| w.covers(minute, record))
        {
            window.more += 1;
            return Ok(false);
        }
        let taken = self.take(slice::from_ref(&record.id));
        let mut changes = taken.changes();
        changes.push(Change { record: None, entry: entry.clone() });
        vault.commit(&changes).await?;
        taken.written();
        if !self.strict {
            let windows = &mut self.state().windows;
            if windows.len() >= MANY {
                windows.retain(|_, window| window.more > 0 || window.minute == minute);
            }
            // Another first use may have been quicker; its count goes on.
            windows.entry(record.id.clone()).or_insert(Window { minute, more: 0, first: entry });
        }
        Ok(true)
    }

    /// Writes every count that is there now and not written yet, chain by chain: one that takes no entry keeps no other's
    /// from being written. The first error of those that failed.
    pub(crate) async fn flush(&self, vault: &Inner) -> Result<(), Error> {
        let mut failed = None;
        for (shard, ids) in self.counted() {
            for ids in ids.chunks(BATCH) {
                if let Err(error) = self.write(vault, ids).await {
                    let report = error.report();
                    tracing::warn!(shard, error = %report, "uses not written; they stay counted");
                    failed.get_or_insert(error);
                    break;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Writes a connection's count, if there is one.
    pub(crate) async fn flush_one(&self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        self.write(vault, slice::from_ref(id)).await
    }

    async fn write(&self, vault: &Inner, ids: &[ConnectionId]) -> Result<(), Error> {
        let taken = self.take(ids);
        let changes = taken.changes();
        if !changes.is_empty() {
            vault.commit(&changes).await?;
        }
        taken.written();
        Ok(())
    }

    /// The connections that there is something of, by chain.
    fn counted(&self) -> BTreeMap<u16, Vec<ConnectionId>> {
        let state = self.state();
        let mut counted: BTreeMap<u16, Vec<ConnectionId>> = BTreeMap::new();
        for id in state.windows.keys().chain(state.unwritten.keys()) {
            counted.entry(shard_of(id.tenant())).or_default().push(id.clone());
        }
        for ids in counted.values_mut() {
            ids.sort_unstable();
            ids.dedup();
        }
        counted
    }

    /// Takes out the counts of these connections, also those that failed to be written before. They go back if they are
    /// not written.
    fn take(&self, ids: &[ConnectionId]) -> Taken<'_> {
        let mut state = self.state();
        let mut entries = Vec::new();
        for id in ids {
            entries.extend(state.unwritten.remove(id).into_iter().flatten());
            entries.extend(state.windows.remove(id).and_then(|window| window.count()));
        }
        Taken { uses: self, entries }
    }
}

struct Taken<'a> {
    uses: &'a Uses,
    entries: Vec<AuditDraft>,
}

impl Taken<'_> {
    fn changes(&self) -> Vec<Change> {
        self.entries.iter().map(|entry| Change { record: None, entry: entry.clone() }).collect()
    }

    fn written(mut self) {
        self.entries.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let unwritten = &mut self.uses.state().unwritten;
        for entry in self.entries.drain(..) {
            unwritten.entry(entry.id.clone()).or_default().push(entry);
        }
    }
}
