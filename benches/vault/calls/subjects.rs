//! What is measured of calls.

use std::hint::black_box;
use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use tokenkeep::{Credential, ProviderSpec, Use};
use tokenkeep_apify::ApifyClient;
use tokenkeep_https::Transport;

use super::server::Server;
use crate::rounds::Work;

/// What is asked for in every call.
const PATH: &str = "/v2/users/me";

/// reqwest as someone would use it by hand: a client that holds the token, and the whole body.
#[derive(Clone)]
pub(crate) struct Bare {
    client: reqwest::Client,
    url: String,
}

impl Bare {
    pub(crate) fn new(server: &Server, token: &str) -> Self {
        // reqwest takes the process's default. The transport does not, and leaves it alone.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut token = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token");
        token.set_sensitive(true);
        let authority = reqwest::Certificate::from_der(server.authority()).expect("a certificate");
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .timeout(std::time::Duration::from_secs(30))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
            .build();
        Self { client: client.expect("a client"), url: format!("{}{PATH}", server.origin()) }
    }

    async fn body(&self) -> impl AsRef<[u8]> {
        let answer = self.client.get(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        answer.expect("an answer").bytes().await.expect("a whole one")
    }
}

impl Work for Bare {
    async fn once(&self, _: u64) {
        black_box(self.body().await);
    }
}

/// The same, and the answer parsed.
pub(crate) struct BareTyped(pub(crate) Bare);

impl Work for BareTyped {
    async fn once(&self, _: u64) {
        #[derive(Deserialize)]
        struct Answer {
            data: Me,
        }
        #[derive(Deserialize)]
        struct Me {
            id: String,
            username: String,
        }
        let answer: Answer =
            serde_json::from_slice(self.0.body().await.as_ref()).expect("what was asked for");
        black_box((answer.data.id, answer.data.username));
    }
}

/// Through the transport, with these credentials in turn.
#[derive(Clone)]
pub(crate) struct Call {
    transport: Transport,
    credentials: Arc<[Credential]>,
}

impl Call {
    pub(crate) fn with(transport: Transport, credentials: Vec<Credential>) -> Self {
        Self { transport, credentials: credentials.into() }
    }
}

impl Work for Call {
    async fn once(&self, number: u64) {
        let credential = &self.credentials[number as usize % self.credentials.len()];
        black_box(self.transport.get(PATH).credential(credential).send().await.expect("an answer"));
    }
}

/// Apify's client: the call judged, its answer projected and parsed.
pub(crate) struct Typed(pub(crate) ApifyClient);

impl Work for Typed {
    async fn once(&self, _: u64) {
        black_box(self.0.me().await.expect("an answer"));
    }
}

/// A token asked for as a transport does, and no call made with it.
#[derive(Clone)]
pub(crate) struct Issue {
    spec: ProviderSpec,
    credentials: Arc<[Credential]>,
}

impl Issue {
    /// The first use of a minute, which is committed, is behind each of these.
    pub(crate) async fn of(spec: &ProviderSpec, credentials: &[Credential]) -> Self {
        for credential in credentials {
            credential.issue(Use::at(spec)).await.expect("a first use");
        }
        Self { spec: spec.clone(), credentials: credentials.into() }
    }
}

impl Work for Issue {
    async fn once(&self, number: u64) {
        let credential = &self.credentials[number as usize % self.credentials.len()];
        black_box(credential.issue(Use::at(&self.spec)).await.expect("a token"));
    }
}

/// The one after the other.
pub(crate) struct Parts(pub(crate) Call, pub(crate) Issue);

impl Work for Parts {
    async fn once(&self, number: u64) {
        self.1.once(number).await;
        self.0.once(number).await;
    }
}
