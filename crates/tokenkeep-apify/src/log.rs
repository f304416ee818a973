//! Logs of runs and builds.

use std::fmt;

use tokenkeep_core::Error;
use tokenkeep_https::AnswerStream;

use crate::client::Place;

/// The log of a run or a build. It may hold whatever its program printed, secrets too.
#[must_use = "a log is asked for with `stream` or `text`"]
#[derive(Debug, Clone)]
pub struct Log {
    place: Place,
    follow: bool,
}

impl Log {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, follow: false }
    }

    /// Goes on with what is printed from now on, until the run or the build has ended. It may print nothing for 10 minutes, or as long as
    /// [`ApifyBuilder::idle_timeout`](crate::ApifyBuilder::idle_timeout) says; then the stream ends with `ProviderUnavailable`.
    pub fn follow(mut self) -> Self {
        self.follow = true;
        self
    }

    /// The log piece by piece, as it comes: a piece may end within a line, and within a character.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; of the pieces, [`AnswerStream::chunk`].
    ///
    /// # Cancellation
    /// Safe; dropping the stream ends it.
    pub async fn stream(self) -> Result<AnswerStream, Error> {
        let mut call = self.place.call()?;
        if self.follow {
            call = call.query("stream", true).idle_timeout(self.place.client().times().followed_silence);
        }
        call.credential(self.place.client().credential()).stream().await
    }

    /// The log as one text, cut after this many bytes. What is no UTF-8 in it is replaced. With [`follow`](Self::follow) it is there
    /// once the run or the build has ended, or the limit is reached. Where it breaks off, or nothing more comes in time, what there was
    /// by then is given, and [`LogText::is_whole`] is false.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; after its first piece, no more.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn text(self, most: usize) -> Result<LogText, Error> {
        let mut stream = self.stream().await?;
        let mut text = Vec::new();
        loop {
            let piece = match stream.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(LogText::new(&text, true)),
                Err(error) if text.is_empty() => return Err(error),
                Err(_) => return Ok(LogText::new(&text, false)),
            };
            let left = most - text.len();
            if piece.len() > left {
                text.extend_from_slice(&piece[..left]);
                return Ok(LogText::new(&text, false));
            }
            text.extend_from_slice(&piece);
        }
    }
}

/// A log, or its beginning. `{:?}` shows how long it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogText {
    /// The text.
    pub text: String,
    /// Whether it is all of it. It is not where a limit cut it, and not where it broke off.
    pub is_whole: bool,
}

impl LogText {
    fn new(bytes: &[u8], is_whole: bool) -> Self {
        // A character that the limit cut in two is left out.
        let end = match std::str::from_utf8(bytes) {
            Err(error) if !is_whole && error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        Self { text: String::from_utf8_lossy(&bytes[..end]).into_owned(), is_whole }
    }
}

impl fmt::Debug for LogText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogText")
            .field("bytes", &self.text.len())
            .field("is_whole", &self.is_whole)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_ends_with_a_whole_character_and_shows_nothing() {
        let cut = LogText::new("až".as_bytes().split_last().unwrap().1, false);
        assert_eq!((cut.text.as_str(), cut.is_whole), ("a", false));
        assert_eq!(LogText::new(b"a\xff", false).text, "a\u{fffd}");
        assert_eq!(LogText::new(b"a\xc5", true).text, "a\u{fffd}");
        assert_eq!(format!("{cut:?}"), "LogText { bytes: 1, is_whole: false, .. }");
    }
}
