//! Bodies, read within their limits into memory that wipes itself.

use bytes::Bytes;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use crate::CallFailure;

/// A body that did not come to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BrokenOff {
    pub(crate) timed_out: bool,
}

/// The whole body of a success.
pub(crate) async fn read_whole(
    response: &mut reqwest::Response,
    limit: usize,
    by: Instant,
) -> Result<Zeroizing<Vec<u8>>, CallFailure> {
    let status = response.status().as_u16();
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(CallFailure::too_large(status, limit));
    }
    let mut body = Zeroizing::new(Vec::with_capacity(announced));
    loop {
        match next(response, by).await {
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
pub(crate) async fn read_start(response: &mut reqwest::Response, limit: usize, by: Instant) -> Start {
    let mut body = Zeroizing::new(Vec::new());
    while body.len() < limit {
        match next(response, by).await {
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

async fn next(response: &mut reqwest::Response, by: Instant) -> Result<Option<Bytes>, BrokenOff> {
    match tokio::time::timeout_at(by, response.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) => Err(BrokenOff { timed_out: error.is_timeout() }),
        Err(_) => Err(BrokenOff { timed_out: true }),
    }
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
