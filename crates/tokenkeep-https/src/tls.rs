//! TLS: which certificates are trusted, which versions are spoken.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokenkeep_core::{Error, ErrorKind};

/// TLS 1.3, and 1.2 unless `only_13`, over aws-lc-rs, trusting these roots, and the public ones where `public`.
pub(crate) fn config(extra_roots: &[Vec<u8>], public: bool, only_13: bool) -> Result<ClientConfig, Error> {
    let versions: &[_] = if only_13 { &[&TLS13] } else { &[&TLS13, &TLS12] };
    let roots = roots(extra_roots, public)?;
    // Given by hand: a library must not choose the process's default provider.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|_| Error::new(ErrorKind::Internal).because("the TLS provider lacks TLS 1.2 or 1.3"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(extra_roots: &[Vec<u8>], public: bool) -> Result<RootCertStore, Error> {
    let misuse = |why| Error::new(ErrorKind::Misuse).because(why);
    let mut roots = RootCertStore::empty();
    if public {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in extra_roots {
        roots
            .add(CertificateDer::from(root.as_slice()))
            .map_err(|_| misuse("an extra root is no certificate in DER"))?;
    }
    if roots.is_empty() {
        return Err(misuse("without public roots a root of one's own is needed"));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_of_ones_own_stands_alone_where_that_was_asked_for() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.der().to_vec();
        let count = |extra: &[Vec<u8>], public| roots(extra, public).map(|roots| roots.len());
        let public = webpki_roots::TLS_SERVER_ROOTS.len();
        assert_eq!(count(&[], true).unwrap(), public);
        assert_eq!(count(std::slice::from_ref(&own), true).unwrap(), public + 1);
        assert_eq!(count(&[own], false).unwrap(), 1);
        assert_eq!(count(&[], false).unwrap_err().kind(), ErrorKind::Misuse);
    }
}
