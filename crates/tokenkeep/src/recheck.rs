//! The one question to the provider that decides whether a paused connection is resumed or revoked.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ConnectionId, Credential, Error, ErrorKind, PayloadKind, Provider, fill_random};
use tokenkeep_store::{ProbeLease, Record, Status, Timestamp};

use crate::connect::same_provider;
use crate::credential::ConnectionCredential;
use crate::inner::{Inner, of_kind};
use crate::pausing::{Step, settle};
use crate::status::{ConnectionStatus, PauseReason};
use crate::suspicion::{Judgement, WINDOW};

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nobody else asks, unless it is said otherwise: a process that died keeps the question from being asked for so long.
const LEASE: Duration = Duration::from_secs(60);

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing was asked: somebody else asks, or asked less than five minutes ago and found nothing out.
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
    let first = vault.live(id).await?;
    may_be_asked(&first, provider)?;
    if which != Which::Any && first.status != Status::Paused {
        return Ok(Asked::Settled);
    }
    // One question for all names that its tenant has for the token.
    let twins = vault.same_token(&first).await?;
    let Some(turn) = Turn::take(vault, &first, &twins).await? else { return Ok(Asked::Elsewhere) };
    // Whoever had the turn before may have changed it.
    let before = vault.live(id).await?;
    may_be_asked(&before, provider)?;
    if (before.incarnation, before.secret_version) != (first.incarnation, first.secret_version) {
        return Err(ErrorKind::Conflict.into());
    }
    if which != Which::Any && before.status != Status::Paused {
        turn.ends_after(Duration::ZERO).await;
        return Ok(Asked::Settled);
    }
    let twins = vault.same_token(&before).await?;
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
        Ok(_) | Err((ErrorKind::ScopeTooSmall, _)) => accepted(vault, &before, &twins).await,
        Err((ErrorKind::TokenRefused, _)) => refused(vault, &before, &twins, which).await,
        Err((_, error)) => Err(error),
    };
    turn.ends_after(hold(&asked, &before, which, vault.now())).await;
    asked
}

/// How long nobody asks about it again.
fn hold(asked: &Result<Asked, Error>, before: &Record, which: Which, now: Timestamp) -> Duration {
    match asked {
        // A token that was refused and is not marked is not sent again before the next answer can decide.
        Ok(Asked::Refused(Judgement::TooSoon | Judgement::ProviderSuspect)) => WINDOW,
        // Whoever asks by hand may do so again at once.
        Err(error) if which != Which::Any && is_of_the_token(error.kind()) => {
            // The longer it has waited, the longer it waits: so the hold grows, and nothing has to count the questions.
            let since = before.paused_at.map_or(0, |at| now.as_millis().saturating_sub(at.as_millis()));
            Duration::from_millis(u64::try_from(since / 4).unwrap_or(0)).clamp(LEASE, WINDOW)
        }
        _ => Duration::ZERO,
    }
}

/// Whether an error says something of this token, of its account or its key: not of the database, nor that it changed meanwhile.
fn is_of_the_token(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::StoreUnavailable | ErrorKind::Conflict | ErrorKind::NotConnected | ErrorKind::Suspected
    )
}

fn may_be_asked(record: &Record, provider: &dyn Provider) -> Result<(), Error> {
    of_kind(record, PayloadKind::ApiToken)?;
    same_provider(record, provider)?;
    if record.status == Status::Suspected {
        return Err(ErrorKind::Suspected.into());
    }
    Ok(())
}

async fn accepted(vault: &Inner, before: &Record, twins: &[Record]) -> Result<Asked, Error> {
    if before.status != Status::Active {
        settle(vault, before, twins, &Step::resumed()).await?;
    }
    Ok(Asked::Accepted)
}

async fn refused(vault: &Inner, before: &Record, twins: &[Record], which: Which) -> Result<Asked, Error> {
    let judgement = match (before.status, which) {
        (Status::Paused, Which::Paused { trusting: true }) | (Status::Revoked, _) => Judgement::Revoked,
        (Status::Paused, _) => vault.judge(before).await?,
        // The first refusal: it counts as one of a use.
        _ => {
            settle(vault, before, twins, &Step::paused(vault.now())).await?;
            Judgement::TooSoon
        }
    };
    if judgement == Judgement::Revoked && before.status == Status::Paused {
        settle(vault, before, twins, &Step::revoked()).await?;
    }
    Ok(Asked::Refused(judgement))
}

/// The turn to ask the provider about one token. When it is dropped half-way it runs out by itself: the token may be on its way.
struct Turn<'v> {
    vault: &'v Inner,
    holder: [u8; 16],
    /// The records that hold the token, by name.
    of: Vec<Record>,
}

impl<'v> Turn<'v> {
    /// `None` when another has it.
    async fn take(vault: &'v Inner, record: &Record, twins: &[Record]) -> Result<Option<Self>, Error> {
        let mut holder = [0; 16];
        fill_random(&mut holder)?;
        let mut of = vec![record.clone()];
        of.extend_from_slice(twins);
        of.sort_by(|a, b| a.id.cmp(&b.id));
        let mut turn = Self { vault, holder, of };
        let mut taken = Vec::with_capacity(turn.of.len());
        for (place, one) in std::mem::take(&mut turn.of).into_iter().enumerate() {
            if turn.lease(&one, LEASE).await? {
                taken.push(one);
            } else if place == 0 || one.id == record.id {
                // Whoever asks about any of them takes the first one's, too.
                turn.of = taken;
                turn.ends_after(Duration::ZERO).await;
                return Ok(None);
            }
        }
        turn.of = taken;
        Ok(Some(turn))
    }

    async fn lease(&self, of: &Record, duration: Duration) -> Result<bool, Error> {
        let now = self.vault.now();
        let lease = ProbeLease {
            holder: self.holder,
            incarnation: of.incarnation,
            secret_version: of.secret_version,
            now,
            until: now.after(duration),
        };
        self.vault.store.lease_probe(&of.id, &lease).await
    }

    /// If that can't be noted, it runs out.
    async fn ends_after(self, duration: Duration) {
        for one in &self.of {
            let _ = self.lease(one, duration).await;
        }
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
