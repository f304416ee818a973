//! An Actor's version as a place that a vault's secret variables are sent to.

use async_trait::async_trait;
use tokenkeep_core::{EnvTarget, Error, ProviderSpec, TargetVar};

use crate::{EnvVars, NewEnvVar};

/// What is sent is secret, always, and no value is ever asked for. A vault knows the version as `ACTOR/VERSION`, by the Actor's identifier
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
        there.iter().map(|variable| TargetVar::new(&variable.name, variable.is_secret)).collect()
    }

    async fn create(&self, name: &str, value: &str) -> Result<(), Error> {
        EnvVars::create(self, &secret(name, value)).await.map(drop)
    }

    async fn update(&self, name: &str, value: &str) -> Result<(), Error> {
        EnvVars::update(self, &secret(name, value)).await.map(drop)
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.delete(name).await
    }
}

/// One copy of the value, which wipes itself.
fn secret(name: &str, value: &str) -> NewEnvVar {
    NewEnvVar::secret(name, value.to_owned())
}
