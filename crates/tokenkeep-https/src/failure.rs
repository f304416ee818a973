//! Why a call failed, in words of our own: what the other side says is in no error.

use std::error::Error as StdError;
use std::time::Duration;
use std::{fmt, io};

use tokenkeep_core::{Error, ErrorKind, Meaning, Outcome};
use zeroize::Zeroizing;

use crate::body::BrokenOff;
use crate::reading::Told;
use crate::retries::Repeat;
use crate::unanswered::Unanswered;

/// What happened on the way to a provider and back: the cause of the [`Error`] that a call fails with.
///
/// Its text, its `{:?}` and its causes hold numbers and fixed texts, nothing that the other side sent; what that said is in
/// [`said`](Self::said) alone. Its own source is there when the vault could not record what came of the call.
#[derive(Debug)]
pub struct CallFailure {
    what: What,
    said: Said,
    made: Made,
    attempts: u32,
    /// Whether an attempt before this one may have been carried out.
    maybe_before: bool,
    unreported: Option<Error>,
}

/// Wipes itself, and shows nothing.
#[derive(Default)]
struct Said(Option<Box<Zeroizing<Vec<u8>>>>);

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.as_ref().map_or(0, |said| said.len()))
    }
}

/// The identifier of what the call made all the same. It is of the other side's body, so this shows nothing of it.
#[derive(Default)]
struct Made(Option<Box<str>>);

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "something" } else { "nothing" })
    }
}

/// As much of an error's body is kept, in bytes.
const MAX_SAID: usize = 16 * 1024;

#[derive(Debug, Clone, Copy)]
enum What {
    Refused {
        status: u16,
        meaning: Meaning,
        retry_after: Option<Duration>,
    },
    Redirected {
        status: u16,
    },
    TooLarge {
        status: u16,
        limit: usize,
    },
    /// With what the status and the start of the body mean, where they are an error's: `NotFound` is no more than a guess then.
    BrokenOff {
        status: u16,
        timed_out: bool,
        meaning: Option<Meaning>,
    },
    NotAsPromised {
        status: u16,
        line: usize,
        column: usize,
    },
    NotPassed {
        status: u16,
        why: &'static str,
    },
    NotInPieces {
        status: u16,
    },
    Unanswered(Unanswered),
}

