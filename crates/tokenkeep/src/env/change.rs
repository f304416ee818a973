//! What is to be changed in a set.

use std::collections::BTreeSet;
use std::fmt;

use tokenkeep_core::{SecretVarRejected, SecretVars};

/// What [`SecretEnv::change`](crate::SecretEnv::change) is to change: variables that get a value, and variables that go. Shows no value.
#[derive(Default)]
pub struct EnvChange {
    pub(crate) set: SecretVars,
    pub(crate) removed: BTreeSet<String>,
}

impl EnvChange {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This variable gets this value, be it new or there already. Wipes the `String`, also when it is refused.
    ///
    /// # Errors
    /// As [`SecretVars::set`]; `Duplicate` also for one that is to go.
    pub fn set(&mut self, name: impl AsRef<str>, value: String) -> Result<(), SecretVarRejected> {
        let name = name.as_ref();
        // Taken in the first place, so that the value is wiped whatever is wrong.
        self.set.set(name, value)?;
        if self.removed.contains(name) {
            self.set.remove(name);
            return Err(SecretVarRejected::Duplicate);
        }
        Ok(())
    }

    /// This variable goes, if it is there.
    ///
    /// # Errors
    /// `Duplicate` for one that is to get a value.
    pub fn remove(&mut self, name: impl Into<String>) -> Result<(), SecretVarRejected> {
        let name = name.into();
        if self.set.expose_secret(&name).is_some() {
            return Err(SecretVarRejected::Duplicate);
        }
        self.removed.insert(name);
        Ok(())
    }
}

/// Each of them gets its value.
impl From<SecretVars> for EnvChange {
    fn from(set: SecretVars) -> Self {
        Self { set, removed: BTreeSet::new() }
    }
}

impl fmt::Debug for EnvChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvChange").field("set", &self.set).field("removed", &self.removed).finish()
    }
}
