//! A client that trusts a stand-in's authority and nothing else.

use reqwest::{Client, ClientBuilder, Response, redirect};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::sync::Arc;
use std::time::Duration;
use tokenkeep_testkit::{Access, ApifyStandIn, fake_token};

/// The account that [`connected`] grants a token of.
pub(crate) const ACCOUNT: &str = "FakeUser000000001";

/// A TLS client that trusts this authority alone, and speaks these versions and protocols.
pub(crate) fn tls(
    ca_der: Vec<u8>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca_der.into()).expect("the authority's certificate is one");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider has these versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

/// A client that follows no redirects, uses no proxy, and gives up after ten seconds.
pub(crate) fn builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(Duration::from_secs(10))
}

/// A client of this stand-in.
pub(crate) fn client(apify: &ApifyStandIn) -> Client {
    let versions = rustls::ALL_VERSIONS;
    builder(tls(apify.ca_der(), versions, &[b"h2", b"http/1.1"])).build().expect("a client")
}

/// A stand-in, a client of it, and a token with full access to [`ACCOUNT`].
pub(crate) async fn connected() -> (ApifyStandIn, Client, String) {
    let apify = ApifyStandIn::start().await.expect("a free port");
    let client = client(&apify);
    let token = fake_token();
    apify.grant(&token, Access::full(ACCOUNT, "jane-doe"));
    (apify, client, token)
}

/// A GET with this token.
pub(crate) async fn get(client: &Client, apify: &ApifyStandIn, token: &str, target: &str) -> Response {
    let request = client.get(format!("{}{target}", apify.origin())).bearer_auth(token);
    request.send().await.expect("an answer")
}
