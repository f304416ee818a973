//! What is done to a vault as a whole.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ConnectionId, ConnectionName, Error, KekId, Provider, TenantId, VaultId};
use tokenkeep_keys::{KeyProvider, RetirableKeys};
use tokenkeep_store::{Scan, TokenStore};

use crate::audit::AuditTrail;
use crate::check::{Readiness, check};
use crate::checkpoint::{self, Checkpoint, CheckpointKey};
use crate::connection::Connection;
use crate::disconnect::{self, FinishedDisconnect, finish_pending};
use crate::due::DueConnections;
use crate::env::names::check_connection;
use crate::env::{self, SecretEnv, SecretEnvStatus, SetIds};
use crate::erase::TenantErasure;
use crate::inner::Inner;
use crate::leak::LeakResponse;
use crate::observe::Operation;
use crate::options::VaultOptions;
use crate::paused::RecheckPaused;
use crate::retire::{Retirement, retire};
use crate::rewrap::Rewrap;
use crate::status::ConnectionStatus;
use crate::verify::{Verification, VerifyRun};

/// Keeps tokens: one for each process, cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

impl Vault {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Opens the vault in this database with these keys; makes it if the database holds none yet.
    ///
    /// # Errors
    /// As [`VaultOptions::open`].
    pub async fn open(
        store: impl TokenStore + 'static,
        keys: impl KeyProvider + 'static,
    ) -> Result<Self, Error> {
        Self::options().open(store, keys).await
    }

    /// Opens a vault in another way than the plain one.
    pub fn options() -> VaultOptions {
        VaultOptions::default()
    }

    /// The vault's id: random, made with it, bound into every envelope.
    #[must_use]
    pub fn id(&self) -> VaultId {
        self.inner.id
    }

    /// A handle on one connection, whether it is connected or not: owned, and cheap to clone.
    ///
    /// # Errors
    /// `InvalidName` when a name is empty, over 255 bytes or not printable, or the connection's begins with `~`.
    pub fn connection(&self, tenant: impl AsRef<str>, name: impl AsRef<str>) -> Result<Connection, Error> {
        let tenant = self.tenant_id(tenant)?;
        let id = check_connection(ConnectionId::new(tenant.as_str(), name)?)?;
        Ok(Connection::new(Arc::clone(&self.inner), id))
    }

    /// A handle on one set of a tenant's secret environment variables, whether there is such a set or not: owned, and cheap to clone.
    /// Sets and connections have names apart from each other.
    ///
    /// # Errors
    /// `InvalidName` when a name is empty or not printable, the tenant's over 255 bytes or the set's over 244.
    pub fn secret_env(&self, tenant: impl AsRef<str>, name: impl AsRef<str>) -> Result<SecretEnv, Error> {
        let tenant = self.tenant_id(tenant)?;
        Ok(SecretEnv::new(Arc::clone(&self.inner), SetIds::new(&tenant, name.as_ref())?))
    }

