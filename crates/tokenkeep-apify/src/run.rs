//! Runs.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::{ApifyClient, List};

/// The account's runs, of all its Actors.
#[derive(Debug, Clone)]
pub struct Runs {
    client: ApifyClient,
}

impl Runs {
    pub(crate) fn new(client: ApifyClient) -> Self {
        Self { client }
    }

    /// The list of them (`GET /v2/actor-runs`), by the time they started.
    pub fn list(self) -> List<Run> {
        List::new(self.client, "/v2/actor-runs")
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
fn within_a_date(time: SystemTime) -> SystemTime {
    let last = Duration::from_millis(253_402_300_799_999);
    SystemTime::UNIX_EPOCH + time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(last)
}

/// A run, as lists show it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Run {
    /// Its identifier.
    pub id: String,
    /// The Actor that ran.
    #[serde(rename = "actId")]
    pub actor_id: String,
    /// The task that it was started from, if it was.
    pub actor_task_id: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// When it started, as ISO 8601 in UTC.
    pub started_at: Option<String>,
    /// When it ended, as ISO 8601 in UTC.
    pub finished_at: Option<String>,
    /// The number of the build that ran, such as `0.2.1`.
    pub build_number: Option<String>,
    /// What it has cost so far, in US dollars.
    pub usage_total_usd: Option<f64>,
    /// The dataset that it writes to unless told otherwise.
    pub default_dataset_id: Option<String>,
    /// The key-value store that it writes to unless told otherwise.
    pub default_key_value_store_id: Option<String>,
    /// How and from where it was started.
    #[serde(default)]
    pub meta: RunMeta,
}

/// How and from where a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunMeta {
    /// What started it, as Apify writes it: `API`, `WEB`, `SCHEDULER`.
    pub origin: Option<String>,
    /// The network address that started it.
    pub client_ip: Option<String>,
    /// What the program that started it says of itself.
    pub user_agent: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum RunStatus {
    /// It waits to be started.
    Ready,
    /// It runs.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed,
    /// Its time is up and it is being ended.
    TimingOut,
    /// Its time was up.
    TimedOut,
    /// It is being ended on request.
    Aborting,
    /// It was ended on request.
    Aborted,
    /// A status that this version does not know, as Apify writes it.
    Other(String),
}

impl RunStatus {
    /// The status as Apify writes it, such as `TIMED-OUT`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimingOut => "TIMING-OUT",
            Self::TimedOut => "TIMED-OUT",
            Self::Aborting => "ABORTING",
            Self::Aborted => "ABORTED",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for RunStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "READY" => Self::Ready,
            "RUNNING" => Self::Running,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            "TIMING-OUT" => Self::TimingOut,
            "TIMED-OUT" => Self::TimedOut,
            "ABORTING" => Self::Aborting,
            "ABORTED" => Self::Aborted,
            _ => Self::Other(text),
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_or_missing_does_not_break_parsing() {
        let run: Run = serde_json::from_str(
            r#"{"id": "r1", "actId": "a1", "status": "HIBERNATING", "finishedAt": null, "meta": {"origin": "MOON"}}"#,
        )
        .unwrap();
        assert_eq!(run.status, RunStatus::Other("HIBERNATING".to_owned()));
        assert_eq!((run.actor_id.as_str(), run.started_at, run.finished_at), ("a1", None, None));
        assert_eq!((run.meta.origin.as_deref(), run.meta.client_ip), (Some("MOON"), None));
    }

    #[test]
    fn statuses_are_written_as_they_are_read() {
        for text in [
            "READY",
            "RUNNING",
            "SUCCEEDED",
            "FAILED",
            "TIMING-OUT",
            "TIMED-OUT",
            "ABORTING",
            "ABORTED",
            "ELSE",
        ] {
            let status = RunStatus::from(text.to_owned());
            assert_eq!(status.to_string(), text);
            assert_eq!(matches!(status, RunStatus::Other(_)), text == "ELSE", "{text}");
        }
    }
}
