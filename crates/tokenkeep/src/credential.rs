//! A connection as a source of its token.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_core::{
    ConnectionId, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken, Meaning, Outcome,
    PayloadKind, SecretVersion, Use,
};
use tokenkeep_store::{Action, Change, Record, Status};

use crate::inner::{Inner, of_kind};
use crate::observe::Operation;
use crate::pausing::pause;

/// The longest identifier of a provider that is put on record.
const MAX_SUBJECT: usize = 128;

/// How often a token is opened anew when the record changed under it.
const TRIES: usize = 5;

/// How old what was read of a connection may be when its token is given. What took longer (a commit, a slow key
/// provider) is followed by another look, so that a disconnect counts at once.
const FRESH: Duration = Duration::from_millis(20);

pub(crate) struct ConnectionCredential {
    vault: Arc<Inner>,
    id: ConnectionId,
    /// Set for a probe: given also for a paused or revoked token, to ask the provider about it, for as long as the one
    /// who asks keeps the other end; what the provider answers is not reported here.
    probe: Option<Weak<()>>,
}

impl ConnectionCredential {
    pub(crate) fn for_use(vault: Arc<Inner>, id: ConnectionId) -> Self {
        Self { vault, id, probe: None }
    }

    pub(crate) fn for_probe(vault: Arc<Inner>, id: ConnectionId, asking: &Arc<()>) -> Self {
        Self { vault, id, probe: Some(Arc::downgrade(asking)) }
    }

    /// Reads the record, and refuses unless its token may be used so now. Also tells when that was.
    async fn permitted(&self, usage: Use<'_>) -> Result<(Instant, Record), Error> {
        let at = Instant::now();
        let record = self.vault.load(&self.id).await?.ok_or(ErrorKind::NotConnected)?;
        self.permit(&record, usage)?;
        Ok((at, record))
    }

    fn permit(&self, record: &Record, usage: Use<'_>) -> Result<(), Error> {
        of_kind(record, PayloadKind::ApiToken)?;
        if self.probe.as_ref().is_some_and(|asking| asking.strong_count() == 0) {
            return Err(Error::new(ErrorKind::Misuse).because("a credential for one check was used after it"));
        }
        match record.status {
            Status::Active => {}
            Status::Paused | Status::Revoked if self.probe.is_some() => {}
            Status::Paused => return Err(ErrorKind::Paused.into()),
            Status::Revoked => return Err(ErrorKind::Revoked.into()),
            // That the provider still accepts it says nothing about who else has it: there is nothing to probe.
            Status::Suspected => return Err(ErrorKind::Suspected.into()),
            Status::Disconnected => return Err(ErrorKind::NotConnected.into()),
        }
        if record.provider != *usage.provider || record.origin != *usage.origin {
            return Err(
                Error::new(ErrorKind::Misuse).because("the token is bound to another provider or origin")
            );
        }
        Ok(())
    }

    async fn note_created(
        &self,
        incarnation: Incarnation,
        secret_version: SecretVersion,
        subject: &str,
    ) -> Result<(), Error> {
        let Some(record) = self.vault.load(&self.id).await? else { return Ok(()) };
        let mut entry = self.vault.entry(&record, Action::Created);
        entry.incarnation = incarnation;
        entry.secret_version = secret_version;
        // It comes from outside: what is no identifier is not copied into the trail.
        let fits = subject.len() <= MAX_SUBJECT && subject.bytes().all(|byte| byte.is_ascii_graphic());
        entry.subject = fits.then(|| subject.to_owned());
        self.vault.commit(&[Change { record: None, entry }]).await
    }
}

#[async_trait]
impl CredentialSource for ConnectionCredential {
    async fn issue(&self, usage: Use<'_>) -> Result<IssuedToken, Error> {
        self.vault.watch.over(Operation::Use, Some(&self.id), self.issue_unwatched(usage)).await
    }

    async fn report(
        &self,
        incarnation: Incarnation,
        secret_version: SecretVersion,
        outcome: Outcome<'_>,
    ) -> Result<(), Error> {
        let watch = &self.vault.watch;
        match outcome {
            Outcome::Refused(Meaning::TokenRefused) if self.probe.is_none() => {
                let work = pause(&self.vault, &self.id, incarnation, secret_version);
                watch.over(Operation::Report, Some(&self.id), work).await
            }
            Outcome::Created(subject) => {
                let work = self.note_created(incarnation, secret_version, subject);
                watch.over(Operation::Report, Some(&self.id), work).await
            }
            _ => Ok(()),
        }
    }
}

impl ConnectionCredential {
    async fn issue_unwatched(&self, usage: Use<'_>) -> Result<IssuedToken, Error> {
        let (mut read_at, mut record) = self.permitted(usage).await?;
        for tries in 1..=TRIES {
            // On record before the key is even asked for.
            let waited = self.vault.uses.note(&self.vault, &record).await?;
            let token = self.vault.open(&self.id, &record).await?;
            let (incarnation, secret_version) = (record.incarnation, record.secret_version);
            let issued = IssuedToken { token, incarnation, secret_version };
            if !waited && read_at.elapsed() < FRESH {
                return Ok(issued);
            }
            // A disconnect or a pause may have been committed and told meanwhile.
            (read_at, record) = self.permitted(usage).await?;
            let replaced = record.secret_version != secret_version;
            // Replaced again and again: the last one that was opened is still as good as one given a moment earlier.
            if record.incarnation == incarnation && (!replaced || tries == TRIES) {
                return Ok(issued);
            }
        }
        Err(ErrorKind::Conflict.into())
    }
}
