//! The connections, and an end to those that nothing is heard on any more.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rustls::ClientConfig;
use tokenkeep_core::{Error, ErrorKind};

use crate::attempts::Time;
use crate::unanswered::Unanswered;
use crate::{CallFailure, Proxy};

/// How much of an answer may come over HTTP/2 before anybody reads it, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
/// The most that the protocol knows, for all answers on a connection together: what is left unread by some stops no other one. The
/// memory that it can take has a bound in the answers that are under way.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// What connections are made with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) tls: ClientConfig,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) connect_timeout: Duration,
    pub(crate) ping_after: Duration,
    pub(crate) ping_within: Duration,
}

impl Settings {
    fn client(self) -> Result<reqwest::Client, Error> {
        let fault = |_| Error::new(ErrorKind::Internal).because("the HTTP client can't be set up");
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // An application may turn these features of reqwest on: a compressed body would be held against no limit, and looked for in vain.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .no_hickory_dns()
            // None of the environment's.
            .no_proxy()
            // Else reqwest repeats what the other side refused at protocol level, with the old header.
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            // The kernel of a host whose server hangs goes on acknowledging, so that TCP alone never notices.
            .http2_keep_alive_interval(self.ping_after)
            .http2_keep_alive_timeout(self.ping_within)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .user_agent(concat!("tokenkeep/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = self.proxy {
            builder = builder.proxy(proxy.configured().map_err(fault)?);
        }
        builder.build().map_err(fault)
    }
}

/// The connections that calls are made on.
pub(crate) struct Pool {
    settings: Settings,
    current: RwLock<Generation>,
}

#[derive(Clone)]
struct Generation {
    number: u64,
    client: reqwest::Client,
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Result<Self, Error> {
        let client = settings.clone().client()?;
        Ok(Self { settings, current: RwLock::new(Generation { number: 0, client }) })
    }

    /// Makes the request, once. If no answer comes within the whole of its time, no later one goes over the connections that there were: whichever of them
    /// lead to a peer that hangs, each would take a call's whole time to show it. What is under way on them ends as it may.
    pub(crate) async fn execute(
        &self,
        request: reqwest::Request,
        time: Time,
    ) -> Result<reqwest::Response, CallFailure> {
        let used = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let failure: CallFailure = match tokio::time::timeout_at(time.by, used.client.execute(request)).await
        {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => Unanswered::of(&error).into(),
            Err(_) => Unanswered::TimedOut.into(),
        };
        if time.whole && failure.hung() {
            self.leave(used.number);
        }
        Err(failure)
    }

    /// Of many calls that time out together one makes the new client.
    fn leave(&self, number: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.number != number {
            return;
        }
        if let Ok(client) = self.settings.clone().client() {
            *current = Generation { number: number + 1, client };
        }
    }
}
