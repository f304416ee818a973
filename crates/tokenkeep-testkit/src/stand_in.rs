//! The stand-in for the Apify API.

use crate::access::Access;
use crate::answers::{self, Body};
use crate::faults::Fault;
use crate::json_stand_in::JsonAnswer;
use crate::recorded::RecordedRequest;
use crate::routes;
use crate::run::Run;
use crate::state::State;
use crate::tasks::Tasks;
use crate::tls::{self, Authority};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// How long a client may take over its TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The greatest request body that is read and kept, in bytes.
const GREATEST_BODY: usize = 8 * 1024 * 1024;

/// A stand-in for the Apify API, on 127.0.0.1 with TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2. It is not Apify.
///
/// Its certificate, for `localhost` alone, is signed by an authority that is made at start and that nobody else
/// trusts. It knows what tokenkeep-apify's client calls: the account with its usage and limits, Actors, runs (also starting and
/// ending one, and its log), builds, datasets, key-value stores and their keys, environment variables; with the query
/// parameters of Apify's API description, and `?method=`, which overrides the method there as it does at Apify. It holds no answer
/// back: a run that was started here has ended once it was waited for; one that was added stays as it is. Only an `Authorization: Bearer` header counts; `?token=`, which Apify takes too, does
/// not. It limits no rates unless told to. Requests are recorded and kept until [`clear_requests`](Self::clear_requests).
///
/// Its tasks run on the runtime it was started on. Dropping it aborts them all and closes its port and connections
/// as soon as that runtime next runs.
pub struct ApifyStandIn {
    port: u16,
    authority: Authority,
    state: Arc<Mutex<State>>,
    tasks: Tasks,
}

impl ApifyStandIn {
    /// Makes an authority and a certificate, and listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port can be had or no certificate be made.
    pub async fn start() -> io::Result<Self> {
        Self::start_answering(None).await
    }

    /// As [`start`](Self::start); with `json`, that answers in Apify's place.
    pub(crate) async fn start_answering(json: Option<JsonAnswer>) -> io::Result<Self> {
        let (authority, tls) = tls::make()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let stand_in = Self {
            port: listener.local_addr()?.port(),
            authority,
            state: Arc::default(),
            tasks: Tasks::new(),
        };
        let server = Server {
            tls: TlsAcceptor::from(Arc::new(tls)),
            state: Arc::clone(&stand_in.state),
            json,
            tasks: stand_in.tasks.clone(),
        };
        stand_in.tasks.spawn(server.accept(listener));
        Ok(stand_in)
    }

    /// `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority's certificate in DER, the one to trust.
    #[must_use]
    pub fn ca_der(&self) -> Vec<u8> {
        self.authority.der.to_vec()
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem.clone()
    }

    /// Lets a token in from now on. An account that is new gets made-up Actors and runs; the last grant's username
    /// counts for the whole account.
    pub fn grant(&self, token: &str, access: Access) {
        self.state().grant(token, access);
    }

    /// Lets a token in no longer: 401 `user-or-token-not-found` from now on.
    pub fn revoke(&self, token: &str) {
        self.state().revoke(token);
    }

    /// Adds a run to an account and gives its id.
    ///
    /// # Panics
    ///
    /// When no token of the account was ever granted, the account has no such Actor, or a status, origin or time is
    /// not one that Apify's API description knows.
    pub fn add_run(&self, account_id: &str, run: Run) -> String {
        let run = run.checked();
        let added = self.state().account(account_id).map(|account| account.add_run(run));
        added.expect("a token of this account was granted").expect("the account has this Actor")
    }

    /// Answers one request to come with this fault, after those queued before.
    ///
    /// # Panics
    ///
    /// When the fault's status is not 200 to 599 or its text can't be a header's value.
    pub fn answer_next(&self, fault: Fault) {
        fault.check();
        self.state().next_faults.push_back(fault);
    }

    /// Answers every request to come with this fault, once the queue of [`answer_next`](Self::answer_next) is empty;
    /// `None` ends that.
    ///
    /// # Panics
    ///
    /// As [`answer_next`](Self::answer_next).
    pub fn answer_always(&self, fault: Option<Fault>) {
        if let Some(fault) = &fault {
            fault.check();
        }
        self.state().always = fault;
    }

    /// Every request received so far, in the order in which they were read.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state().requests.clone()
    }

    /// Forgets the requests received so far.
    pub fn clear_requests(&self) {
        self.state().requests.clear();
    }

    /// Stops, and returns once the port and every connection are closed.
    pub async fn stop(self) {
        if let Some(mut tasks) = self.tasks.take() {
            tasks.shutdown().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for ApifyStandIn {
    fn drop(&mut self) {
        drop(self.tasks.take());
    }
}

impl std::fmt::Debug for ApifyStandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApifyStandIn").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

/// What a connection needs of the stand-in.
#[derive(Clone)]
struct Server {
    tls: TlsAcceptor,
    state: Arc<Mutex<State>>,
    json: Option<JsonAnswer>,
    tasks: Tasks,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => self.tasks.spawn(self.clone().serve(tcp)),
                // Out of file descriptors, most likely: others may be given back.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn serve(self, tcp: TcpStream) {
        let Ok(Ok(tls)) = tokio::time::timeout(HANDSHAKE_LIMIT, self.tls.accept(tcp)).await else {
            return;
        };
        let close = Arc::new(Notify::new());
        let service = service_fn(|request| {
            let (server, close) = (self.clone(), Arc::clone(&close));
            async move { Ok::<_, Infallible>(answer(&server, &close, request).await) }
        });
        let builder = auto::Builder::new(self.tasks.clone());
        tokio::select! {
            // A client that goes away is no failure of the stand-in.
            _ = builder.serve_connection(TokioIo::new(tls), service) => {}
            () = close.notified() => {}
        }
    }
}

async fn answer(server: &Server, close: &Notify, request: Request<Incoming>) -> Response<Body> {
    let request = record(request).await;
    let fault = {
        let mut state = lock(&server.state);
        state.requests.push(request.clone());
        state.take_fault()
    };
    let Some(fault) = fault else {
        return match &server.json {
            None => routes::answer(&mut lock(&server.state), &request),
            Some(json) => answers::json(json(&request)),
        };
    };
    if let Some(answer) = fault.answer(request.bearer()) {
        return answer;
    }
    if fault == Fault::CloseWithoutAnswer {
        close.notify_one();
    }
    pending().await
}

pub(crate) async fn record(request: Request<Incoming>) -> RecordedRequest {
    let (head, body) = request.into_parts();
    let authority =
        head.uri.authority().map(|name| (":authority".to_owned(), name.as_str().as_bytes().to_vec()));
    let headers =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let body = Limited::new(body, GREATEST_BODY).collect().await;
    RecordedRequest {
        method: head.method.as_str().to_owned(),
        target: head.uri.path_and_query().map_or_else(String::new, |target| target.as_str().to_owned()),
        version: format!("{:?}", head.version),
        headers: authority.into_iter().chain(headers).collect(),
        body: body.map(|body| body.to_bytes().to_vec()).unwrap_or_default(),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
