//! Sets of secret environment variables: the handle that an application works with.

mod change;
pub(crate) mod index;
mod list;
pub(crate) mod names;
mod plan;
mod push;
mod removal;
mod set;
mod status;
mod targets;

use std::sync::Arc;

use tokenkeep_core::{EnvTarget, Error, Provider, SecretVars, TenantId};

use crate::inner::Inner;
use crate::leak::{LeakResponse, clear_suspicion};
use crate::observe::Operation;
use crate::receipt::Receipt;

pub use change::EnvChange;
pub(crate) use list::list;
pub(crate) use names::SetIds;
use plan::Held;
pub use plan::{EnvAction, EnvPlan, EnvStep};
pub use push::EnvPush;
pub(crate) use removal::{discard_set, remove_set};
pub(crate) use set::halves;
pub use status::{EnvVarStatus, SecretEnvStatus};
pub use targets::EnvTargetStatus;

/// A handle on one set of a tenant's secret environment variables, whether there is such a set or not. Owned, cheap to clone, holds no
/// value. Made by [`Vault::secret_env`](crate::Vault::secret_env).
///
/// A set is sealed as a token is, for a provider: its values go to nobody else. What is stored has one length, whatever is in the set.
/// It is kept as two records, its values and an index of their names, under names that no connection can have: `~env/NAME` and
/// `~env-index/NAME`, which is how the audit trail and the findings of a verification call them.
///
/// ```
/// # async fn example(vault: tokenkeep::Vault, provider: &dyn tokenkeep::Provider, url: String) -> Result<(), tokenkeep::Error> {
/// use tokenkeep::{EnvChange, SecretVars};
///
/// let mut vars = SecretVars::new();
/// vars.set("DATABASE_URL", url)?;
/// let env = vault.secret_env("customer-17", "scraper")?;
/// env.create(provider, &vars).await?;
///
/// let mut change = EnvChange::new();
/// change.set("API_KEY", "an-example-value".to_owned())?;
/// env.change(&change).await?;
/// for var in env.names().await? {
///     println!("{var}"); // DATABASE_URL, unchanged since version 1; no value was opened
/// }
/// let vars = env.open().await?; // on record as a use
/// # drop(vars);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SecretEnv {
    pub(crate) vault: Arc<Inner>,
    pub(crate) ids: SetIds,
}

impl SecretEnv {
    pub(crate) fn new(vault: Arc<Inner>, ids: SetIds) -> Self {
        Self { vault, ids }
    }

