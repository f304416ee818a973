//! What clears the application's own data after a disconnect, one process at a time.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, ErrorKind, Incarnation, fill_random};
use tokenkeep_store::{Action, Purge, PurgeLease, Record, TokenStore};

use crate::clock::Clock;
use crate::inner::Inner;
use crate::observe::IncidentKind;

/// How long a lease lasts unless it is renewed: a process that died keeps the hooks from running for so long.
const LEASE: Duration = Duration::from_secs(60);

/// How often it is renewed while a hook runs.
const RENEWAL: Duration = Duration::from_secs(20);

/// Clears what the application cached for a connection: run lists, names, search indexes.
///
/// It runs after the token is gone, at least once, in the process that handles the disconnect, and never in two at the same
/// time: the hooks of a disconnect are leased, and when the process that has the lease dies, another one takes them over
/// with [`Vault::finish_disconnects`](crate::Vault::finish_disconnects) a minute later. It must bear being run again, and
/// should bound its own time. When it fails, nothing comes back: the receipt says that it is pending,
/// [`Vault::finish_disconnects`](crate::Vault::finish_disconnects) runs it again, and until it succeeds the connection can't
/// be connected anew.
///
/// All processes that serve customers must register the same hooks, since the one that runs its hooks finishes the
/// disconnect for all. So a new hook goes out in two steps: first every process registers it, and only then does any of
/// them cache what it clears. In between, a process of the older version finishes disconnects without it. A hook that is
/// removed goes the other way round; when the last one is gone, what is still pending is finished by a process that says so
/// ([`hooks_nowhere`](crate::VaultOptions::hooks_nowhere)). A job that has no hooks itself says
/// [`hooks_elsewhere`](crate::VaultOptions::hooks_elsewhere).
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
    /// Anything; the hook is then pending. The error is not shown or logged: it may hold anything. A panic is caught, and counts
    /// as an error.
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
pub(crate) struct Hooks {
    here: Vec<(&'static str, Arc<dyn PurgeHook>)>,
    /// Other processes register them, and this one has none.
    pub(crate) elsewhere: bool,
    /// No process has any.
    pub(crate) nowhere: bool,
}

impl Hooks {
    pub(crate) fn add(&mut self, name: &'static str, hook: Arc<dyn PurgeHook>) {
        self.here.push((name, hook));
    }

    /// Whether more than one is said: that hooks are here, elsewhere and nowhere.
    pub(crate) fn contradict(&self) -> bool {
        [!self.here.is_empty(), self.elsewhere, self.nowhere].into_iter().filter(|said| *said).count() > 1
    }

    /// What a new tombstone says: that hooks must run, if anybody is known to have some.
    pub(crate) fn due(&self) -> Purge {
        if self.here.is_empty() && !self.elsewhere { Purge::Done } else { Purge::Pending }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.here.iter().map(|(name, _)| name)).finish()
    }
}

/// The names of the hooks that ran, and of those that must run again.
#[derive(Default)]
pub(crate) struct Purged {
    pub(crate) done: Vec<&'static str>,
    pub(crate) pending: Vec<&'static str>,
    /// They are left to another process: it runs them now, or this one has none.
    pub(crate) elsewhere: bool,
    /// Nothing is left to run, by anybody.
    pub(crate) complete: bool,
}

/// Runs all hooks, also those that ran before: another process may have cached something too.
pub(crate) async fn purge(vault: &Inner, tombstone: &Record) -> Purged {
    let elsewhere = tombstone.purge == Purge::Pending && !vault.hooks.nowhere;
    if vault.hooks.here.is_empty() && (elsewhere || tombstone.purge != Purge::Pending) {
        // Who left them pending has some.
        return Purged { elsewhere, complete: !elsewhere, ..Purged::default() };
    }
    let names = || vault.hooks.here.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let lease = match Lease::take(vault, &tombstone.id).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return Purged { pending: names(), elsewhere: true, ..Purged::default() },
        Err(error) => {
            tracing::warn!(error = %error.report(), "no lease of the purge hooks; they are pending");
            return Purged { pending: names(), ..Purged::default() };
        }
    };
    let purged = run(vault, tombstone, &lease).await;
    lease.give_back().await;
    purged
}

async fn run(vault: &Inner, tombstone: &Record, lease: &Lease) -> Purged {
    let mut purged = Purged::default();
    for (name, hook) in &vault.hooks.here {
        if lease.renewed_during(succeeds(&**hook, tombstone)).await {
            purged.done.push(*name);
        } else {
            tracing::warn!(hook = name, "purge hook failed; it is pending");
            vault.watch.incident(IncidentKind::HookFailed, std::slice::from_ref(&tombstone.id));
            purged.pending.push(*name);
        }
    }
    purged.complete = purged.pending.is_empty();
    if purged.complete && tombstone.purge == Purge::Pending {
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
                purged.complete = false;
            }
        }
    }
    purged
}

/// Whether a hook succeeded. One that panics failed: it must not keep the others from running, nor other disconnects waiting.
async fn succeeds(hook: &dyn PurgeHook, tombstone: &Record) -> bool {
    let mut purge = pin!(async { hook.purge(&tombstone.id, tombstone.incarnation).await.is_ok() });
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| purge.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(false))
    })
    .await
}

/// The lease of a tombstone's hooks. When it is dropped half-way, it is given back in the background.
struct Lease {
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    id: ConnectionId,
    holder: [u8; 16],
    given_back: bool,
}

impl Lease {
    /// `None` when another process has it.
    async fn take(vault: &Inner, id: &ConnectionId) -> Result<Option<Self>, Error> {
        let mut holder = [0; 16];
        fill_random(&mut holder)?;
        let (store, clock) = (Arc::clone(&vault.store), Arc::clone(&vault.clock));
        let mut lease = Self { store, clock, id: id.clone(), holder, given_back: false };
        let leased = lease.ask(LEASE).await;
        lease.given_back = matches!(leased, Ok(false));
        Ok(leased?.then_some(lease))
    }

    async fn ask(&self, duration: Duration) -> Result<bool, Error> {
        let now = self.clock.now();
        let lease = PurgeLease { holder: self.holder, now, until: now.after(duration) };
        self.store.lease_purge(&self.id, &lease).await
    }

    async fn renewed_during<T>(&self, hook: impl Future<Output = T>) -> T {
        let mut hook = pin!(hook);
        // Before each hook: those before it may have taken their time.
        let mut renewed = self.ask(LEASE).await;
        loop {
            if !matches!(renewed, Ok(true)) {
                // It can't be stopped, and bears to run beside another.
                tracing::warn!("the lease of the purge hooks was not renewed");
            }
            match tokio::time::timeout(RENEWAL, hook.as_mut()).await {
                Ok(done) => return done,
                Err(_) => renewed = self.ask(LEASE).await,
            }
        }
    }

    async fn give_back(mut self) {
        // If it can't be, it runs out.
        let _ = self.ask(Duration::ZERO).await;
        self.given_back = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.given_back {
            let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
            let lease = Self { store, clock, id: self.id.clone(), holder: self.holder, given_back: true };
            runtime.spawn(async move { lease.ask(Duration::ZERO).await });
        }
    }
}
