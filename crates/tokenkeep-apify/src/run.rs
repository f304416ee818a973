//! A run, as Apify tells it.

use std::fmt;

use serde::Deserialize;

use crate::json::null_as_default;

/// A run. What stands only where one is asked for by itself is empty in a list.
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
    /// The build that ran.
    pub build_id: Option<String>,
    /// Its number, such as `0.2.1`.
    pub build_number: Option<String>,
    /// What it has cost so far, in US dollars.
    pub usage_total_usd: Option<f64>,
    /// The dataset that it writes to unless told otherwise.
    pub default_dataset_id: Option<String>,
    /// The key-value store that it writes to unless told otherwise.
    pub default_key_value_store_id: Option<String>,
    /// The request queue that it uses unless told otherwise.
    pub default_request_queue_id: Option<String>,
    /// How and from where it was started.
    #[serde(default, deserialize_with = "null_as_default")]
    pub meta: RunMeta,
    /// With what its program ended. Not in lists.
    pub exit_code: Option<i64>,
    /// What the Actor says of it. Not in lists, and only where [`RunLogs`](crate::Class::RunLogs) may be read.
    pub status_message: Option<String>,
    /// With what it was started. Not in lists.
    pub options: Option<RunOptions>,
    /// What it took. Not in lists.
    pub stats: Option<RunStats>,
}

/// With what a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunOptions {
    /// The tag or the number of the build.
    pub build: Option<String>,
    /// How long it may run, in seconds; 0 for ever.
    pub timeout_secs: Option<u64>,
    /// How much memory it has, in megabytes.
    pub memory_mbytes: Option<u64>,
    /// How much disk it has, in megabytes.
    pub disk_mbytes: Option<u64>,
}

/// What a run took.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunStats {
    /// How long it ran, in seconds.
    pub run_time_secs: Option<f64>,
    /// What it used, in Apify's unit: one gigabyte of memory for an hour.
    pub compute_units: Option<f64>,
    /// How often it was started again.
    pub restart_count: Option<u64>,
    /// Memory on average, in bytes.
    pub mem_avg_bytes: Option<f64>,
    /// Memory at its most, in bytes.
    pub mem_max_bytes: Option<f64>,
    /// Processor on average, in percent of one core.
    pub cpu_avg_usage: Option<f64>,
    /// Processor at its most, in percent of one core.
    pub cpu_max_usage: Option<f64>,
    /// What came in over the network, in bytes.
    pub net_rx_bytes: Option<f64>,
    /// What went out over it, in bytes.
    pub net_tx_bytes: Option<f64>,
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

/// How a run or a build stands.
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

    /// Whether it is over, whatever came of it. Of a status that this version does not know: no.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::TimedOut | Self::Aborted)
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
            let ended = ["SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"].contains(&text);
            assert_eq!(status.has_ended(), ended, "{text}");
        }
    }
}
