//! The job that finds out about paused connections.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ConnectionId, Error, ErrorKind, Fault, Provider};
use tokenkeep_store::{AtProvider, PausedSince, Record, Timestamp};
use tokio::time::Instant;

use crate::inner::Inner;
use crate::observe::Operation;
use crate::recheck::{Asked, Which, ask};
use crate::suspicion::{FEW, Judgement, WINDOW};

/// How many records are read at a time.
const PAGE: u32 = 64;

/// How long there is from one question to the next, unless it is said otherwise: ten in a second.
const PACE: Duration = Duration::from_millis(100);

/// At how many crowds a run looks: what was paused beside one that is refused for long must not wait for its end.
const CROWDS: u32 = 3;

/// After how many questions in a row without an answer a run ends.
const UNANSWERED: u32 = 3;

/// Asks the provider about its paused connections, one after the other, and resumes or revokes them. Made by
/// [`Vault::recheck_paused`](crate::Vault::recheck_paused).
///
/// It reads them page by page, through an index, those first that were paused first; of those that another instance asks about,
/// or that were refused less than five minutes ago, it leaves the question out. It asks ten times in a second at most
/// ([`pace`](Self::pace)). It ends early ([`RecheckProgress::stopped`]) where the provider does not answer; and where the provider refuses five
/// in a row of those that were paused together with too many others, it leaves the rest of these out. What is left is for the next run, of any
/// instance.
///
/// ```
/// # async fn example(vault: tokenkeep::Vault, provider: &dyn tokenkeep::Provider) -> Result<(), tokenkeep::Error> {
/// // Every minute, for each provider, in any number of instances:
/// let mut run = vault.recheck_paused(provider);
/// while let Some(rechecked) = run.next().await? {
///     println!("{rechecked}"); // customer-17/apify: resumed
/// }
/// if let Some(why) = run.progress().stopped {
///     println!("the rest is for the next run: {why}");
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is asked until `next` is called"]
pub struct RecheckPaused<'p> {
    vault: Arc<Inner>,
    provider: &'p dyn Provider,
    at: AtProvider,
    pace: Duration,
    trusting: bool,
    /// What is paused later is for another run, or one might never end.
    until: Timestamp,
    after: Option<PausedSince>,
    page: VecDeque<Record>,
    asked_at: Option<Instant>,
    /// In a row, by a provider that is suspect.
    refused: u32,
    crowds: u32,
    unanswered: u32,
    done: bool,
    progress: RecheckProgress,
}

/// What came of one paused connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecheckedConnection {
    /// Whose connection it is, and which.
    pub id: ConnectionId,
    /// What came of it.
    pub outcome: RecheckOutcome,
}

/// What came of asking about a paused connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecheckOutcome {
    /// The provider accepts the token; it is used again.
    Resumed,
    /// The provider refuses it for good; the customer must replace it.
    Revoked,
    /// The provider refuses it still. Five minutes after it was paused, another run decides.
    StillRefused,
    /// The provider refuses it, and too many others that were paused with it: nobody's token is marked.
    ProviderSuspect,
    /// The provider gave no clear answer: what it is, by its kind.
    Unanswered(ErrorKind),
    /// It can't be asked about: its record was altered, or its key is gone. By the kind of the error.
    Failed(ErrorKind),
}

/// Why a run left some out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecheckStopped {
    /// The provider refused five in a row that were paused together with too many others.
    ProviderSuspect,
    /// The provider did not answer, or asked for fewer calls.
    ProviderUnavailable,
}

/// How far a [`RecheckPaused`] has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecheckProgress {
    /// Connections that are used again.
    pub resumed: u64,
    /// Connections whose token must be replaced.
    pub revoked: u64,
    /// Connections that the provider refused and that stay paused.
    pub still_paused: u64,
    /// Connections about which nothing was found out.
    pub unanswered: u64,
    /// Connections that another instance asks about, or that were asked about less than five minutes ago, or that changed meanwhile.
    pub passed_over: u64,
    /// Why it left some out, if it did.
    pub stopped: Option<RecheckStopped>,
}

impl<'p> RecheckPaused<'p> {
    pub(crate) fn new(vault: Arc<Inner>, provider: &'p dyn Provider) -> Self {
        let spec = provider.spec();
        let at = AtProvider { provider: spec.name.clone(), origin: spec.origin.clone() };
        // By clocks that are a little faster than this one, too.
        let until = vault.now().after(WINDOW);
        Self {
            vault,
            provider,
            at,
            pace: PACE,
            trusting: false,
            until,
            after: None,
            page: VecDeque::new(),
            asked_at: None,
            refused: 0,
            crowds: 0,
            unanswered: 0,
            done: false,
            progress: RecheckProgress::default(),
        }
    }

