//! An answer that comes piece by piece.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use tokenkeep_core::Error;
use tokio::time::{Instant, Sleep};

use crate::CallFailure;
use crate::body::{BrokenOff, Incoming};
use crate::clock::after;
use crate::echo::{Echo, EchoStream};
use crate::reading::content_type;

/// A provider's answer to a call that it accepted, piece by piece as it comes: of [`Call::stream`](crate::Call::stream).
///
/// Its pieces come from [`chunk`](Self::chunk) or, the same, from its `Stream`. Nothing limits how long it takes in all, only how long
/// each piece may take ([`TransportBuilder::idle_timeout`](crate::TransportBuilder::idle_timeout)), counted while somebody waits for
/// it (through its `Stream`, from the first poll for it on); and nothing limits its size but [`Call::max_body`](crate::Call::max_body). After an error comes nothing more.
///
/// A token that comes back is starred out, over the borders of pieces too: so a piece's last bytes come with the next one, or at the
/// end, where the token could begin in them. See [the crate's page](crate#what-comes-back).
///
/// One that is held and not read stops no other call. Up to 1 MiB of it waits in memory meanwhile (HTTP/2), so whoever lets others open
/// streams limits how many are held at a time.
///
/// Dropping it closes its connection (HTTP/1.1) or its stream (HTTP/2). The pieces are the caller's: nothing wipes them.
pub struct AnswerStream {
    status: u16,
    /// Of its call.
    attempts: u32,
    content_type: Option<String>,
    /// The token that may come back.
    echo: Option<Box<EchoStream>>,
    /// `None` once it is over.
    body: Option<Incoming>,
    limit: Option<usize>,
    /// How much of the limit was used, in bytes.
    taken: usize,
    idle: Duration,
    /// Runs while somebody waits for a piece.
    clock: Pin<Box<Sleep>>,
    /// Since when, if somebody does.
    waiting: Option<Instant>,
    /// What is left of the time that this piece has.
    left: Duration,
}

impl AnswerStream {
    pub(crate) fn new(
        response: reqwest::Response,
        limit: Option<usize>,
        idle: Duration,
        echo: Option<Echo>,
    ) -> Self {
        let content_type = content_type(&response).map(|text| {
            let mut text = text.as_bytes().to_vec();
            if let Some(echo) = &echo {
                echo.redact(&mut text, true);
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            status: response.status().as_u16(),
            attempts: 1,
            content_type,
            echo: echo.map(|echo| Box::new(EchoStream::new(echo))),
            body: Some(Incoming::of(response)),
            limit,
            taken: 0,
            idle,
            clock: Box::pin(tokio::time::sleep(idle)),
            waiting: None,
            left: idle,
        }
    }

    pub(crate) fn after_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The HTTP status, 200 to 299.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The content type, as the provider says it; `None` where it says none, more than one, or what is no text.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The next piece, as large as it comes and never empty; `None` at the end.
    ///
    /// # Errors
    /// `ProviderUnavailable` when the answer breaks off or no piece comes in time, `ProviderMisbehaved` when it is longer than
    /// [`Call::max_body`](crate::Call::max_body) says. [`CallFailure::of`] says more. What was given before stays good.
    ///
    /// # Cancellation
    /// Safe: no piece is lost. The clock of the next one stands until this is called again, and goes on where it stopped.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let wait = Wait(self);
        std::future::poll_fn(|context| wait.0.poll_chunk(context)).await.transpose()
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let next = ready!(self.poll_piece(context));
        if !matches!(next, Some(Ok(_))) {
            // Closes the connection or the stream, if it is not at its end.
            self.body = None;
            self.echo = None;
        }
        Poll::Ready(
            next.map(|piece| piece.map_err(|failure| failure.after_attempts(self.attempts, false).into())),
        )
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallFailure>>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            if self.waiting.is_none() {
                let now = Instant::now();
                self.waiting = Some(now);
                self.clock.as_mut().reset(after(now, self.left));
            }
            let Poll::Ready(next) = body.poll_next(context) else {
                ready!(self.clock.as_mut().poll(context));
                return Poll::Ready(Some(Err(self.broken_off(true))));
            };
            self.waiting = None;
            self.left = self.idle;
            match next {
                None => {
                    self.body = None;
                    let rest = self.echo.take().map_or_else(Bytes::new, |echo| echo.end());
                    return Poll::Ready((!rest.is_empty()).then_some(Ok(rest)));
                }
                Some(Err(broken)) => return Poll::Ready(Some(Err(self.broken_off(broken.timed_out)))),
                Some(Ok(piece)) => {
                    let piece = match self.within_limit(piece) {
                        Ok(piece) => piece,
                        Err(failure) => return Poll::Ready(Some(Err(failure))),
                    };
                    let piece = match &mut self.echo {
                        Some(echo) => echo.piece(piece),
                        None => piece,
                    };
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
            }
        }
    }

    fn within_limit(&mut self, piece: Bytes) -> Result<Bytes, CallFailure> {
        self.taken = self.taken.saturating_add(piece.len());
        match self.limit {
            Some(limit) if self.taken > limit => Err(CallFailure::too_large(self.status, limit)),
            _ => Ok(piece),
        }
    }

    fn broken_off(&self, timed_out: bool) -> CallFailure {
        CallFailure::broken_off(self.status, BrokenOff { timed_out }, None)
    }
}

/// Somebody who waits for a piece, and may go away.
struct Wait<'a>(&'a mut AnswerStream);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.0.waiting.take() {
            self.0.left = self.0.left.saturating_sub(since.elapsed());
        }
    }
}

impl Stream for AnswerStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_chunk(context)
    }
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream").field("status", &self.status).finish_non_exhaustive()
    }
}
