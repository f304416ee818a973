//! Starting a run.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use tokenkeep_core::{Error, ErrorKind};
use zeroize::Zeroizing;

use crate::client::Place;
use crate::{Run, json};

/// A run that is started when this is awaited (`POST /v2/actors/{actorId}/runs`).
///
/// Writes the classes [`Runs`](crate::Class::Runs) and [`Inputs`](crate::Class::Inputs). The credential is told which run it was, so a
/// vault has it on record. When that can't be recorded, the run is given all the same, and a warning is logged.
///
/// # Errors
/// As [the crate's table](crate#errors) says, and `Misuse` for an input that is no JSON. Starting is not idempotent: what may have started
/// a run is not sent again by any layer here, and after an error there may be one.
/// [`CallFailure::may_have_been_done`](crate::CallFailure::may_have_been_done) tells: where it says no, or where there is no such cause,
/// none was started; else [`Runs::list`](crate::Runs::list) has it, if there is one.
///
/// # Cancellation
/// What is dropped once it was polled may have started a run, and may not have it on record.
#[must_use = "a run is started when this is awaited"]
pub struct Start {
    place: Place,
    input: Result<Zeroizing<Vec<u8>>, Error>,
    memory: Option<u32>,
    timeout: Option<Limit>,
    build: Option<String>,
    max_total_charge_usd: Option<f64>,
    max_items: Option<u64>,
    restart_on_error: Option<bool>,
    wait_for_finish: Option<Duration>,
}

impl Start {
    pub(crate) fn new<I: Serialize + ?Sized>(place: Place, input: &I) -> Self {
        Self::with(place, json::body(input))
    }

    pub(crate) fn raw(place: Place, input: Zeroizing<Vec<u8>>) -> Self {
        Self::with(place, json::checked(input))
    }

    fn with(place: Place, input: Result<Zeroizing<Vec<u8>>, Error>) -> Self {
        Self {
            place,
            input,
            memory: None,
            timeout: None,
            build: None,
            max_total_charge_usd: None,
            max_items: None,
            restart_on_error: None,
            wait_for_finish: None,
        }
    }

    /// How much memory it gets, in megabytes: a power of two, 128 at least. What the Actor says unless given.
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = Some(megabytes);
        self
    }

    /// How long it may run; a part of a second counts as a whole one. What the Actor says unless given. Zero, which Apify takes for no
    /// limit, is refused with `Misuse`: that is [`without_time_limit`](Self::without_time_limit).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(Limit::Of(limit));
        self
    }

    /// It may run for ever, and costs as long as it does.
    pub fn without_time_limit(mut self) -> Self {
        self.timeout = Some(Limit::None);
        self
    }

    /// The tag or the number of the build. What the Actor says unless given.
    pub fn build(mut self, tag_or_number: impl Into<String>) -> Self {
        self.build = Some(tag_or_number.into());
        self
    }

    /// The most that it may be charged for in all, in US dollars. `Misuse` for what is no amount: less than nothing, infinite, not a
    /// number.
    pub fn max_total_charge_usd(mut self, dollars: f64) -> Self {
        self.max_total_charge_usd = Some(dollars);
        self
    }

    /// The most items that are charged for, of an Actor that is paid by result. It may give more.
    pub fn max_items(mut self, items: u64) -> Self {
        self.max_items = Some(items);
        self
    }

    /// Whether it is started again when it fails. What the Actor says unless given.
    pub fn restart_on_error(mut self, restart: bool) -> Self {
        self.restart_on_error = Some(restart);
        self
    }

    /// Waits for its end before answering, at most for this long; a part of a second counts as a whole one. At most 60 s, and never so long that the call
    /// would run into its own [time limit](crate::ApifyBuilder::timeout): for more there is [`RunClient::wait`](crate::RunClient::wait).
    pub fn wait_for_finish(mut self, limit: Duration) -> Self {
        self.wait_for_finish = Some(limit);
        self
    }

    async fn send(self) -> Result<Run, Error> {
        let client = self.place.client();
        let mut call = self.place.call()?.json(self.input?);
        if let Some(memory) = self.memory {
            call = call.query("memory", memory);
        }
        if let Some(timeout) = self.timeout {
            call = call.query("timeout", timeout.secs()?);
        }
        if let Some(build) = &self.build {
            call = call.query("build", build);
        }
        if let Some(dollars) = self.max_total_charge_usd {
            if !dollars.is_finite() || dollars.is_sign_negative() {
                return Err(
                    Error::new(ErrorKind::Misuse).because("the most that a run may cost is no amount")
                );
            }
            call = call.query("maxTotalChargeUsd", dollars);
        }
        if let Some(items) = self.max_items {
            call = call.query("maxItems", items);
        }
        if let Some(restart) = self.restart_on_error {
            call = call.query("restartOnError", restart);
        }
        if let Some(limit) = self.wait_for_finish {
            call = call.query("waitForFinish", whole_secs(limit).min(client.times().longest_wait.as_secs()));
        }
        client.send(call.makes(json::id)).await
    }
}

/// How long a run may take.
#[derive(Debug, Clone, Copy)]
enum Limit {
    Of(Duration),
    None,
}

impl Limit {
    /// As Apify writes it, who takes zero for no limit.
    fn secs(self) -> Result<u64, Error> {
        match self {
            Self::None => Ok(0),
            Self::Of(limit) if limit.is_zero() => Err(Error::new(ErrorKind::Misuse)
                .because("a run's time limit is zero; `without_time_limit` is for a run that has none")),
            Self::Of(limit) => Ok(whole_secs(limit)),
        }
    }
}

/// Rounded up: what is rounded down to zero has another meaning.
fn whole_secs(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

impl IntoFuture for Start {
    type Output = Result<Run, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Without the input.
impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("place", &self.place)
            .field("memory", &self.memory)
            .field("timeout", &self.timeout)
            .field("build", &self.build)
            .field("max_total_charge_usd", &self.max_total_charge_usd)
            .field("max_items", &self.max_items)
            .field("restart_on_error", &self.restart_on_error)
            .field("wait_for_finish", &self.wait_for_finish)
            .finish_non_exhaustive()
    }
}