impl CallFailure {
    /// The failure that this error comes from; `None` when no call was made, or it is about something else.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(failure) = error.downcast_ref() {
                return Some(failure);
            }
            cause = error.source();
        }
        None
    }

    /// The HTTP status; `None` when there was no answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.what {
            What::Refused { status, .. }
            | What::Redirected { status }
            | What::TooLarge { status, .. }
            | What::BrokenOff { status, .. }
            | What::NotAsPromised { status, .. }
            | What::NotPassed { status, .. }
            | What::NotInPieces { status } => Some(status),
            _ => None,
        }
    }

    /// How long the provider asks to wait (`Retry-After`, in seconds or as a date). `None` where it does not ask.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.what {
            What::Refused { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// How many attempts the call took, the last one included. That one is not the one told of here where the
    /// [deadline](crate::TransportBuilder::deadline) cut it short, and the answer before it says more.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What the provider said in the body of an error answer of status 400 or above: at most its first 16 KiB, and under a
    /// [boundary](crate::CallBoundary) what that lets through. `None` where there was no such answer.
    ///
    /// It is the other side's word. The token that was sent is starred out where it came back (see [the crate's
    /// page](crate#what-comes-back)), but whatever else it says is in it: it belongs in no log line and no error's text. It is wiped
    /// with the error.
    #[must_use]
    pub fn said(&self) -> Option<&[u8]> {
        self.said.0.as_ref().map(|said| said.as_slice())
    }

    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.what,
            What::Unanswered(Unanswered::TimedOut | Unanswered::NoConnection(io::ErrorKind::TimedOut))
                | What::BrokenOff { timed_out: true, .. }
        )
    }

    /// Whether the server could not prove who it is, or spoke no proper TLS: nothing was sent to it.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        matches!(self.what, What::Unanswered(Unanswered::BadCertificate(_) | Unanswered::NoTls))
    }

    /// Whether the [proxy](crate::Proxy) is at fault, and not the provider, which got nothing: it can't be reached, can't prove who it is,
    /// or refuses to make the connection. Not told from the provider's is the silence of a proxy that takes the connection: that is a
    /// [time-out](Self::is_timeout).
    #[must_use]
    pub fn is_of_proxy(&self) -> bool {
        matches!(self.what, What::Unanswered(Unanswered::Proxy(_)))
    }

    /// Whether the provider may have carried the call out all the same, at this attempt or at one before it. `false` only where it is
    /// known that it did not: no connection was made, the server could not prove who it is, the proxy did not let the call through, or
    /// the provider refused it (a status of 400 to 499, but 408, which says that something took too long). Nothing stands in the way of
    /// sending it again then, whatever it is. What has no `CallFailure` at all was not sent, unless attempts went before it.
    #[must_use]
    pub fn may_have_been_done(&self) -> bool {
        self.maybe_before
            || match self.repeat() {
                _ if self.is_half_a_not_found() => false,
                Repeat::Succeeded | Repeat::IfIdempotent(_) => true,
                Repeat::Always(_) => false,
                Repeat::Never => match self.what {
                    What::Refused { status, .. } | What::BrokenOff { status, .. } => {
                        status == 408 || !(400..500).contains(&status)
                    }
                    What::Unanswered(_) => false,
                    // A success, or a redirect, which may stand for one.
                    _ => true,
                },
            }
    }

    pub(crate) fn refused(status: u16, meaning: Meaning, retry_after: Option<Duration>) -> Self {
        What::Refused { status, meaning, retry_after }.into()
    }

    /// With this body of the answer.
    pub(crate) fn saying(mut self, said: Option<Zeroizing<Vec<u8>>>) -> Self {
        let cut = |said: Zeroizing<Vec<u8>>| Zeroizing::new(said[..said.len().min(MAX_SAID)].to_vec());
        self.said = Said(said.map(|said| Box::new(cut(said))));
        self
    }

    /// After a success whose body told this.
    pub(crate) fn having_told(mut self, told: Told) -> Self {
        if let Told::Created(made) = told {
            self.made = Made(Some(made.into()));
        }
        self
    }

    pub(crate) fn redirected(status: u16) -> Self {
        What::Redirected { status }.into()
    }

    pub(crate) fn too_large(status: u16, limit: usize) -> Self {
        What::TooLarge { status, limit }.into()
    }

    pub(crate) fn broken_off(status: u16, broken: BrokenOff, meaning: Option<Meaning>) -> Self {
        What::BrokenOff { status, timed_out: broken.timed_out, meaning }.into()
    }

    pub(crate) fn not_as_promised(status: u16, line: usize, column: usize) -> Self {
        What::NotAsPromised { status, line, column }.into()
    }

    pub(crate) fn not_passed(status: u16, why: &'static str) -> Self {
        What::NotPassed { status, why }.into()
    }

    pub(crate) fn not_in_pieces(status: u16) -> Self {
        What::NotInPieces { status }.into()
    }

    /// Whether the answer says that something is not there, and broke off before it said what: nothing was done, and nothing is known.
    fn is_half_a_not_found(&self) -> bool {
        matches!(self.what, What::BrokenOff { meaning: Some(Meaning::NotFound), .. })
    }

    /// Whether a connection stood, and nothing came over it in time.
    pub(crate) fn hung(&self) -> bool {
        matches!(self.what, What::Unanswered(Unanswered::TimedOut))
    }

    /// Whether time ran out before there was a status.
    pub(crate) fn never_came(&self) -> bool {
        self.is_timeout() && self.status().is_none()
    }

    pub(crate) fn after_attempts(mut self, attempts: u32, maybe_before: bool) -> Self {
        self.attempts = attempts;
        self.maybe_before |= maybe_before;
        self
    }

    pub(crate) fn repeat(&self) -> Repeat {
        match self.what {
            What::Refused { status, meaning, retry_after } => Repeat::of_error(status, meaning, retry_after),
            _ if self.is_half_a_not_found() => Repeat::IfIdempotent(None),
            What::BrokenOff { status, meaning: Some(meaning), .. } => Repeat::of_error(status, meaning, None),
            What::BrokenOff { meaning: None, .. } => Repeat::IfIdempotent(None),
            What::Unanswered(why) => why.repeat(),
            What::Redirected { .. }
            | What::TooLarge { .. }
            | What::NotAsPromised { .. }
            | What::NotPassed { .. }
            | What::NotInPieces { .. } => Repeat::Never,
        }
    }

    pub(crate) fn unreported(mut self, why: Error) -> Self {
        self.unreported = Some(why);
        self
    }

    /// What the credential's source is told.
    pub(crate) fn outcome(&self) -> Outcome<'_> {
        if let Some(made) = &self.made.0 {
            return Outcome::Created(made);
        }
        match self.what {
            _ if self.is_half_a_not_found() => Outcome::Refused(Meaning::Unavailable),
            What::Refused { meaning, .. } | What::BrokenOff { meaning: Some(meaning), .. } => {
                Outcome::Refused(meaning)
            }
            What::Redirected { .. } => Outcome::Refused(Meaning::Unexpected),
            // The status says that the token was accepted, whatever became of the body.
            What::TooLarge { .. }
            | What::BrokenOff { .. }
            | What::NotAsPromised { .. }
            | What::NotPassed { .. }
            | What::NotInPieces { .. } => Outcome::Accepted,
            What::Unanswered(_) => Outcome::Unanswered,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self.what {
            What::Refused { meaning, .. } => meaning.kind(),
            What::Redirected { .. }
            | What::TooLarge { .. }
            | What::NotAsPromised { .. }
            | What::NotPassed { .. } => ErrorKind::ProviderMisbehaved,
            What::NotInPieces { .. } => ErrorKind::Misuse,
            What::BrokenOff { .. } => ErrorKind::ProviderUnavailable,
            What::Unanswered(why) => why.kind(),
        }
    }
}

