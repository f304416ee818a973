//! TLS: which certificates are trusted, which versions are spoken.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokenkeep_core::{Error, ErrorKind};

/// TLS 1.2 and 1.3 over aws-lc-rs, trusting the public roots and these.
pub(crate) fn config(extra_roots: &[Vec<u8>]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in extra_roots {
        roots
            .add(CertificateDer::from(root.as_slice()))
            .map_err(|_| Error::new(ErrorKind::Misuse).because("an extra root is no certificate in DER"))?;
    }
    // Given by hand: a library must not choose the process's default provider.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::new(ErrorKind::Internal).because("the TLS provider lacks TLS 1.2 or 1.3"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
