//! An answer, read within its limits.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokenkeep_core::{Error, Meaning};
use zeroize::{Zeroize, Zeroizing};

use crate::{CallFailure, Passage, Projection};

/// As much of an error's body as a provider's `meaning` is shown, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// A provider's answer to a call that it accepted: a status from 200 to 299, and a body. With
/// [`Call::errors_as_answers`](crate::Call::errors_as_answers), an answer of status 400 and above too.
///
/// Dropping it wipes the body, and a body that comes in pieces wipes what it outgrows. Copies in hyper's read buffers and in the TLS
/// library live until the connection reuses or closes them.
pub struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Zeroizing<Vec<u8>>,
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
                let limit = if keep_errors { max_body } else { MAX_ERROR_BODY };
                let (body, broken) = read_start(&mut response, limit).await;
                match broken.filter(reqwest::Error::is_timeout) {
                    // The rest may say what the status alone does not.
                    Some(error) if keep_errors => {
                        Err(CallFailure::broken_off(status, &error, Some(meaning(status, &body))))
                    }
                    _ if keep_errors => Self { status, retry_after, body }.projected(projection),
                    _ => Err(CallFailure::refused(status, meaning(status, &body), retry_after)),
                }
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
            self.body = Zeroizing::new(body);
        }
        Ok(self)
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

async fn read_whole(
    response: &mut reqwest::Response,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, CallFailure> {
    let status = response.status().as_u16();
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(CallFailure::too_large(status, limit));
    }
    let mut body = Zeroizing::new(Vec::with_capacity(announced));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > limit - body.len() => {
                return Err(CallFailure::too_large(status, limit));
            }
            Ok(Some(chunk)) => take(&mut body, chunk, usize::MAX),
            Ok(None) => return Ok(body),
            Err(error) => return Err(CallFailure::broken_off(status, &error, None)),
        }
    }
}

/// What comes before the limit or the end, and what broke it off: the status is known already.
async fn read_start(
    response: &mut reqwest::Response,
    limit: usize,
) -> (Zeroizing<Vec<u8>>, Option<reqwest::Error>) {
    let mut body = Zeroizing::new(Vec::new());
    while body.len() < limit {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let left = limit - body.len();
                take(&mut body, chunk, left);
            }
            Ok(None) => break,
            Err(error) => return (body, Some(error)),
        }
    }
    (body, None)
}

/// Puts at most `limit` bytes of the chunk at the body's end, and wipes the chunk if nobody else holds it.
fn take(body: &mut Zeroizing<Vec<u8>>, chunk: Bytes, limit: usize) {
    push(body, &chunk[..chunk.len().min(limit)]);
    if let Ok(mut chunk) = chunk.try_into_mut() {
        chunk.as_mut().zeroize();
    }
}

/// A `Vec` that grows by itself leaves its old block behind as it was.
fn push(body: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = body.len() + bytes.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * body.capacity())));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(bytes);
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// How many bytes stand where they did, though the body has gone elsewhere.
    fn left_behind(grow: fn(&mut Zeroizing<Vec<u8>>, &[u8])) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let secret: Vec<u8> = (0..1000_u32).map(|at| (at * 7 % 251) as u8 | 1).collect();
        let mut found = vec![0; secret.len()];
        let mut body = Zeroizing::new(Vec::with_capacity(secret.len()));
        // What comes behind it, so that it can't grow where it is.
        let behind: Vec<Vec<u8>> = (0..64).map(|_| Vec::with_capacity(secret.len())).collect();
        push(&mut body, &secret);
        let place = body.as_ptr().addr() as u64;
        // So long that it must move wherever it is.
        grow(&mut body, &vec![0; 4 << 20]);
        assert_ne!(body.as_ptr().addr() as u64, place, "it grew in its place: the test shows nothing");
        memory.read_exact_at(&mut found, place).unwrap();
        drop(behind);
        found.iter().zip(&secret).filter(|(found, byte)| found == byte).count()
    }

    #[test]
    fn a_body_that_grows_wipes_what_it_outgrows() {
        let plain = left_behind(|body, bytes| body.extend_from_slice(bytes));
        assert!(plain > 500, "a plain block leaves its bytes behind ({plain}), so the next line can fail");
        let left = left_behind(push);
        assert!(left < 100, "{left} of 1000 bytes are left");
    }
}
