//! A stream with names in place of values.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokenkeep_core::{HiddenValues, Redactor};
use tokio::io::{AsyncRead, ReadBuf};
use zeroize::Zeroizing;

/// How much is read at a time, in bytes.
const PIECE: usize = 8 * 1024;

/// Reads what another reader gives, with `[hidden NAME]` in place of each value; see [`HiddenValues`] for what is found, and what is
/// not.
///
/// It holds back what may be the beginning of a value until that is known. At a regular end it is given as it is; before an error of the inner reader it is hidden, as the value may have been cut off there. It
/// reads no more while what it has was not taken, and holds 8 KiB of what comes, wiped, and what that becomes.
///
/// # Cancellation
/// Safe: what was read and not given stays in here.
pub struct RedactedRead<R> {
    inner: R,
    /// `None` once the inner reader is at its end.
    redactor: Option<Redactor>,
    piece: Zeroizing<Box<[u8]>>,
    shown: Vec<u8>,
    /// So much of it was given.
    given: usize,
    /// To be told behind the rest.
    broken: Option<io::Error>,
}

impl<R: AsyncRead + Unpin> RedactedRead<R> {
    /// Of a reader from its beginning.
    #[must_use]
    pub fn new(inner: R, values: Arc<HiddenValues>) -> Self {
        Self {
            inner,
            redactor: Some(Redactor::new(values)),
            piece: Zeroizing::new([0; PIECE].into()),
            shown: Vec::new(),
            given: 0,
            broken: None,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for RedactedRead<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let rest = &this.shown[this.given..];
            if !rest.is_empty() {
                let length = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..length]);
                this.given += length;
                return Poll::Ready(Ok(()));
            }
            if let Some(broken) = this.broken.take() {
                return Poll::Ready(Err(broken));
            }
            let Some(redactor) = &mut this.redactor else { return Poll::Ready(Ok(())) };
            let mut piece = ReadBuf::new(&mut this.piece);
            let read = ready!(Pin::new(&mut this.inner).poll_read(context, &mut piece));
            this.shown.clear();
            this.given = 0;
            match read {
                Ok(()) if !piece.filled().is_empty() => redactor.push(piece.filled(), &mut this.shown),
                Ok(()) => {
                    if let Some(redactor) = this.redactor.take() {
                        redactor.finish(&mut this.shown);
                    }
                }
                Err(error) => {
                    if let Some(redactor) = this.redactor.take() {
                        redactor.finish_cut(&mut this.shown);
                    }
                    this.broken = Some(error);
                }
            }
        }
    }
}

impl<R> fmt::Debug for RedactedRead<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactedRead").finish_non_exhaustive()
    }
}
