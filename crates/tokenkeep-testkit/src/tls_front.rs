//! TLS before a server that speaks plain HTTP.

use crate::answers::{self, Body};
use crate::recorded::RecordedRequest;
use crate::stand_in::record;
use crate::tasks::Tasks;
use crate::tls::{self, Authority};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How long a client may take over its TLS handshake, and the server over an answer.
const LIMIT: Duration = Duration::from_secs(30);

/// TLS on 127.0.0.1 before a server there that speaks plain HTTP: for a client that speaks nothing else. It hands on each request as it
/// came, body and token with it, and keeps a record. So the server must be the test's own.
///
/// Certificate, protocols and end are those of [`ApifyStandIn`](crate::ApifyStandIn).
pub struct TlsFront {
    port: u16,
    authority: Authority,
    state: Arc<Mutex<State>>,
    tasks: Tasks,
}

type Reworded = Arc<dyn Fn(&str) -> String + Send + Sync>;

#[derive(Default)]
struct State {
    added: HeaderMap,
    reworded: Option<Reworded>,
    exchanges: Vec<Exchange>,
}

/// A request and what the server answered to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The request, as the client sent it.
    pub request: RecordedRequest,
    /// The status of the answer; 502 where there was none.
    pub status: u16,
    headers: HeaderMap,
}

impl Exchange {
    /// The first value of a header of the answer, named in lower case, when there is one and it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }
}

impl TlsFront {
    /// Stands before the server at this port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port can be had or no certificate be made.
    pub async fn start(server: u16) -> io::Result<Self> {
        let (authority, config) = tls::make()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let front = Self {
            port: listener.local_addr()?.port(),
            authority,
            state: Arc::default(),
            tasks: Tasks::new(),
        };
        let path = Path {
            accept: TlsAcceptor::from(Arc::new(config)),
            server,
            state: Arc::clone(&front.state),
            tasks: front.tasks.clone(),
        };
        front.tasks.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((tcp, _)) => path.tasks.spawn(path.clone().serve(tcp)),
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Ok(front)
    }

    /// `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The authority's certificate in DER, the one to trust.
    #[must_use]
    pub fn ca_der(&self) -> Vec<u8> {
        self.authority.der.to_vec()
    }

    /// Adds a header to every request from now on, its name in lower case; `None` ends that.
    ///
    /// # Panics
    ///
    /// When the name or the value can't be a header's.
    pub fn add_header(&self, name: &'static str, value: Option<&str>) {
        let name = HeaderName::from_static(name);
        let mut state = lock(&self.state);
        match value {
            Some(value) => {
                state.added.insert(name, HeaderValue::from_str(value).expect("a header's value"));
            }
            None => drop(state.added.remove(name)),
        }
    }

    /// Asks the server for what this makes of each request's target (`/v2/actors?desc=1`), from now on: for a server that takes the same
    /// in other words only. The record keeps what the client sent.
    pub fn reword_targets(&self, reworded: impl Fn(&str) -> String + Send + Sync + 'static) {
        lock(&self.state).reworded = Some(Arc::new(reworded));
    }

    /// Every exchange so far, in the order in which they ended, and forgets them.
    #[must_use]
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut lock(&self.state).exchanges)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        drop(self.tasks.take());
    }
}

impl fmt::Debug for TlsFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFront").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Path {
    accept: TlsAcceptor,
    server: u16,
    state: Arc<Mutex<State>>,
    tasks: Tasks,
}

impl Path {
    async fn serve(self, tcp: TcpStream) {
        let Ok(Ok(tls)) = tokio::time::timeout(LIMIT, self.accept.accept(tcp)).await else { return };
        let service = service_fn(|request| {
            let path = self.clone();
            async move { Ok::<_, Infallible>(path.hand_on(request).await) }
        });
        let builder = auto::Builder::new(self.tasks.clone());
        // A client that goes away is no failure of the front.
        let _ = builder.serve_connection(TokioIo::new(tls), service).await;
    }

    async fn hand_on(&self, request: Request<Incoming>) -> Response<Body> {
        let request = record(request).await;
        let answer = tokio::time::timeout(LIMIT, self.ask(&request)).await;
        let answer = answer.ok().and_then(Result::ok).unwrap_or_else(|| {
            answers::error(StatusCode::BAD_GATEWAY, "bad-gateway", "The server behind did not answer.")
        });
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        lock(&self.state).exchanges.push(Exchange { request, status, headers });
        answer
    }

    async fn ask(&self, recorded: &RecordedRequest) -> Result<Response<Body>, Box<dyn std::error::Error>> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        self.tasks.spawn(async move { drop(connection.await) });

        let body = Full::new(Bytes::from(recorded.body.clone()));
        let reworded = lock(&self.state).reworded.clone();
        let target = reworded.map_or_else(|| recorded.target.clone(), |reworded| reworded(&recorded.target));
        let mut request = Request::builder().method(recorded.method.as_str()).uri(target);
        let own = [CONTENT_LENGTH.as_str(), TRANSFER_ENCODING.as_str(), "connection", "host"];
        for (name, value) in &recorded.headers {
            if !name.starts_with(':') && !own.contains(&name.as_str()) {
                request = request.header(name, value.as_slice());
            }
        }
        let mut request = request.header("host", format!("127.0.0.1:{}", self.server)).body(body)?;
        request.headers_mut().extend(lock(&self.state).added.clone());

        let (mut head, body) = sender.send_request(request).await?.into_parts();
        for own in [CONTENT_LENGTH.as_str(), TRANSFER_ENCODING.as_str(), "connection", "keep-alive"] {
            head.headers.remove(own);
        }
        Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes()).boxed()))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
