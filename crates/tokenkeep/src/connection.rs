//! One connection: the handle that an application works with.

use std::ops::Range;
use std::sync::Arc;

use tokenkeep_core::{ApiToken, ConnectionId, Credential, Error, Provider, RunList};
use tokenkeep_store::Timestamp;

use crate::connect::{PreparedChange, prepare_connect, prepare_replace};
use crate::credential::ConnectionCredential;
use crate::discard::discard;
use crate::disconnect::disconnect;
use crate::env::{SetIds, discard_set};
use crate::inner::Inner;
use crate::kept::KeptToken;
use crate::leak::{LeakResponse, clear_suspicion};
use crate::observe::Operation;
use crate::receipt::Receipt;
use crate::recheck::recheck;
use crate::reconcile::Reconciliation;
use crate::status::ConnectionStatus;

/// A handle on one connection of a tenant, whether it is connected or not. Owned, cheap to clone, holds no token.
#[derive(Debug, Clone)]
pub struct Connection {
    vault: Arc<Inner>,
    id: ConnectionId,
}

impl Connection {
    pub(crate) fn new(vault: Arc<Inner>, id: ConnectionId) -> Self {
        Self { vault, id }
    }

    /// Whose connection it is, and which.
    #[must_use]
    pub fn id(&self) -> &ConnectionId {
        &self.id
    }

    /// Asks the provider whether it accepts the token, seals it and keeps it. Returns whose token it is, and what the
    /// customer should do now, if anything.
    ///
    /// To be able to try again after an error that [is retryable](Error::is_retryable), give an `Arc` of the token and keep
    /// a clone.
    ///
    /// # Errors
    /// `AlreadyConnected` when it holds a token (use [`replace`](Self::replace)); `Suspected` for a token that may have leaked
    /// from another connection of this tenant; `PurgePending` when a hook of the former
    /// connection still fails, or another process must run it; what the provider answered (`TokenRefused`, `ScopeTooSmall`, `RateLimited`, `ProviderUnavailable`, `ProviderMisbehaved`); `Conflict` when
    /// someone else connected it meanwhile; and what the database and the keys may fail with. Nothing is kept then.
    ///
    /// # Cancellation
    /// Safe: a dropped call kept the token or did not.
    pub async fn connect(
        &self,
        provider: &dyn Provider,
        token: impl Into<Arc<ApiToken>>,
    ) -> Result<KeptToken, Error> {
        let token = token.into();
        let work = async {
            prepare_connect(&self.vault, &self.id, provider, &token).await?.commit_unwatched().await
        };
        self.vault.watch.over(Operation::Connect, Some(&self.id), work).await
    }

    /// As [`connect`](Self::connect), up to what must be committed: for an application that commits it together with
    /// something of its own, and then calls [`PreparedChange::committed`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancellation
    /// Safe: nothing changes.
    pub async fn prepare_connect(
        &self,
        provider: &dyn Provider,
        token: impl Into<Arc<ApiToken>>,
    ) -> Result<PreparedChange, Error> {
        let token = token.into();
        let work = async {
            let prepared = prepare_connect(&self.vault, &self.id, provider, &token).await?;
            prepared.off_closed_kek().await
        };
        self.vault.watch.over(Operation::Prepare, Some(&self.id), work).await
    }

    /// Puts a new token in the old one's place, if the provider accepts it and it is of the same account. The old one
    /// stays valid at the provider until it is deleted there: show the customer what
    /// [`customer_actions`](KeptToken::customer_actions) of the result says.
    ///
    /// # Errors
    /// `NotConnected` when there is none to replace; `SameToken` for the very token that is there already; `Misuse` for
    /// another provider; `OtherAccount` for a token of another account; otherwise as [`connect`](Self::connect). The old
    /// token is kept then.
    ///
    /// # Cancellation
    /// Safe: a dropped call replaced the token or did not.
    pub async fn replace(
        &self,
        provider: &dyn Provider,
        token: impl Into<Arc<ApiToken>>,
    ) -> Result<KeptToken, Error> {
        let token = token.into();
        let work = async {
            prepare_replace(&self.vault, &self.id, provider, &token).await?.commit_unwatched().await
        };
        self.vault.watch.over(Operation::Replace, Some(&self.id), work).await
    }

