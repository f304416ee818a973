//! A call, put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokenkeep_core::{Credential, Error, ErrorKind};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::attempts::Attempts;
use crate::reading::{Identify, Reading, Taken, Want};
use crate::target::Target;
use crate::transport::Shared;
use crate::{Answer, AnswerStream, Projection};

/// A call that is being put together. [`send`](Self::send) makes it.
#[must_use = "a call is made when it is sent"]
pub struct Call {
    shared: Arc<Shared>,
    method: Method,
    target: Target,
    credential: Option<Credential>,
    headers: HeaderMap,
    body: Option<Bytes>,
    keep_errors: bool,
    made: Option<Identify>,
    kept: Vec<HeaderName>,
    timeout: Option<Duration>,
    deadline: Option<Duration>,
    max_body: Option<usize>,
    idle_timeout: Option<Duration>,
    /// As the method says, where nobody said.
    idempotent: Option<bool>,
    refused: Option<&'static str>,
}

impl Call {
    pub(crate) fn new(shared: Arc<Shared>, method: Method, path: &str) -> Self {
        Self {
            shared,
            method,
            target: Target::new(path),
            credential: None,
            headers: HeaderMap::new(),
            body: None,
            keep_errors: false,
            made: None,
            kept: Vec::new(),
            timeout: None,
            deadline: None,
            max_body: None,
            idle_timeout: None,
            idempotent: None,
            refused: None,
        }
    }

    /// Adds a segment to the path, percent-encoded.
    ///
    /// It stays one segment: an empty one, `.`, `..`, and one with a slash, a backslash, a percent sign or a control
    /// character make [`send`](Self::send) refuse the call.
    pub fn segment(mut self, segment: &str) -> Self {
        self.target.push_segment(segment);
        self
    }

