//! Uses on record: the first of a minute before its token is given, the rest as a count.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenkeep_core::{ConnectionId, Error, Incarnation, SecretVersion};
use tokenkeep_store::{Action, AuditDraft, Change, Record};

use crate::inner::Inner;

/// How many connections are remembered before those with nothing to write are dropped.
const MANY: usize = 10_000;

/// The windows of one process.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Every use is written, none is only counted.
    strict: bool,
    windows: Mutex<HashMap<ConnectionId, Window>>,
}

#[derive(Debug, Clone)]
struct Window {
    minute: i64,
    incarnation: Incarnation,
    secret_version: SecretVersion,
    /// Uses after the first, not yet written.
    more: u64,
    /// The first use's entry: what the count will be written beside.
    first: AuditDraft,
}

impl Window {
    fn covers(&self, minute: i64, record: &Record) -> bool {
        self.minute == minute
            && self.incarnation == record.incarnation
            && self.secret_version == record.secret_version
    }

    fn count_entry(&self) -> Option<Change> {
        (self.more > 0).then(|| Change {
            record: None,
            entry: AuditDraft { action: Action::UsedAgain, count: self.more, ..self.first.clone() },
        })
    }
}

impl Uses {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, windows: Mutex::default() }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<ConnectionId, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one use on record. When it returns `Ok`, the token may be given.
    pub(crate) async fn note(&self, vault: &Inner, record: &Record) -> Result<(), Error> {
        let entry = vault.entry(record, Action::Used);
        let minute = entry.at.as_millis().div_euclid(60_000);
        if !self.strict
            && let Some(window) = self.windows().get_mut(&record.id).filter(|w| w.covers(minute, record))
        {
            window.more += 1;
            return Ok(());
        }
        let finished = self.take(&record.id);
        let mut changes: Vec<Change> = finished.count().into_iter().collect();
        changes.push(Change { record: None, entry: entry.clone() });
        vault.commit(&changes).await?;
        finished.written();
        if !self.strict {
            let mut windows = self.windows();
            if windows.len() >= MANY {
                windows.retain(|_, window| window.more > 0 || window.minute == minute);
            }
            // Another first use may have been quicker; its count goes on.
            windows.entry(record.id.clone()).or_insert_with(|| Window {
                minute,
                incarnation: record.incarnation,
                secret_version: record.secret_version,
                more: 0,
                first: entry,
            });
        }
        Ok(())
    }

    /// Writes every count that is not written yet.
    pub(crate) async fn flush(&self, vault: &Inner) -> Result<(), Error> {
        let ids: Vec<ConnectionId> = self.windows().keys().cloned().collect();
        for id in ids {
            self.flush_one(vault, &id).await?;
        }
        Ok(())
    }

    /// Writes a connection's count, if there is one.
    pub(crate) async fn flush_one(&self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        let taken = self.take(id);
        if let Some(change) = taken.count() {
            vault.commit(&[change]).await?;
        }
        taken.written();
        Ok(())
    }

    /// Takes a connection's window out, to be written; it goes back if that doesn't happen.
    fn take(&self, id: &ConnectionId) -> Taken<'_> {
        Taken { uses: self, window: self.windows().remove(id) }
    }
}

struct Taken<'a> {
    uses: &'a Uses,
    window: Option<Window>,
}

impl Taken<'_> {
    fn count(&self) -> Option<Change> {
        self.window.as_ref().and_then(Window::count_entry)
    }

    fn written(mut self) {
        self.window = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(window) = self.window.take().filter(|window| window.more > 0) {
            self.uses
                .windows()
                .entry(window.first.id.clone())
                .and_modify(|w| w.more += window.more)
                .or_insert(window);
        }
    }
}
