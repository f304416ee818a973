//! Waiting for a run to end.

use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::client::Place;
use crate::{ErrorType, Run};

/// The least time from one question to the next, for an API that does not hold its answers back.
const BETWEEN: Duration = Duration::from_secs(1);

/// Apify's word for having held an answer back for as long as it does: of the run it says that it has not ended.
const NOT_ENDED_YET: &str = "run-timeout-exceeded";

/// Asks until the run has ended or the time is over, and gives it as it stood last.
pub(crate) async fn until_ended(run: &Place, limit: Duration) -> Result<Run, Error> {
    if limit.is_zero() {
        return run.client().send(run.call()?).await;
    }
    let start = Instant::now();
    // A limit beyond what a clock can say is none.
    let end = start.checked_add(limit).unwrap_or(start + Duration::from_secs(u64::from(u32::MAX)));
    let (mut last, mut not_yet) = (None, None);
    loop {
        let asked_at = Instant::now();
        // Rounded down, so that the answer is there before the time is over.
        let hold_back = run.client().times().longest_wait.min(end - asked_at).as_secs();
        let call = run.call()?.query("waitForFinish", hold_back);
        match timeout_at(end, run.client().send::<Run>(call)).await {
            Ok(Err(error)) if ErrorType::of(&error).is_some_and(|it| it.as_str() == NOT_ENDED_YET) => {
                not_yet = Some(error);
            }
            Ok(answer) => {
                let answer = answer?;
                if answer.status.has_ended() || Instant::now() >= end {
                    return Ok(answer);
                }
                last = Some(answer);
            }
            Err(_) => return last.ok_or_else(|| not_yet.unwrap_or_else(nothing_heard)),
        }
        sleep_until(end.min(asked_at + BETWEEN)).await;
        if Instant::now() >= end {
            return last.ok_or_else(|| not_yet.unwrap_or_else(nothing_heard));
        }
    }
}

fn nothing_heard() -> Error {
    Error::new(ErrorKind::ProviderUnavailable)
        .because("the time to wait for a run was over before the first answer")
}