    /// Adds a query parameter, name and value percent-encoded. Never for a secret: URLs end in logs.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.target.push_query(name, &value.to_string());
        self
    }

    /// Sends the token of this credential. Without one, the call goes out without a token.
    pub fn credential(mut self, credential: &Credential) -> Self {
        self.credential = Some(credential.clone());
        self
    }

    /// Sends this header too, its name in lower case: what a service wants beside the token. Never a secret: the value is not
    /// wiped. A value that can't stand in a header, and a name that the transport or HTTP has a use for, make
    /// [`send`](Self::send) refuse the call.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        const TAKEN: [&str; 20] = [
            // What nothing here undoes again.
            "accept-encoding",
            "authorization",
            "connection",
            "content-length",
            "content-type",
            "cookie",
            "expect",
            "host",
            "keep-alive",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            // Some servers go by these instead of the method.
            "x-http-method",
            "x-http-method-override",
            "x-method-override",
            // Or by these instead of the path.
            "x-original-url",
            "x-rewrite-url",
        ];
        let parsed = HeaderName::from_lowercase(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        match parsed {
            Some((name, value)) if name != self.shared.header && !TAKEN.contains(&name.as_str()) => {
                self.headers.insert(name, value);
            }
            _ => {
                self.refused
                    .get_or_insert("a header has a name that is taken, or a value that can't be sent");
            }
        }
        self
    }

    /// Sends this body, which is JSON. It wipes itself once the last user of the request lets go of it; copies in hyper's
    /// write buffers and in the TLS library live as long as those of the token do.
    pub fn json(self, body: Zeroizing<Vec<u8>>) -> Self {
        self.body("application/json", body)
    }

    /// Sends this body, of this content type. As [`json`](Self::json) otherwise. A content type that can't stand in a header makes
    /// [`send`](Self::send) refuse the call.
    pub fn body(mut self, content_type: &str, body: Zeroizing<Vec<u8>>) -> Self {
        match HeaderValue::from_str(content_type) {
            Ok(value) => {
                self.headers.insert(CONTENT_TYPE, value);
            }
            Err(_) => {
                self.refused.get_or_insert("the content type of a body can't be sent");
            }
        }
        self.body = Some(Bytes::from_owner(body));
        self
    }

    /// Keeps this header of a success, its name in lower case, for [`Answer::header`]. No other is kept, and a boundary lets none through
    /// but of an answer that is [`Passage::AsItIs`](crate::Passage::AsItIs). A name that is none makes [`send`](Self::send) refuse the
    /// call.
    pub fn keep_header(mut self, name: &'static str) -> Self {
        match HeaderName::from_lowercase(name.as_bytes()) {
            Ok(name) => self.kept.push(name),
            Err(_) => {
                self.refused.get_or_insert("a header that is to be kept has no name in lower case");
            }
        }
        self
    }

    /// Takes an answer of status 400 and above for an [`Answer`] too, up to the transport's limit, where the service says more in
    /// it than a status can. It is cut at that limit, after its meaning was told from its first 64 KiB at least. What is in such a body is the other side's word: it belongs in no error and no log line. The
    /// credential is told what the status means, as always.
    pub fn errors_as_answers(mut self) -> Self {
        self.keep_errors = true;
        self
    }

    /// Says that the call makes something, and how its identifier is found in the body of a success (before a boundary projects it). The
    /// credential is told of it ([`Outcome::Created`](tokenkeep_core::Outcome::Created)): a vault has it on record then, and can
    /// tell what was started here from what was not. `None` is told as an accepted call.
    pub fn makes(mut self, identifier: fn(&[u8]) -> Option<String>) -> Self {
        self.made = Some(identifier);
        self
    }

    /// Says that carrying this call out twice is as good as once, whatever its method: it may be repeated as a `GET` is
    /// ([`Retries`](crate::Retries)).
    pub fn idempotent(mut self) -> Self {
        self.idempotent = Some(true);
        self
    }

    /// Says that it is not, whatever its method: it is repeated as a `POST` is, where nothing can have been carried out. For an API in which a
    /// `GET` does something.
    pub fn not_idempotent(mut self) -> Self {
        self.idempotent = Some(false);
        self
    }

    /// How long one attempt may take, in place of [the transport's limit](crate::TransportBuilder::timeout): longer for an answer that the
    /// provider holds back. Where it is longer than [the deadline](crate::TransportBuilder::deadline), and nobody gave one, it is the
    /// deadline.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long it may take with all its attempts and the waits between them, where that is less than
    /// [the transport's deadline](crate::TransportBuilder::deadline): for somebody who waits before a screen.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// The longest body that is taken of a success, in bytes, in place of
    /// [the transport's](crate::TransportBuilder::max_body). Of a [stream](Self::stream), the only limit that there is.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// How long a [stream](Self::stream) of this call waits for its next piece, in place of
    /// [the transport's](crate::TransportBuilder::idle_timeout).
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// Makes the call, again where the transport's [`Retries`](crate::Retries) say so, and reads the answer within its limits.
    ///
    /// The credential is asked for its token after every check that needs none, for each attempt anew, and told what came of it before
    /// the next one is made or this returns. When that can't be recorded, a success stays a success and is logged as a warning; a failure
    /// says so and is not repeated. A boundary judges the call once, before the first attempt.
    ///
    /// # Errors
    /// - `Misuse` for a path, segment, query or header that can't be sent; nothing was sent.
    /// - What the transport's boundary refuses with; nothing was sent, and the credential was not asked.
    /// - What the credential refuses with, at the first attempt or at a later one, of which then nothing was sent.
    /// - For a status of 400 and above, the kind that the provider's spec gives it.
    /// - `ProviderUnavailable` when there is no answer, or not a whole one in time.
    /// - `ProviderMisbehaved` for a redirect, a body over the limit or one that the boundary can't project, or a server that
    ///   can't prove who it is.
    ///
    /// The last three are those of the last attempt, or of the one before where the deadline cut the last one short; [`CallFailure::of`](crate::CallFailure::of) says more about them.
    ///
    /// # Cancellation
    /// Safe: a dropped call closes its connection or stream and wipes its token; one that waits for its next attempt has neither. The
    /// provider may have got the request; what came of it is not reported.
    pub async fn send(self) -> Result<Answer, Error> {
        match self.make(Want::Answer { keep_errors: self.keep_errors }).await? {
            Taken::Answer(answer, _) => Ok(answer),
            Taken::Stream(_) => Err(Error::new(ErrorKind::Internal).because("an answer came as a stream")),
        }
    }

    /// As [`send`](Self::send), for a success that is too large to be held whole or that has no end: gives it piece by piece, from the
    /// moment its status is known. Then, and not at its end, the credential is told.
    ///
    /// The [`timeout`](crate::TransportBuilder::timeout) is for the status and for the body of an error; the pieces have
    /// an [idle limit](Self::idle_timeout). They are as many and as large as the provider likes, unless
    /// [`max_body`](Self::max_body) says otherwise.
    ///
    /// # Errors
    /// As [`send`](Self::send). And `Misuse` where the boundary lets an answer through only after it has read it whole: before anything
    /// is sent if it can tell by then ([`Projection::may_stream`](crate::Projection::may_stream)), else when the status
    /// is there; and after [`errors_as_answers`](Self::errors_as_answers), which is not for streams.
    ///
    /// # Cancellation
    /// As [`send`](Self::send).
    pub async fn stream(self) -> Result<AnswerStream, Error> {
        if self.keep_errors {
            return Err(Error::new(ErrorKind::Misuse).because("a stream has no errors as answers"));
        }
        match self.make(Want::Stream).await? {
            Taken::Stream(stream) => Ok(stream),
            Taken::Answer(..) => Err(Error::new(ErrorKind::Internal).because("a stream came as an answer")),
        }
    }

    async fn make(&self, want: Want) -> Result<Taken, Error> {
        let url = self.target.url(&self.shared.spec.origin)?;
        if let Some(why) = self.refused {
            return Err(Error::new(ErrorKind::Misuse).because(why));
        }
        let projection = self.judge(url.as_str())?;
        if want == Want::Stream && projection.as_ref().is_some_and(|projection| !projection.may_stream()) {
            let why = "its boundary must read the answer whole, so that it can't come as a stream";
            return Err(Error::new(ErrorKind::Misuse).because(why));
        }
        let timeout = self.timeout.unwrap_or(self.shared.timeout);
        let most = self.shared.deadline(timeout);
        let attempts = Attempts {
            shared: &self.shared,
            method: &self.method,
            url,
            headers: &self.headers,
            body: self.body.as_ref(),
            credential: self.credential.as_ref(),
            reading: Reading {
                want,
                projection: projection.as_deref(),
                meaning: self.shared.spec.meaning,
                made: self.made,
                kept: &self.kept,
                limit: match want {
                    Want::Answer { .. } => Some(self.max_body.unwrap_or(self.shared.max_body)),
                    Want::Stream => self.max_body,
                },
                idle: self.idle_timeout.unwrap_or(self.shared.idle_timeout),
                sent: None,
            },
            idempotent: self.idempotent.unwrap_or_else(|| self.method.is_idempotent()),
            timeout,
            deadline: self.deadline.map_or(most, |limit| limit.min(most)),
            most,
        };
        let span = tracing::debug_span!(
            "call",
            provider = self.shared.spec.name.as_str(),
            host = self.shared.spec.origin.host(),
            method = self.method.as_str(),
            path = self.target.path(),
        );
        attempts.run().instrument(span).await
    }

    /// What comes through of the answer; without a boundary, all of it.
    fn judge(&self, url: &str) -> Result<Option<Box<dyn Projection>>, Error> {
        let Some(boundary) = &self.shared.boundary else { return Ok(None) };
        let Some(target) = url.strip_prefix(self.shared.spec.origin.as_str()) else {
            return Err(Error::new(ErrorKind::Internal).because("a call's URL is not of its origin"));
        };
        boundary.judge(&self.method, target).map(Some)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.shared.spec.origin;
        // What is no path may be anything, a query with a secret among it.
        let path = self.target.url(origin).is_ok().then(|| self.target.path());
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("origin", origin)
            .field("path", &path.unwrap_or("(refused)"))
            .finish_non_exhaustive()
    }
}
