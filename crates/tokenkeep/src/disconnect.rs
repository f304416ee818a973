//! Disconnecting: the token goes first, everything else after.

use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tokenkeep_store::{Action, Purge, Record, Scan, Scrub, Status, Timestamp};

use crate::inner::Inner;
use crate::purge::purge;
use crate::receipt::{Backups, Receipt};

/// How many interrupted disconnects are read at a time.
const PAGE: u32 = 64;

/// How often the removal is tried anew when the record changes under it.
const TRIES: usize = 16;

pub(crate) async fn disconnect(vault: &Inner, id: &ConnectionId) -> Result<Receipt, Error> {
    // The count of uses belongs before the end. If it can't be written, the token goes all the same.
    if let Err(error) = vault.uses.flush_one(vault, id).await {
        tracing::warn!(error = %error.report(), "uses not written before a disconnect; they stay counted");
    }
    let tombstone = remove(vault, id).await?;
    Ok(finish(vault, &tombstone).await)
}

/// Finishes disconnects that were interrupted, or whose hooks failed.
pub(crate) async fn finish_pending(vault: &Inner) -> Result<Vec<Receipt>, Error> {
    let (mut receipts, mut after) = (Vec::new(), None);
    loop {
        let page = vault.store.scan(&Scan::PurgePending, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(receipts) };
        after = Some(last.id.clone());
        for found in &page {
            let tombstone = vault.load(&found.id).await?;
            if let Some(tombstone) = tombstone.filter(|record| record.purge == Purge::Pending) {
                receipts.push(finish(vault, &tombstone).await);
            }
        }
    }
}

/// What comes after the removal: nothing of it can bring the token back.
async fn finish(vault: &Inner, tombstone: &Record) -> Receipt {
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
        backups: Backups::BoundedByRetention,
    }
}

/// Puts a tombstone in the record's place, or finds the one that is there.
async fn remove(vault: &Inner, id: &ConnectionId) -> Result<Record, Error> {
    for _ in 0..TRIES {
        let before = vault.load(id).await?.ok_or(ErrorKind::NotConnected)?;
        if before.status == Status::Disconnected {
            return Ok(before);
        }
        let purge = vault.hooks.due();
        let now = vault.now();
        let after = Record {
            status: Status::Disconnected,
            sealed: None,
            account: None,
            token_set_at: now,
            purge,
            ..before.clone()
        };
        let change = vault.change(Some(&before), after, Action::Disconnected);
        match vault.commit(std::slice::from_ref(&change)).await {
            Ok(()) => {
                // `change` was made with its record two lines above.
                return change.record.map(|step| step.record).ok_or_else(|| ErrorKind::Internal.into());
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

/// When a tombstone's token was removed. It is kept as the last time that the token was set: to nothing.
pub(crate) fn removed_at(record: &Record) -> Option<Timestamp> {
    (record.status == Status::Disconnected).then_some(record.token_set_at)
}
