//! One connection: the handle that an application works with.

use std::fmt;
use std::sync::Arc;

use tokenkeep_core::{
    Account, ApiToken, ConnectionId, Credential, CustomerAction, Error, ErrorKind, Origin, Provider,
    ProviderName, SecretVersion,
};
use tokenkeep_store::{Action, Purge, Record, Status, Timestamp};

use crate::connect::{PreparedChange, prepare_connect, prepare_replace, same_provider};
use crate::credential::ConnectionCredential;
use crate::disconnect::{disconnect, removed_at};
use crate::inner::Inner;
use crate::receipt::Receipt;

/// A handle on one connection of a tenant, whether it is connected or not. Owned, cheap to clone, holds no token.
#[derive(Debug, Clone)]
pub struct Connection {
    vault: Arc<Inner>,
    id: ConnectionId,
}

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There never was one.
    NotConnected,
    /// Its token is used.
    Connected,
    /// The provider refused the token once; it is not used until [`Connection::recheck`] clears that up.
    Paused,
    /// The provider refused the token for good.
    Revoked,
    /// It was disconnected; its token is gone.
    Disconnected,
    /// Its record was altered in the database; its token is not used. The operator must look into it.
    Tampered,
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ConnectionState {
    /// A stable name in lower case, such as `not-connected`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotConnected => "not-connected",
            Self::Connected => "connected",
            Self::Paused => "paused",
            Self::Revoked => "revoked",
            Self::Disconnected => "disconnected",
            Self::Tampered => "tampered",
        }
    }

    /// What the customer must do for the connection to work; `None` when it does, or when it is not theirs to mend.
    #[must_use]
    pub fn customer_action(self) -> Option<CustomerAction> {
        match self {
            Self::Connected | Self::Tampered => None,
            Self::NotConnected | Self::Disconnected => Some(CustomerAction::Connect),
            Self::Paused => Some(CustomerAction::TryAgainLater),
            Self::Revoked => Some(CustomerAction::ReplaceToken),
        }
    }
}

/// What is known of a connection. Holds no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStatus {
    /// Whose connection it is, and which.
    pub id: ConnectionId,
    /// How it stands.
    pub state: ConnectionState,
    /// The provider; `None` when there never was a connection.
    pub provider: Option<ProviderName>,
    /// The one place that the token is sent to; `None` when there never was a connection.
    pub origin: Option<Origin>,
    /// Whose token it is at the provider; `None` when there is no token.
    pub account: Option<Account>,
    /// When it was connected; `None` when it is not.
    pub connected_at: Option<Timestamp>,
    /// When its token was removed; `None` when it holds one, or never was connected.
    pub disconnected_at: Option<Timestamp>,
    /// Whether a hook that clears cached data has yet to succeed: see
    /// [`Vault::finish_disconnects`](crate::Vault::finish_disconnects).
    pub purge_pending: bool,
    /// When its present token was set.
    pub token_set_at: Option<Timestamp>,
    /// Which token of this life of the connection it is.
    pub secret_version: Option<SecretVersion>,
}

impl ConnectionStatus {
    pub(crate) fn of(record: &Record) -> Self {
        let state = match record.status {
            Status::Active => ConnectionState::Connected,
            Status::Paused => ConnectionState::Paused,
            Status::Revoked => ConnectionState::Revoked,
            // A status of a later version: its token is not used by this one.
            Status::Disconnected | _ => ConnectionState::Disconnected,
        };
        let live = record.sealed.is_some();
        Self {
            id: record.id.clone(),
            state,
            provider: Some(record.provider.clone()),
            origin: Some(record.origin.clone()),
            account: record.account.clone(),
            connected_at: live.then_some(record.connected_at),
            disconnected_at: removed_at(record),
            purge_pending: record.purge == Purge::Pending,
            token_set_at: live.then_some(record.token_set_at),
            secret_version: live.then_some(record.secret_version),
        }
    }

    fn absent(id: &ConnectionId) -> Self {
        Self::without_record(id, ConnectionState::NotConnected)
    }

    pub(crate) fn tampered(id: &ConnectionId) -> Self {
        Self::without_record(id, ConnectionState::Tampered)
    }

    fn without_record(id: &ConnectionId, state: ConnectionState) -> Self {
        Self {
            id: id.clone(),
            state,
            provider: None,
            origin: None,
            account: None,
            connected_at: None,
            disconnected_at: None,
            purge_pending: false,
            token_set_at: None,
            secret_version: None,
        }
    }
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

    /// Asks the provider whether it accepts the token, seals it and keeps it. Returns whose token it is.
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
    ) -> Result<Account, Error> {
        Ok(self.prepare_connect(provider, token).await?.commit().await?.clone())
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
    /// stays valid at the provider until it is deleted there.
    ///
    /// # Errors
    /// `NotConnected` when there is none to replace; `Misuse` for another provider; `OtherAccount` for a token of
    /// another account; otherwise as [`connect`](Self::connect). The old token is kept then.
    ///
    /// # Cancellation
    /// Safe: a dropped call replaced the token or did not.
    pub async fn replace(
        &self,
        provider: &dyn Provider,
        token: impl Into<Arc<ApiToken>>,
    ) -> Result<Account, Error> {
        Ok(self.prepare_replace(provider, token).await?.commit().await?.clone())
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
        let record = self.vault.load(&self.id).await?;
        Ok(record.as_ref().map_or_else(|| ConnectionStatus::absent(&self.id), ConnectionStatus::of))
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
            return Ok(ConnectionStatus::of(&before));
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
