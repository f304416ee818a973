//! What is taken of the answer to one attempt.

use std::time::{Duration, SystemTime};

use http::HeaderName;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use tokenkeep_core::{Meaning, Outcome};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::body::{Start, read_start, read_whole};
use crate::echo::Sent;
use crate::retries::Repeat;
use crate::{Answer, AnswerStream, CallFailure, Passage, Projection};

/// As much of an error's body as a provider's `meaning` is shown, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Finds in the body of a success the identifier of what was made.
pub(crate) type Identify = fn(&[u8]) -> Option<String>;

/// What the caller wants of a success, and of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Answer { keep_errors: bool },
    Stream,
}

/// What it gets.
pub(crate) enum Taken {
    /// With what it means, which is told from the whole of it: what a boundary lets through may not say.
    Answer(Answer, Told),
    Stream(AnswerStream),
}

/// What an answer means for who gave the token.
pub(crate) enum Told {
    Accepted,
    /// Something was made, of this identifier.
    Created(String),
    Refused(Meaning),
}

impl Taken {
    /// What is read of it later may fail: then it says how many attempts there were.
    pub(crate) fn after_attempts(self, attempts: u32) -> Self {
        match self {
            Self::Answer(answer, told) => Self::Answer(answer.after_attempts(attempts), told),
            Self::Stream(stream) => Self::Stream(stream.after_attempts(attempts)),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Answer(answer, _) => answer.status(),
            Self::Stream(stream) => stream.status(),
        }
    }

    /// What the credential's source is told.
    pub(crate) fn outcome(&self) -> Outcome<'_> {
        match self {
            Self::Answer(_, Told::Refused(meaning)) => Outcome::Refused(*meaning),
            Self::Answer(_, Told::Created(made)) => Outcome::Created(made),
            Self::Answer(_, Told::Accepted) | Self::Stream(_) => Outcome::Accepted,
        }
    }

    pub(crate) fn repeat(&self) -> Repeat {
        match self {
            Self::Answer(answer, Told::Refused(meaning)) => {
                Repeat::of_error(answer.status(), *meaning, answer.retry_after())
            }
            _ => Repeat::Succeeded,
        }
    }
}

/// How an answer is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) want: Want,
    pub(crate) projection: Option<&'a dyn Projection>,
    pub(crate) meaning: fn(u16, &[u8]) -> Meaning,
    pub(crate) made: Option<Identify>,
    /// The headers of a success that the caller wants to see.
    pub(crate) kept: &'a [HeaderName],
    /// In bytes; `None` is no limit, for a stream alone.
    pub(crate) limit: Option<usize>,
    pub(crate) idle: Duration,
    /// The token of this attempt, which may come back.
    pub(crate) sent: Option<&'a Sent>,
}

