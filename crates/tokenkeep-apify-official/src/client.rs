//! The official client, set up so that it leaves to tokenkeep what is tokenkeep's.

use std::sync::Arc;
use std::time::Duration;

use apify_client::{ApifyClient, ApifyClientBuilder, ApifyClientResult, HttpCompressor};
use tokenkeep_apify::Apify;
use tokenkeep_core::{Credential, Provider};

use crate::headers::UNCOMPRESSED;
use crate::official_backend;

/// How long the official client gives what is large or slow.
const LONG: Duration = Duration::from_secs(360);

/// The official client on behalf of this credential, within the boundary that this Apify was built with.
///
/// It is cheap to make and to clone: one for each connection, or for each call. It holds no token, and each call asks the credential anew.
#[must_use]
pub fn official_client(apify: &Apify, credential: Credential) -> ApifyClient {
    official_builder(apify, credential).build()
}

/// The same before it is built, for another suffix of the user agent, or other time limits.
///
/// It is set up with this Apify's origin, no token, no retries (that is [`Retries`](tokenkeep_apify::Retries)' business), no compression,
/// and as time limits for an attempt this Apify's [`timeout`](tokenkeep_apify::ApifyBuilder::timeout) for the official client's short and
/// medium ones, and six minutes for its long one.
///
/// Leave alone what it is set up with beside these:
/// - `.max_retries`: calls would be repeated by both, so often as the two numbers multiplied say. A `POST` that may have been done is not, either way.
/// - `.http_backend`: another one sends past tokenkeep, with no boundary, and no token that it could not be given.
/// - `.base_url`: with another, every call is refused.
/// - `.token`: it is never sent, but it is held, and shown by the official client's `{:?}`.
#[must_use]
pub fn official_builder(apify: &Apify, credential: Credential) -> ApifyClientBuilder {
    let short = apify.timeout();
    let long = LONG.max(short);
    ApifyClient::builder()
        .base_url(apify.spec().origin.as_str())
        .http_backend(official_backend(apify, credential))
        .http_compressor(Arc::new(Uncompressed))
        .max_retries(0)
        .timeout_short(short)
        .timeout_medium(short)
        .timeout_long(long)
        .timeout_max(long)
        .user_agent_suffix(concat!("tokenkeep/", env!("CARGO_PKG_VERSION")))
}

/// Leaves bodies as they are. The official client has no other way of saying that.
#[derive(Debug)]
struct Uncompressed;

impl HttpCompressor for Uncompressed {
    fn content_encoding(&self) -> &str {
        UNCOMPRESSED
    }

    fn compress(&self, data: &[u8]) -> ApifyClientResult<Vec<u8>> {
        Ok(data.to_vec())
    }
}
