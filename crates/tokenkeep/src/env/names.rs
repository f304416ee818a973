//! The names of the records that a set is kept in: a part of the names of connections that no connection has.

use tokenkeep_core::{BadName, ConnectionId, ConnectionName, Error, ErrorKind, PayloadKind, TenantId};

/// What no connection's name begins with.
pub(crate) const RESERVED: char = '~';

const VALUES: &str = "~env/";
const INDEX: &str = "~env-index/";

/// The most bytes that a set's name has: what is left of a connection's.
pub(crate) const MAX_NAME: usize = ConnectionName::MAX_LEN - INDEX.len();

pub(crate) fn is_reserved(name: &ConnectionName) -> bool {
    name.as_str().starts_with(RESERVED)
}

/// Refuses a name that no connection may have.
pub(crate) fn check_connection(id: ConnectionId) -> Result<ConnectionId, Error> {
    match is_reserved(id.name()) {
        false => Ok(id),
        true => Err(BadName::Reserved("connection").into()),
    }
}

/// Behind all reserved names of a tenant, and before the next one: a name's bytes are compared, and nothing of a name is above this.
pub(crate) fn behind_reserved(tenant: &TenantId) -> Result<ConnectionId, Error> {
    Ok(ConnectionId::new(tenant.as_str(), format!("{RESERVED}{}", char::MAX))?)
}

/// Where the values of the first set of a tenant come behind.
pub(crate) fn before_sets(tenant: &TenantId) -> Result<ConnectionId, Error> {
    Ok(ConnectionId::new(tenant.as_str(), VALUES)?)
}

/// What a record under this name holds, as far as the name tells.
pub(crate) fn kind_of(id: &ConnectionId) -> PayloadKind {
    match SetIds::of(id) {
        Some(ids) if ids.values == *id => PayloadKind::EnvVars,
        Some(_) => PayloadKind::EnvIndex,
        None => PayloadKind::ApiToken,
    }
}

/// What a set goes by where it is handled as a connection: the record of its values.
pub(crate) fn named(id: ConnectionId) -> ConnectionId {
    SetIds::of(&id).map_or(id, |set| set.values)
}

/// That there is no such connection, or no such set.
pub(crate) fn absent(id: &ConnectionId) -> Error {
    let error = Error::new(ErrorKind::NotConnected);
    match SetIds::of(id) {
        Some(_) => error.of_variables(),
        None => error,
    }
}

/// The two records of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetIds {
    pub(crate) values: ConnectionId,
    pub(crate) index: ConnectionId,
}

impl SetIds {
    pub(crate) fn new(tenant: &TenantId, name: &str) -> Result<Self, BadName> {
        if name.is_empty() {
            return Err(BadName::Empty("set"));
        }
        if name.len() > MAX_NAME {
            return Err(BadName::TooLong("set", MAX_NAME));
        }
        ConnectionName::new(name).map_err(|_| BadName::NotPrintable("set"))?;
        let id = |part| ConnectionId::new(tenant.as_str(), format!("{part}{name}"));
        Ok(Self { values: id(VALUES)?, index: id(INDEX)? })
    }

    /// Of the set that this record belongs to, if it belongs to one.
    pub(crate) fn of(id: &ConnectionId) -> Option<Self> {
        let name = id.name().as_str();
        let name = name.strip_prefix(VALUES).or_else(|| name.strip_prefix(INDEX))?;
        Self::new(id.tenant(), name).ok()
    }

    /// The set's own name.
    pub(crate) fn name(&self) -> &str {
        self.values.name().as_str().strip_prefix(VALUES).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_two_records_and_each_leads_back_to_it() {
        let tenant = TenantId::new("t").unwrap();
        let ids = SetIds::new(&tenant, "scraper").unwrap();
        assert_eq!(
            (ids.values.name().as_str(), ids.index.name().as_str()),
            ("~env/scraper", "~env-index/scraper")
        );
        for id in [&ids.values, &ids.index] {
            assert_eq!(SetIds::of(id).as_ref(), Some(&ids));
        }
        assert_eq!(ids.name(), "scraper");
        assert_eq!(
            (kind_of(&ids.values), kind_of(&ids.index)),
            (PayloadKind::EnvVars, PayloadKind::EnvIndex)
        );
        for name in ["env/x", "~env", "~env/", "~ENV/x", "~env-index/", "x~env/x"] {
            let id = ConnectionId::new("t", name).unwrap();
            assert_eq!((SetIds::of(&id), kind_of(&id)), (None, PayloadKind::ApiToken), "{name}");
        }
    }

    #[test]
    fn names_that_can_be_no_sets_are_refused() {
        let tenant = TenantId::new("t").unwrap();
        let refused = |name: &str| SetIds::new(&tenant, name).unwrap_err();
        assert_eq!(refused(""), BadName::Empty("set"));
        assert_eq!(refused(&"x".repeat(MAX_NAME + 1)), BadName::TooLong("set", MAX_NAME));
        for name in [" a", "a\n", "a\u{200B}"] {
            assert_eq!(refused(name), BadName::NotPrintable("set"));
        }
        assert!(SetIds::new(&tenant, &"x".repeat(MAX_NAME)).is_ok());
    }

    #[test]
    fn the_reserved_names_lie_together() {
        let tenant = TenantId::new("t").unwrap();
        let (first, end) = (before_sets(&tenant).unwrap(), behind_reserved(&tenant).unwrap());
        let ids = SetIds::new(&tenant, "\u{10FFFD}x").unwrap();
        assert!(ids.index < first && first < ids.values && ids.values < end);
        for name in ["a", "Z", "}"] {
            assert!(ConnectionId::new("t", name).unwrap() < ids.index);
        }
        assert!(end < ConnectionId::new("t", "ä").unwrap());
    }
}
