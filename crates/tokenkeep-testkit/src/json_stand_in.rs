//! A stand-in for any other provider: the same server, with answers of the test's own.

use std::io;
use std::sync::Arc;

use crate::recorded::RecordedRequest;
use crate::stand_in::ApifyStandIn;

/// What answers a request: a status and a body of JSON.
pub(crate) type JsonAnswer = Arc<dyn Fn(&RecordedRequest) -> (u16, String) + Send + Sync>;

/// An HTTPS server on 127.0.0.1 that answers JSON as it is told, for providers that the kit doesn't know.
///
/// Certificate, protocols, recording and end are those of [`ApifyStandIn`].
#[derive(Debug)]
pub struct JsonStandIn(ApifyStandIn);

impl JsonStandIn {
    /// Listens on a free port of 127.0.0.1, and answers every request with what `answer` makes of it: a status from 200
    /// to 599 (any other becomes 500) and a body of JSON.
    ///
    /// # Errors
    ///
    /// When no port can be had or no certificate be made.
    pub async fn start(
        answer: impl Fn(&RecordedRequest) -> (u16, String) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Ok(Self(ApifyStandIn::start_answering(Some(Arc::new(answer))).await?))
    }

    /// `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin()
    }

    /// The authority's certificate in DER, the one to trust.
    #[must_use]
    pub fn ca_der(&self) -> Vec<u8> {
        self.0.ca_der()
    }

    /// Every request received so far, in the order in which they were read.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.0.requests()
    }
}
