//! Disconnecting: the token goes first, everything else after.

use std::fmt;

use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tokenkeep_store::{Action, Purge, Record, Scan, Scrub, Status, Timestamp};

use crate::env::{SetIds, remove_set};
use crate::inner::Inner;
use crate::observe::Ended;
use crate::purge::purge;
use crate::receipt::{Backups, Receipt};

/// How many interrupted disconnects are read at a time.
const PAGE: u32 = 64;

pub(crate) async fn disconnect(vault: &Inner, id: &ConnectionId) -> Result<Receipt, Error> {
    if let Some(set) = SetIds::of(id) {
        return Box::pin(remove_set(vault, &set)).await;
    }
    write_uses(vault, id).await;
    let tombstone = remove(vault, id).await?;
    Ok(finish(vault, &tombstone).await)
}

/// The count of uses belongs before the end. If it can't be written, the token goes all the same.
pub(crate) async fn write_uses(vault: &Inner, id: &ConnectionId) {
    if let Err(error) = vault.uses.flush_one(vault, id).await {
        tracing::warn!(error = %error.report(), "uses not written before a disconnect; they stay counted");
    }
}

/// What came of one disconnect that was not finished. `Display` prints it for a person to read.
#[derive(Debug)]
#[non_exhaustive]
pub struct FinishedDisconnect {
    /// Which connection.
    pub id: ConnectionId,
    /// What its disconnect did; hooks that failed again are pending in it. `Tampered` when its record was altered: its token
    /// is not used any more, but an operator must see to it ([`Connection::discard_tampered`](crate::Connection::discard_tampered)). The others are finished all the same.
    pub receipt: Result<Receipt, Error>,
}

impl fmt::Display for FinishedDisconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.receipt {
            Ok(receipt) => receipt.fmt(f),
            Err(error) => write!(f, "The disconnect of {} can't be finished: {error}", self.id),
        }
    }
}

/// Finishes disconnects that were interrupted, or whose hooks failed.
pub(crate) async fn finish_pending(vault: &Inner) -> Result<Vec<FinishedDisconnect>, Error> {
    let mut finished = Vec::new();
    match finish_each(vault, &mut finished).await {
        Err(error) if !finished.is_empty() => {
            // The receipts must not be lost. The next call comes to the rest, or fails with it.
            tracing::warn!(error = %error.report(), "not all interrupted disconnects were read");
            Ok(finished)
        }
        done => done.map(|()| finished),
    }
}

async fn finish_each(vault: &Inner, finished: &mut Vec<FinishedDisconnect>) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = vault.store.scan(&Scan::PurgePending, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        for found in page {
            let receipt = match vault.load(&found.id).await {
                Ok(Some(tombstone)) if tombstone.purge == Purge::Pending => {
                    Ok(finish(vault, &tombstone).await)
                }
                Ok(_) => continue,
                // It would be the same with the others.
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => Err(error),
            };
            finished.push(FinishedDisconnect { id: found.id, receipt });
        }
    }
}

/// For the observer: what one of them failed with.
pub(crate) fn ended(finished: &Result<Vec<FinishedDisconnect>, Error>) -> Ended {
    match finished {
        Ok(finished) => {
            let error = finished.iter().find_map(|finished| finished.receipt.as_ref().err());
            error.map_or(Ended::Done, |error| Ended::Failed(error.kind()))
        }
        Err(error) => Ended::Failed(error.kind()),
    }
}

/// What comes after the removal: nothing of it can bring the token back.
pub(crate) async fn finish(vault: &Inner, tombstone: &Record) -> Receipt {
    let scrub = vault.store.scrub().await.unwrap_or_else(|error| {
        tracing::warn!(error = %error.report(), "scrub failed; it is pending");
        Scrub::Pending
    });
    let hooks = purge(vault, tombstone).await;
    Receipt {
        connection: tombstone.id.clone(),
        provider: tombstone.provider.clone(),
        removed_at: tombstone.token_set_at,
        scrub,
        hooks_done: hooks.done,
        hooks_pending: hooks.pending,
        hooks_elsewhere: hooks.elsewhere,
        backups: Backups::of(tombstone.token_set_at, vault.keks_end_within),
    }
}

/// Puts a tombstone in the record's place, or finds the one that is there.
async fn remove(vault: &Inner, id: &ConnectionId) -> Result<Record, Error> {
    let tombstone = |before: &Record| {
        before.is_live().then(|| Record {
            status: Status::Disconnected,
            sealed: None,
            account: None,
            paused_at: None,
            token_set_at: vault.now(),
            purge: vault.hooks.due(),
            ..before.clone()
        })
    };
    let removed = vault.update(id, Action::Disconnected, tombstone).await?;
    Ok(removed.ok_or(ErrorKind::NotConnected)?.record)
}

/// When a tombstone's token was removed. It is kept as the last time that the token was set: to nothing.
pub(crate) fn removed_at(record: &Record) -> Option<Timestamp> {
    (!record.is_live()).then_some(record.token_set_at)
}
