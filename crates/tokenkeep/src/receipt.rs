//! What a disconnect did, said plainly.

use std::fmt;
use std::time::Duration;

use tokenkeep_core::{ConnectionId, ProviderName};
use tokenkeep_store::{Scrub, Timestamp};

use crate::env::SetIds;

/// What older backups of the database still hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backups {
    /// The sealed token, which the keys open: for as long as the application keeps such backups.
    BoundedByRetention,
    /// The sealed token, and every KEK that opens it is planned to be destroyed by then
    /// ([`VaultOptions::keks_end_within`](crate::VaultOptions::keks_end_within)). Whether it was is told by
    /// [`Retirement::Destroyed`](crate::Retirement::Destroyed), not by this.
    PlannedUntil(Timestamp),
}

impl Backups {
    /// What backups from before this time hold, by a plan.
    pub(crate) fn of(removed_at: Timestamp, keks_end_within: Option<Duration>) -> Self {
        match keks_end_within {
            None => Self::BoundedByRetention,
            // Whatever sealed the token until then was made before then.
            Some(within) => Self::PlannedUntil(removed_at.after(within)),
        }
    }
}

/// What a disconnect did. `Display` prints it for a person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Receipt {
    /// Which connection; or the values of a set of secret environment variables, named `~env/NAME`.
    pub connection: ConnectionId,
    /// Which provider its token was for.
    pub provider: ProviderName,
    /// When the live row lost the token. From then on the connection is refused everywhere.
    pub removed_at: Timestamp,
    /// How far the sealed bytes are gone from the database's files.
    pub scrub: Scrub,
    /// The application's hooks that ran.
    pub hooks_done: Vec<&'static str>,
    /// The application's hooks that failed. [`Vault::finish_disconnects`](crate::Vault::finish_disconnects) runs them again.
    pub hooks_pending: Vec<&'static str>,
    /// Whether hooks are pending because they are left to another process: it runs them at this moment, or this process has
    /// none registered, and nothing is named in [`hooks_pending`](Self::hooks_pending).
    pub hooks_elsewhere: bool,
    /// What older backups still hold.
    pub backups: Backups,
}

impl Receipt {
    /// Whether no hook is pending, here or in another process.
    #[must_use]
    pub fn hooks_complete(&self) -> bool {
        self.hooks_pending.is_empty() && !self.hooks_elsewhere
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if SetIds::of(&self.connection).is_some() { "set" } else { "token" };
        match what {
            "set" => writeln!(f, "Removed {}, for {}", self.connection, self.provider)?,
            _ => writeln!(f, "Disconnected {} from {}", self.connection, self.provider)?,
        }
        writeln!(f, "  live row        {what} removed {}", self.removed_at)?;
        let scrub = match self.scrub {
            Scrub::Done => "scrubbed; the disk itself may keep old blocks",
            Scrub::Pending => "scrub pending: something still reads them",
            Scrub::Impossible => "this database gives no way to scrub them",
        };
        writeln!(f, "  database files  {scrub}")?;
        let hooks = match (self.hooks_done.as_slice(), self.hooks_pending.as_slice()) {
            ([], []) if self.hooks_elsewhere => {
                "pending: a process that registers hooks must run them".to_owned()
            }
            ([], []) => "none registered".to_owned(),
            (done, []) => format!("done: {}", done.join(", ")),
            (_, pending) if self.hooks_elsewhere => {
                format!("pending: {}; another process runs them now", pending.join(", "))
            }
            (_, pending) => format!("pending: {}; finish_disconnects retries", pending.join(", ")),
        };
        writeln!(f, "  cached data     {hooks}")?;
        match self.backups {
            Backups::BoundedByRetention => {
                writeln!(f, "  older backups   hold the sealed {what} for as long as you keep them")?;
            }
            Backups::PlannedUntil(end) => {
                writeln!(
                    f,
                    "  older backups   hold the sealed {what}; its keys are planned to end by {end}"
                )?;
            }
        }
        match what {
            "token" => {
                write!(
                    f,
                    "  at {:<13}the token stays valid until it is deleted there",
                    self.provider.as_str()
                )
            }
            _ => write!(
                f,
                "  at {:<13}what was sent there stays until it is removed there",
                self.provider.as_str()
            ),
        }
    }
}
