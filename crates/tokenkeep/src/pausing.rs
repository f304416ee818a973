//! What becomes of a token becomes of it under each name that its tenant has for it.

use tokenkeep_core::{ConnectionId, Error, ErrorKind, Incarnation, PayloadKind, SecretVersion};
use tokenkeep_store::{Action, Change, Record, Status, Timestamp};

use crate::inner::Inner;
use crate::observe::IncidentKind;

/// How often a refusal is recorded anew when one of the records changes under it.
const TRIES: usize = 4;

/// Pauses the connection if it still holds the token that was refused, and in the same commit the tenant's other connections that hold it:
/// the first 64 by name.
///
/// Not those of other tenants: that theirs is paused without a call of theirs would tell them that somebody else holds it. Their own next
/// call is refused and pauses it.
pub(crate) async fn pause(
    vault: &Inner,
    id: &ConnectionId,
    incarnation: Incarnation,
    secret_version: SecretVersion,
) -> Result<(), Error> {
    let is_meant = |record: &Record| {
        let current = record.incarnation == incarnation && record.secret_version == secret_version;
        current && record.status == Status::Active && record.kind == PayloadKind::ApiToken
    };
    for _ in 0..TRIES {
        let Some(before) = vault.load(id).await?.filter(is_meant) else { return Ok(()) };
        // Whatever is wrong with another record, this one is paused.
        let twins = vault.same_token(&before).await.unwrap_or_default();
        if twins.is_empty() {
            break;
        }
        match become_all(vault, &before, &twins, &Step::paused(vault.now())).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) if error.is_retryable() => return Err(error),
            Err(_) => break,
            done => return done,
        }
    }
    let step = Step::paused(vault.now());
    let alone = |before: &Record| is_meant(before).then(|| step.of(before));
    if vault.update(id, Action::Paused, alone).await?.is_some_and(|paused| paused.changed) {
        vault.watch.incident(IncidentKind::Paused, std::slice::from_ref(id));
    }
    Ok(())
}

/// What becomes of a record about whose token something was found out.
#[derive(Debug)]
pub(crate) struct Step {
    status: Status,
    paused_at: Option<Timestamp>,
    action: Action,
    incident: IncidentKind,
}

impl Step {
    pub(crate) fn paused(now: Timestamp) -> Self {
        let (status, action, incident) = (Status::Paused, Action::Paused, IncidentKind::Paused);
        Self { status, paused_at: Some(now), action, incident }
    }

    pub(crate) fn resumed() -> Self {
        let (status, action, incident) = (Status::Active, Action::Resumed, IncidentKind::Resumed);
        Self { status, paused_at: None, action, incident }
    }

    pub(crate) fn revoked() -> Self {
        let (status, action, incident) = (Status::Revoked, Action::Revoked, IncidentKind::Revoked);
        Self { status, paused_at: None, action, incident }
    }

    fn of(&self, before: &Record) -> Record {
        Record { status: self.status, paused_at: self.paused_at.or(before.paused_at), ..before.clone() }
    }

    /// Whether what becomes of this record becomes of a twin of it, too.
    fn goes_for(&self, record: &Record, twin: &Record) -> bool {
        match self.status {
            Status::Paused => twin.status == Status::Active,
            // What was paused at another moment may be one of a crowd.
            Status::Revoked => twin.status == Status::Paused && twin.paused_at == record.paused_at,
            _ => twin.status == Status::Paused,
        }
    }
}

/// Puts this very record where the step leads, and in the same commit those of its twins for which it goes.
async fn become_all(vault: &Inner, before: &Record, twins: &[Record], step: &Step) -> Result<(), Error> {
    let twins = twins.iter().filter(|twin| step.goes_for(before, twin));
    let changes: Vec<Change> = std::iter::once(before)
        .chain(twins)
        .map(|before| vault.change(Some(before), step.of(before), step.action))
        .collect();
    vault.commit(&changes).await?;
    // One for each: whoever counts connections is told no names.
    for change in &changes {
        vault.watch.incident(step.incident, std::slice::from_ref(&change.entry.id));
    }
    Ok(())
}

/// As [`become_all`], for the answer to a question: the very record that was asked about, or an error, be its twins what they may.
pub(crate) async fn settle(
    vault: &Inner,
    before: &Record,
    twins: &[Record],
    step: &Step,
) -> Result<(), Error> {
    match become_all(vault, before, twins, step).await {
        Err(error) if !twins.is_empty() && error.kind() != ErrorKind::StoreUnavailable => {
            become_all(vault, before, &[], step).await
        }
        done => done,
    }
}
