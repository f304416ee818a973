//! What sending a set to a target would do there.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokenkeep_core::{ConnectionName, EnvTarget, Error, ErrorKind, Incarnation, SecretVersion, TargetVar};
use tokenkeep_store::Record;

use super::SecretEnv;
use super::push::EnvPush;
use super::set::{Pair, pair, permit};

/// What is done to one variable at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvAction {
    /// There is none of that name.
    Create,
    /// There is one, of another value, or of one that is not known, or it is not secret yet.
    Update,
    /// It is not in the set.
    Remove,
}

impl fmt::Display for EnvAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Remove => "remove",
        })
    }
}

/// One step of a plan. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvStep {
    /// What is done.
    pub action: EnvAction,
    /// The variable's name.
    pub name: String,
}

impl fmt::Display for EnvStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.name)
    }
}

/// What sending one version of a set to a target would do there: look at it, then [`apply`](Self::apply) it. Made by
/// [`SecretEnv::plan`]. Holds no value; `Display` gives a line for each variable.
///
/// What is at a target already is told by what this set sent there, not by what it says: a value that somebody changed there by hand, or
/// that another set sent, is taken to be the one that was sent. Where that may be, and after a vault's database was put back to an older
/// state, [send all of it](Self::sending_all). What is at the target and not in the set stays, unless
/// [`removing_others`](Self::removing_others) is called.
#[must_use = "nothing is sent until it is applied"]
pub struct EnvPlan<'t> {
    pub(super) env: SecretEnv,
    pub(super) target: Held<'t>,
    pub(super) target_id: String,
    pub(super) incarnation: Incarnation,
    pub(super) version: SecretVersion,
    pub(super) steps: Vec<EnvStep>,
    pub(super) unchanged: Vec<String>,
    left: Vec<String>,
    out_of_reach: Vec<String>,
}

/// A target, as the caller gave it.
pub(super) enum Held<'t> {
    Borrowed(&'t dyn EnvTarget),
    Shared(Arc<dyn EnvTarget>),
}

impl<'t> Deref for Held<'t> {
    type Target = dyn EnvTarget + 't;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Borrowed(target) => *target,
            Self::Shared(target) => &**target,
        }
    }
}

impl<'t> EnvPlan<'t> {
    /// Of which version of the set it is.
    #[must_use]
    pub fn version(&self) -> SecretVersion {
        self.version
    }

    /// What is to be done, in this order.
    #[must_use]
    pub fn steps(&self) -> &[EnvStep] {
        &self.steps
    }

    /// The variables that are at the target as they are in the set.
    #[must_use]
    pub fn unchanged(&self) -> &[String] {
        &self.unchanged
    }

    /// The variables that are at the target, not in the set, and left alone.
    #[must_use]
    pub fn left(&self) -> &[String] {
        &self.left
    }

    /// The variables that are at the target under names that nothing can be sent or removed by: they are left alone, always. Their
    /// names are shown escaped.
    #[must_use]
    pub fn out_of_reach(&self) -> &[String] {
        &self.out_of_reach
    }

    /// Sends also what is taken to be at the target already: for a target at which somebody may have changed something by hand, and after
    /// a database was put back to an older state, when what it knows of the target is old as well.
    pub fn sending_all(mut self) -> Self {
        let again = std::mem::take(&mut self.unchanged).into_iter();
        self.steps.extend(again.map(|name| EnvStep { action: EnvAction::Update, name }));
        self
    }

    /// Removes what is at the target and not in the set, whoever put it there, secret or not: also what another set sent there.
    pub fn removing_others(mut self) -> Self {
        let others = std::mem::take(&mut self.left).into_iter();
        self.steps.extend(others.map(|name| EnvStep { action: EnvAction::Remove, name }));
        self
    }

    /// Begins to send it, step by step.
    pub fn push(self) -> EnvPush<'t> {
        EnvPush::new(self)
    }

    /// Sends all of it. Who must know what was sent before an error, or go on at once after it, uses [`push`](Self::push); a new plan has
    /// what is left, and may have to wait, as [`EnvPush`] says.
    ///
    /// # Errors
    /// As [`EnvPush::next`].
    ///
    /// # Cancellation
    /// Safe, as [`EnvPush::next`] says.
    pub async fn apply(self) -> Result<Vec<EnvStep>, Error> {
        self.push().finish().await
    }
}

pub(super) async fn plan<'t>(env: &SecretEnv, target: Held<'t>) -> Result<EnvPlan<'t>, Error> {
    let (vault, ids) = (&env.vault, &env.ids);
    let target_id = target.id();
    // Bounded as names are: it is kept, and shown.
    ConnectionName::new(&target_id).map_err(|bad| {
        Error::new(ErrorKind::Misuse)
            .because("a target's id is 1 to 255 bytes of printable text")
            .with_source(bad)
    })?;
    // Before anything is asked: a set goes to its own place alone.
    same_place(&pair(vault, ids).await?.values, &*target)?;
    let there = target.list().await?;
    // Read behind the list, so that what a push recorded meanwhile is not taken for news.
    let Pair { values, index, .. } = pair(vault, ids).await?;
    permit(&values)?;
    same_place(&values, &*target)?;
    let (there, out_of_reach): (Vec<_>, Vec<_>) = there.into_iter().partition(TargetVar::is_reachable);
    let applied = index.targets.get(&target_id).map(|target| &target.applied);
    let (mut steps, mut unchanged) = (Vec::new(), Vec::new());
    for (name, var) in &index.vars {
        let known = applied.and_then(|applied| applied.get(name));
        let action = match there.iter().find(|there| there.name() == name) {
            None => EnvAction::Create,
            Some(there) if there.is_secret() && known == Some(&var.fingerprint) => {
                unchanged.push(name.clone());
                continue;
            }
            Some(_) => EnvAction::Update,
        };
        steps.push(EnvStep { action, name: name.clone() });
    }
    let others = there.iter().map(TargetVar::name).filter(|name| !index.vars.contains_key(*name));
    Ok(EnvPlan {
        env: env.clone(),
        target,
        target_id,
        incarnation: values.incarnation,
        version: values.secret_version,
        steps,
        unchanged,
        left: others.map(str::to_owned).collect(),
        out_of_reach: out_of_reach.iter().map(|odd| odd.name().to_owned()).collect(),
    })
}

pub(super) fn same_place(values: &Record, target: &dyn EnvTarget) -> Result<(), Error> {
    let spec = target.spec();
    if values.provider == spec.name && values.origin == spec.origin {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Misuse).because("the set is bound to another provider or origin"))
}

impl fmt::Display for EnvPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, version {}, to {}", self.env.name(), self.version, self.target_id)?;
        for step in &self.steps {
            write!(f, "\n  {:<10} {}", step.action.to_string(), step.name)?;
        }
        for (what, names) in
            [("unchanged", &self.unchanged), ("left alone", &self.left), ("untouched", &self.out_of_reach)]
        {
            for name in names {
                write!(f, "\n  {what:<10} {name}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for EnvPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvPlan")
            .field("target", &self.target_id)
            .field("version", &self.version)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
