//! A small client of OpenBao's API, for the tests' own use: blocking, one connection for each call.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Api {
    config: Arc<ClientConfig>,
}

/// One call; empty is what is not sent.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: &'a str,
    /// Asks for an answer that is wrapped for so long.
    pub(crate) wrap_ttl: &'a str,
    pub(crate) data: &'a Value,
}

impl Api {
    pub(crate) fn trusting(ca_der: &[u8]) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca_der)).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }

    /// The status, and the body as JSON: `Null` when it is none.
    pub(crate) fn call(&self, port: u16, request: &Request<'_>) -> io::Result<(u16, Value)> {
        let Request { method, path, token, wrap_ttl, data } = request;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        tcp.set_read_timeout(Some(LIMIT))?;
        let mut stream = StreamOwned::new(connection, tcp);
        let body = if data.is_null() { String::new() } else { data.to_string() };
        let header = |name, value: &str| match value {
            "" => String::new(),
            value => format!("{name}: {value}\r\n"),
        };
        let headers = header("X-Vault-Token", token) + &header("X-Vault-Wrap-TTL", wrap_ttl);
        // HTTP/1.0: the answer ends with the connection, and comes in one piece.
        write!(
            stream,
            "{method} /v1/{path} HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // The server may close without the end of TLS once it has answered.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
            done => drop(done?),
        }
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no HTTP answer"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no HTTP status"))?;
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }
}
