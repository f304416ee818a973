//! Apify's list of runs, for a vault that holds it against its own record.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokenkeep_core::{Credential, Error, ListedRun, RunList, RunPage};

use crate::Apify;
use crate::runs::within_a_date;

/// What starts a run without a token of the account: Apify Console (its pages for running, for source code and for trying an Actor
/// out), a schedule, a webhook. A schedule or a webhook may itself have been made with a token.
/// From the list of origins in Apify's documentation of `MetaOrigin`.
const WITHOUT_TOKEN: [&str; 5] = ["WEB", "DEVELOPMENT", "TEST", "SCHEDULER", "WEBHOOK"];

#[async_trait]
impl RunList for Apify {
    /// Asks `GET /v2/actor-runs`. `ProviderMisbehaved` where it gives another page, or nothing and says that there is more: a list that
    /// is not whole must not pass for one.
    async fn runs(&self, credential: &Credential, started: Range<i64>) -> Result<RunPage, Error> {
        // Apify includes both ends.
        let (first, last) = (time(started.start), time(started.end.saturating_sub(1)));
        let page = self.with(credential.clone()).runs().list_as::<Run>().started(first, last).await?;
        page.check(0)?;
        let more = page.next_offset().is_some();
        Ok(RunPage { runs: page.items.iter().map(listed).collect::<Result<_, _>>()?, more })
    }
}

/// As much of a run as is held against the record. Nothing but its identifier has to be there, or to be what was promised: one odd
/// field must not hide all the runs of a page.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: String,
    #[serde(default)]
    started_at: Value,
    #[serde(default)]
    meta: Value,
}

fn listed(run: &Run) -> Result<ListedRun, Error> {
    // Apify's description promises the time. A run that has none all the same is for the operator to see, and not a reason to
    // show none.
    let mut listed = match run.started_at.as_str().and_then(millis) {
        Some(started_at) => ListedRun::new(&run.id, started_at)?,
        None => ListedRun::without_time(&run.id)?,
    };
    let meta = |name| run.meta.get(name).and_then(Value::as_str);
    if let Some(origin) = meta("origin") {
        listed = listed.with_origin(origin);
        if WITHOUT_TOKEN.contains(&origin) {
            listed = listed.without_token();
        }
    }
    if let Some(address) = meta("clientIp") {
        listed = listed.with_address(address);
    }
    if let Some(user_agent) = meta("userAgent") {
        listed = listed.with_user_agent(user_agent);
    }
    Ok(listed)
}

fn time(millis: i64) -> SystemTime {
    within_a_date(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

fn millis(text: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_time_is_listed_like_any_other() {
        for (time, expected) in [
            (r#""2026-11-22T09:00:00.017Z""#, Some(1_795_338_000_017)),
            ("null", None),
            (r#""""#, None),
            (r#""yesterday""#, None),
        ] {
            let text = format!(r#"{{"id": "r1", "startedAt": {time}, "meta": {{"origin": "API"}}}}"#);
            let run = listed(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!((run.id(), run.started_at(), run.origin()), ("r1", expected, Some("API")), "{time}");
        }
    }
}
