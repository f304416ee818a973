//! An application's own reqwest, which cargo builds with our features. A program of its own: a default TLS provider is the process's.

use rustls::crypto::aws_lc_rs;
use tokenkeep_core::{Origin, ProviderSpec};
use tokenkeep_https::Transport;

#[test]
fn a_client_that_wants_no_tls_is_made_once_a_provider_is_installed() {
    aws_lc_rs::default_provider().install_default().unwrap();
    reqwest::Client::builder().build().unwrap();
    let origin = Origin::parse("https://api.example.com").unwrap();
    Transport::new(ProviderSpec::new("example".parse().unwrap(), origin)).unwrap();
}
