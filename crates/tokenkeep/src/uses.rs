//! Uses on record: the first of a minute before its token is given, the rest as a count.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{Action, AuditDraft, Change, Record};

use crate::inner::Inner;

/// How many connections are remembered before those with nothing to write are dropped.
const MANY: usize = 10_000;

/// How many counts that failed to be written are tried at a time.
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
    /// Counts whose write failed or was dropped.
    unwritten: Vec<AuditDraft>,
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
        let taken = self.take(Some(&record.id));
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

    /// Writes every count that is not written yet.
    pub(crate) async fn flush(&self, vault: &Inner) -> Result<(), Error> {
        let ids: Vec<ConnectionId> = self.state().windows.keys().cloned().collect();
        for id in ids {
            self.flush_one(vault, &id).await?;
        }
        self.write(vault, self.take(None)).await
    }

    /// Writes a connection's count, if there is one.
    pub(crate) async fn flush_one(&self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        self.write(vault, self.take(Some(id))).await
    }

    async fn write(&self, vault: &Inner, taken: Taken<'_>) -> Result<(), Error> {
        let changes = taken.changes();
        if !changes.is_empty() {
            vault.commit(&changes).await?;
        }
        taken.written();
        Ok(())
    }

    /// Takes out a connection's count, and what failed to be written before. It goes back if it is not written.
    fn take(&self, id: Option<&ConnectionId>) -> Taken<'_> {
        let mut state = self.state();
        let counted = id.and_then(|id| state.windows.remove(id)).and_then(|window| window.count());
        // A bounded number at a time keeps a commit short.
        let rest = state.unwritten.len().saturating_sub(BATCH);
        let mut entries = state.unwritten.split_off(rest);
        entries.extend(counted);
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
        self.uses.state().unwritten.append(&mut self.entries);
    }
}
