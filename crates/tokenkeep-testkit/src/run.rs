//! A run to add to the stand-in.

use crate::query::canonical_time;

/// The statuses that Apify's API description knows.
const STATUSES: [&str; 8] =
    ["READY", "RUNNING", "SUCCEEDED", "FAILED", "TIMING-OUT", "TIMED-OUT", "ABORTING", "ABORTED"];

/// The origins that Apify's API description knows.
const ORIGINS: [&str; 11] =
    ["DEVELOPMENT", "WEB", "API", "SCHEDULER", "TEST", "WEBHOOK", "ACTOR", "CLI", "CI", "STANDBY", "MCP"];

/// A run to add with [`ApifyStandIn::add_run`](crate::ApifyStandIn::add_run). The default is a run of the account's
/// first Actor that succeeded within a minute and was started through the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The Actor's id; none means the account's first Actor.
    pub actor_id: Option<String>,
    /// `SUCCEEDED`, `RUNNING`, `FAILED` and so on.
    pub status: String,
    /// When it started: RFC 3339 in UTC, `2026-08-05T10:00:00.000Z`.
    pub started_at: String,
    /// When it ended, in the same form; none while it runs.
    pub finished_at: Option<String>,
    /// What started it: `API`, `WEB`, `SCHEDULER` and so on.
    pub origin: String,
    /// The user agent that started it.
    pub user_agent: Option<String>,
    /// The address that started it.
    pub client_ip: Option<String>,
    /// What it cost, in US dollars.
    pub usage_total_usd: f64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            actor_id: None,
            status: "SUCCEEDED".to_owned(),
            started_at: "2026-08-05T10:00:00.000Z".to_owned(),
            finished_at: Some("2026-08-05T10:00:42.000Z".to_owned()),
            origin: "API".to_owned(),
            user_agent: None,
            client_ip: None,
            usage_total_usd: 0.01,
        }
    }
}

impl Run {
    /// Refuses what Apify's API description does not know, and brings the times to one form.
    pub(crate) fn checked(mut self) -> Self {
        assert!(STATUSES.contains(&self.status.as_str()), "Apify knows no run status {:?}", self.status);
        assert!(ORIGINS.contains(&self.origin.as_str()), "Apify knows no run origin {:?}", self.origin);
        self.started_at = time(&self.started_at);
        self.finished_at = self.finished_at.as_deref().map(time);
        self
    }
}

fn time(text: &str) -> String {
    canonical_time(text).unwrap_or_else(|| panic!("{text:?} is no time like 2026-08-05T10:00:00.000Z"))
}
