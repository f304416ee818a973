//! What a call made, told to the credential that it was made with.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokenkeep_core::{
    Credential, CredentialSource, Error, Incarnation, IssuedToken, Outcome, SecretVersion, Use,
};

/// A credential that keeps back that a call was accepted, until it is known what the call made. What a vault is told so stands in its
/// trail: by that, runs that were started here are told from others.
#[derive(Clone)]
pub(crate) struct Making(Arc<Inner>);

struct Inner {
    credential: Credential,
    accepted: Mutex<Option<(Incarnation, SecretVersion)>>,
}

impl Making {
    pub(crate) fn new(credential: Credential) -> Self {
        Self(Arc::new(Inner { credential, accepted: Mutex::new(None) }))
    }

    /// The credential to make the one call with.
    pub(crate) fn credential(&self) -> Credential {
        Credential::new(self.clone())
    }

    /// Tells what came of it: this was made, or nothing that is known.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub(crate) async fn done(&self, made: Option<&str>) -> Result<(), Error> {
        let accepted = self.0.accepted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((incarnation, secret_version)) = accepted else { return Ok(()) };
        let outcome = made.map_or(Outcome::Accepted, Outcome::Created);
        self.0.credential.report(incarnation, secret_version, outcome).await
    }
}

#[async_trait]
impl CredentialSource for Making {
    async fn issue(&self, usage: Use<'_>) -> Result<IssuedToken, Error> {
        self.0.credential.issue(usage).await
    }

    async fn report(
        &self,
        incarnation: Incarnation,
        secret_version: SecretVersion,
        outcome: Outcome<'_>,
    ) -> Result<(), Error> {
        if outcome == Outcome::Accepted {
            let mut accepted = self.0.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            *accepted = Some((incarnation, secret_version));
            return Ok(());
        }
        self.0.credential.report(incarnation, secret_version, outcome).await
    }
}
