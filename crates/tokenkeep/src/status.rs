//! How a connection stands, and what its customer can do about it.

use std::fmt;

use tokenkeep_core::{
    Account, ConnectionId, CustomerAction, Error, ErrorKind, Origin, ProviderName, SecretVersion,
};
use tokenkeep_store::{Purge, Record, Status, Timestamp};

use crate::disconnect::removed_at;
use crate::env::names::is_reserved;
use crate::env::{SetIds, halves};
use crate::inner::Inner;
use crate::replacement::{Replacement, ReplacementPolicy};

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There never was one.
    NotConnected,
    /// Its token is used.
    Connected,
    /// The provider refused the token once; it is not used until [`Vault::recheck_paused`](crate::Vault::recheck_paused) clears that up.
    /// See [`ConnectionStatus::pause`].
    Paused,
    /// The provider refused the token for good.
    Revoked,
    /// Its token may have leaked ([`Connection::suspect_leak`](crate::Connection::suspect_leak)); it is not used until it
    /// is replaced, or an operator clears it.
    Suspected,
    /// It was disconnected; its token is gone.
    Disconnected,
    /// Its record was altered in the database; its token is not used. The operator must look into it, and ends it with
    /// [`Connection::discard_tampered`](crate::Connection::discard_tampered).
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
            Self::Suspected => "suspected",
            Self::Disconnected => "disconnected",
            Self::Tampered => "tampered",
        }
    }

    /// What the customer must do for the connection to work; `None` when it does.
    #[must_use]
    pub fn customer_action(self) -> Option<CustomerAction> {
        match self {
            Self::Connected => None,
            Self::Tampered => Some(CustomerAction::ContactSupport),
            Self::NotConnected | Self::Disconnected => Some(CustomerAction::Connect),
            Self::Paused => Some(CustomerAction::TryAgainLater),
            Self::Revoked => Some(CustomerAction::ReplaceToken),
            Self::Suspected => Some(CustomerAction::DeleteAndReplace),
        }
    }

    /// The same, of a set of secret variables.
    pub(crate) fn customer_action_of_variables(self) -> Option<CustomerAction> {
        match self {
            Self::NotConnected | Self::Disconnected => Some(CustomerAction::EnterVariables),
            Self::Suspected => Some(CustomerAction::ReplaceVariables),
            other => other.customer_action(),
        }
    }
}

/// Why a connection is paused still. The customer waits in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PauseReason {
    /// Whether the provider refuses its token for good is not known yet.
    Undecided,
    /// Given by [`Connection::recheck`](crate::Connection::recheck) alone: the provider was not asked, as somebody else asks it, or asked it
    /// less than five minutes ago and was refused, or as the job got no answer of it.
    AskedAlready,
    /// Too many of the provider's tokens are paused with it: it is the provider that is out of order, not the token.
    ProviderSuspect,
}

/// What is known of a connection. Holds no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStatus {
    /// Whose connection it is, and which.
    pub id: ConnectionId,
    /// How it stands.
    pub state: ConnectionState,
    /// Why it is paused, if it is.
    pub pause: Option<PauseReason>,
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
    /// Until when its token should be replaced: [`VaultOptions::replace_every`](crate::VaultOptions::replace_every). `None` for a set of
    /// secret variables, whose age nobody judges.
    pub replace_by: Option<Timestamp>,
    /// How that stands at the time of asking; `None` when there is no token.
    pub replacement: Option<Replacement>,
    /// Other connections of the same tenant that hold the same token; up to 64 are named.
    pub reused: Vec<ConnectionId>,
}

impl ConnectionStatus {
    fn of(record: &Record, policy: ReplacementPolicy, now: Timestamp) -> Self {
        let state = match record.status {
            Status::Active => ConnectionState::Connected,
            Status::Paused => ConnectionState::Paused,
            Status::Revoked => ConnectionState::Revoked,
            Status::Suspected => ConnectionState::Suspected,
            Status::Disconnected => ConnectionState::Disconnected,
        };
        let live = record.sealed.is_some();
        // Nobody asks for the variables of a set to be replaced by a date.
        let of_age = live && !is_reserved(record.id.name());
        Self {
            id: record.id.clone(),
            state,
            pause: None,
            provider: Some(record.provider.clone()),
            origin: Some(record.origin.clone()),
            account: record.account.clone(),
            connected_at: live.then_some(record.connected_at),
            disconnected_at: removed_at(record),
            purge_pending: record.purge == Purge::Pending,
            token_set_at: live.then_some(record.token_set_at),
            secret_version: live.then_some(record.secret_version),
            replace_by: of_age.then(|| policy.replace_by(record.token_set_at)),
            replacement: of_age.then(|| policy.judge(record.token_set_at, now)),
            reused: Vec::new(),
        }
    }

