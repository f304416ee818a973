//! An HTTPS-only transport for API tokens.
//!
//! A [`Transport`] belongs to one provider and reaches one [`Origin`](tokenkeep_core::Origin). It holds no token: each
//! attempt asks a [`Credential`](tokenkeep_core::Credential) for one, sends it once and forgets it.
//!
//! ```no_run
//! use tokenkeep_core::{ApiToken, Credential, Origin, ProviderSpec};
//! use tokenkeep_https::Transport;
//!
//! # async fn example(token: ApiToken) -> Result<(), tokenkeep_core::Error> {
//! let spec = ProviderSpec::new("example".parse()?, Origin::parse("https://api.example.com")?);
//! let transport = Transport::new(spec)?; // once per process
//!
//! // A vault gives credentials; this one is of a token that no vault keeps.
//! let credential = Credential::fixed(transport.spec().origin.clone(), token);
//! let answer = transport
//!     .get("/v1/reports")
//!     .segment("2026-08") // encoded; can't step out of its place
//!     .query("limit", 10)
//!     .credential(&credential)
//!     .send()
//!     .await?;
//! println!("{} bytes", answer.body().len());
//! # Ok(())
//! # }
//! ```
//!
//! What is too large to be held whole comes piece by piece: [`Call::stream`].
//!
//! # What it keeps to
//!
//! - TLS 1.2 or 1.3 ([or 1.3 alone](TransportBuilder::tls13_only)) with a verified certificate, HTTP/1.1 or HTTP/2. The public roots are compiled in, so it works in
//!   an image without CA files; [`TransportBuilder::extra_root_der`] adds a private one, and
//!   [`TransportBuilder::without_public_roots`] leaves that one alone. It uses aws-lc-rs for itself and leaves the process's default
//!   TLS provider alone.
//! - No redirect is followed. No proxy is taken from the environment, only from [`TransportBuilder::proxy`]. There are no cookies and no compression.
//! - A call that failed is made again as [`Retries`] say, by this layer alone: nothing below sends a request twice. Each attempt asks for
//!   the token anew and tells what came of it, and all of them stand under one [deadline](TransportBuilder::deadline).
//! - A call whose path, origin or credential is refused opens no socket.
//! - With a [`CallBoundary`], a call is judged by the URL that is really sent, before the credential is asked, and an answer is
//!   projected before the caller gets it.
//! - Time and sizes have limits: [`TransportBuilder::timeout`], [`TransportBuilder::max_body`]. A peer that hangs while its host goes on
//!   acknowledging is noticed ([`TransportBuilder::ping`]), and the calls after that take new connections.
//! - The header with the token is built in a buffer that wipes itself. Copies in hyper's write buffers and in the TLS
//!   library live on until the connection reuses or closes them; an allocator that zeroes on free wipes those.
//! - Nothing that the other side says is in an error's text or a log line of this crate's, and neither is a query value. The libraries below
//!   log no token either, but for one: h2 logs at DEBUG, in clear, the text with which a server closes a connection of HTTP/2 (`GOAWAY`),
//!   and a server may repeat there what it was sent. Where a log is open at DEBUG, take `h2=info` for its filter.
//!
//! # Beside an application's own reqwest
//!
//! Cargo builds one reqwest 0.13 for the application and for this crate, with the features of both, and this crate's have TLS without a
//! provider. With reqwest's default features, its `rustls` or its `native-tls` the application's clients work as they did. Where it
//! chose none of them, for HTTP alone, its `Client::new()` now panics with "No rustls crypto provider is configured": turn reqwest's
//! feature `rustls` on, or install a provider at the start,
//! `rustls::crypto::aws_lc_rs::default_provider().install_default()`. This crate takes no notice of either.
//!
//! # What comes back
//!
//! Some servers repeat what they were sent. So the token of an attempt is held until its answer is read, and starred out by its value
//! before anybody sees the body: an [`Answer`]'s, a [`CallFailure`]'s, an [`AnswerStream`]'s over the borders of its pieces, and what a
//! boundary is given and makes of it. It is found as it is, in hexadecimal of either case, as JSON text escapes it (`\"`, `\\`, `\/`, `\u002b`), percent-encoded, and in the base64,
//! of either alphabet, of something that holds it; of base64, a character at each end may remain, which holds at most four bits of it.
//! A stop within the token leaves nothing of it in a body that was cut. Not found is a token that is written in another way
//! (`\u0061`, hexadecimal of mixed case, compressed, reversed), in parts, or that is shorter than eight bytes, and one of another call.
//!
//! # Errors
//!
//! Calls fail with the [`Error`](tokenkeep_core::Error) of tokenkeep-core; its kind says what went wrong.
//! [`CallFailure::of`] gets the HTTP status, `Retry-After` and what the provider said out of it.

mod answer;
mod attempts;
mod body;
mod boundary;
mod call;
mod clock;
mod echo;
mod failure;
mod pool;
mod proxy;
mod reading;
mod retries;
mod stream;
mod target;
mod tls;
mod transport;
mod unanswered;

pub use answer::Answer;
pub use boundary::{CallBoundary, Passage, Projection};
pub use call::Call;
pub use failure::CallFailure;
pub use http::Method;
pub use proxy::Proxy;
pub use retries::Retries;
pub use stream::AnswerStream;
pub use transport::{Transport, TransportBuilder};