impl Reading<'_> {
    /// Takes a success as it is wanted; of an error its meaning alone, or as much of it as is read for that where it is wanted.
    pub(crate) async fn take(self, response: reqwest::Response, by: Instant) -> Result<Taken, CallFailure> {
        let status = response.status().as_u16();
        match (status, self.want) {
            (200..=299, want) => {
                let projection = self.passing(status, content_type(&response))?;
                match (want, projection) {
                    (Want::Stream, None) => Ok(Taken::Stream(AnswerStream::new(
                        response,
                        self.limit,
                        self.idle,
                        self.sent.map(Sent::echo),
                    ))),
                    (Want::Stream, Some(_)) => Err(CallFailure::not_in_pieces(status)),
                    (Want::Answer { .. }, projection) => {
                        let limit = self.limit.unwrap_or(usize::MAX);
                        // Of what is projected a header may hold what the body must not.
                        let kept = if projection.is_none() { self.headers(&response) } else { Vec::new() };
                        let mut body = read_whole(response, limit, by).await?;
                        self.redact(&mut body, true);
                        let made = self.made.and_then(|made| made(&body));
                        let told = made.map_or(Told::Accepted, Told::Created);
                        match self.answer(status, None, body, projection) {
                            Ok(answer) => Ok(Taken::Answer(answer.with_headers(kept), told)),
                            // It was made, whether its answer can be shown or not.
                            Err(failure) => Err(failure.having_told(told)),
                        }
                    }
                }
            }
            (400.., want) => {
                let retry_after = retry_after(&response);
                let keep = want == Want::Answer { keep_errors: true };
                let limit = if keep { self.limit.unwrap_or(usize::MAX) } else { MAX_ERROR_BODY };
                let Start { mut body, broken, whole } =
                    read_start(response, limit.max(MAX_ERROR_BODY), by).await;
                self.redact(&mut body, whole);
                let meaning = (self.meaning)(status, &body);
                // Only now: what it means may stand behind what the caller wants of it.
                let gone = meaning == Meaning::NotFound;
                let broken = broken.filter(|broken| gone || broken.timed_out && body.len() < limit);
                body.truncate(limit);
                match broken {
                    // The rest may say what the status alone does not: of what is not there, that it may be the token.
                    Some(broken) if keep || gone => {
                        Err(CallFailure::broken_off(status, broken, Some(meaning)))
                    }
                    _ if keep => {
                        let answer = self.answer(status, retry_after, body, self.projection);
                        // What it means is known, whether it can be shown or not.
                        let answer =
                            answer.map_err(|_| CallFailure::refused(status, meaning, retry_after))?;
                        Ok(Taken::Answer(answer, Told::Refused(meaning)))
                    }
                    _ => {
                        Err(CallFailure::refused(status, meaning, retry_after)
                            .saying(self.said(status, body)))
                    }
                }
            }
            _ => Err(CallFailure::redirected(status)),
        }
    }

    fn answer(
        &self,
        status: u16,
        retry_after: Option<Duration>,
        body: Zeroizing<Vec<u8>>,
        projection: Option<&dyn Projection>,
    ) -> Result<Answer, CallFailure> {
        let body = match projection {
            None => body,
            Some(it) => {
                let projected = it.project(status, &body);
                let mut body = Zeroizing::new(projected.map_err(|why| CallFailure::not_passed(status, why))?);
                // It may have undone an encoding that hid the token.
                self.redact(&mut body, true);
                body
            }
        };
        Ok(Answer::new(status, retry_after, body))
    }

    /// Those that are to be kept, each where it is there once and a text, with stars in the place of the token.
    fn headers(&self, response: &reqwest::Response) -> Vec<(HeaderName, Box<str>)> {
        let one = |name: &HeaderName| {
            let mut all = response.headers().get_all(name).iter();
            let (value, None) = (all.next()?, all.next()) else { return None };
            let mut value = Zeroizing::new(value.to_str().ok()?.as_bytes().to_vec());
            self.redact(&mut value, true);
            Some((name.clone(), str::from_utf8(&value).ok()?.into()))
        };
        self.kept.iter().filter_map(one).collect()
    }

    /// What a caller may be told of an error's body: nothing, where the boundary can't project it.
    fn said(&self, status: u16, body: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        self.answer(status, None, body, self.projection).ok().map(Answer::into_body)
    }

    fn redact(&self, body: &mut [u8], whole: bool) {
        if let Some(sent) = self.sent {
            sent.redact(body, whole);
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
    let mut all = response.headers().get_all(CONTENT_TYPE).iter();
    let first = all.next()?;
    if all.next().is_some() { None } else { first.to_str().ok() }
}

/// Seconds, or a date: held against the answer's own, if it has one, as two clocks seldom agree.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let date = |name| httpdate::parse_http_date(response.headers().get(name)?.to_str().ok()?).ok();
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    seconds(value).or_else(|| {
        let then = date(RETRY_AFTER)?;
        let now = date(DATE).unwrap_or_else(SystemTime::now);
        // One that is over asks for nothing.
        Some(then.duration_since(now).unwrap_or_default())
    })
}

/// A number of seconds. Too many to be told are as many as can be, and a fraction, which some servers send, is a whole one.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(Duration::from_secs(whole.parse().unwrap_or(u64::MAX).saturating_add(more)))
}
