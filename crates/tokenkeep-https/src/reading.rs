//! What is taken of the answer to one attempt.

use std::time::Duration;

use tokenkeep_core::{Meaning, Outcome};
use tokio::time::Instant;

use crate::body::{read_start, read_whole};
use crate::{Answer, AnswerStream, CallFailure, Passage, Projection};

/// As much of an error's body as a provider's `meaning` is shown, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// What the caller wants of a success, and of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Answer { keep_errors: bool },
    Stream,
}

/// What it gets.
pub(crate) enum Taken {
    Answer(Answer),
    Stream(AnswerStream),
}

impl Taken {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Answer(answer) => answer.status(),
            Self::Stream(stream) => stream.status(),
        }
    }

    /// What the credential's source is told.
    pub(crate) fn outcome(&self, meaning: fn(u16, &[u8]) -> Meaning) -> Outcome<'static> {
        match self {
            Self::Answer(answer) if answer.status() >= 400 => {
                Outcome::Refused(meaning(answer.status(), answer.body()))
            }
            _ => Outcome::Accepted,
        }
    }
}

/// How an answer is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) want: Want,
    pub(crate) projection: Option<&'a dyn Projection>,
    pub(crate) meaning: fn(u16, &[u8]) -> Meaning,
    /// In bytes; `None` is no limit, for a stream alone.
    pub(crate) limit: Option<usize>,
    pub(crate) idle: Duration,
}

impl Reading<'_> {
    /// Takes a success as it is wanted; of an error its meaning alone, or as much of it as is read for that where it is wanted.
    pub(crate) async fn take(
        self,
        mut response: reqwest::Response,
        by: Instant,
    ) -> Result<Taken, CallFailure> {
        let status = response.status().as_u16();
        match (status, self.want) {
            (200..=299, want) => {
                let projection = self.passing(status, content_type(&response))?;
                match (want, projection) {
                    (Want::Stream, None) => {
                        Ok(Taken::Stream(AnswerStream::new(response, self.limit, self.idle)))
                    }
                    (Want::Stream, Some(_)) => Err(CallFailure::not_in_pieces(status)),
                    (Want::Answer { .. }, projection) => {
                        let limit = self.limit.unwrap_or(usize::MAX);
                        let body = read_whole(&mut response, limit, by).await?;
                        Answer::projected(status, None, body, projection).map(Taken::Answer)
                    }
                }
            }
            (400.., want) => {
                let retry_after = retry_after(&response);
                let keep = want == Want::Answer { keep_errors: true };
                let limit = if keep { self.limit.unwrap_or(usize::MAX) } else { MAX_ERROR_BODY };
                let start = read_start(&mut response, limit, by).await;
                let meaning = || (self.meaning)(status, &start.body);
                match start.broken.filter(|broken| broken.timed_out) {
                    // The rest may say what the status alone does not.
                    Some(broken) if keep => Err(CallFailure::broken_off(status, broken, Some(meaning()))),
                    _ if keep => {
                        Answer::projected(status, retry_after, start.body, self.projection).map(Taken::Answer)
                    }
                    _ => Err(CallFailure::refused(status, meaning(), retry_after)),
                }
            }
            _ => Err(CallFailure::redirected(status)),
        }
    }

    /// What a success has to go through.
    fn passing(
        &self,
        status: u16,
        content_type: Option<&str>,
    ) -> Result<Option<&dyn Projection>, CallFailure> {
        let Some(projection) = self.projection else { return Ok(None) };
        match projection.passage(status, content_type) {
            Passage::AsItIs => Ok(None),
            Passage::Projected => Ok(Some(projection)),
            Passage::Refused(why) => Err(CallFailure::not_passed(status, why)),
        }
    }
}

/// The one content type that an answer has.
pub(crate) fn content_type(response: &reqwest::Response) -> Option<&str> {
    let mut all = response.headers().get_all(http::header::CONTENT_TYPE).iter();
    let first = all.next()?;
    if all.next().is_some() { None } else { first.to_str().ok() }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