    /// What the customer can do, the most urgent first, for an application to show; empty when all is well.
    #[must_use]
    pub fn customer_actions(&self) -> Vec<CustomerAction> {
        let action = match SetIds::of(&self.id) {
            Some(_) => self.state.customer_action_of_variables(),
            None => self.state.customer_action(),
        };
        let mut actions: Vec<CustomerAction> = action.into_iter().collect();
        let of_age = match self.replacement {
            // A new token is asked for already.
            _ if matches!(self.state, ConnectionState::Revoked | ConnectionState::Suspected) => None,
            Some(Replacement::Due) => Some(CustomerAction::ReplaceSoon),
            Some(Replacement::Overdue) => Some(CustomerAction::ReplaceToken),
            Some(Replacement::Fresh) | None => None,
        };
        actions.extend(of_age);
        if !self.reused.is_empty() {
            actions.push(CustomerAction::UseOwnToken);
        }
        actions
    }

    fn absent(id: &ConnectionId) -> Self {
        Self::without_record(id, ConnectionState::NotConnected)
    }

    fn tampered(id: &ConnectionId) -> Self {
        Self::without_record(id, ConnectionState::Tampered)
    }

    fn without_record(id: &ConnectionId, state: ConnectionState) -> Self {
        Self {
            id: id.clone(),
            state,
            pause: None,
            provider: None,
            origin: None,
            account: None,
            connected_at: None,
            disconnected_at: None,
            purge_pending: false,
            token_set_at: None,
            secret_version: None,
            replace_by: None,
            replacement: None,
            reused: Vec::new(),
        }
    }
}

impl Inner {
    /// How a checked record stands.
    pub(crate) async fn status_of(&self, record: &Record) -> Result<ConnectionStatus, Error> {
        let mut status = ConnectionStatus::of(record, self.replacement, self.now());
        status.pause = self.pause_of(record).await?;
        if let Some(sealed) = &record.sealed {
            status.reused = self.reused(&record.id, &sealed.fingerprint).await?;
        }
        Ok(status)
    }

    /// How a connection stands, be there one or not.
    pub(crate) async fn status(&self, id: &ConnectionId) -> Result<ConnectionStatus, Error> {
        if let Some(set) = SetIds::of(id) {
            return match &halves(self, &set).await?.values {
                Some(values) => self.status_of(values).await,
                None => Ok(ConnectionStatus::absent(&set.values)),
            };
        }
        let record = self.load(id).await?;
        match &record {
            Some(record) => self.status_of(record).await,
            None => Ok(ConnectionStatus::absent(id)),
        }
    }

    /// How records stand that came on one page: one that was altered or put back spoils no list.
    pub(crate) async fn listed(&self, page: &[Record]) -> Result<Vec<ConnectionStatus>, Error> {
        let is_whole = |record: &&Record| self.keys.records.fits(record) && self.is_latest(record);
        let whole: Vec<&Record> = page.iter().filter(is_whole).collect();
        let reused = match self.reused_each(&whole).await {
            // One of the others can't even be read: each by itself, then, so that it spoils its own twins alone.
            Err(error) if error.kind() == ErrorKind::Tampered => None,
            reused => Some(reused?),
        };
        let whole = if reused.is_some() { whole } else { Vec::new() };
        let reused = reused.unwrap_or_default();
        let mut whole = whole.into_iter().zip(reused).peekable();
        let mut listed = Vec::with_capacity(page.len());
        for record in page {
            listed.push(match whole.next_if(|(next, _)| next.id == record.id) {
                Some((_, reused)) => {
                    let status = ConnectionStatus::of(record, self.replacement, self.now());
                    ConnectionStatus { reused, pause: self.pause_of(record).await?, ..status }
                }
                None => self.listed_by(&record.id).await?,
            });
        }
        Ok(listed)
    }

    /// Whether nothing later was seen of it. What another task changed meanwhile looks old too; only a read can tell.
    pub(crate) fn is_latest(&self, record: &Record) -> bool {
        self.seen.mark(&record.id) <= Some(record.revision)
    }

    /// As [`listed`](Self::listed), for one of a page that was read a while ago.
    pub(crate) async fn listed_anew(&self, record: &Record) -> Result<ConnectionStatus, Error> {
        if self.keys.records.fits(record) {
            // What is there now must not be older.
            self.seen.note(&record.id, record.revision);
        }
        self.listed_by(&record.id).await
    }

    async fn listed_by(&self, id: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match self.status(id).await {
            Err(error) if error.kind() == ErrorKind::Tampered => Ok(ConnectionStatus::tampered(id)),
            status => status,
        }
    }
}
