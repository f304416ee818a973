//! Disconnecting: the token goes first, everything else after.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, ErrorKind, Incarnation};
use tokenkeep_store::{Action, Purge, Record, Scan, Scrub, Status, Timestamp};

use crate::inner::Inner;
use crate::observe::IncidentKind;
use crate::receipt::{Backups, Receipt};

/// How many interrupted disconnects are read at a time.
const PAGE: u32 = 64;

/// How often the removal is tried anew when the record changes under it.
const TRIES: usize = 16;

/// Clears what the application cached for a connection: run lists, names, search indexes.
///
/// It runs after the token is gone, at least once, in the process that handles the disconnect; it must bear being run
/// again, and should bound its own time. When it fails, nothing comes back: the receipt says that it is pending,
/// [`Vault::finish_disconnects`](crate::Vault::finish_disconnects) runs it again, and until it succeeds the connection can't
/// be connected anew.
///
/// ```
/// use tokenkeep::{ConnectionId, Incarnation, PurgeHook, async_trait};
///
/// struct RunLists(/* your cache */);
///
/// #[async_trait]
/// impl PurgeHook for RunLists {
///     async fn purge(
///         &self,
///         connection: &ConnectionId,
///         _former: Incarnation,
///     ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         // self.0.forget(connection).await?;
///         Ok(())
///     }
/// }
///
/// let options = tokenkeep::Vault::options().on_disconnect("run lists", RunLists());
/// # let _ = options;
/// ```
#[async_trait]
pub trait PurgeHook: Send + Sync {
    /// Clears what belongs to this life of this connection.
    ///
    /// # Errors
    /// Anything; the hook is then pending. The error is not shown or logged: it may hold anything.
    async fn purge(
        &self,
        connection: &ConnectionId,
        former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

#[async_trait]
impl<T: PurgeHook + ?Sized> PurgeHook for Arc<T> {
    async fn purge(
        &self,
        connection: &ConnectionId,
        former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        (**self).purge(connection, former).await
    }
}

/// The hooks of a vault, by name.
#[derive(Default)]
pub(crate) struct Hooks(Vec<(&'static str, Arc<dyn PurgeHook>)>);

impl Hooks {
    pub(crate) fn add(&mut self, name: &'static str, hook: Arc<dyn PurgeHook>) {
        self.0.push((name, hook));
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

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
        let purge = if vault.hooks.0.is_empty() { Purge::Done } else { Purge::Pending };
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

/// The names of the hooks that ran, and of those that must run again.
pub(crate) struct Purged {
    pub(crate) done: Vec<&'static str>,
    pub(crate) pending: Vec<&'static str>,
}

/// Runs all hooks, also those that ran before: another process may have cached something too.
pub(crate) async fn purge(vault: &Inner, tombstone: &Record) -> Purged {
    let mut purged = Purged { done: Vec::new(), pending: Vec::new() };
    for (name, hook) in &vault.hooks.0 {
        match hook.purge(&tombstone.id, tombstone.incarnation).await {
            Ok(()) => purged.done.push(*name),
            Err(_) => {
                tracing::warn!(hook = name, "purge hook failed; it is pending");
                vault.watch.incident(IncidentKind::HookFailed, std::slice::from_ref(&tombstone.id));
                purged.pending.push(*name);
            }
        }
    }
    if purged.pending.is_empty() && tombstone.purge == Purge::Pending {
        let after = Record { purge: Purge::Done, ..tombstone.clone() };
        let change = vault.change(Some(tombstone), after, Action::Purged);
        match vault.commit(std::slice::from_ref(&change)).await {
            Ok(()) => {}
            // Someone else noted it, and may have connected anew since.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            // The hooks ran; when that can't be noted they run again, which they bear.
            Err(error) => {
                tracing::warn!(error = %error.report(), "purge not noted; the hooks will run again");
                purged.pending.append(&mut purged.done);
            }
        }
    }
    purged
}