    /// Up to `limit` of a tenant's sets of secret environment variables, removed ones too, in order of their names, from behind the one
    /// of the name `after`. One whose record was altered or put back is listed as [`Tampered`](crate::ConnectionState::Tampered). Opens
    /// nothing.
    ///
    /// # Errors
    /// `InvalidName`; `Tampered` when a record's very name can't be read; `StoreUnavailable`.
    pub async fn secret_envs(
        &self,
        tenant: impl AsRef<str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SecretEnvStatus>, Error> {
        let tenant = self.tenant_id(tenant)?;
        let after = after.map(|name| SetIds::new(&tenant, name)).transpose()?;
        let work = env::list(&self.inner, tenant, after, limit);
        self.inner.watch.over(Operation::List, None, work).await
    }

    /// A handle on the connection of an id that this vault gave: in a status, a receipt, a list. Of an id that is a
    /// [set's](Self::secret_env), it can be disconnected and suspected, and gives no credential.
    #[must_use]
    pub fn connection_of(&self, id: &ConnectionId) -> Connection {
        Connection::new(Arc::clone(&self.inner), id.clone())
    }

    /// A tenant as this vault names it in every [`ConnectionId`]: the same name, or its pseudonym if the vault keeps
    /// [pseudonyms](VaultOptions::pseudonymous_tenants).
    ///
    /// # Errors
    /// `InvalidName` when the name is empty, over 255 bytes or not printable.
    pub fn tenant_id(&self, tenant: impl AsRef<str>) -> Result<TenantId, Error> {
        self.inner.keys.tenants.of(tenant.as_ref())
    }

    /// Up to `limit` of a tenant's connections, disconnected ones too, in order of their names, from behind `after`. One
    /// whose record was altered or put back is listed as [`Tampered`](crate::ConnectionState::Tampered).
    ///
    /// # Errors
    /// `InvalidName`; `Tampered` when a record's very name can't be read; `StoreUnavailable`.
    pub async fn connections(
        &self,
        tenant: impl AsRef<str>,
        after: Option<&ConnectionName>,
        limit: u32,
    ) -> Result<Vec<ConnectionStatus>, Error> {
        let tenant = self.tenant_id(tenant)?;
        let after = after.map(|name| ConnectionId::new(tenant.as_str(), name.as_str())).transpose()?;
        let work = async {
            let records = self.inner.connections(tenant, after, limit).await?;
            self.inner.listed(&records).await
        };
        self.inner.watch.over(Operation::List, None, work).await
    }

    /// The connections whose token is to be replaced soon, but is not overdue, by that date: the ones to warn.
    pub fn due(&self) -> DueConnections {
        DueConnections::new(Arc::clone(&self.inner), self.inner.replacement.due(self.inner.now()))
    }

    /// The connections whose token should have been replaced, by that date.
    pub fn overdue(&self) -> DueConnections {
        DueConnections::new(Arc::clone(&self.inner), self.inner.replacement.overdue(self.inner.now()))
    }

    /// Asks this provider about its paused connections, and resumes or revokes them: see [`RecheckPaused`]. Run it every minute, in
    /// one instance or in all of them.
    pub fn recheck_paused<'p>(&self, provider: &'p dyn Provider) -> RecheckPaused<'p> {
        RecheckPaused::new(Arc::clone(&self.inner), provider)
    }

    /// Says that all tokens of a tenant may have leaked: see [`Connection::suspect_leak`].
    ///
    /// # Errors
    /// `InvalidName`.
    pub fn suspect_leaks_of(&self, tenant: impl AsRef<str>) -> Result<LeakResponse, Error> {
        let tenant = self.tenant_id(tenant)?;
        Ok(LeakResponse::new(Arc::clone(&self.inner), Scan::Tenant(tenant)))
    }

    /// Says that every token of this vault may have leaked: see [`Connection::suspect_leak`]. None is used any more.
    ///
    /// ```
    /// # async fn example(vault: tokenkeep::Vault) -> Result<(), tokenkeep::Error> {
    /// let mut response = vault.suspect_all_leaked();
    /// while let Some(step) = response.next().await? {
    ///     println!("{step}"); // customer-17/apify: delete the token of jane-doe at apify, make a new one, replace it here
    /// }
    /// # Ok(()) }
    /// ```
    pub fn suspect_all_leaked(&self) -> LeakResponse {
        LeakResponse::new(Arc::clone(&self.inner), Scan::All)
    }

    /// Disconnects all connections of a tenant, one after the other, and gives what came of each: a receipt also for those
    /// that were disconnected before. What stays is their tombstones and the audit trail.
    ///
    /// ```
    /// # async fn example(vault: tokenkeep::Vault) -> Result<(), tokenkeep::Error> {
    /// let mut erasure = vault.erase_tenant("customer-17")?;
    /// while let Some(erased) = erasure.next().await? {
    ///     println!("{}", erased.receipt?); // keep it: it is the evidence
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidName`.
    pub fn erase_tenant(&self, tenant: impl AsRef<str>) -> Result<TenantErasure, Error> {
        Ok(TenantErasure::new(Arc::clone(&self.inner), self.tenant_id(tenant)?))
    }

    /// Moves every token that is under this KEK to the primary one, page by page, and the vault's own keys before them: see [`Rewrap`].
    pub fn rewrap(&self, from: KekId) -> Rewrap {
        Rewrap::new(Arc::clone(&self.inner), from)
    }

    /// Ends a KEK: makes as many of these steps as can be made now, and says what is to be waited for. Call it again then, in this
    /// process or another, until it says [`Destroyed`](Retirement::Destroyed). `keys` is what the vault was opened with, or for a KEK of
    /// the provider that [epochs](tokenkeep_keys::EpochKeys) are under, that provider. The times of the steps are kept in the database.
    ///
    /// 1. Nothing more is wrapped under it, and the database refuses new envelopes under it from then on.
    /// 2. For the time that instances take to notice, nothing.
    /// 3. A census: every record, and the vault's own keys, by the headers of their envelopes. While any needs the KEK the answer
    ///    is how many do: [rewrap](Self::rewrap) moves them.
    /// 4. For the time of `grace`, nothing: until then an operator may restore a backup, and the time begins anew if that brings
    ///    something back which needs the KEK.
    /// 5. Another census, and it is destroyed. (A vault that shares its keys with others counts for itself alone: retire a KEK in each
    ///    of them, with [`Duration::MAX`] as the time of grace in all but the last.) What was sealed under it is gone for good, in every copy of the database, as far as
    ///    the [`Destruction`](tokenkeep_keys::Destruction) says.
    ///
    /// # Errors
    /// `Conflict` when another process makes the same step: call it again; `Misuse` for keys that can't do this;
    /// `StoreUnavailable`, `KeysUnavailable`; `Tampered` when a record can't even be read.
    ///
    /// # Cancellation
    /// Safe: each step was made or was not, and the next call goes on from there.
    pub async fn retire(
        &self,
        keys: &dyn RetirableKeys,
        kek: &KekId,
        grace: Duration,
    ) -> Result<Retirement, Error> {
        self.inner.watch.over(Operation::Retire, None, retire(&self.inner, keys, kek, grace)).await
    }

    /// Finishes disconnects that were interrupted or whose hooks failed: scrubs, runs the hooks again, and returns what came of
    /// each: a receipt, which may again say that hooks are pending, or an error. Call it at start and now and then.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Tampered` when a record's very name can't be read. If either comes when some were finished, those are
    /// returned, and the next call comes to the rest. A record that was altered is an error of its own, in
    /// [`FinishedDisconnect::receipt`].
    ///
    /// # Cancellation
    /// Safe: what is left is finished by the next call.
    pub async fn finish_disconnects(&self) -> Result<Vec<FinishedDisconnect>, Error> {
        let work = finish_pending(&self.inner);
        self.inner.watch.over_any(Operation::FinishDisconnects, None, work, disconnect::ended).await
    }

    /// The audit trail.
    #[must_use]
    pub fn audit(&self) -> AuditTrail {
        AuditTrail::new(Arc::clone(&self.inner))
    }

    /// Makes a checkpoint of the audit trail and delivers it to the sink. If nothing is new since the last one none is made,
    /// and if the last one was not delivered it is delivered first. Returns the one that is the last then.
    ///
    /// What is signed is checked before: every entry since the last checkpoint. Several instances may do this at once.
    ///
    /// # Errors
    /// `Misuse` without [`VaultOptions::checkpoints`]; `Tampered` when the trail was altered or cut, the database put back, or
    /// the sink keeps other checkpoints: [`verify`](Self::verify) says more; `SinkUnavailable`; `StoreUnavailable`;
    /// `Conflict` when other instances were quicker many times over.
    ///
    /// # Cancellation
    /// Safe: a checkpoint that was made and not delivered is delivered by the next call, of any instance.
    pub async fn checkpoint(&self) -> Result<Checkpoint, Error> {
        self.inner.watch.over(Operation::Checkpoint, None, checkpoint::checkpoint(&self.inner)).await
    }

    /// Makes checkpoints now and in this period, for as long as it is polled: spawn it once for each process. It never ends
    /// by itself; an error is logged (`tracing`, at WARN) and the next turn tries again. Abort or drop it to stop it.
    ///
    /// ```
    /// # async fn example(store: tokenkeep::MemoryStore, keys: tokenkeep::LocalKeyring) -> Result<(), tokenkeep::Error> {
    /// use std::time::Duration;
    /// use tokenkeep::{CheckpointFile, Vault};
    ///
    /// let sink = CheckpointFile::open_or_create("/mnt/audit/checkpoints").await?; // on another host
    /// let vault = Vault::options().checkpoints(sink).open(store, keys).await?;
    /// println!("for the auditors: {}", vault.checkpoint_key());
    /// let checkpoints = tokio::spawn(vault.checkpoint_every(Duration::from_secs(5)));
    /// // ... and at shutdown:
    /// checkpoints.abort();
    /// vault.flush().await?;
    /// vault.checkpoint().await?;
    /// # Ok(()) }
    /// ```
    pub fn checkpoint_every(&self, period: Duration) -> impl Future<Output = ()> + Send + use<> {
        let vault = Arc::clone(&self.inner);
        async move { checkpoint::every(&vault, period).await }
    }

    /// The public key of this vault's checkpoints, for whoever checks them outside. Take it once, and keep it there: one
    /// that is asked for later is as good as the database and the keys are then.
    #[must_use]
    pub fn checkpoint_key(&self) -> CheckpointKey {
        self.inner.keys.checkpoints.public().clone()
    }

    /// Goes through the audit trail and all records, and names what was altered, removed, reordered or put back: also what
    /// was cut off behind the last checkpoint that the sink has, and a database that was put back whole. What lies after that
    /// checkpoint may be cut unseen, and without a sink, so may any end of the trail together with its records.
    ///
    /// It reads the trail once, in pages; [`verify_run`](Self::verify_run) does the same in steps.
    ///
    /// # Errors
    /// `StoreUnavailable` or `SinkUnavailable` when one of them does not answer. What was tampered with is no error but a
    /// [`Finding`](crate::Finding).
    pub async fn verify(&self) -> Result<Verification, Error> {
        self.verify_run().finish().await
    }

    /// As [`verify`](Self::verify), and holds the trail against a checkpoint that an operator kept as well.
    ///
    /// # Errors
    /// As [`verify`](Self::verify). A note that is no checkpoint of this vault is a finding.
    pub async fn verify_against(&self, note: &str) -> Result<Verification, Error> {
        self.verify_run().against(note).finish().await
    }

    /// A verification in steps, for a long trail: with progress, and to be interrupted and taken up again.
    pub fn verify_run(&self) -> VerifyRun {
        VerifyRun::new(Arc::clone(&self.inner))
    }

    /// Whether this instance can do its work: its keys open, its database answers and takes writes, and the audit trail is whole
    /// as far as a quick look can tell; and whether the sink of checkpoints answers. For a readiness probe; it answers within two
    /// seconds. It writes nothing to the database: that a disk is full is seen by the next commit alone. With epochs it may set wraps
    /// aside, and make the next epoch, as a token that is connected would.
    ///
    /// ```
    /// # async fn example(vault: tokenkeep::Vault) {
    /// let readiness = vault.check().await;
    /// if !readiness.is_ready() {
    ///     println!("{readiness}"); // answer 503
    /// }
    /// # }
    /// ```
    pub async fn check(&self) -> Readiness {
        self.check_within(Duration::from_secs(2)).await
    }

    /// The same with another time-out, which counts for each of the four: they are looked at side by side.
    pub async fn check_within(&self, limit: Duration) -> Readiness {
        let watch = &self.inner.watch;
        watch.over_any(Operation::Check, None, check(&self.inner, limit), Readiness::ended).await
    }

    /// Writes the counts of uses that are not in the audit trail yet: all that there are when it is called. Call it now and
    /// then, before the trail is shown, and at shutdown: what is not written when the process ends is lost, except for each
    /// minute's first use.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Tampered` when a chain of the trail was altered. The others' counts are written all the same,
    /// and what was not written stays counted: the next call tries it again. Of several errors the first; each is logged
    /// (`tracing`, at WARN).
    ///
    /// # Cancellation
    /// Safe: what a dropped call did not write stays counted.
    pub async fn flush(&self) -> Result<(), Error> {
        self.inner.watch.over(Operation::Flush, None, self.inner.uses.flush(&self.inner)).await
    }
}
