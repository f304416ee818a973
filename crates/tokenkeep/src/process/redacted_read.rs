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
/// It holds back what may be the beginning of a value until that is known. At the end, and before an error of the inner reader, it is hidden, be
/// it one byte: the value may have been cut off there. A pipe ends in the same way whether its writer was done or was killed within a value. For
/// what is known to be whole there is [`of_whole`](Self::of_whole). It reads no more while what it has was not taken, and holds 8 KiB of what comes, wiped, and what that becomes.
///
/// An error of the inner reader is its end: each later read fails with an error of the same kind.
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
    /// Whether its end is the end of what was said.
    is_whole: bool,
    broken: Broken,
}

/// An error of the inner reader, to be told behind the rest.
enum Broken {
    No,
    Untold(io::Error),
    Told(io::ErrorKind),
}

impl Broken {
    fn tell(&mut self) -> Option<io::Error> {
        let kind = match self {
            Self::No => return None,
            Self::Untold(error) => error.kind(),
            Self::Told(kind) => return Some((*kind).into()),
        };
        match std::mem::replace(self, Self::Told(kind)) {
            Self::Untold(error) => Some(error),
            _ => None,
        }
    }
}

impl<R: AsyncRead + Unpin> RedactedRead<R> {
    /// Of a reader from its beginning, which may end within a value: a child's pipe, a connection, a log that is cut.
    #[must_use]
    pub fn new(inner: R, values: Arc<HiddenValues>) -> Self {
        Self::with_end(inner, values, false)
    }

    /// The same of a reader that is known to end where what was said ends, as a file that nobody writes to any more: at a regular end, what is only the beginning of a value
    /// is given as it is.
    #[must_use]
    pub fn of_whole(inner: R, values: Arc<HiddenValues>) -> Self {
        Self::with_end(inner, values, true)
    }

    fn with_end(inner: R, values: Arc<HiddenValues>, is_whole: bool) -> Self {
        Self {
            inner,
            redactor: Some(Redactor::new(values)),
            piece: Zeroizing::new([0; PIECE].into()),
            shown: Vec::new(),
            given: 0,
            is_whole,
            broken: Broken::No,
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
            if let Some(broken) = this.broken.tell() {
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
                        if this.is_whole {
                            redactor.finish(&mut this.shown);
                        } else {
                            redactor.finish_cut(&mut this.shown);
                        }
                    }
                }
                Err(error) => {
                    if let Some(redactor) = this.redactor.take() {
                        redactor.finish_cut(&mut this.shown);
                    }
                    this.broken = Broken::Untold(error);
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
