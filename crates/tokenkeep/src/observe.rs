//! What the vault does, for metrics and for the log.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tracing::Instrument;

/// Is told of everything that a vault does: the one hook for metrics. Set by
/// [`VaultOptions::observer`](crate::VaultOptions::observer).
///
/// It is called in the task that does the work, so it must not block: count, and return. It is given no token and, unless
/// it [asks for names](Self::wants_names), no tenant's name. A panic in it is caught and changes nothing.
///
/// ```
/// use tokenkeep::{Ended, Observed, Observer};
///
/// struct Metrics(/* your registry */);
///
/// impl Observer for Metrics {
///     fn operation(&self, done: &Observed<'_>) {
///         let outcome = match done.ended {
///             Ended::Done => "ok",
///             Ended::Failed(kind) if kind.is_retryable() => "retryable",
///             Ended::Failed(_) => "failed",
///             _ => "dropped",
///         };
///         // self.0.histogram("tokenkeep_seconds", done.took, &[done.operation.name(), outcome]);
///         # let _ = outcome;
///     }
/// }
///
/// let options = tokenkeep::Vault::options().observer(Metrics());
/// # let _ = options;
/// ```
pub trait Observer: Send + Sync {
    /// A call ended. Also one that was dropped.
    fn operation(&self, done: &Observed<'_>) {
        let _ = done;
    }

    /// Something happened to a connection that an operator may want to know.
    fn incident(&self, incident: &Incident<'_>) {
        let _ = incident;
    }

    /// Whether it is told the names of connections and tenants. They make bad labels of metrics: there are many.
    fn wants_names(&self) -> bool {
        false
    }
}

// All three: a default that is forgotten here would hide the observer's own.
#[deny(clippy::missing_trait_methods)]
impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn operation(&self, done: &Observed<'_>) {
        (**self).operation(done);
    }

    fn incident(&self, incident: &Incident<'_>) {
        (**self).incident(incident);
    }

    fn wants_names(&self) -> bool {
        (**self).wants_names()
    }
}

/// A call that ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Observed<'a> {
    /// What was called.
    pub operation: Operation,
    /// How it ended.
    pub ended: Ended,
    /// How long it took, the provider's, the database's and the keys' answers included.
    pub took: Duration,
    /// Which connection, where it is about one and the observer asks for names.
    pub connection: Option<&'a ConnectionId>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// It did what it says.
    Done,
    /// With an error of this kind.
    Failed(ErrorKind),
    /// Its future was dropped before its end. Whether it did something is not known.
    Dropped,
}

