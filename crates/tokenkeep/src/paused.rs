//! The job that finds out about paused connections.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ConnectionId, Error, ErrorKind, Fault, Provider, TenantId};
use tokenkeep_store::{AtProvider, PausedRecord, ProbeLease, ProbeTurn, Record, Timestamp};
use tokio::time::Instant;

use crate::inner::Inner;
use crate::observe::Operation;
use crate::recheck::{Asked, Which, ask};
use crate::suspicion::Judgement;

/// How many records are read at a time.
const PAGE: u32 = 64;

/// How long there is from one question to the next, unless it is said otherwise: ten in a second.
const PACE: Duration = Duration::from_millis(100);

/// After how many questions in a row that settled nothing a run ends. Each of them is put off for a minute at least, so that the next run
/// asks about others; one success begins the row anew.
const IN_A_ROW: u32 = 15;

/// Asks the provider about its paused connections, one after the other, and resumes or revokes them. Made by
/// [`Vault::recheck_paused`](crate::Vault::recheck_paused).
///
/// Those come first about which nobody asked yet, then those for which that is longest ago, in whatever instance it was: so each has its
/// turn, whatever the provider says of the others. One that was refused and can't be marked is put off for five minutes; one that got no
/// answer, for one to five, the longer it is paused. Of an account that got no answer, a run asks once.
///
/// A run ends early ([`RecheckProgress::stopped`]) after fifteen questions in a row that settled nothing; what the provider accepts begins
/// the row anew, for it is well then. So a provider that is out of order is asked fifteen times in a run at most, and ten times in a second
/// at most ([`pace`](Self::pace)); and with a run each minute, of 300 that are paused each is asked about within 25 minutes, by one instance alone.
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
    /// Whose turn it is: what nobody may have a lease of when the run begins. What is put off by it is for another one, or it might never end.
    due: Option<VecDeque<RangeInclusive<Timestamp>>>,
    after: Option<ProbeTurn>,
    page: VecDeque<PausedRecord>,
    asked_at: Option<Instant>,
    /// Whose account got no answer.
    silent: HashSet<(TenantId, String)>,
    in_a_row: u32,
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
    /// It can't be asked about: its record was altered, or its key is gone or can't be had now. By the kind of the error.
    Failed(ErrorKind),
}

/// Why a run ended before it had asked about all: by the last of fifteen in a row that settled nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecheckStopped {
    /// The provider refused tokens that can't be marked.
    ProviderSuspect,
    /// The provider did not answer, or asked for fewer calls.
    ProviderUnavailable,
    /// The tokens could not be opened.
    KeysUnavailable,
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
    /// Connections of which the provider said nothing clear.
    pub unanswered: u64,
    /// Connections that could not be asked about.
    pub failed: u64,
    /// Connections that another instance began to ask about, or that changed meanwhile, or whose account got no answer in this run. Those that
    /// are put off from an earlier one are not even read.
    pub passed_over: u64,
    /// Why it ended early, if it did.
    pub stopped: Option<RecheckStopped>,
}

impl<'p> RecheckPaused<'p> {
    pub(crate) fn new(vault: Arc<Inner>, provider: &'p dyn Provider) -> Self {
        let spec = provider.spec();
        let at = AtProvider { provider: spec.name.clone(), origin: spec.origin.clone() };
        Self {
            vault,
            provider,
            at,
            pace: PACE,
            trusting: false,
            due: None,
            after: None,
            page: VecDeque::new(),
            asked_at: None,
            silent: HashSet::new(),
            in_a_row: 0,
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
    /// `StoreUnavailable`: call it again. `Tampered` when a record's very name can't be read.
    ///
    /// # Cancellation
    /// Safe: it was settled or was not. Nobody asks about the one that a dropped call was asking about for a minute.
    pub async fn next(&mut self) -> Result<Option<RecheckedConnection>, Error> {
        while !self.done {
            let Some(record) = self.front().await? else { break };
            let id = record.id.clone();
            let account = account(record);
            if account.as_ref().is_some_and(|account| self.silent.contains(account)) {
                self.page.pop_front();
                self.progress.passed_over += 1;
                continue;
            }
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
                    if matches!(outcome, RecheckOutcome::Unanswered(_)) {
                        self.silent.extend(account);
                    }
                    self.count(outcome);
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
    async fn front(&mut self) -> Result<Option<&Record>, Error> {
        while self.page.is_empty() {
            let due = self.due.get_or_insert_with(|| may_be_leased(self.vault.now()));
            let Some(span) = due.front().cloned() else { return Ok(None) };
            let page = self.vault.store.paused(&self.at, span, self.after.as_ref(), PAGE).await?;
            self.after = page.last().map(PausedRecord::turn);
            if page.is_empty() {
                due.pop_front();
            }
            self.page = page.into();
        }
        Ok(self.page.front().map(|paused| &paused.record))
    }

    /// `None` where nothing was asked. What is wrong with the database is given to the caller, and the same one is asked about again.
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
                // Its own key's service may be another one than the others'.
                ErrorKind::KeysUnavailable => RecheckOutcome::Failed(ErrorKind::KeysUnavailable),
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
            RecheckOutcome::Unanswered(_) => progress.unanswered += 1,
            RecheckOutcome::Failed(_) => progress.failed += 1,
        }
        let why = match outcome {
            RecheckOutcome::Resumed => {
                self.in_a_row = 0;
                return;
            }
            RecheckOutcome::StillRefused | RecheckOutcome::ProviderSuspect => RecheckStopped::ProviderSuspect,
            RecheckOutcome::Unanswered(_) => RecheckStopped::ProviderUnavailable,
            RecheckOutcome::Failed(ErrorKind::KeysUnavailable) => RecheckStopped::KeysUnavailable,
            // It was decided, or nothing was asked.
            RecheckOutcome::Revoked | RecheckOutcome::Failed(_) => return,
        };
        self.in_a_row += 1;
        if self.in_a_row >= IN_A_ROW {
            (progress.stopped, self.done) = (Some(why), true);
        }
    }
}

/// When a lease may end that bars nobody at this time: it is over, or it is taken for none.
fn may_be_leased(now: Timestamp) -> VecDeque<RangeInclusive<Timestamp>> {
    let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    [first..=now, now.after(ProbeLease::LONGEST + Duration::from_millis(1))..=last].into()
}

/// Whose account a record's token is of.
fn account(record: &Record) -> Option<(TenantId, String)> {
    record.account.as_ref().map(|account| (record.id.tenant().clone(), account.id().to_owned()))
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
            Self::KeysUnavailable => "the keys could not be had",
        })
    }
}
