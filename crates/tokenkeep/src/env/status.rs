//! How a set stands, and what is known of its variables.

use std::fmt;

use tokenkeep_core::{Error, ErrorKind, Origin, PayloadKind, ProviderName, SecretVersion, TenantId};
use tokenkeep_store::{Change, Purge, Record, Status, Timestamp};

use super::names::SetIds;
use super::set::indexed;
use crate::disconnect::removed_at;
use crate::inner::{Inner, of_kind};
use crate::status::ConnectionState;

/// One variable of a set, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvVarStatus {
    /// Its name.
    pub name: String,
    /// The version of the set in which it got the value that it has.
    pub changed_in: SecretVersion,
    /// When that was.
    pub changed_at: Timestamp,
}

impl fmt::Display for EnvVarStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, unchanged since version {}", self.name, self.changed_in)
    }
}

/// What is known of a set. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretEnvStatus {
    /// Whose set it is, as the vault names tenants.
    pub tenant: TenantId,
    /// The set's name.
    pub name: String,
    /// How it stands: `NotConnected` where there never was such a set, `Connected`, `Suspected`, `Disconnected` where it was removed, or
    /// `Tampered`.
    pub state: ConnectionState,
    /// The provider that it is for; `None` where nothing is known.
    pub provider: Option<ProviderName>,
    /// The one place that it is sent to; `None` where nothing is known.
    pub origin: Option<Origin>,
    /// Counts the changes of its values, from 1; `None` where there is no set.
    pub version: Option<SecretVersion>,
    /// When it was made; `None` where there is no set.
    pub created_at: Option<Timestamp>,
    /// When its values last changed; `None` where there is no set.
    pub changed_at: Option<Timestamp>,
    /// When it was removed; `None` where there is one, or never was.
    pub removed_at: Option<Timestamp>,
    /// Whether a hook that clears cached data has yet to succeed.
    pub purge_pending: bool,
}

impl SecretEnvStatus {
    pub(super) fn of(ids: &SetIds, values: &Record) -> Self {
        let state = match values.status {
            Status::Active => ConnectionState::Connected,
            Status::Paused => ConnectionState::Paused,
            Status::Revoked => ConnectionState::Revoked,
            Status::Suspected => ConnectionState::Suspected,
            Status::Disconnected => ConnectionState::Disconnected,
        };
        let live = values.is_live();
        Self {
            provider: Some(values.provider.clone()),
            origin: Some(values.origin.clone()),
            version: live.then_some(values.secret_version),
            created_at: live.then_some(values.connected_at),
            changed_at: live.then_some(values.token_set_at),
            removed_at: removed_at(values),
            purge_pending: values.purge == Purge::Pending,
            ..Self::without_record(ids, state)
        }
    }

    pub(super) fn of_change(ids: &SetIds, values: &Change) -> Result<Self, Error> {
        let record = values.record.as_ref().map(|step| &step.record);
        Ok(Self::of(ids, record.ok_or(ErrorKind::Internal)?))
    }

    pub(super) fn without_record(ids: &SetIds, state: ConnectionState) -> Self {
        Self {
            tenant: ids.values.tenant().clone(),
            name: ids.name().to_owned(),
            state,
            provider: None,
            origin: None,
            version: None,
            created_at: None,
            changed_at: None,
            removed_at: None,
            purge_pending: false,
        }
    }
}

pub(super) async fn names(vault: &Inner, ids: &SetIds) -> Result<Vec<EnvVarStatus>, Error> {
    let (_, index) = indexed(vault, ids).await?;
    let named = index.vars.into_iter().map(|(name, var)| EnvVarStatus {
        name,
        changed_in: var.changed_in,
        changed_at: var.changed_at,
    });
    Ok(named.collect())
}

pub(super) async fn status(vault: &Inner, ids: &SetIds) -> Result<SecretEnvStatus, Error> {
    vault.load(&ids.index).await?;
    match vault.load(&ids.values).await? {
        Some(values) => {
            of_kind(&values, PayloadKind::EnvVars)?;
            Ok(SecretEnvStatus::of(ids, &values))
        }
        None => Ok(SecretEnvStatus::without_record(ids, ConnectionState::NotConnected)),
    }
}
