//! Apify's list of runs, for a vault that holds it against its own record.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokenkeep_core::{Credential, Error, ListedRun, RunList, RunPage};

use crate::{Apify, Run};

/// What starts a run without a token of the account: Apify Console (its pages for running, for source code and for trying an Actor
/// out), a schedule, a webhook. A schedule or a webhook may itself have been made with a token.
/// From the list of origins in Apify's documentation of `MetaOrigin`.
const WITHOUT_TOKEN: [&str; 5] = ["WEB", "DEVELOPMENT", "TEST", "SCHEDULER", "WEBHOOK"];

#[async_trait]
impl RunList for Apify {
    /// Asks `GET /v2/actor-runs`.
    async fn runs(&self, credential: &Credential, started: Range<i64>) -> Result<RunPage, Error> {
        // Apify includes both ends.
        let list = self.with(credential.clone()).runs().list();
        let list =
            list.started_after(time(started.start)).started_before(time(started.end.saturating_sub(1)));
        let page = list.await?;
        let more = page.next_offset().is_some();
        Ok(RunPage { runs: page.items.iter().map(listed).collect::<Result<_, _>>()?, more })
    }
}

fn listed(run: &Run) -> Result<ListedRun, Error> {
    // Apify's description promises the time. A run that has none all the same is for the operator to see, and not a reason to
    // show none.
    let mut listed = match run.started_at.as_deref().and_then(millis) {
        Some(started_at) => ListedRun::new(&run.id, started_at)?,
        None => ListedRun::without_time(&run.id)?,
    };
    if let Some(origin) = &run.meta.origin {
        listed = listed.with_origin(origin);
        if WITHOUT_TOKEN.contains(&origin.as_str()) {
            listed = listed.without_token();
        }
    }
    if let Some(address) = &run.meta.client_ip {
        listed = listed.with_address(address);
    }
    if let Some(user_agent) = &run.meta.user_agent {
        listed = listed.with_user_agent(user_agent);
    }
    Ok(listed)
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
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
            let text = format!(
                r#"{{"id": "r1", "actId": "a1", "status": "READY", "startedAt": {time}, "meta": {{"origin": "API"}}}}"#
            );
            let run = listed(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!((run.id(), run.started_at(), run.origin()), ("r1", expected, Some("API")), "{time}");
        }
    }
}
