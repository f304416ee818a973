//! How a set stands, and what is known of its variables.

use std::fmt;

use tokenkeep_core::{
    CustomerAction, Error, ErrorKind, Origin, PayloadKind, ProviderName, SecretVersion, TenantId,
};
use tokenkeep_store::{Change, Purge, Record, Status, Timestamp};

use super::names::SetIds;
use super::set::{Halves, halves, indexed, pair};
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
    /// `Tampered`. What its customer must do is said by [`customer_action`](Self::customer_action).
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
    /// What the customer must do for it to be opened; `None` when it is.
    #[must_use]
    pub fn customer_action(&self) -> Option<CustomerAction> {
        self.state.customer_action_of_variables()
    }

    /// `changed_at` is when the values last changed: their own record has since when the oldest of them is there.
    pub(super) fn of(ids: &SetIds, values: &Record, changed_at: Timestamp) -> Self {
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
            changed_at: live.then_some(changed_at),
            removed_at: removed_at(values),
            purge_pending: values.purge == Purge::Pending,
            ..Self::without_record(ids, state)
        }
    }

    /// As these changes of values and index left it.
    pub(super) fn of_changes(ids: &SetIds, [values, index]: &[Change; 2]) -> Result<Self, Error> {
        let record =
            |of: &Change| of.record.as_ref().map(|step| step.record.clone()).ok_or(ErrorKind::Internal);
        Ok(Self::of(ids, &record(values)?, record(index)?.token_set_at))
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
    let index = match indexed(vault, ids).await {
        Ok((_, index)) => index,
        // Unless its values are there, there is no set.
        Err(error) if error.kind() == ErrorKind::NotConnected => pair(vault, ids).await?.index,
        Err(error) => return Err(error),
    };
    let named = index.vars.into_iter().map(|(name, var)| EnvVarStatus {
        name,
        changed_in: var.changed_in,
        changed_at: var.changed_at,
    });
    Ok(named.collect())
}

pub(super) async fn status(vault: &Inner, ids: &SetIds) -> Result<SecretEnvStatus, Error> {
    let Halves { values, index } = halves(vault, ids).await?;
    let Some(values) = values else {
        return Ok(SecretEnvStatus::without_record(ids, ConnectionState::NotConnected));
    };
    of_kind(&values, PayloadKind::EnvVars)?;
    let changed_at = index.map_or(values.token_set_at, |index| index.token_set_at);
    Ok(SecretEnvStatus::of(ids, &values, changed_at))
}