/// Something that happened to connections.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Incident<'a> {
    /// What.
    pub kind: IncidentKind,
    /// To which, where the observer asks for names; empty otherwise. For a token that is held for several tenants: the one
    /// that was looked at, and others behind it.
    pub connections: &'a [ConnectionId],
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $type { $($(#[$variant_doc])* $variant,)+ }

        impl $type {
            /// A stable name in lower case, for a label.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named! {
    /// What can be called.
    Operation {
        /// [`VaultOptions::open`](crate::VaultOptions::open).
        Open = "open",
        /// [`Connection::connect`](crate::Connection::connect).
        Connect = "connect",
        /// [`Connection::replace`](crate::Connection::replace).
        Replace = "replace",
        /// [`Connection::prepare_connect`](crate::Connection::prepare_connect) or
        /// [`prepare_replace`](crate::Connection::prepare_replace).
        Prepare = "prepare",
        /// [`PreparedChange::commit`](crate::PreparedChange::commit).
        Commit = "commit",
        /// A client asked a credential for the token: once for each attempt.
        Use = "use",
        /// A client reported that the token was refused, or what was made with it.
        Report = "report",
        /// [`Connection::status`](crate::Connection::status).
        Status = "status",
        /// [`Connection::recheck`](crate::Connection::recheck).
        Recheck = "recheck",
        /// One of the connections of a [`RecheckPaused`](crate::RecheckPaused).
        RecheckPaused = "recheck-paused",
        /// A page of a [`LeakResponse`](crate::LeakResponse) was marked.
        SuspectLeak = "suspect-leak",
        /// [`Connection::clear_suspicion`](crate::Connection::clear_suspicion).
        ClearSuspicion = "clear-suspicion",
        /// [`SecretEnv::create`](crate::SecretEnv::create).
        CreateEnv = "create-env",
        /// [`SecretEnv::change`](crate::SecretEnv::change).
        ChangeEnv = "change-env",
        /// [`SecretEnv::names`](crate::SecretEnv::names) or [`status`](crate::SecretEnv::status).
        ReadEnv = "read-env",
        /// [`SecretEnv::open`](crate::SecretEnv::open).
        OpenEnv = "open-env",
        /// [`SecretEnv::plan`](crate::SecretEnv::plan).
        PlanEnv = "plan-env",
        /// A step of an [`EnvPush`](crate::EnvPush).
        PushEnv = "push-env",
        /// [`Connection::disconnect`](crate::Connection::disconnect) or [`SecretEnv::remove`](crate::SecretEnv::remove), also as a part of
        /// [`Vault::erase_tenant`](crate::Vault::erase_tenant).
        Disconnect = "disconnect",
        /// [`Connection::discard_tampered`](crate::Connection::discard_tampered).
        DiscardTampered = "discard-tampered",
        /// [`Vault::finish_disconnects`](crate::Vault::finish_disconnects): it failed with what one of them failed with.
        FinishDisconnects = "finish-disconnects",
        /// [`Vault::connections`](crate::Vault::connections), or a page of [`DueConnections`](crate::DueConnections) or of
        /// [`TenantErasure`](crate::TenantErasure).
        List = "list",
        /// [`AuditTrail::of_tenant`](crate::AuditTrail::of_tenant).
        ReadAudit = "read-audit",
        /// A page of an [`AuditExport`](crate::AuditExport), or its end.
        ExportAudit = "export-audit",
        /// [`Vault::checkpoint`](crate::Vault::checkpoint), also each turn of
        /// [`checkpoint_every`](crate::Vault::checkpoint_every).
        Checkpoint = "checkpoint",
        /// [`Vault::verify`](crate::Vault::verify) or [`verify_against`](crate::Vault::verify_against), or the rest of a
        /// [`VerifyRun`](crate::VerifyRun).
        Verify = "verify",
        /// [`VerifyRun::step`](crate::VerifyRun::step).
        VerifyStep = "verify-step",
        /// A page of a [`Reconciliation`](crate::Reconciliation).
        Reconcile = "reconcile",
        /// [`Vault::check`](crate::Vault::check): it failed with what its first part failed with.
        Check = "check",
        /// A page of a [`Rewrap`](crate::Rewrap).
        Rewrap = "rewrap",
        /// [`Vault::retire`](crate::Vault::retire).
        Retire = "retire",
        /// [`Vault::flush`](crate::Vault::flush).
        Flush = "flush",
    }
}

named! {
    /// What can happen to connections.
    IncidentKind {
        /// The provider refused the token; the connection is paused.
        Paused = "paused",
        /// The provider accepts it again.
        Resumed = "resumed",
        /// The provider refused it for good.
        Revoked = "revoked",
        /// The provider refuses too many tokens at once: none is marked as revoked. Told by each process when it finds that out, and not again
        /// until ten minutes have passed without. The connection is the one that was asked about.
        ProviderSuspect = "provider-suspect",
        /// The token may have leaked; it is not used any more.
        Suspected = "suspected",
        /// An operator cleared that.
        Cleared = "cleared",
        /// One token is held for more than one tenant. For the operator alone: no tenant may learn of another.
        ReusedAcrossTenants = "reused-across-tenants",
        /// A hook of a disconnect failed, or panicked; it runs again.
        HookFailed = "hook-failed",
    }
}

/// Whom a vault tells what it does: the log, and an observer if there is one. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Watch(Option<Arc<dyn Observer>>);

impl Watch {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }

    /// Does the work in a span of its own, and tells how it ended.
    pub(crate) async fn over<T>(
        &self,
        operation: Operation,
        connection: Option<&ConnectionId>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let ended = |result: &Result<T, Error>| match result {
            Ok(_) => Ended::Done,
            Err(error) => Ended::Failed(error.kind()),
        };
        self.over_any(operation, connection, work, ended).await
    }

    /// The same for work that says in another way how it ended.
    pub(crate) async fn over_any<T>(
        &self,
        operation: Operation,
        connection: Option<&ConnectionId>,
        work: impl Future<Output = T>,
        ended: impl FnOnce(&T) -> Ended,
    ) -> T {
        let span = span_of(operation);
        if let Some(connection) = connection {
            span.in_scope(|| tracing::debug!(%connection, "began"));
        }
        let mut call = Call {
            watch: self,
            operation,
            connection,
            span: span.clone(),
            began: Instant::now(),
            ended: Ended::Dropped,
        };
        let result = work.instrument(span).await;
        call.ended = ended(&result);
        result
    }

    pub(crate) fn incident(&self, kind: IncidentKind, connections: &[ConnectionId]) {
        tracing::info!(incident = kind.name(), connections = connections.len(), "happened");
        tracing::debug!(incident = kind.name(), ?connections, "happened");
        self.tell(|observer| {
            let connections = if observer.wants_names() { connections } else { &[] };
            observer.incident(&Incident { kind, connections });
        });
    }

    fn tell(&self, what: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.0 {
            // What was done is done, whatever the observer makes of it.
            let _ = catch_unwind(AssertUnwindSafe(|| what(&**observer)));
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}

/// What happens all the time is one level further down.
fn span_of(operation: Operation) -> tracing::Span {
    let action = operation.name();
    match operation {
        Operation::Use
        | Operation::Status
        | Operation::List
        | Operation::VerifyStep
        | Operation::RecheckPaused => {
            tracing::debug_span!("tokenkeep", action, outcome = tracing::field::Empty)
        }
        _ => tracing::info_span!("tokenkeep", action, outcome = tracing::field::Empty),
    }
}

/// A call under way. Its end is told when it is dropped, so also when the caller drops it half-way.
struct Call<'a> {
    watch: &'a Watch,
    operation: Operation,
    connection: Option<&'a ConnectionId>,
    span: tracing::Span,
    began: Instant,
    ended: Ended,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let outcome: &dyn fmt::Debug = match &self.ended {
            Ended::Done => &"done",
            Ended::Failed(kind) => kind,
            Ended::Dropped => &"dropped",
        };
        self.span.record("outcome", tracing::field::debug(outcome));
        self.span.in_scope(|| match self.ended {
            Ended::Failed(kind) => tracing::info!(error = kind.message(), ?took, "failed"),
            ended => tracing::debug!(?ended, ?took, "ended"),
        });
        let (operation, ended) = (self.operation, self.ended);
        self.watch.tell(|observer| {
            let connection = self.connection.filter(|_| observer.wants_names());
            observer.operation(&Observed { operation, ended, took, connection });
        });
    }
}
