//! Which headers pass, in both directions.

use std::collections::HashMap;

use tokenkeep_apify::{Answer, Call};
use tokenkeep_core::{Error, ErrorKind};
use zeroize::Zeroizing;

/// What stands for no encoding at all, and is not sent.
pub(crate) const UNCOMPRESSED: &str = "identity";
/// The encodings of a body that Apify takes.
const ENCODINGS: [&str; 3] = ["br", "deflate", "gzip"];

/// What the official client may say of a request beside its body. The rest is dropped: Authorization, Cookie, Host and
/// Proxy-Authorization with it, of whomever they are.
const SENT: [&str; 3] = ["accept", "idempotency-key", "user-agent"];

/// Those of an answer's headers that the official client looks at.
const CONTENT_TYPE: &str = "content-type";
const NUMBERS: [&str; 4] = [
    "x-apify-pagination-count",
    "x-apify-pagination-limit",
    "x-apify-pagination-offset",
    "x-apify-pagination-total",
];

/// The call with these headers, as far as they pass, and with this body.
pub(crate) fn apply(
    mut call: Call,
    headers: &HashMap<String, String>,
    body: Option<Vec<u8>>,
) -> Result<Call, Error> {
    let value = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    };
    for name in SENT {
        if let Some(value) = value(name) {
            call = call.header(name, value);
        }
    }
    let Some(body) = body else { return Ok(call) };
    match value("content-encoding") {
        None | Some(UNCOMPRESSED) => {}
        // Without it the body would be taken for something else.
        Some(encoding) if ENCODINGS.contains(&encoding) => call = call.header("content-encoding", encoding),
        Some(_) => {
            let why = "a body has an encoding that Apify does not take; br, deflate and gzip are taken";
            return Err(Error::new(ErrorKind::Misuse).because(why));
        }
    }
    Ok(call.body(value(CONTENT_TYPE).unwrap_or("application/octet-stream"), Zeroizing::new(body)))
}

/// The call that keeps of its answer's headers those that pass.
pub(crate) fn keep(call: Call) -> Call {
    NUMBERS.into_iter().fold(call.keep_header(CONTENT_TYPE), Call::keep_header)
}

/// Those of this answer.
pub(crate) fn kept(answer: &Answer) -> HashMap<String, String> {
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = NUMBERS.into_iter().filter_map(|name| Some((name, answer.header(name).filter(is_number)?)));
    let all = numbers.chain(answer.header(CONTENT_TYPE).map(|value| (CONTENT_TYPE, value)));
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The one that a stream has.
pub(crate) fn of_stream(content_type: Option<&str>) -> HashMap<String, String> {
    content_type.map(|value| (CONTENT_TYPE.to_owned(), value.to_owned())).into_iter().collect()
}
