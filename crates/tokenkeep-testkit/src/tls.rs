//! The stand-in's certificate authority, and TLS with a certificate from it.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use std::io;
use std::sync::Arc;

/// A certificate authority of this stand-in alone; its key is gone once the one certificate is signed.
pub(crate) struct Authority {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
}

/// A certificate authority that signs what is asked of it.
pub(crate) fn authority() -> io::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "tokenkeep test CA, trusted by nobody else");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, key()?).map_err(io::Error::other)
}

/// A certificate of that authority for `localhost`, and its key.
pub(crate) fn for_localhost(
    authority: &CertifiedIssuer<'_, KeyPair>,
    name: &str,
) -> io::Result<(Certificate, KeyPair)> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = key()?;
    let server = params.signed_by(&server_key, authority).map_err(io::Error::other)?;
    Ok((server, server_key))
}

/// Makes an authority and a server configuration with its certificate for `localhost`.
pub(crate) fn make() -> io::Result<(Authority, ServerConfig)> {
    let authority = authority()?;
    let (server, server_key) = for_localhost(&authority, "stand-in for the Apify API")?;
    let server_key = PrivateKeyDer::try_from(server_key.serialize_der()).map_err(io::Error::other)?;

    // Given explicitly: a process-wide default is the application's to choose.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], server_key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

    let authority = Authority { der: authority.der().clone(), pem: authority.pem() };
    Ok((authority, config))
}

fn key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}
