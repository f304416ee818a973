//! A call, attempt by attempt.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use tokenkeep_core::{ApiToken, Credential, Error, ErrorKind, Outcome, Use};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::CallFailure;
use crate::clock::after;
use crate::echo::Sent;
use crate::reading::{Reading, Taken};
use crate::retries::{Repeat, Reserved};
use crate::transport::Shared;

/// A call that was checked and judged.
pub(crate) struct Attempts<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) method: &'a Method,
    pub(crate) url: Url,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Option<&'a Bytes>,
    pub(crate) credential: Option<&'a Credential>,
    pub(crate) reading: Reading<'a>,
    pub(crate) idempotent: bool,
    /// For one attempt.
    pub(crate) timeout: Duration,
    /// For all of them.
    pub(crate) deadline: Duration,
    /// What that would be for a caller who is in no hurry.
    pub(crate) most: Duration,
}

/// The time of an attempt.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    pub(crate) by: Instant,
    /// Whether it is all that an attempt gets, and not what others left of it, or a caller in a hurry.
    pub(crate) whole: bool,
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: it is as it is.
    Done,
    RepeatAfter(Duration),
    /// Nothing, as all its repeats were made.
    AtMost,
    /// Nothing, as the transport has no repeat left.
    Budget,
    /// Nothing, as the wait would go beyond the deadline.
    Deadline,
}

impl Attempts<'_> {
    /// Makes the first attempt, and those after it that it takes.
    pub(crate) async fn run(&self) -> Result<Taken, Error> {
        let mut deadline = None;
        let mut last: Option<Result<Taken, CallFailure>> = None;
        // Whether one of them may have been carried out.
        let mut maybe = false;
        let mut reserved: Option<Reserved<'_>> = None;
        for number in 1.. {
            // Of each attempt its own, so that nothing of it is held while the call waits.
            let ready = match deadline {
                None => Some(self.ready().await?),
                Some(deadline) => tokio::time::timeout_at(deadline, self.ready()).await.ok().transpose()?,
            };
            let now = Instant::now();
            let deadline = *deadline.get_or_insert_with(|| after(now, self.deadline));
            let Some(ready) = ready.filter(|_| now < deadline || last.is_none()) else {
                let Some(last) = last else { break };
                return counted(last, number - 1, maybe);
            };
            if let Some(reserved) = reserved.take() {
                reserved.spend();
            }
            let time = Time {
                by: after(now, self.timeout).min(deadline),
                // A caller's own limit that is shorter says nothing of the peer.
                whole: self.timeout >= self.shared.timeout
                    && after(now, self.timeout.min(self.most)) <= deadline,
            };
            let (result, recorded) = self.attempt(ready, time).await;
            let next;
            (next, reserved) = match recorded {
                Ok(()) => self.next(number, &result, deadline),
                Err(_) => (Next::Done, None),
            };
            tracing::debug!(
                attempt = number,
                status = status_of(&result),
                failure = result.as_ref().err().map(tracing::field::display),
                elapsed = ?now.elapsed(),
                ?next,
                "attempt"
            );
            match (next, result, recorded) {
                (Next::RepeatAfter(wait), result, _) => {
                    maybe |= !matches!(repeat_of(&result), Repeat::Always(_));
                    last = Some(result);
                    tokio::time::sleep(wait).await;
                }
                (_, Err(failure), Ok(())) => {
                    let last = last.filter(|last| !time.whole && failure.never_came() && self.stands(last));
                    let result = last.unwrap_or(Err(failure));
                    return counted(result, number, maybe);
                }
                (_, Err(failure), Err(why)) => {
                    return Err(failure.after_attempts(number, maybe).unreported(why).into());
                }
                (_, Ok(taken), _) => return Ok(taken.after_attempts(number)),
            }
        }
        Err(Error::new(ErrorKind::Internal).because("a call has no end"))
    }

    /// Whether this is still true after one more attempt of which nothing is known: that may have been carried out.
    fn stands(&self, last: &Result<Taken, CallFailure>) -> bool {
        self.method.is_safe() || matches!(repeat_of(last), Repeat::IfIdempotent(_))
    }

    /// The request, with the token that the credential gives for this attempt.
    async fn ready(&self) -> Result<Ready, Error> {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().extend(self.headers.clone());
        *request.body_mut() = self.body.cloned().map(reqwest::Body::from);
        let Some(credential) = self.credential else { return Ok(Ready { request, token: None }) };
        let issued = credential.issue(Use::at(&self.shared.spec)).await?;
        let (value, sent) = header_value(self.shared.spec.prefix, issued.token)?;
        request.headers_mut().insert(self.shared.header.clone(), value);
        let token = Token {
            credential: credential.clone(),
            incarnation: issued.incarnation,
            secret_version: issued.secret_version,
            sent,
        };
        Ok(Ready { request, token: Some(token) })
    }

    /// What came of the request, and whether that could be recorded.
    async fn attempt(
        &self,
        Ready { request, token }: Ready,
        time: Time,
    ) -> (Result<Taken, CallFailure>, Result<(), Error>) {
        let reading = Reading { sent: token.as_ref().map(|token| &token.sent), ..self.reading };
        let result = match self.shared.client.execute(request, time).await {
            Ok(response) => reading.take(response, time.by).await,
            Err(failure) => Err(failure),
        };
        let Some(Token { credential, incarnation, secret_version, sent }) = token else {
            return (result, Ok(()));
        };
        drop(sent);
        let outcome = match &result {
            Ok(taken) => taken.outcome(),
            Err(failure) => failure.outcome(),
        };
        let recorded = credential.report(incarnation, secret_version, outcome).await;
        if let Err(why) = &recorded {
            tracing::warn!(
                provider = self.shared.spec.name.as_str(),
                outcome = word_for(&outcome),
                kind = ?why.kind(),
                "what came of a call could not be recorded"
            );
        }
        (result, recorded)
    }

    /// With the repeat that is reserved for it.
    fn next(
        &self,
        number: u32,
        result: &Result<Taken, CallFailure>,
        deadline: Instant,
    ) -> (Next, Option<Reserved<'_>>) {
        let (may, retry_after) = match repeat_of(result) {
            Repeat::Succeeded => {
                self.shared.budget.give_back();
                return (Next::Done, None);
            }
            Repeat::Never => return (Next::Done, None),
            Repeat::IfIdempotent(retry_after) => (self.idempotent, retry_after),
            Repeat::Always(retry_after) => (true, retry_after),
        };
        let retries = &self.shared.retries;
        if !may || retries.at_most == 0 {
            return (Next::Done, None);
        }
        if number > retries.at_most {
            return (Next::AtMost, None);
        }
        let wait = retries.wait(number, retry_after);
        if wait >= deadline.saturating_duration_since(Instant::now()) {
            return (Next::Deadline, None);
        }
        match self.shared.budget.take() {
            None => (Next::Budget, None),
            reserved => (Next::RepeatAfter(wait), reserved),
        }
    }
}

