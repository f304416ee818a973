//! Where a set was sent to.

use std::fmt;

use tokenkeep_core::Error;
use tokenkeep_store::Timestamp;

use super::names::SetIds;
use super::set::indexed;
use crate::inner::Inner;

/// A target that a set was sent to. Holds no value. `Display` gives a line for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvTargetStatus {
    /// The target, as it [names itself](tokenkeep_core::EnvTarget::id).
    pub id: String,
    /// When something was sent there last, or was about to be.
    pub sent_at: Timestamp,
    /// The variables whose present value was sent there and acknowledged.
    pub current: Vec<String>,
    /// The set's other variables: of another value there, or none, or it is not known.
    pub behind: Vec<String>,
}

impl fmt::Display for EnvTargetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.behind.len() {
            0 => write!(f, "{}, up to date", self.id),
            behind => write!(f, "{}, {behind} to be sent", self.id),
        }
    }
}

pub(super) async fn targets(vault: &Inner, ids: &SetIds) -> Result<Vec<EnvTargetStatus>, Error> {
    let (_, index) = indexed(vault, ids).await?;
    let known = index.targets.into_iter().map(|(id, target)| {
        let (current, behind) = index
            .vars
            .iter()
            .map(|(name, var)| (name.clone(), target.applied.get(name) == Some(&var.fingerprint)))
            .partition::<Vec<_>, _>(|(_, is_current)| *is_current);
        let names = |vars: Vec<(String, bool)>| vars.into_iter().map(|(name, _)| name).collect();
        EnvTargetStatus { id, sent_at: target.applied_at, current: names(current), behind: names(behind) }
    });
    Ok(known.collect())
}
