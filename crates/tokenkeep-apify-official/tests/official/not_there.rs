//! A 404 that does not say, in Apify's own form and to its end, that it is about something else than the token.

use std::io;
use std::sync::Arc;

use tokenkeep_apify::{Boundary, Retries};
use tokenkeep_apify_official::apify_client::ApifyClientError;
use tokenkeep_apify_official::{error_of, official_client};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::fake_token;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::scene::{DATASET, RUN, STORE, Spy, apify};

/// A server of HTTP/1.1 that answers everything with this and closes the connection: its origin, and the certificate to trust.
async fn server(answer: String) -> (String, Vec<u8>) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let root = certified.cert.der().to_vec();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut tls = tls.with_single_cert(vec![CertificateDer::from(root.clone())], key).unwrap();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (listener, acceptor) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TlsAcceptor::from(Arc::new(tls)));
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    // Ends with the test's runtime.
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let mut socket = acceptor.accept(socket).await?;
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(socket.read_u8().await?);
                }
                socket.write_all(answer.as_bytes()).await?;
                socket.shutdown().await?;
                io::Result::Ok(())
            });
        }
    });
    (origin, root)
}

/// What becomes of it where the official client has a way of saying that there is nothing.
async fn asked(answer: String, boundary: Boundary) -> Vec<(&'static str, Option<ApifyClientError>)> {
    let (origin, root) = server(answer).await;
    let apify = apify(&origin, &root, boundary, Retries::none());
    let client = official_client(&apify, Spy::new(&fake_token()).credential());
    vec![
        ("me", client.me().get().await.err()),
        ("Actor", client.actor("jane-doe/price-watch").get().await.err()),
        ("dataset", client.dataset(DATASET).get().await.err()),
        ("delete", client.dataset(DATASET).delete().await.err()),
        ("record", client.key_value_store(STORE).get_record("OUTPUT").await.err()),
        ("record_exists", client.key_value_store(STORE).record_exists("OUTPUT").await.err()),
        ("log", client.log(RUN).get().await.err()),
        ("log as a stream", client.log(RUN).stream().await.err()),
    ]
}

fn body(error_type: &str) -> String {
    format!(r#"{{"error":{{"type":"{error_type}","message":"made up"}}}}"#)
}

const JSON: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json";

#[tokio::test]
async fn one_that_breaks_off_is_not_known_to_be_about_a_record() {
    let whole = body("record-or-token-not-found");
    for cut in [0, 20, 60, whole.len() - 1] {
        let answer = format!("{JSON}\r\ncontent-length: {}\r\n\r\n{}", whole.len(), &whole[..cut]);
        for (what, error) in asked(answer, Boundary::all()).await {
            let error = error.unwrap_or_else(|| panic!("{what}, {cut}: there is nothing, it says"));
            assert_eq!(error_of(&error).map(|it| it.kind()), Some(ErrorKind::ProviderUnavailable), "{what}");
        }
    }
}

#[tokio::test]
async fn one_that_is_not_of_apify_s_form_is_not_known_to_be_about_a_record() {
    let long = format!(r#"{{"error":{{"message":"{}","type":"record-not-found"}}}}"#, "x".repeat(70_000));
    let html = "<html>Not Found</html>".to_owned();
    for body in [String::new(), html, "null".to_owned(), body("Not Found"), body("")[..30].to_owned(), long] {
        let answer = format!("{JSON}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        for (what, error) in asked(answer, Boundary::all()).await {
            let error = error.unwrap_or_else(|| panic!("{what}, {body:.40}: there is nothing, it says"));
            assert_eq!(error_of(&error).map(|it| it.kind()), Some(ErrorKind::NotFound), "{what}");
        }
    }
    // The same server, and an answer that does say it.
    let body = body("record-not-found");
    let answer = format!("{JSON}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for (what, error) in asked(answer, Boundary::all()).await {
        assert!(error.is_none(), "{what}: {error:?}");
    }
}
