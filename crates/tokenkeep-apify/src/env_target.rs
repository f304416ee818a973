//! An Actor's version as a place that a vault's secret variables are sent to.

use async_trait::async_trait;
use tokenkeep_core::{EnvTarget, Error, ErrorKind, ProviderSpec, TargetVar};
use tokenkeep_https::CallFailure;

use crate::boundary::is_env_var_name;
use crate::{EnvVar, EnvVars, NewEnvVar};

/// What is sent is secret, always, and no value is ever asked for: where Apify answers that a variable is not secret, that is
/// `ProviderMisbehaved`, and its value is to be replaced, since who may read the Actor can read it. A vault knows the version as `ACTOR/VERSION`, by the Actor's identifier
/// as it was given: give the same one, its own or `user~name`, wherever it is sent to.
///
/// The boundary must allow to read and to write [`EnvVars`](crate::Class::EnvVars), and so must the token: one with limited permissions
/// may not (`ScopeTooSmall`).
#[async_trait]
impl EnvTarget for EnvVars {
    fn spec(&self) -> &ProviderSpec {
        self.client().transport().spec()
    }

    fn id(&self) -> String {
        format!("{}/{}", self.actor(), self.version())
    }

    async fn list(&self) -> Result<Vec<TargetVar>, Error> {
        let there = EnvVars::list(self).await?;
        let listed = |variable: &EnvVar| match TargetVar::new(&variable.name, variable.is_secret) {
            // What can't be put into a path can't be changed.
            Ok(listed) if is_env_var_name(&variable.name) => listed,
            _ => TargetVar::out_of_reach(&variable.name, variable.is_secret),
        };
        Ok(there.iter().map(listed).collect())
    }

    async fn create(&self, name: &str, value: &str) -> Result<(), Error> {
        is_secret(&EnvVars::create(self, &secret(name, value)).await?)
    }

    async fn update(&self, name: &str, value: &str) -> Result<(), Error> {
        is_secret(&EnvVars::update(self, &secret(name, value)).await?)
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.delete(name).await
    }

    /// As the transport says, which knows of its attempts.
    fn may_arrive(&self, error: &Error) -> bool {
        match CallFailure::of(error) {
            Some(failure) => failure.may_have_been_done(),
            // Nothing was sent at the last attempt; a misuse is told before the first.
            None => error.kind() != ErrorKind::Misuse,
        }
    }
}

/// Whether it is what was sent.
fn is_secret(variable: &EnvVar) -> Result<(), Error> {
    match variable.is_secret {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::ProviderMisbehaved).because(
            "the variable was taken, but not as a secret one: its value can be read there and is to be replaced",
        )),
    }
}

/// One copy of the value, which wipes itself.
fn secret(name: &str, value: &str) -> NewEnvVar {
    NewEnvVar::secret(name, value.to_owned())
}