    /// Asks the next question this long after the last one, at the earliest; 100 ms by default.
    pub fn pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// For an operator who knows that the provider is in order: what it refuses is revoked at once, however many there are. Without
    /// this, a provider that revoked more than a hundredth of its tokens within five minutes, and rightly, stays suspect.
    pub fn trusting_refusals(mut self) -> Self {
        self.trusting = true;
        self
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> RecheckProgress {
        self.progress
    }

    /// Asks about the next one that nobody else asks about, and gives what came of it; `None` at the end.
    ///
    /// # Errors
    /// `StoreUnavailable`, `KeysUnavailable`: call it again. `Tampered` when a record's very name can't be read.
    ///
    /// # Cancellation
    /// Safe: it was settled or was not. Nobody asks about the one that a dropped call was asking about for a minute.
    pub async fn next(&mut self) -> Result<Option<RecheckedConnection>, Error> {
        while !self.done {
            let Some((id, paused_at)) = self.front().await? else { break };
            if let Some(asked_at) = self.asked_at {
                tokio::time::sleep_until(asked_at + self.pace).await;
            }
            let vault = Arc::clone(&self.vault);
            let work = ask(&vault, &id, self.provider, Which::Paused { trusting: self.trusting });
            let asked = vault.watch.over(Operation::RecheckPaused, Some(&id), work).await;
            let outcome = self.outcome(asked)?;
            self.page.pop_front();
            match outcome {
                Some(outcome) => {
                    self.asked_at = Some(Instant::now());
                    self.count(outcome);
                    self.leave_crowd(&id, paused_at);
                    return Ok(Some(RecheckedConnection { id, outcome }));
                }
                None => self.progress.passed_over += 1,
            }
        }
        self.done = true;
        Ok(None)
    }

    /// Asks about all that there are, as far as it gets, and says how far that is.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn finish(mut self) -> Result<RecheckProgress, Error> {
        while self.next().await?.is_some() {}
        Ok(self.progress)
    }

    /// The next one, of this page or another; `None` where there is none.
    async fn front(&mut self) -> Result<Option<(ConnectionId, Timestamp)>, Error> {
        if self.page.is_empty() {
            self.page = self.vault.store.paused(&self.at, self.after.as_ref(), PAGE).await?.into();
            self.after = self.page.back().and_then(PausedSince::of);
        }
        let next = self.page.front().and_then(PausedSince::of).filter(|next| next.at <= self.until);
        Ok(next.map(|next| (next.id, next.at)))
    }

    /// `None` where nothing was asked. An error that passes is given to the caller, and the same one is asked about again.
    fn outcome(&self, asked: Result<Asked, Error>) -> Result<Option<RecheckOutcome>, Error> {
        Ok(Some(match asked {
            Ok(Asked::Elsewhere | Asked::Settled) => return Ok(None),
            Ok(Asked::Accepted) => RecheckOutcome::Resumed,
            Ok(Asked::Refused(Judgement::Revoked)) => RecheckOutcome::Revoked,
            Ok(Asked::Refused(Judgement::TooSoon)) => RecheckOutcome::StillRefused,
            Ok(Asked::Refused(Judgement::ProviderSuspect)) => RecheckOutcome::ProviderSuspect,
            Err(error) => match error.kind() {
                // It was replaced, marked or removed meanwhile.
                ErrorKind::Conflict | ErrorKind::NotConnected | ErrorKind::Suspected => return Ok(None),
                kind if kind.fault() == Fault::Provider => RecheckOutcome::Unanswered(kind),
                kind if kind.is_retryable() => return Err(error),
                kind => RecheckOutcome::Failed(kind),
            },
        }))
    }

    fn count(&mut self, outcome: RecheckOutcome) {
        let progress = &mut self.progress;
        match outcome {
            RecheckOutcome::Resumed => progress.resumed += 1,
            RecheckOutcome::Revoked => progress.revoked += 1,
            RecheckOutcome::StillRefused | RecheckOutcome::ProviderSuspect => progress.still_paused += 1,
            RecheckOutcome::Unanswered(_) | RecheckOutcome::Failed(_) => progress.unanswered += 1,
        }
        self.refused = match outcome {
            RecheckOutcome::ProviderSuspect => self.refused + 1,
            RecheckOutcome::Resumed => 0,
            _ => self.refused,
        };
        self.unanswered = match outcome {
            RecheckOutcome::Unanswered(ErrorKind::RateLimited) => UNANSWERED,
            RecheckOutcome::Unanswered(_) => self.unanswered + 1,
            _ => 0,
        };
        if self.unanswered >= UNANSWERED {
            (progress.stopped, self.done) = (Some(RecheckStopped::ProviderUnavailable), true);
        }
    }

    /// Where five of a crowd were refused, the rest of it is left to another run, and this one goes on behind it.
    fn leave_crowd(&mut self, last: &ConnectionId, paused_at: Timestamp) {
        if self.refused >= FEW {
            (self.refused, self.crowds) = (0, self.crowds + 1);
            self.page.clear();
            self.after = Some(PausedSince { at: paused_at.after(WINDOW), id: last.clone() });
            self.progress.stopped = Some(RecheckStopped::ProviderSuspect);
            self.done |= self.crowds >= CROWDS;
        }
    }
}

impl fmt::Debug for RecheckPaused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecheckPaused")
            .field("at", &self.at)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RecheckedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.outcome)
    }
}

impl fmt::Display for RecheckOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resumed => f.write_str("resumed"),
            Self::Revoked => f.write_str("revoked"),
            Self::StillRefused => f.write_str("still refused"),
            Self::ProviderSuspect => f.write_str("refused with many others"),
            Self::Unanswered(kind) | Self::Failed(kind) => f.write_str(kind.message()),
        }
    }
}

impl fmt::Display for RecheckStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProviderSuspect => "the provider refuses too many tokens at once",
            Self::ProviderUnavailable => "the provider did not answer",
        })
    }
}
