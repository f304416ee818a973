//! What tests of tokenkeep, and of applications that embed it, need: [`ApifyStandIn`], a stand-in for the Apify
//! API on the loopback interface with real TLS, and [`LeakScanner`], which finds secrets in bytes, files and
//! folders.
//!
//! The stand-in is not Apify. It answers a handful of operations in the form that Apify's public API
//! description gives, with made-up data, and it misbehaves when told to ([`Fault`]). [`JsonStandIn`] answers for any
//! other provider.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use tokenkeep_testkit::{Access, ApifyStandIn, LeakScanner, fake_token};
//!
//! let apify = ApifyStandIn::start().await?;
//! let token = fake_token();
//! apify.grant(&token, Access::full("FakeUser000000001", "jane-doe"));
//! // ... point the code under test at apify.origin(), trusting only apify.ca_der() ...
//! assert!(apify.requests().is_empty());
//!
//! let scanner = LeakScanner::new().token("jane's token", &token);
//! assert!(scanner.scan_bytes("log", b"connected jane-doe").is_empty());
//! assert_eq!(scanner.scan_bytes("log", format!("sent {token}").as_bytes()).len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! [`TlsProxy`] stands between a client and a server and gets in the way; [`TlsFront`] puts TLS before one that speaks plain HTTP.
//!
//! With the feature `postgres` there is `ThrowawayPostgres`, a PostgreSQL server that is gone after the test; with `openbao`
//! `ThrowawayOpenBao`, the same for OpenBao.

mod access;
mod accounts;
mod answers;
mod captured_log;
mod env_vars;
mod fake;
mod faults;
mod json_stand_in;
mod leak;
#[cfg(feature = "openbao")]
mod openbao;
#[cfg(feature = "postgres")]
mod postgres;
mod proxy;
mod query;
mod recorded;
mod resources;
mod routes;
mod run;
mod stand_in;
mod state;
mod tasks;
mod tls;
mod tls_front;
mod views;

pub use access::{Access, Scope};
pub use captured_log::CapturedLog;
pub use fake::fake_token;
pub use faults::Fault;
pub use json_stand_in::JsonStandIn;
pub use leak::{Leak, LeakEncoding, LeakScanner};
#[cfg(feature = "openbao")]
pub use openbao::{FrozenOpenBao, ThrowawayOpenBao};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresBuilder, ThrowawayPostgres};
pub use proxy::{InTheWay, TlsProxy};
pub use recorded::RecordedRequest;
pub use run::Run;
pub use stand_in::ApifyStandIn;
pub use tls_front::{Exchange, TlsFront};
