//! What the stand-in does wrong when it is told to.

use crate::answers::{self, Body};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use std::time::Duration;

/// Something that the stand-in does instead of answering properly, whatever the request and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An error in Apify's form with this status and type, and `Retry-After` when given. See [`Fault::status`].
    Status {
        /// The HTTP status, 200 to 599.
        status: u16,
        /// The error's `type`.
        error_type: String,
        /// The value of the `Retry-After` header.
        retry_after: Option<String>,
    },
    /// 200 with a page of HTML.
    NotJson,
    /// 200 with JSON that begins well and never ends, without a `Content-Length`.
    Endless,
    /// 200 with a `Content-Length` of this many bytes, and as many bytes of JSON that never closes.
    Huge(u64),
    /// 200 with a line of plain text, and another one after this time.
    Pause(Duration),
    /// The connection is closed after the request was read, without an answer.
    CloseWithoutAnswer,
    /// The request is read and never answered; the connection stays open.
    Silence,
    /// 307 to this address.
    Redirect(String),
    /// A hostile 500 that repeats the token it was sent: in the error's `message`, in its `type`, and in a header
    /// `x-echo`.
    EchoAuthorization,
}

impl Fault {
    /// An error with this status and type, without `Retry-After`.
    #[must_use]
    pub fn status(status: u16, error_type: &str) -> Self {
        Self::Status { status, error_type: error_type.to_owned(), retry_after: None }
    }

    /// 429 `rate-limit-exceeded` with this value of `Retry-After`: seconds, or an HTTP date.
    #[must_use]
    pub fn rate_limited(retry_after: &str) -> Self {
        Self::Status {
            status: 429,
            error_type: "rate-limit-exceeded".to_owned(),
            retry_after: Some(retry_after.to_owned()),
        }
    }

    /// Refuses at once what could only fail later, inside the server.
    pub(crate) fn check(&self) {
        match self {
            Self::Status { status, retry_after, .. } => {
                assert!((200..=599).contains(status), "a fault's status is 200 to 599, not {status}");
                if let Some(value) = retry_after {
                    assert!(HeaderValue::from_str(value).is_ok(), "Retry-After is no header value");
                }
            }
            Self::Redirect(location) => {
                assert!(HeaderValue::from_str(location).is_ok(), "Location is no header value");
            }
            _ => {}
        }
    }

    /// The faulty answer; none when the fault is that there is no answer.
    pub(crate) fn answer(&self, bearer: Option<&str>) -> Option<Response<Body>> {
        match self {
            Self::Status { status, error_type, retry_after } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut answer = answers::error(status, error_type, "A fault that a test asked for.");
                if let Some(value) =
                    retry_after.as_deref().and_then(|value| HeaderValue::from_str(value).ok())
                {
                    answer.headers_mut().insert(header::RETRY_AFTER, value);
                }
                Some(answer)
            }
            Self::NotJson => Some(answers::html("<!doctype html><title>Not JSON</title><p>A made-up page.")),
            Self::Endless => Some(answers::filler(None)),
            Self::Huge(length) => Some(answers::filler(Some(*length))),
            Self::Pause(time) => Some(answers::pausing(*time)),
            Self::CloseWithoutAnswer | Self::Silence => None,
            Self::Redirect(location) => {
                let mut answer = answers::html("");
                *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                if let Ok(value) = HeaderValue::from_str(location) {
                    answer.headers_mut().insert(header::LOCATION, value);
                }
                Some(answer)
            }
            Self::EchoAuthorization => {
                let token = bearer.unwrap_or_default();
                let message = format!("Could not look up the token {token}.");
                let mut answer = answers::error(StatusCode::INTERNAL_SERVER_ERROR, token, &message);
                if let Ok(value) = HeaderValue::from_str(token) {
                    answer.headers_mut().insert("x-echo", value);
                }
                Some(answer)
            }
        }
    }
}
