//! The provider's list of runs, joined with the audit trail on the runs' identifiers.

mod ours;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tokenkeep_core::{ConnectionId, Credential, Error, ErrorKind, ListedRun, RunList, RunPage};
use tokenkeep_store::Timestamp;

use crate::inner::Inner;
use crate::observe::Operation;
use ours::Ours;

/// A run that the provider lists and that is not on our record: see [`Reconciliation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownRun {
    /// The run, as the provider lists it.
    pub run: ListedRun,
    /// When it was started, by the provider's clock. `None` where it tells none: then all that is known is that it was listed
    /// among the runs of this time.
    pub started_at: Option<Timestamp>,
    /// The connection's token was in use, by our record, in the minute of the start or in one beside it; of a run without a
    /// time, at all since the start of the time that was asked for. So the run may be our own, its identifier lost in a crash
    /// or not reported; or it may not.
    pub while_in_use: bool,
}

impl fmt::Display for UnknownRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.started_at {
            Some(started_at) => write!(f, "{started_at}")?,
            None => write!(f, "at an unknown time")?,
        }
        write!(f, ": run {}", self.run.id())?;
        write!(f, ", by {}", self.run.origin().unwrap_or("unknown means"))?;
        if !self.run.may_be_by_token() {
            write!(f, " (no token)")?;
        }
        write!(f, ", from {}", self.run.address().unwrap_or("an unknown address"))?;
        match self.run.user_agent() {
            Some(user_agent) => write!(f, ", user agent {user_agent:?}")?,
            None => write!(f, ", no user agent")?,
        }
        if self.while_in_use {
            write!(f, ", while we used the token")?;
        }
        Ok(())
    }
}

/// Lists the runs that were started in an account's name, but not by this application. Made by
/// [`Connection::reconcile`](crate::Connection::reconcile).
///
/// The provider's list is read page by page, with the connection's token, and behind each page the audit trail as far as it
/// has grown: so a run that starts meanwhile is not taken for somebody else's. Every entry that counts is checked against
/// its MAC, so that nobody hides a run of theirs by writing it into the database.
///
/// Ours is what a transport reported as [`Outcome::Created`](crate::Outcome::Created): a run that nobody reported is listed.
///
/// What is known of a run's start is the provider's word: it tells the time, the address and the user agent, and whether a
/// token may have been used, but not which of the account's. Runs that the customer started are among those listed.
/// What the application started for another tenant is, too: this tenant knows nothing of it.
///
/// It keeps the identifiers of the tenant's own runs since the start of the time in memory, some 50 bytes for each, and those of
/// runs that the provider tells no time of, to give each once; nothing else that grows.
///
/// ```
/// # async fn example(connection: tokenkeep::Connection, apify: &dyn tokenkeep::RunList) -> Result<(), tokenkeep::Error> {
/// use std::time::Duration;
/// use tokenkeep::Timestamp;
///
/// let now = Timestamp::now();
/// let yesterday = Timestamp::from_millis(now.as_millis() - 24 * 60 * 60 * 1000);
/// let mut runs = connection.reconcile(apify, yesterday..now);
/// while let Some(unknown) = runs.next().await? {
///     if unknown.run.may_be_by_token() {
///         println!("not ours: {unknown}");
///     }
/// }
/// println!("{} runs, {} of them ours", runs.listed(), runs.ours());
/// # Ok(()) }
/// ```
#[must_use = "nothing is asked until `next` is called"]
pub struct Reconciliation<'p> {
    vault: Arc<Inner>,
    id: ConnectionId,
    provider: &'p dyn RunList,
    credential: Credential,
    /// What is still to be listed, in milliseconds.
    started: Range<i64>,
    /// The runs that were listed and started in the first of those milliseconds.
    at_start: HashSet<String>,
    /// The runs without a time that were listed: they may be on each page.
    untimed: HashSet<String>,
    trail: Ours,
    found: VecDeque<UnknownRun>,
    listed: u64,
    ours: u64,
}

