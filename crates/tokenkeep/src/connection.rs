//! One connection: the handle that an application works with.

use std::sync::Arc;

use tokenkeep_core::{ApiToken, ConnectionId, Credential, Error, ErrorKind, Provider};
use tokenkeep_store::{Action, Record, Status};

use crate::connect::{PreparedChange, prepare_connect, prepare_replace, same_provider};
use crate::credential::ConnectionCredential;
use crate::disconnect::disconnect;
use crate::inner::Inner;
use crate::kept::KeptToken;
use crate::receipt::Receipt;
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
    /// `AlreadyConnected` when it holds a token (use [`replace`](Self::replace)); `PurgePending` when a hook of the former
    /// connection still fails; what the provider answered (`TokenRefused`, `ScopeTooSmall`, `RateLimited`, `ProviderUnavailable`, `ProviderMisbehaved`); `Conflict` when
    /// someone else connected it meanwhile; and what the database and the keys may fail with. Nothing is kept then.
    ///
    /// # Cancellation
    /// Safe: a dropped call kept the token or did not.
    pub async fn connect(
        &self,
        provider: &dyn Provider,
        token: impl Into<Arc<ApiToken>>,
    ) -> Result<KeptToken, Error> {
        self.prepare_connect(provider, token).await?.commit().await
    }

    /// As [`connect`](Self::connect), up to what must be committed: for an application that commits it together with
    /// something of its own.
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
        prepare_connect(&self.vault, &self.id, provider, &token.into()).await
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
        self.prepare_replace(provider, token).await?.commit().await
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
        prepare_replace(&self.vault, &self.id, provider, &token.into()).await
    }

    /// What a client asks for the token, one attempt at a time. It holds no token; making it asks nobody.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::new(ConnectionCredential::for_use(Arc::clone(&self.vault), self.id.clone()))
    }

    /// How the connection stands.
    ///
    /// # Errors
    /// `Tampered` when its record was altered or is older than one seen before; `StoreUnavailable`.
    pub async fn status(&self) -> Result<ConnectionStatus, Error> {
        self.vault.status(&self.id).await
    }

    /// Asks the provider about the token it holds: a paused or revoked connection is resumed when the token is
    /// accepted, and revoked when it is refused.
    ///
    /// # Errors
    /// `NotConnected`; `Misuse` for another provider; when the provider gave no clear answer, what it answered: the
    /// connection then stays as it was.
    ///
    /// # Cancellation
    /// Safe: a dropped call changed the state or did not.
    pub async fn recheck(&self, provider: &dyn Provider) -> Result<ConnectionStatus, Error> {
        let before = self.vault.load(&self.id).await?.filter(|record| record.status != Status::Disconnected);
        let before = before.ok_or(ErrorKind::NotConnected)?;
        same_provider(&before, provider)?;
        let asking = Arc::new(());
        let probe = ConnectionCredential::for_probe(Arc::clone(&self.vault), self.id.clone(), &asking);
        let probe = Credential::new(probe);
        let (status, action) = match provider.check(&probe).await {
            Ok(_) => (Status::Active, Action::Resumed),
            Err(error) if error.kind() == ErrorKind::TokenRefused => (Status::Revoked, Action::Revoked),
            Err(error) => return Err(error),
        };
        if before.status == status {
            return Ok(self.vault.status_of(&before));
        }
        // Expects the very record that was probed: an answer about an older token changes nothing.
        let change = self.vault.change(Some(&before), Record { status, ..before.clone() }, action);
        self.vault.commit(std::slice::from_ref(&change)).await?;
        self.status().await
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
        disconnect(&self.vault, &self.id).await
    }
}