    /// Whose set it is, as the vault names tenants.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        self.ids.values.tenant()
    }

    /// The set's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.ids.name()
    }

    /// Seals the variables for this provider and keeps them as a new set, which may be empty. The provider is not asked.
    ///
    /// # Errors
    /// `AlreadyConnected` when there is such a set ([`change`](Self::change) it); `PurgePending` when a hook of a former set of this name
    /// still fails, or another process must run it; `Conflict` when someone else made it meanwhile; and what the database and the keys
    /// may fail with. Nothing is kept then. Repeating it after a `StoreUnavailable` is `AlreadyConnected` if it was made after all.
    ///
    /// # Cancellation
    /// Safe: a dropped call made the set or did not.
    pub async fn create(&self, provider: &dyn Provider, vars: &SecretVars) -> Result<SecretEnvStatus, Error> {
        let work = Box::pin(set::create(&self.vault, &self.ids, provider.spec(), vars));
        self.vault.watch.over(Operation::CreateEnv, Some(&self.ids.values), work).await
    }

    /// Makes all of these changes, as one new version of the set. A variable that is set to the value that it has is unchanged, and so is
    /// one that is to be removed and not there; where nothing is changed, there is no new version. When someone else changes the set
    /// meanwhile, this change is made to what they left.
    ///
    /// The values of a [suspected](Self::suspect_leak) set are all to be replaced or removed in one change; it can be opened again then.
    ///
    /// # Errors
    /// `NotConnected` when there is no such set; `InvalidVariable` when it would break a limit of [`SecretVars`]; `Suspected` when it may
    /// have leaked and this would leave one of its values; `Conflict` when others change it without a pause; `Tampered`; and what the
    /// database and the keys may fail with. The set is as it was then, unless it is a `StoreUnavailable`, after which it may be changed:
    /// the same change can be made again.
    ///
    /// # Cancellation
    /// Safe: a dropped call changed the set wholly or not at all.
    pub async fn change(&self, change: &EnvChange) -> Result<SecretEnvStatus, Error> {
        let work = Box::pin(set::change(&self.vault, &self.ids, change));
        self.vault.watch.over(Operation::ChangeEnv, Some(&self.ids.values), work).await
    }

    /// The variables by name, and since when they have the value that they have. No value is opened: what wraps their key is not even asked.
    ///
    /// # Errors
    /// `NotConnected` when there is no such set; `Tampered`; and what the database and the keys may fail with.
    pub async fn names(&self) -> Result<Vec<EnvVarStatus>, Error> {
        let work = status::names(&self.vault, &self.ids);
        self.vault.watch.over(Operation::ReadEnv, Some(&self.ids.values), work).await
    }

    /// How the set stands. Opens nothing.
    ///
    /// # Errors
    /// `Tampered` when one of its records was altered, is older than one seen before, or is there without the other one; `Conflict` when
    /// the set is made and removed without a pause; `StoreUnavailable`.
    pub async fn status(&self) -> Result<SecretEnvStatus, Error> {
        let work = status::status(&self.vault, &self.ids);
        self.vault.watch.over(Operation::ReadEnv, Some(&self.ids.values), work).await
    }

    /// The values. Each time is a use, on record before the key is asked for. Drop them soon: they are in memory until then.
    ///
    /// # Errors
    /// `NotConnected` when there is no such set; `Suspected` when it may have leaked; `Tampered`; `Conflict` when it changes without a
    /// pause; and what the database and the keys may fail with.
    ///
    /// # Cancellation
    /// Safe: what is on record may then have been given to nobody.
    pub async fn open(&self) -> Result<SecretVars, Error> {
        let work = Box::pin(async { Ok(set::open(&self.vault, &self.ids).await?.1) });
        self.vault.watch.over(Operation::OpenEnv, Some(&self.ids.values), work).await
    }

    /// What sending the set to this target would do there: asks for the names that are there, and opens no value. Nothing is sent before the
    /// plan is [applied](EnvPlan::apply).
    ///
    /// Send one set to a target. Two are not told apart there: each takes its own variables for what is there, whatever the other sent,
    /// and nothing keeps their pushes apart.
    ///
    /// What was sent is kept in the set's index, which has 16 KiB: at names of 24 bytes it has room for 73 targets with 10 variables, 38
    /// with 20, 14 with 50, and 5 with 100. Beyond, the one that was sent to longest ago is forgotten, and the next push to it sends all.
    /// A push writes an entry of the audit trail for each variable, one at its begin, and one for its use.
    ///
    /// # Errors
    /// `Misuse` when the target is at another provider or origin than the set is for, and nobody is asked then; `NotConnected`; `Suspected`;
    /// `Tampered`; those of the target's call; and what the database and the keys may fail with.
    ///
    /// # Cancellation
    /// Safe: it changes nothing.
    pub async fn plan<'t>(&self, target: &'t dyn EnvTarget) -> Result<EnvPlan<'t>, Error> {
        self.plan_held(Held::Borrowed(target)).await
    }

    /// As [`plan`](Self::plan), for a target that is shared: its push can be given to a task of its own.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    ///
    /// # Cancellation
    /// Safe: it changes nothing.
    pub async fn plan_shared(&self, target: Arc<dyn EnvTarget>) -> Result<EnvPlan<'static>, Error> {
        self.plan_held(Held::Shared(target)).await
    }

    async fn plan_held<'t>(&self, target: Held<'t>) -> Result<EnvPlan<'t>, Error> {
        let work = Box::pin(plan::plan(self, target));
        self.vault.watch.over(Operation::PlanEnv, Some(&self.ids.values), work).await
    }

    /// The targets that the set was sent to, by their identifiers, also those at which a push did not come to its end. No value is opened.
    /// Ask for it before a [removal](Self::remove), and behind a change that is to be sent everywhere. One that was forgotten for want of
    /// room, as [`plan`](Self::plan) says, is in the audit trail alone: the entries of the set's index (`~env-index/NAME`) name the
    /// target as their subject.
    ///
    /// # Errors
    /// `NotConnected` when there is no such set; `Tampered`; and what the database and the keys may fail with.
    pub async fn targets(&self) -> Result<Vec<EnvTargetStatus>, Error> {
        let work = targets::targets(&self.vault, &self.ids);
        self.vault.watch.over(Operation::ReadEnv, Some(&self.ids.values), work).await
    }

    /// Says that the values may have leaked: see [`Connection::suspect_leak`](crate::Connection::suspect_leak). They are not opened any
    /// more, by any instance, until a [`change`](Self::change) replaces or removes all of them; their names can still be listed.
    /// tokenkeep can't make them worthless: each is to be replaced where it came from.
    pub fn suspect_leak(&self) -> LeakResponse {
        LeakResponse::one(Arc::clone(&self.vault), self.ids.values.clone())
    }

    /// For an operator who knows that the values did not leak: they are opened again.
    ///
    /// # Errors
    /// `NotConnected`; `Tampered`; `Conflict` when the set changed meanwhile; `StoreUnavailable`.
    ///
    /// # Cancellation
    /// Safe: a dropped call cleared it or did not.
    pub async fn clear_suspicion(&self) -> Result<SecretEnvStatus, Error> {
        let work = async {
            clear_suspicion(&self.vault, &self.ids.values).await?;
            status::status(&self.vault, &self.ids).await
        };
        self.vault.watch.over(Operation::ClearSuspicion, Some(&self.ids.values), work).await
    }

    /// Removes the set, values and names. It goes as at [`Connection::disconnect`](crate::Connection::disconnect): the first commit
    /// removes what is sealed, then the database's files are scrubbed and the application's hooks run, which are told the record of the
    /// values. Repeating it gives a receipt again. What was sent to a target stays there.
    ///
    /// # Errors
    /// `NotConnected` when there never was such a set; `Tampered` when one of its records was altered, and the other one is removed all
    /// the same; `StoreUnavailable`, when nothing is removed yet.
    ///
    /// # Cancellation
    /// Safe: a dropped call removed the set or did not; repeat it to know and to finish.
    pub async fn remove(&self) -> Result<Receipt, Error> {
        let work = Box::pin(remove_set(&self.vault, &self.ids));
        self.vault.watch.over(Operation::Disconnect, Some(&self.ids.values), work).await
    }

    /// For an operator: ends a set of which a record was altered, put back or removed in the database. It goes as at
    /// [`Connection::discard_tampered`](crate::Connection::discard_tampered), for whichever of its two records is not the one that the
    /// audit trail has; the other one is removed with it.
    ///
    /// # Errors
    /// As there; `Misuse` when both records are those that the trail has, and fit: [`remove`](Self::remove) it.
    ///
    /// # Cancellation
    /// Safe: what a dropped call left is finished by [`remove`](Self::remove).
    pub async fn discard_tampered(&self, provider: &dyn Provider) -> Result<Receipt, Error> {
        let work = Box::pin(discard_set(&self.vault, &self.ids, provider.spec()));
        self.vault.watch.over(Operation::DiscardTampered, Some(&self.ids.values), work).await
    }
}