impl<'p> Reconciliation<'p> {
    pub(crate) fn new(
        vault: Arc<Inner>,
        id: ConnectionId,
        provider: &'p dyn RunList,
        credential: Credential,
        started: Range<Timestamp>,
    ) -> Self {
        Self {
            trail: Ours::since(started.start),
            vault,
            id,
            provider,
            credential,
            started: started.start.as_millis()..started.end.as_millis(),
            at_start: HashSet::new(),
            untimed: HashSet::new(),
            found: VecDeque::new(),
            listed: 0,
            ours: 0,
        }
    }

    /// The next run that is not ours, the earliest first; `None` at the end.
    ///
    /// # Errors
    /// What the credential is refused with: `NotConnected`, `Paused`, `Revoked`, or `Suspected` (replace the token first: the
    /// list is the account's); `Misuse` for another provider; what the provider answers; `ProviderMisbehaved` for a list that makes no
    /// sense; `Tampered` when the audit trail was altered ([`Vault::verify`](crate::Vault::verify) says more); `StoreUnavailable`.
    /// The next call goes on where this one failed.
    ///
    /// # Cancellation
    /// Safe: a dropped call skips nothing.
    pub async fn next(&mut self) -> Result<Option<UnknownRun>, Error> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(Some(found));
            }
            if self.started.is_empty() {
                return Ok(None);
            }
            let vault = Arc::clone(&self.vault);
            let id = self.id.clone();
            vault.watch.over(Operation::Reconcile, Some(&id), self.page()).await?;
        }
    }

    /// How many runs were listed so far: those not yet given by [`next`](Self::next) too.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.listed
    }

    /// How many of them are on our record.
    #[must_use]
    pub fn ours(&self) -> u64 {
        self.ours
    }

    /// Up to when everything that was started is listed, if nothing more is started with an earlier time.
    #[must_use]
    pub fn done_until(&self) -> Timestamp {
        Timestamp::from_millis(self.started.start)
    }

    async fn page(&mut self) -> Result<(), Error> {
        let page = self.provider.runs(&self.credential, self.started.clone()).await?;
        self.trail.read_on(&self.vault, &self.id).await?;
        // From here on nothing waits, so that a call that is dropped leaves nothing half done.
        self.join(page)
    }

    fn join(&mut self, RunPage { mut runs, more }: RunPage) -> Result<(), Error> {
        let untimed = self.untimed.len();
        runs.retain(|run| match run.started_at() {
            Some(at) => self.started.contains(&at) && !self.at_start.contains(run.id()),
            None => self.untimed.insert(run.id().to_owned()),
        });
        let untimed = self.untimed.len() > untimed;
        // Those without a time come first.
        runs.sort_by_key(ListedRun::started_at);
        match runs.last().and_then(ListedRun::started_at) {
            Some(last) => {
                if last > self.started.start {
                    self.at_start.clear();
                    self.started.start = last;
                }
                self.at_start.extend(
                    runs.iter().filter(|run| run.started_at() == Some(last)).map(|run| run.id().to_owned()),
                );
            }
            // It says that there is more, and gives what was asked for before, or what nobody asked for.
            None if more && !untimed => {
                return Err(Error::new(ErrorKind::ProviderMisbehaved)
                    .because("the list of runs does not go on, although it says that there is more"));
            }
            None => {}
        }
        if !more {
            self.started.start = self.started.end;
        }
        self.listed += runs.len() as u64;
        for run in runs {
            if self.trail.started(run.id()) {
                self.ours += 1;
                continue;
            }
            let started_at = run.started_at().map(Timestamp::from_millis);
            self.found.push_back(UnknownRun {
                while_in_use: self.trail.was_used_about(started_at),
                run,
                started_at,
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Reconciliation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciliation")
            .field("id", &self.id)
            .field("started", &self.started)
            .field("listed", &self.listed)
            .field("ours", &self.ours)
            .finish_non_exhaustive()
    }
}
