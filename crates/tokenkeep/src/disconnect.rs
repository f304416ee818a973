//! Disconnecting: the token goes first, everything else after.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tokenkeep_store::{Action, Purge, Record, Scrub, Status};

use crate::inner::Inner;
use crate::receipt::{Backups, Receipt};

/// How often the removal is tried anew when the record changes under it.
const TRIES: usize = 16;

/// Clears what the application cached for a connection: run lists, names, search indexes.
///
/// It runs after the token is gone, at least once; it must bear being run again. When it fails, nothing comes back: the
/// receipt says that it is pending, and the next [`disconnect`](crate::Connection::disconnect) runs it again.
#[async_trait]
pub trait PurgeHook: Send + Sync {
    /// Clears what belongs to this connection.
    ///
    /// # Errors
    /// Anything; the hook is then pending.
    async fn purge(&self, connection: &ConnectionId) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

#[async_trait]
impl<T: PurgeHook + ?Sized> PurgeHook for Arc<T> {
    async fn purge(&self, connection: &ConnectionId) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        (**self).purge(connection).await
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
        tracing::warn!(error = %error, "uses not written before a disconnect; they stay counted");
    }
    let tombstone = remove(vault, id).await?;
    let scrub = vault.store.scrub().await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "scrub failed; it is pending");
        Scrub::Pending
    });
    let (hooks_done, hooks_pending) = purge(vault, &tombstone).await;
    Ok(Receipt {
        connection: id.clone(),
        provider: tombstone.provider.clone(),
        removed_at: removal_time(&tombstone),
        scrub,
        hooks_done,
        hooks_pending,
        backups: Backups::BoundedByRetention,
    })
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
                tracing::debug!("token removed");
                // `change` was made with its record two lines above.
                return change.record.map(|step| step.record).ok_or_else(|| ErrorKind::Internal.into());
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

/// In a tombstone, `token_set_at` is when the token was removed: the last time that the token was set, to nothing.
fn removal_time(tombstone: &Record) -> tokenkeep_store::Timestamp {
    tombstone.token_set_at
}

/// Runs the hooks unless they ran before; returns the names of those that are done and of those that failed.
async fn purge(vault: &Inner, tombstone: &Record) -> (Vec<&'static str>, Vec<&'static str>) {
    let names = || vault.hooks.0.iter().map(|(name, _)| *name);
    if tombstone.purge == Purge::Done {
        return (names().collect(), Vec::new());
    }
    let (mut done, mut pending) = (Vec::new(), Vec::new());
    for (name, hook) in &vault.hooks.0 {
        match hook.purge(&tombstone.id).await {
            Ok(()) => done.push(*name),
            Err(_) => {
                // The hook's error is the application's own and may hold anything; only its name is told.
                tracing::warn!(hook = name, "purge hook failed; it is pending");
                pending.push(*name);
            }
        }
    }
    if pending.is_empty() {
        let after = Record { purge: Purge::Done, ..tombstone.clone() };
        let change = vault.change(Some(tombstone), after, Action::Purged);
        // When this can't be noted the hooks run again, which they bear.
        if let Err(error) = vault.commit(std::slice::from_ref(&change)).await {
            tracing::warn!(error = %error, "purge not noted; the hooks will run again");
            return (Vec::new(), names().collect());
        }
    }
    (done, pending)
}
