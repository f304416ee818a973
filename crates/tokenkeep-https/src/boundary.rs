//! The seam at which an application's boundary stands: which calls are made at all, and what of an answer comes through.

use std::fmt;

use http::Method;
use tokenkeep_core::Error;

/// What of a provider's API may be reached, for a [`Transport`](crate::Transport) that was
/// [built with one](crate::TransportBuilder::boundary).
///
/// It does no I/O and does not block. It is asked for every call, once everything is put together that will be in the request line,
/// and before the credential is asked for a token and a socket is opened.
pub trait CallBoundary: Send + Sync + fmt::Debug {
    /// Judges a call by its method and its target: path and query as they stand in the request line. Gives what comes through of the
    /// answer.
    ///
    /// # Errors
    /// What the call fails with, where it is not allowed. Nothing is sent. It must not repeat the target.
    fn judge(&self, method: &Method, target: &str) -> Result<Box<dyn Projection>, Error>;
}

/// What of an answer to one call comes through.
pub trait Projection: Send + Sync + fmt::Debug {
    /// What becomes of an answer, by its status and its content type (`None` where it has none, or more than one), before its
    /// body is read.
    fn passage(&self, status: u16, content_type: Option<&str>) -> Passage;

    /// Whether a success may be [`Passage::AsItIs`] at all. Where not, a [stream](crate::Call::stream) is refused before anything is
    /// sent. `true` unless it says otherwise: then it is refused when the answer is there.
    fn may_stream(&self) -> bool {
        true
    }

    /// What comes through of a body that is [`Passage::Projected`]. The transport wipes the body afterwards.
    ///
    /// # Errors
    /// The end of a sentence that begins "it answered with HTTP status 200 and": the call fails with `ProviderMisbehaved`.
    fn project(&self, status: u16, body: &[u8]) -> Result<Vec<u8>, &'static str>;
}

/// What becomes of an answer under a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It comes through as it is, and may come through piece by piece.
    AsItIs,
    /// It is read whole, and what [`Projection::project`] makes of it comes through.
    Projected,
    /// Nothing of it comes through. With the end of a sentence, as [`Projection::project`]'s.
    Refused(&'static str),
}
