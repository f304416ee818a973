//! The official client's requests as calls of ours.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apify_client::ApifyClientResult;
use apify_client::http_client::{HttpBackend, HttpMethod, HttpRequest, HttpResponse, StreamingHttpResponse};
use apify_client::timeouts::NO_TIMEOUT;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokenkeep_apify::{AnswerStream, Apify, ApifyClient, Call, CallFailure, ErrorType, Method};
use tokenkeep_core::{Credential, Error, ErrorKind, Origin, Provider};

use crate::error::carry;
use crate::headers;

/// How long an attempt takes at most that the official client sets no limit to.
const LONGEST: Duration = Duration::from_secs(360);

/// What sends the official client's requests over tokenkeep's transport, on behalf of this credential and within the boundary that this
/// Apify was built with.
///
/// [`official_client`](crate::official_client) and [`official_builder`](crate::official_builder) put it where it belongs. Whoever does that
/// by hand gives the official client no token, this Apify's origin as its base URL, and no retries.
///
/// Dropping a request is safe, as dropping a call of tokenkeep's is.
#[must_use]
pub fn official_backend(apify: &Apify, credential: Credential) -> Arc<dyn HttpBackend> {
    Arc::new(Backend { origin: apify.spec().origin.clone(), client: apify.with(credential) })
}

struct Backend {
    origin: Origin,
    client: ApifyClient,
}

impl Backend {
    /// The call that a request stands for.
    fn call(&self, request: HttpRequest) -> Result<Call, Error> {
        let HttpRequest { method, url, headers, body, timeout } = request;
        let call = self.client.request(of(method), self.target(&url)?)?;
        let limit = if timeout == NO_TIMEOUT { LONGEST } else { timeout };
        headers::apply(call.timeout(limit).idle_timeout(timeout), &headers, body)
    }

    /// What stands in the request line.
    fn target<'a>(&self, url: &'a str) -> Result<&'a str, Error> {
        let target = url.strip_prefix(self.origin.as_str()).filter(|rest| rest.starts_with('/'));
        target.ok_or_else(|| {
            Error::new(ErrorKind::Misuse).because("the URL is not of this Apify's origin; nothing was sent")
        })
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let again = (request.method == HttpMethod::Head).then(|| HttpRequest {
            method: HttpMethod::Get,
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: None,
            timeout: request.timeout,
        });
        match (headers::keep(self.call(request)?).send().await, again) {
            (Ok(answer), _) => Ok(HttpResponse {
                status: answer.status(),
                headers: headers::kept(&answer),
                body: answer.body().to_vec(),
            }),
            // Of a HEAD no body tells what is missing, the record or the token, and whether the token or its scope is refused.
            (Err(error), Some(again))
                if status_of(&error).is_some_and(|it| matches!(it, 401 | 403 | 404)) =>
            {
                let found = self.stream(again).await?;
                let headers = headers::of_stream(found.content_type());
                Ok(HttpResponse { status: found.status(), headers, body: Vec::new() })
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn stream(&self, request: HttpRequest) -> Result<AnswerStream, Error> {
        let timeout = request.timeout;
        let call = self.call(request)?;
        if timeout == NO_TIMEOUT {
            return call.stream().await;
        }
        // The official client gives a stream that time in all, and would say that it is over in an error of its own.
        let limit = timeout - (timeout / 10).min(Duration::from_secs(1));
        call.timeout(limit).deadline(limit).idle_timeout(limit).stream().await
    }
}

#[async_trait]
impl HttpBackend for Backend {
    async fn send(&self, request: HttpRequest) -> ApifyClientResult<HttpResponse> {
        let may_repeat = request.method != HttpMethod::Post;
        match self.answer(request).await {
            Ok(answer) => Ok(answer),
            Err(error) => match said(&error) {
                // It may have been done. Where somebody turned the official client's own repeats on, such an answer would be asked again.
                Some((500.., _)) if !may_repeat => Err(carry(error)),
                Some((status, body)) => Ok(HttpResponse { status, headers: HashMap::new(), body }),
                None => Err(carry(error)),
            },
        }
    }

    async fn send_streaming(&self, request: HttpRequest) -> ApifyClientResult<StreamingHttpResponse> {
        match self.stream(request).await {
            Ok(answer) => Ok(StreamingHttpResponse {
                status: answer.status(),
                headers: headers::of_stream(answer.content_type()),
                body: Box::pin(answer.map(|piece| piece.map(|piece| piece.to_vec()).map_err(carry))),
            }),
            Err(error) => match said(&error) {
                Some((status, body)) => Ok(StreamingHttpResponse {
                    status,
                    headers: HashMap::new(),
                    body: Box::pin(stream::iter([Ok(body)])),
                }),
                None => Err(carry(error)),
            },
        }
    }
}

/// The error answer of Apify's that this is, where the official client may have it as one: status, and what the boundary lets through of
/// the body. It takes a 404 for nothing there, and must not where the token may be what is missing, nor where Apify itself does not
/// say of it what is; and what the credential's source could not record is in our error alone.
fn said(error: &Error) -> Option<(u16, Vec<u8>)> {
    let failure = CallFailure::of(error).filter(|failure| std::error::Error::source(failure).is_none())?;
    let status = failure.status().filter(|status| *status >= 400)?;
    let of_a_record = || error.kind() == ErrorKind::NotFound && ErrorType::of(error).is_some();
    (status != 404 || of_a_record()).then_some((status, failure.said()?.to_vec()))
}

fn status_of(error: &Error) -> Option<u16> {
    CallFailure::of(error)?.status()
}

fn of(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Head => Method::HEAD,
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("client", &self.client).finish_non_exhaustive()
    }
}
