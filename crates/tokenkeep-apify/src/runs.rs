//! Runs: their lists, and one.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use tokenkeep_core::Error;

use crate::client::Place;
use crate::endpoint::Endpoint;
use crate::{ApifyClient, List, Log, Run, RunStatus, wait};

/// Runs: of the whole account, or of one Actor.
#[derive(Debug, Clone)]
pub struct Runs {
    place: Place,
}

impl Runs {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    /// The list of them (`GET /v2/actor-runs`, `GET /v2/actors/{actorId}/runs`), by the time they started.
    ///
    /// Reads the class [`Runs`](crate::Class::Runs).
    pub fn list(self) -> List<Run> {
        self.list_as()
    }

    /// With what is wanted of each.
    pub(crate) fn list_as<T>(self) -> List<T> {
        List::new(self.place)
    }
}

impl List<Run> {
    /// Only runs of this status. Called more than once: of any of these.
    pub fn status(mut self, status: RunStatus) -> Self {
        self.statuses.push(status.to_string());
        self
    }

    /// Only runs that were started at this time or later; Apify counts in milliseconds.
    pub fn started_after(mut self, time: SystemTime) -> Self {
        self.started_after = Some(within_a_date(time));
        self
    }

    /// Only runs that were started at this time or earlier.
    pub fn started_before(mut self, time: SystemTime) -> Self {
        self.started_before = Some(within_a_date(time));
        self
    }
}

/// The nearest time that a date of Apify's can say, from 1970 to 9999.
pub(crate) fn within_a_date(time: SystemTime) -> SystemTime {
    let last = Duration::from_millis(253_402_300_799_999);
    SystemTime::UNIX_EPOCH + time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(last)
}

/// The run of an Actor that was started last (`GET /v2/actors/{actorId}/runs/last`), asked for when this is awaited.
///
/// Reads the class [`Runs`](crate::Class::Runs). It fails as [the crate's table](crate#errors) says; with `NotFound` where there is no
/// such run.
#[must_use = "a run is asked for when this is awaited"]
#[derive(Debug, Clone)]
pub struct LastRun {
    place: Place,
    status: Option<RunStatus>,
}

impl LastRun {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, status: None }
    }

    /// The last one of this status.
    pub fn status(mut self, status: RunStatus) -> Self {
        self.status = Some(status);
        self
    }

    async fn fetch(self) -> Result<Run, Error> {
        let mut call = self.place.call()?;
        if let Some(status) = &self.status {
            call = call.query("status", status);
        }
        self.place.client().send(call).await
    }
}

impl IntoFuture for LastRun {
    type Output = Result<Run, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

/// One run. Owned, cheap to clone; it asks nothing until it is told to.
#[derive(Debug, Clone)]
pub struct RunClient {
    client: ApifyClient,
    id: String,
}

impl RunClient {
    pub(crate) fn new(client: ApifyClient, id: String) -> Self {
        Self { client, id }
    }

    /// How it stands (`GET /v2/actor-runs/{runId}`).
    ///
    /// Reads the class [`Runs`](crate::Class::Runs).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn get(&self) -> Result<Run, Error> {
        self.client.send(self.place().call()?).await
    }

    /// Waits until it has ended, at most for this long in all, and gives it as it stands then: look at
    /// [`RunStatus::has_ended`]. Apify is asked to hold its answers back meanwhile, and asked once a second at most. For no time
    /// at all, it is asked once, as [`get`](Self::get) does.
    ///
    /// Reads the class [`Runs`](crate::Class::Runs).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; the run goes on. `ProviderUnavailable` when the time is over before the first answer.
    ///
    /// # Cancellation
    /// Safe: the run goes on.
    pub async fn wait(&self, limit: Duration) -> Result<Run, Error> {
        wait::until_ended(&self.place(), limit).await
    }

    /// Ends it at once (`POST /v2/actor-runs/{runId}/abort`), and gives it as it stands then: it may be `ABORTING` for a while.
    ///
    /// Writes the class [`Runs`](crate::Class::Runs). What may have done so is not sent again by any layer here.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says. It may have been ended all the same where
    /// [`CallFailure::may_have_been_done`](crate::CallFailure::may_have_been_done) says so; ending it again does no harm.
    pub async fn abort(&self) -> Result<Run, Error> {
        self.client.send(self.client.place(Endpoint::RUN_ABORT, [&self.id]).call()?).await
    }

    /// As [`abort`](Self::abort), but tells the Actor first and gives it 30 seconds to end by itself.
    ///
    /// # Errors
    /// As [`abort`](Self::abort).
    pub async fn abort_gracefully(&self) -> Result<Run, Error> {
        let call = self.client.place(Endpoint::RUN_ABORT, [&self.id]).call()?;
        self.client.send(call.query("gracefully", true)).await
    }

    /// Its log (`GET /v2/actor-runs/{runId}/log`).
    ///
    /// Reads the class [`RunLogs`](crate::Class::RunLogs): it may hold secrets that somebody printed.
    pub fn log(&self) -> Log {
        Log::new(self.client.place(Endpoint::RUN_LOG, [&self.id]))
    }

    fn place(&self) -> Place {
        self.client.place(Endpoint::RUN, [&self.id])
    }
}
