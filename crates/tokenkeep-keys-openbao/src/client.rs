//! Calls to the service: with a token, and with what came of them told apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_https::{Answer, CallFailure, Method, Transport};
use zeroize::Zeroizing;

use crate::OpenBaoFailure;
use crate::login::Login;
use crate::session::Session;

/// A path under `/v1/`, in segments.
pub(crate) type Path<'a> = &'a [&'a str];

/// What a call may take of the time that one request may take, with everything that it finds to do besides.
pub(crate) const ROUNDS: u32 = 4;

/// The service, and the way in. Clones share everything.
#[derive(Clone)]
pub(crate) struct Client {
    transport: Transport,
    namespace: Option<Arc<str>>,
    login: Arc<Login>,
    /// For one request.
    limit: Duration,
}

/// An answer of the service itself: done, or refused with 400, or 404.
pub(crate) struct Reply(Answer);

#[derive(Deserialize)]
struct Enveloped<T> {
    data: T,
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<String>,
}

/// Nothing of it is kept: results may be DEKs.
#[derive(Deserialize)]
struct Refused {
    errors: Option<Vec<IgnoredAny>>,
    data: Option<IgnoredAny>,
}

impl Client {
    pub(crate) fn new(transport: Transport, namespace: Option<&str>, login: Login, limit: Duration) -> Self {
        Self { transport, namespace: namespace.map(Arc::from), login: Arc::new(login), limit }
    }

    /// From now on [`ROUNDS`] times as long as one request may take.
    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        // What no clock can tell is too far away to matter.
        let far = Duration::from_secs(365 * 24 * 3600);
        now + self.limit.saturating_mul(ROUNDS).min(far)
    }

    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Takes an AppRole's secret id out of its wrapping, where it is in one.
    pub(crate) async fn unwrap_secret_id(&self) -> Result<(), OpenBaoFailure> {
        let secret_id = match self.login.app_role() {
            Some(role) => role.unwrapped(self).await?,
            None => None,
        };
        if let Some(secret_id) = secret_id {
            self.login.set_secret_id(secret_id);
        }
        Ok(())
    }

    /// One call with the token of the day. If the service does not know it any more and there is a way to another one, that one is
    /// got and the call made again, once: the service did nothing for the first. All that takes [`ROUNDS`] times as long as one request
    /// may take, at most.
    pub(crate) async fn call(
        &self,
        method: &Method,
        path: Path<'_>,
        body: Option<&[u8]>,
    ) -> Result<Reply, OpenBaoFailure> {
        self.call_with(method, path, &[], body).await
    }

    /// The names below a path.
    pub(crate) async fn list(&self, path: Path<'_>) -> Result<Reply, OpenBaoFailure> {
        self.call_with(&Method::GET, path, &[("list", "true")], None).await
    }

    async fn call_with(
        &self,
        method: &Method,
        path: Path<'_>,
        query: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, OpenBaoFailure> {
        let call = async {
            let session = self.login.session(self).await?;
            match self.send_with(method, path, query, body, Some(&session)).await {
                Err(OpenBaoFailure::Forbidden) => {}
                done => return done,
            }
            let session = self.login.after_refusal(self, &session).await?;
            self.send_with(method, path, query, body, Some(&session)).await
        };
        by(self.deadline(), Box::pin(call)).await
    }

    /// One call with this token, or with none.
    pub(crate) async fn send(
        &self,
        method: &Method,
        path: Path<'_>,
        body: Option<&[u8]>,
        session: Option<&Session>,
    ) -> Result<Reply, OpenBaoFailure> {
        self.send_with(method, path, &[], body, session).await
    }

    async fn send_with(
        &self,
        method: &Method,
        path: Path<'_>,
        query: &[(&str, &str)],
        body: Option<&[u8]>,
        session: Option<&Session>,
    ) -> Result<Reply, OpenBaoFailure> {
        let mut call = self.transport.request(method.clone(), "/v1").errors_as_answers();
        for segment in path {
            call = call.segment(segment);
        }
        for (name, value) in query {
            call = call.query(name, value);
        }
        if let Some(namespace) = &self.namespace {
            call = call.header("x-vault-namespace", namespace);
        }
        if let Some(body) = body {
            call = call.json(Zeroizing::new(body.to_vec()));
        }
        if let Some(session) = session {
            call = call.credential(session.credential());
        }
        // What an agent that refuses forged requests asks for; the service itself takes no notice.
        let answer = call.header("x-vault-request", "true").send().await.map_err(no_answer)?;
        sort_out(answer)
    }
}

/// What comes by then.
pub(crate) async fn by<T>(
    deadline: Instant,
    call: impl Future<Output = Result<T, OpenBaoFailure>>,
) -> Result<T, OpenBaoFailure> {
    tokio::time::timeout_at(deadline.into(), call).await.unwrap_or_else(|_| {
        let why = "what it took in all was longer than a call may take";
        Err(OpenBaoFailure::TimedOut(Arc::new(Error::new(ErrorKind::ProviderUnavailable).because(why))))
    })
}

fn no_answer(error: Error) -> OpenBaoFailure {
    let Some(failure) = CallFailure::of(&error) else { return OpenBaoFailure::Other(Arc::new(error)) };
    let (timed_out, untrusted) = (failure.is_timeout(), failure.is_untrusted());
    let (kind, status) = (error.kind(), failure.status());
    let error = Arc::new(error);
    match kind {
        _ if timed_out => OpenBaoFailure::TimedOut(error),
        _ if untrusted => OpenBaoFailure::Untrusted(error),
        ErrorKind::ProviderUnavailable => OpenBaoFailure::Unreachable(error),
        // Where a standby can't pass a call on it sends the caller to the active node. None is followed: the token is for one origin.
        _ if status == Some(307) => OpenBaoFailure::NoActiveNode,
        // Another redirect, or a body over the limit.
        _ => OpenBaoFailure::Garbage,
    }
}

fn sort_out(answer: Answer) -> Result<Reply, OpenBaoFailure> {
    let says = |word: &str| {
        let refusal = serde_json::from_slice::<Refusal>(answer.body());
        refusal.is_ok_and(|refusal| refusal.errors.iter().any(|error| error.contains(word)))
    };
    match answer.status() {
        200..=299 => Ok(Reply(answer)),
        // What is not there has an empty list of errors. Whoever else says so is not the service, or has no engine there: neither may
        // look like a key that is gone.
        404 => match serde_json::from_slice::<Refusal>(answer.body()) {
            Ok(refusal) if refusal.errors.is_empty() => Ok(Reply(answer)),
            Ok(_) => Err(OpenBaoFailure::NotMounted),
            Err(_) => Err(OpenBaoFailure::Garbage),
        },
        // Or results, some of which are errors. A refusal of somebody's in between has neither.
        400 => match serde_json::from_slice::<Refused>(answer.body()) {
            Ok(Refused { errors: None, data: None }) | Err(_) => Err(OpenBaoFailure::Garbage),
            Ok(_) => Ok(Reply(answer)),
        },
        401 | 403 => Err(OpenBaoFailure::Forbidden),
        429 => Err(OpenBaoFailure::Throttled(answer.retry_after())),
        503 if says("sealed") => Err(OpenBaoFailure::Sealed),
        500..=599 if says("active") => Err(OpenBaoFailure::NoActiveNode),
        status @ 500..=599 => Err(OpenBaoFailure::Fault(status)),
        _ => Err(OpenBaoFailure::Garbage),
    }
}

impl Reply {
    pub(crate) fn is_done(&self) -> bool {
        self.0.status() < 300
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.0.status() == 404
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.0.body()
    }

    /// What stands under `data`.
    pub(crate) fn data<T: DeserializeOwned>(&self) -> Result<T, OpenBaoFailure> {
        let answer: Enveloped<T> =
            serde_json::from_slice(self.body()).map_err(|_| OpenBaoFailure::Garbage)?;
        Ok(answer.data)
    }

    /// Nothing, if it was done.
    pub(crate) fn done(&self) -> Result<(), OpenBaoFailure> {
        if self.is_done() { Ok(()) } else { Err(OpenBaoFailure::Refused) }
    }
}
