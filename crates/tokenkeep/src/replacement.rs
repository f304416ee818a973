//! How long a token is used before it should be replaced.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::Timestamp;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most days that a token may be used for: ten years.
const MOST: u32 = 3650;

/// How a token stands against the replacement policy
/// ([`VaultOptions::replace_every`](crate::VaultOptions::replace_every)). An overdue token is still used: whether to go
/// on is for the application to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Replacement {
    /// It needs no attention.
    Fresh,
    /// It should be replaced soon: time to tell the customer.
    Due,
    /// It should have been replaced.
    Overdue,
}

impl Replacement {
    /// A stable name in lower case: `fresh`, `due`, `overdue`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Due => "due",
            Self::Overdue => "overdue",
        }
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a token is due and when it is overdue. Nothing of it is stored: the database keeps when a token was set, so
/// another policy counts for all tokens at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplacementPolicy {
    every: Duration,
    /// From this age on it is due.
    due_at: Duration,
}

impl ReplacementPolicy {
    /// From days; `warning` defaults to 14, or half of a period under 28 days.
    pub(crate) fn new(every: Option<u32>, warning: Option<u32>) -> Result<Self, Error> {
        let every = every.unwrap_or(90);
        let warning = warning.unwrap_or(14.min(every / 2));
        if !(1..=MOST).contains(&every) {
            return Err(misuse("a token is replaced every 1 to 3650 days"));
        }
        if warning >= every {
            return Err(misuse(
                "the warning comes fewer days before a replacement than lie between two of them",
            ));
        }
        Ok(Self { every: DAY * every, due_at: DAY * (every - warning) })
    }

    pub(crate) fn replace_by(self, token_set_at: Timestamp) -> Timestamp {
        token_set_at.after(self.every)
    }

    pub(crate) fn judge(self, token_set_at: Timestamp, now: Timestamp) -> Replacement {
        if self.overdue(now).contains(&token_set_at) {
            Replacement::Overdue
        } else if self.due(now).contains(&token_set_at) {
            Replacement::Due
        } else {
            Replacement::Fresh
        }
    }

    /// When the tokens were set that are due now, and not overdue.
    pub(crate) fn due(self, now: Timestamp) -> Range<Timestamp> {
        past(now, self.every)..past(now, self.due_at)
    }

    /// When the tokens were set that are overdue now.
    pub(crate) fn overdue(self, now: Timestamp) -> Range<Timestamp> {
        Timestamp::from_millis(i64::MIN)..past(now, self.every)
    }
}

/// The first moment from which a token has not reached this age: at exactly this age it has.
fn past(now: Timestamp, age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(age).saturating_add(1))
}

fn misuse(detail: &'static str) -> Error {
    Error::new(ErrorKind::Misuse).because(detail)
}