impl From<What> for CallFailure {
    fn from(what: What) -> Self {
        Self {
            what,
            said: Said::default(),
            made: Made::default(),
            attempts: 1,
            maybe_before: false,
            unreported: None,
        }
    }
}

impl From<Unanswered> for CallFailure {
    fn from(why: Unanswered) -> Self {
        What::Unanswered(why).into()
    }
}

impl From<CallFailure> for Error {
    fn from(failure: CallFailure) -> Self {
        Self::new(failure.kind()).with_source(failure)
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Refused { status, retry_after: None, .. } => {
                write!(f, "it answered with HTTP status {status}")
            }
            What::Refused { status, retry_after: Some(wait), .. } => {
                write!(f, "it answered with HTTP status {status} and asks to wait {} s", wait.as_secs())
            }
            What::Redirected { status } => {
                write!(f, "it answered with HTTP status {status}; redirects are never followed")
            }
            What::TooLarge { status, limit } => {
                write!(f, "it answered with HTTP status {status} and over {limit} bytes")
            }
            What::BrokenOff { status, timed_out: false, .. } => {
                write!(f, "it answered with HTTP status {status} and broke off")
            }
            What::BrokenOff { status, timed_out: true, .. } => {
                write!(f, "it answered with HTTP status {status} and was not done in time")
            }
            What::NotAsPromised { status, line, column } => write!(
                f,
                "it answered with HTTP status {status} and not with the expected JSON (line {line}, column {column})"
            ),
            What::NotPassed { status, why } => write!(f, "it answered with HTTP status {status} and {why}"),
            What::NotInPieces { status } => {
                write!(f, "it answered with HTTP status {status} and with what its boundary must read whole")
            }
            What::Unanswered(why) => why.fmt(f),
        }?;
        if self.attempts > 1 {
            write!(f, ", at the last of {} attempts", self.attempts)?;
        }
        if self.unreported.is_some() {
            f.write_str("; and what came of the call could not be recorded")?;
        }
        Ok(())
    }
}

impl StdError for CallFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.unreported.as_ref().map(|error| error as _)
    }
}