    /// As [`replace`](Self::replace), up to what must be committed.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    ///
    /// # Cancellation
    /// Safe: nothing changes.
    pub async fn prepare_replace(
        &self,
        provider: &dyn Provider,
        token: impl Into<Arc<ApiToken>>,
    ) -> Result<PreparedChange, Error> {
        let token = token.into();
        let work = async {
            let prepared = prepare_replace(&self.vault, &self.id, provider, &token).await?;
            prepared.off_closed_kek().await
        };
        self.vault.watch.over(Operation::Prepare, Some(&self.id), work).await
    }

    /// What a client asks for the token, one attempt at a time. It holds no token; making it asks nobody.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::new(ConnectionCredential::for_use(Arc::clone(&self.vault), self.id.clone()))
    }

    /// How the connection stands; by the name of either record of a set of secret variables, how the set does.
    ///
    /// # Errors
    /// `Tampered` when its record was altered or is older than one seen before; `StoreUnavailable`.
    pub async fn status(&self) -> Result<ConnectionStatus, Error> {
        self.vault.watch.over(Operation::Status, Some(&self.id), self.vault.status(&self.id)).await
    }

    /// Asks the provider about the token it holds. Accepted, it is used again. Refused, it is paused if it was in use; if it was paused,
    /// it is revoked, unless that was less than five minutes ago or too many others are paused with it: see
    /// [`pause`](ConnectionStatus::pause) of the result. One asks at a time, and a token that stays paused is not asked about again for five
    /// minutes, by nobody: the result then says how the connection stands. The job that does this for all is
    /// [`Vault::recheck_paused`](crate::Vault::recheck_paused).
    ///
    /// # Errors
    /// `NotConnected`; `Suspected` when the token may have leaked: that the provider accepts it says nothing then; `Misuse` for another
    /// provider; `Conflict` when the connection changed meanwhile; when the provider gave no clear answer (`ProviderUnavailable` after 30
    /// seconds), what it answered: the connection then stays as it was.
    ///
    /// # Cancellation
    /// Safe: a dropped call changed the state or did not. For a minute nobody asks about it again.
    pub async fn recheck(&self, provider: &dyn Provider) -> Result<ConnectionStatus, Error> {
        self.vault
            .watch
            .over(Operation::Recheck, Some(&self.id), recheck(&self.vault, &self.id, provider))
            .await
    }

    /// Says that the token may have leaked: what NIST SP 800-57 calls a suspected compromise. Other connections of the same
    /// tenant that hold the same token are marked with it; of other tenants' the operator is told. From the commit on it is not
    /// used any more, by any instance; tokenkeep can't revoke it at the provider. What is to be done is given by
    /// [`next`](LeakResponse::next); nothing happens before that.
    ///
    /// The way back is [`replace`](Self::replace) by a new token, or [`clear_suspicion`](Self::clear_suspicion).
    ///
    /// While it is held, the token is refused here and under the tenant's other names. Once it was disconnected or replaced, nothing
    /// is kept by which it could be known again: if the customer enters it once more, and has not deleted it at the provider, it
    /// is accepted and used. Only the deletion there ends it, so let the customer confirm that.
    ///
    /// [`Vault::suspect_leaks_of`](crate::Vault::suspect_leaks_of) and
    /// [`Vault::suspect_all_leaked`](crate::Vault::suspect_all_leaked) do the same for a tenant and for all.
    pub fn suspect_leak(&self) -> LeakResponse {
        LeakResponse::one(Arc::clone(&self.vault), self.id.clone())
    }

    /// For an operator who knows that the token did not leak: it is used again. A connection that is not suspected stays as
    /// it is. One that was paused or revoked before is tried again, too: if the provider refuses the token, it says so.
    ///
    /// # Errors
    /// `NotConnected`; `Tampered`; `Conflict` when the connection changed meanwhile; `StoreUnavailable`.
    ///
    /// # Cancellation
    /// Safe: a dropped call cleared it or did not.
    pub async fn clear_suspicion(&self) -> Result<ConnectionStatus, Error> {
        let work = clear_suspicion(&self.vault, &self.id);
        self.vault.watch.over(Operation::ClearSuspicion, Some(&self.id), work).await
    }

    /// Holds the provider's list of runs that were started in this time (the end not included) against the audit trail: what was
    /// started in the account's name, but not by this application, is listed with time, address and user agent. Nothing is
    /// asked before [`next`](Reconciliation::next) is called; each page of the provider's list is a use of the token.
    pub fn reconcile<'p>(&self, provider: &'p dyn RunList, started: Range<Timestamp>) -> Reconciliation<'p> {
        let vault = Arc::clone(&self.vault);
        Reconciliation::new(vault, self.id.clone(), provider, self.credential(), started)
    }

    /// Removes the token. From the first commit on, the connection is refused everywhere; then the database's files are
    /// scrubbed and the application's hooks run. Repeating it runs them again, and gives a receipt again.
    ///
    /// In a web handler, spawn it: a client that goes away drops the handler's future, and the hooks would then wait for
    /// [`Vault::finish_disconnects`](crate::Vault::finish_disconnects).
    ///
    /// # Errors
    /// `NotConnected` when there never was a connection; `Tampered`; `StoreUnavailable`, when nothing is removed yet.
    /// What fails after the removal is in the receipt, not an error.
    ///
    /// # Cancellation
    /// Safe: a dropped call removed the token or did not; repeat it to know and to finish.
    pub async fn disconnect(&self) -> Result<Receipt, Error> {
        self.vault.watch.over(Operation::Disconnect, Some(&self.id), disconnect(&self.vault, &self.id)).await
    }

    /// For an operator: ends a connection whose record somebody altered, put back or removed in the database, which nothing
    /// else can end. A tombstone takes its place, with an entry in the audit trail
    /// ([`Action::Discarded`](crate::Action::Discarded)) that says what was found; then it goes on as at
    /// [`disconnect`](Self::disconnect), and the customer can connect again. [`Vault::verify`](crate::Vault::verify) finds the
    /// record whole from then on. Keep a copy of the database first: what was altered is evidence, and is gone after this.
    ///
    /// What the record said can't be believed, so the provider is the caller's word. Reads the whole chain of the audit trail that the
    /// tenant's entries are in, and goes by it alone: whatever happens in that chain meanwhile makes it look anew.
    ///
    /// The hooks are told the life of the connection that the audit trail has last. Run this where they are registered. Elsewhere
    /// they are pending ([`Receipt::hooks_elsewhere`]) if the connection had ended before, or the trail does not tell: hooks of that
    /// end may never have run. Until a process that has them finishes it
    /// ([`Vault::finish_disconnects`](crate::Vault::finish_disconnects)), or one that says that there are none
    /// ([`hooks_nowhere`](crate::VaultOptions::hooks_nowhere)), the customer can't connect.
    ///
    /// On SQLite, the sealed bytes that no row has any more are wiped too, of any connection. To find them, all rows are gone through,
    /// seconds where there are a million, on one of the four connections that read; others wait for it only when all of these are in use. What is not done then (the receipt says `Pending`),
    /// the next disconnect does.
    ///
    /// ```
    /// # async fn example(vault: tokenkeep::Vault, provider: &dyn tokenkeep::Provider) -> Result<(), tokenkeep::Error> {
    /// for finding in vault.verify().await?.findings {
    ///     println!("{finding}"); // the record of customer-17/apify was altered
    /// }
    /// let connection = vault.connection("customer-17", "apify")?;
    /// println!("{}", connection.discard_tampered(provider).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// Of a record of a set of secret variables it ends the whole set, as
    /// [`SecretEnv::discard_tampered`](crate::SecretEnv::discard_tampered) does.
    ///
    /// # Errors
    /// `Misuse` when the record is the one that the trail has: disconnect it. `NotConnected` where there is neither a record nor an
    /// entry of one. `Tampered` when the end of the trail was altered or cut: restart the process if it saw it end further on;
    /// also when more than a thousand entries of its chain can't be read.
    /// `Conflict` when others change the same chain without a pause: call it again.
    /// `StoreUnavailable`.
    ///
    /// # Cancellation
    /// Safe: a dropped call put the tombstone there or did not. If it did, a repeated one is `Misuse`, and
    /// [`disconnect`](Self::disconnect) finishes it and gives the receipt.
    pub async fn discard_tampered(&self, provider: &dyn Provider) -> Result<Receipt, Error> {
        let work = async {
            match SetIds::of(&self.id) {
                Some(set) => Box::pin(discard_set(&self.vault, &set, provider.spec())).await,
                None => discard(&self.vault, &self.id, provider.spec()).await,
            }
        };
        self.vault.watch.over(Operation::DiscardTampered, Some(&self.id), work).await
    }
}
