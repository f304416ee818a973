//! The one question to the provider that decides whether a paused connection is resumed or revoked.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ConnectionId, Credential, Error, ErrorKind, Provider, fill_random};
use tokenkeep_store::{Action, ProbeLease, Record, Status};

use crate::connect::same_provider;
use crate::credential::ConnectionCredential;
use crate::inner::Inner;
use crate::observe::IncidentKind;
use crate::status::{ConnectionStatus, PauseReason};
use crate::suspicion::{Judgement, WINDOW};

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nobody else asks, unless it is said otherwise: a process that died keeps the question from being asked for so long.
const LEASE: Duration = Duration::from_secs(60);

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing was asked: somebody else asks, or asked less than five minutes ago and was refused.
    Elsewhere,
    /// Nothing was asked: the connection is not paused any more.
    Settled,
    /// The token is accepted, and used from now on.
    Accepted,
    /// The token is refused.
    Refused(Judgement),
}

/// Which connections are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// By hand: any, be it used, paused or revoked.
    Any,
    /// By a job: paused ones.
    Paused {
        /// Whether the operator says that the provider is in order.
        trusting: bool,
    },
}

/// By hand.
pub(crate) async fn recheck(
    vault: &Arc<Inner>,
    id: &ConnectionId,
    provider: &dyn Provider,
) -> Result<ConnectionStatus, Error> {
    let asked = ask(vault, id, provider, Which::Any).await?;
    let mut status = vault.status(id).await?;
    if asked == Asked::Elsewhere && status.pause == Some(PauseReason::Undecided) {
        status.pause = Some(PauseReason::AskedAlready);
    }
    Ok(status)
}

/// Asks the provider about the token, unless another does, and keeps what comes of it.
pub(crate) async fn ask(
    vault: &Arc<Inner>,
    id: &ConnectionId,
    provider: &dyn Provider,
    which: Which,
) -> Result<Asked, Error> {
    may_be_asked(&vault.live(id).await?, provider)?;
    let Some(turn) = Turn::take(vault, id).await? else { return Ok(Asked::Elsewhere) };
    // Whoever had the turn before may have changed it.
    let before = vault.live(id).await?;
    may_be_asked(&before, provider)?;
    if which != Which::Any && before.status != Status::Paused {
        turn.ends_after(Duration::ZERO).await;
        return Ok(Asked::Settled);
    }
    let asking = Arc::new(());
    let probe = Credential::new(ConnectionCredential::for_probe(Arc::clone(vault), id.clone(), &asking));
    let answer = tokio::time::timeout(PATIENCE, provider.check(&probe)).await;
    drop(asking);
    let answer = answer.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::ProviderUnavailable)
            .because("it took too long to say whether a token is good"))
    });
    let asked = match answer.map_err(|error| (error.kind(), error)) {
        // Whoever says what a token is not for has accepted it.
        Ok(_) | Err((ErrorKind::ScopeTooSmall, _)) => accepted(vault, &before).await,
        Err((ErrorKind::TokenRefused, _)) => refused(vault, &before, which).await,
        Err((_, error)) => Err(error),
    };
    // A token that was refused and is not marked is not sent again before the next answer can decide.
    let undecided = matches!(asked, Ok(Asked::Refused(Judgement::TooSoon | Judgement::ProviderSuspect)));
    turn.ends_after(if undecided { WINDOW } else { Duration::ZERO }).await;
    asked
}

fn may_be_asked(record: &Record, provider: &dyn Provider) -> Result<(), Error> {
    same_provider(record, provider)?;
    if record.status == Status::Suspected {
        return Err(ErrorKind::Suspected.into());
    }
    Ok(())
}

async fn accepted(vault: &Inner, before: &Record) -> Result<Asked, Error> {
    if before.status != Status::Active {
        let after = Record { status: Status::Active, ..before.clone() };
        settle(vault, before, after, Action::Resumed, IncidentKind::Resumed).await?;
    }
    Ok(Asked::Accepted)
}

async fn refused(vault: &Inner, before: &Record, which: Which) -> Result<Asked, Error> {
    let judgement = match (before.status, which) {
        (Status::Paused, Which::Paused { trusting: true }) | (Status::Revoked, _) => Judgement::Revoked,
        (Status::Paused, _) => vault.judge(before).await?,
        // The first refusal: it counts as one of a use.
        _ => {
            let after = Record { status: Status::Paused, paused_at: Some(vault.now()), ..before.clone() };
            settle(vault, before, after, Action::Paused, IncidentKind::Paused).await?;
            Judgement::TooSoon
        }
    };
    if judgement == Judgement::Revoked && before.status == Status::Paused {
        let after = Record { status: Status::Revoked, ..before.clone() };
        settle(vault, before, after, Action::Revoked, IncidentKind::Revoked).await?;
    }
    Ok(Asked::Refused(judgement))
}

/// Expects the very record that was asked about: an answer about an older token changes nothing.
async fn settle(
    vault: &Inner,
    before: &Record,
    after: Record,
    action: Action,
    incident: IncidentKind,
) -> Result<(), Error> {
    let change = vault.change(Some(before), after, action);
    vault.commit(std::slice::from_ref(&change)).await?;
    vault.watch.incident(incident, std::slice::from_ref(&before.id));
    Ok(())
}

/// The turn to ask the provider about one connection. When it is dropped half-way it runs out by itself: the token may be on its way.
struct Turn<'v> {
    vault: &'v Inner,
    id: &'v ConnectionId,
    holder: [u8; 16],
}

impl<'v> Turn<'v> {
    /// `None` when another has it.
    async fn take(vault: &'v Inner, id: &'v ConnectionId) -> Result<Option<Self>, Error> {
        let mut holder = [0; 16];
        fill_random(&mut holder)?;
        let turn = Self { vault, id, holder };
        Ok(turn.lease(LEASE).await?.then_some(turn))
    }

    async fn lease(&self, duration: Duration) -> Result<bool, Error> {
        let now = self.vault.now();
        let lease = ProbeLease { holder: self.holder, now, until: now.after(duration) };
        self.vault.store.lease_probe(self.id, &lease).await
    }

    /// If that can't be noted, it runs out.
    async fn ends_after(self, duration: Duration) {
        let _ = self.lease(duration).await;
    }
}

impl Inner {
    /// Why a connection is paused still; `None` where it is not.
    pub(crate) async fn pause_of(&self, record: &Record) -> Result<Option<PauseReason>, Error> {
        if record.status != Status::Paused {
            return Ok(None);
        }
        let suspect = self.is_one_of_many(record).await?;
        Ok(Some(if suspect { PauseReason::ProviderSuspect } else { PauseReason::Undecided }))
    }
}
