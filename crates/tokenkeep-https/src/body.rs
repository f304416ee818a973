//! Bodies, read within their limits into memory that wipes itself.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body as _;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use crate::CallFailure;

/// The first block that a body is put into is no larger than this, in bytes, whatever length is announced.
const FIRST_BLOCK: usize = 1 << 20;

/// A body that did not come to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BrokenOff {
    pub(crate) timed_out: bool,
}

/// A body on its way.
pub(crate) struct Incoming {
    body: reqwest::Body,
    /// HTTP/2 says where a body ends.
    has_end: bool,
}

impl Incoming {
    pub(crate) fn of(response: reqwest::Response) -> Self {
        let has_end = response.version() == http::Version::HTTP_2;
        Self { body: response.into(), has_end }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(BrokenOff { timed_out: error.is_timeout() })));
                }
                // hyper takes a stream that is reset, or a connection that goes away, without an error's code for the end of the body,
                // even short of its announced length. (Of HTTP/1.1 it is strict by itself.)
                None if self.has_end && !self.body.is_end_stream() => {
                    return Poll::Ready(Some(Err(BrokenOff { timed_out: false })));
                }
                None => return Poll::Ready(None),
            }
        }
    }

    async fn next(&mut self, by: Instant) -> Result<Option<Bytes>, BrokenOff> {
        let next = std::future::poll_fn(|context| self.poll_next(context));
        match tokio::time::timeout_at(by, next).await {
            Ok(next) => next.transpose(),
            Err(_) => Err(BrokenOff { timed_out: true }),
        }
    }
}

/// The whole body of a success.
pub(crate) async fn read_whole(
    response: reqwest::Response,
    limit: usize,
    by: Instant,
) -> Result<Zeroizing<Vec<u8>>, CallFailure> {
    let status = response.status().as_u16();
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(CallFailure::too_large(status, limit));
    }
    let mut incoming = Incoming::of(response);
    let mut body = Zeroizing::new(Vec::with_capacity(announced.min(FIRST_BLOCK)));
    loop {
        match incoming.next(by).await {
            Ok(Some(chunk)) if chunk.len() > limit - body.len() => {
                return Err(CallFailure::too_large(status, limit));
            }
            Ok(Some(chunk)) => take(&mut body, chunk, usize::MAX),
            Ok(None) => return Ok(body),
            Err(broken) => return Err(CallFailure::broken_off(status, broken, None)),
        }
    }
}

/// The start of a body, whose status is known already.
pub(crate) struct Start {
    pub(crate) body: Zeroizing<Vec<u8>>,
    pub(crate) broken: Option<BrokenOff>,
    /// Whether it is there to its end.
    pub(crate) whole: bool,
}

/// What comes before the limit or the end.
pub(crate) async fn read_start(response: reqwest::Response, limit: usize, by: Instant) -> Start {
    let mut incoming = Incoming::of(response);
    let mut body = Zeroizing::new(Vec::new());
    while body.len() < limit {
        match incoming.next(by).await {
            Ok(Some(chunk)) => {
                let left = limit - body.len();
                take(&mut body, chunk, left);
            }
            Ok(None) => return Start { body, broken: None, whole: true },
            Err(broken) => return Start { body, broken: Some(broken), whole: false },
        }
    }
    Start { body, broken: None, whole: false }
}

/// Puts at most `limit` bytes of the chunk at the body's end, and wipes the chunk if nobody else holds it.
fn take(body: &mut Zeroizing<Vec<u8>>, chunk: Bytes, limit: usize) {
    push(body, &chunk[..chunk.len().min(limit)]);
    wipe(chunk);
}

/// Wipes the bytes if nobody else holds them.
pub(crate) fn wipe(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

/// A `Vec` that grows by itself leaves its old block behind as it was.
fn push(body: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = body.len() + bytes.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * body.capacity())));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(bytes);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// How many bytes stand where they did, though the body has gone elsewhere.
    fn left_behind(grow: fn(&mut Zeroizing<Vec<u8>>, &[u8])) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let secret: Vec<u8> = (0..1000_u32).map(|at| (at * 7 % 251) as u8 | 1).collect();
        let mut found = vec![0; secret.len()];
        let mut body = Zeroizing::new(Vec::with_capacity(secret.len()));
        // What comes behind it, so that it can't grow where it is.
        let behind: Vec<Vec<u8>> = (0..64).map(|_| Vec::with_capacity(secret.len())).collect();
        push(&mut body, &secret);
        let place = body.as_ptr().addr() as u64;
        // So long that it must move wherever it is.
        grow(&mut body, &vec![0; 4 << 20]);
        assert_ne!(body.as_ptr().addr() as u64, place, "it grew in its place: the test shows nothing");
        memory.read_exact_at(&mut found, place).unwrap();
        drop(behind);
        found.iter().zip(&secret).filter(|(found, byte)| found == byte).count()
    }

    #[test]
    fn a_body_that_grows_wipes_what_it_outgrows() {
        let plain = left_behind(|body, bytes| body.extend_from_slice(bytes));
        assert!(plain > 500, "a plain block leaves its bytes behind ({plain}), so the next line can fail");
        let left = left_behind(push);
        assert!(left < 100, "{left} of 1000 bytes are left");
    }
}