fn counted(result: Result<Taken, CallFailure>, attempts: u32, maybe: bool) -> Result<Taken, Error> {
    match result {
        Ok(taken) => Ok(taken.after_attempts(attempts)),
        Err(failure) => Err(failure.after_attempts(attempts, maybe).into()),
    }
}

/// Without the identifier of what was made, which is of the other side's body.
fn word_for(outcome: &Outcome<'_>) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Created(_) => "created",
        Outcome::Refused(_) => "refused",
        Outcome::Unanswered => "unanswered",
        _ => "something else",
    }
}

fn repeat_of(result: &Result<Taken, CallFailure>) -> Repeat {
    match result {
        Ok(taken) => taken.repeat(),
        Err(failure) => failure.repeat(),
    }
}

fn status_of(result: &Result<Taken, CallFailure>) -> Option<u16> {
    match result {
        Ok(taken) => Some(taken.status()),
        Err(failure) => failure.status(),
    }
}

/// A request that is ready to be sent.
struct Ready {
    request: reqwest::Request,
    token: Option<Token>,
}

/// The token in it, and who is told what came of it.
struct Token {
    credential: Credential,
    incarnation: tokenkeep_core::Incarnation,
    secret_version: tokenkeep_core::SecretVersion,
    sent: Sent,
}

/// The header's value, in one block that wipes itself once the last user of the request lets go of it, and of the token in it.
fn header_value(prefix: &str, token: ApiToken) -> Result<(HeaderValue, Sent), Error> {
    let secret = token.expose_secret().as_bytes();
    // Sized first: a block that grows leaves its old self behind.
    let mut value = Zeroizing::new(Vec::with_capacity(prefix.len() + secret.len()));
    value.extend_from_slice(prefix.as_bytes());
    value.extend_from_slice(secret);
    let block = Bytes::from_owner(value);
    let sent = Sent::new(block.slice(prefix.len()..));
    let mut value = HeaderValue::from_maybe_shared(block)
        .map_err(|_| Error::new(ErrorKind::Internal).because("a token can't stand in a header"))?;
    value.set_sensitive(true);
    Ok((value, sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_whole_and_marked_as_a_secret() {
        let token = ApiToken::new("an-example-token".to_owned()).unwrap();
        let (value, sent) = header_value("Bearer ", token).unwrap();
        assert_eq!(value.as_bytes(), b"Bearer an-example-token");
        // Keeps it out of `{:?}` and out of the tables in which HTTP/2 remembers headers.
        assert!(value.is_sensitive());
        let mut echoed = *b"Bearer an-example-token";
        sent.redact(&mut echoed, true);
        assert_eq!(&echoed, b"Bearer ****************");
    }
}
