//! An answer, read within its limits.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokenkeep_core::{Error, Meaning};
use zeroize::Zeroize;

use crate::{CallFailure, Passage, Projection};

/// As much of an error's body as a provider's `meaning` is shown, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// A provider's answer to a call that it accepted: a status from 200 to 299, and a body. With
/// [`Call::errors_as_answers`](crate::Call::errors_as_answers), an answer of status 400 and above too.
///
/// Dropping it wipes the body. What a body that came in pieces left behind while it grew is not wiped.
pub struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    /// The HTTP status, 200 to 299, or 400 and above where that was asked for.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// How long the provider asks to wait, when it says so in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// `ProviderMisbehaved` when it is not JSON, or not of this shape. The error says where in the body, not what is
    /// there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // serde_json's own error repeats values of the body.
        serde_json::from_slice(&self.body)
            .map_err(|error| CallFailure::not_as_promised(self.status, error.line(), error.column()).into())
    }

    /// Takes a success whole; of an error its meaning alone, or as much of it as is read for that when `keep_errors`.
    pub(crate) async fn read(
        mut response: reqwest::Response,
        max_body: usize,
        keep_errors: bool,
        meaning: fn(u16, &[u8]) -> Meaning,
        projection: Option<&dyn Projection>,
    ) -> Result<Self, CallFailure> {
        let status = response.status().as_u16();
        match status {
            200..=299 => {
                let projection = match projection.map(|it| (it, it.passage(status, content_type(&response))))
                {
                    None | Some((_, Passage::AsItIs)) => None,
                    Some((projection, Passage::Projected)) => Some(projection),
                    Some((_, Passage::Refused(why))) => return Err(CallFailure::not_passed(status, why)),
                };
                let body = read_whole(&mut response, max_body).await?;
                Self { status, retry_after: None, body }.projected(projection)
            }
            400.. => {
                let retry_after = retry_after(&response);
                let body =
                    read_start(&mut response, if keep_errors { max_body } else { MAX_ERROR_BODY }).await;
                let answer = Self { status, retry_after, body };
                if keep_errors {
                    return answer.projected(projection);
                }
                Err(CallFailure::refused(status, meaning(status, &answer.body), retry_after))
            }
            _ => Err(CallFailure::redirected(status)),
        }
    }

    /// What comes through of it; the rest is wiped.
    fn projected(mut self, projection: Option<&dyn Projection>) -> Result<Self, CallFailure> {
        if let Some(projection) = projection {
            let body = projection
                .project(self.status, &self.body)
                .map_err(|why| CallFailure::not_passed(self.status, why))?;
            self.body.zeroize();
            self.body = body;
        }
        Ok(self)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

async fn read_whole(response: &mut reqwest::Response, limit: usize) -> Result<Vec<u8>, CallFailure> {
    let status = response.status().as_u16();
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(CallFailure::too_large(status, limit));
    }
    let mut body = Vec::with_capacity(announced);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > limit - body.len() => {
                return Err(CallFailure::too_large(status, limit));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(CallFailure::broken_off(status, &error)),
        }
    }
}

/// What comes before the limit or the end, however it ends: the status is known already.
async fn read_start(response: &mut reqwest::Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < limit {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
    }
    body
}

/// The one content type that an answer has.
fn content_type(response: &reqwest::Response) -> Option<&str> {
    let mut all = response.headers().get_all(http::header::CONTENT_TYPE).iter();
    let first = all.next()?;
    if all.next().is_some() { None } else { first.to_str().ok() }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
