//! Whether an instance can do its work.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::AuditHead;

use crate::checkpoint;
use crate::inner::Inner;
use crate::observe::Ended;

/// What [`Vault::check`](crate::Vault::check) found. `Display` gives a line for an operator.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Readiness {
    /// Whether the keys open what they seal.
    pub keys: KeysCheck,
    /// Whether the database answers and takes writes.
    pub database: DatabaseCheck,
    /// Whether the audit trail is whole.
    pub trail: TrailCheck,
    /// Whether the sink of checkpoints answers.
    pub sink: SinkCheck,
}

/// Whether the keys open what they seal: a key of no use to anybody was wrapped as a token's is, and unwrapped. So with
/// [`EpochKeys`](tokenkeep_keys::EpochKeys) it asks a key service no more often than tokens do.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeysCheck {
    /// They do.
    Open,
    /// They open what they sealed before, and seal nothing new because of this error: tokens are used, and none is connected or
    /// replaced. So it is with epochs on [grace](tokenkeep_keys::EpochOptions::grace).
    OpenOnly(Error),
    /// They don't.
    Failed(Error),
    /// The key provider did not answer in time.
    TimedOut,
}

/// Whether the database answers and takes writes, as far as it says so without one: that its disk is full is seen by the next
/// commit alone.
#[derive(Debug)]
#[non_exhaustive]
pub enum DatabaseCheck {
    /// It does, and it holds this vault.
    Reachable,
    /// It does, and it holds another vault or none: it was put in the other one's place.
    OtherVault,
    /// It does not, or takes no writes: it is a standby, was set read-only, or lies where nothing can be written.
    Failed(Error),
    /// Not in time.
    TimedOut,
}

/// Whether the audit trail is whole. A quick look: [`Vault::verify`](crate::Vault::verify) goes through all of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrailCheck {
    /// Every chain ends with an entry that is genuine and follows the one before it, passes through the last checkpoint, and
    /// is not behind what this process saw of it.
    Whole {
        /// The number of the database's last checkpoint; `None` when there are none.
        checkpoint: Option<u64>,
    },
    /// This chain does not: it was altered or cut. [`Vault::verify`](crate::Vault::verify) says more.
    Broken {
        /// Which chain.
        shard: u16,
    },
    /// It can't be read.
    Failed(Error),
    /// It can't be read in time.
    TimedOut,
}

/// Whether the sink of checkpoints answers. What it keeps is for [`Vault::verify`](crate::Vault::verify) to judge.
#[derive(Debug)]
#[non_exhaustive]
pub enum SinkCheck {
    /// It does.
    Reachable,
    /// The vault was opened without one.
    NotSet,
    /// It does not.
    Failed(Error),
    /// Not in time.
    TimedOut,
}

impl Readiness {
    /// Whether keys, database and trail are well. The sink does not count, nor that nothing new can be sealed: without these a vault
    /// goes on with the tokens that it has. An operator should hear of it all the same; no load balancer should take every instance
    /// away for it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unready().is_none()
    }

    pub(crate) fn ended(&self) -> Ended {
        let sink = match &self.sink {
            SinkCheck::Reachable | SinkCheck::NotSet => None,
            SinkCheck::Failed(error) => Some(error.kind()),
            SinkCheck::TimedOut => Some(ErrorKind::SinkUnavailable),
        };
        let sealing = match &self.keys {
            KeysCheck::OpenOnly(error) => Some(error.kind()),
            _ => None,
        };
        self.unready().or(sealing).or(sink).map_or(Ended::Done, Ended::Failed)
    }

    fn unready(&self) -> Option<ErrorKind> {
        let keys = match &self.keys {
            KeysCheck::Open | KeysCheck::OpenOnly(_) => None,
            KeysCheck::Failed(error) => Some(error.kind()),
            KeysCheck::TimedOut => Some(ErrorKind::KeysUnavailable),
        };
        let database = match &self.database {
            DatabaseCheck::Reachable => None,
            DatabaseCheck::OtherVault => Some(ErrorKind::StoreUnusable),
            DatabaseCheck::Failed(error) => Some(error.kind()),
            DatabaseCheck::TimedOut => Some(ErrorKind::StoreUnavailable),
        };
        let trail = match &self.trail {
            TrailCheck::Whole { .. } => None,
            TrailCheck::Broken { .. } => Some(ErrorKind::Tampered),
            TrailCheck::Failed(error) => Some(error.kind()),
            TrailCheck::TimedOut => Some(ErrorKind::StoreUnavailable),
        };
        keys.or(database).or(trail)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.keys {
            KeysCheck::Open => write!(f, "keys: open; ")?,
            KeysCheck::OpenOnly(error) => {
                write!(f, "keys: open, but seal nothing new: {}; ", error.report())?;
            }
            KeysCheck::Failed(error) => write!(f, "keys: {}; ", error.report())?,
            KeysCheck::TimedOut => write!(f, "keys: no answer in time; ")?,
        }
        match &self.database {
            DatabaseCheck::Reachable => write!(f, "database: reachable; ")?,
            DatabaseCheck::OtherVault => write!(f, "database: holds another vault, or none; ")?,
            DatabaseCheck::Failed(error) => write!(f, "database: {}; ", error.report())?,
            DatabaseCheck::TimedOut => write!(f, "database: no answer in time; ")?,
        }
        match &self.trail {
            TrailCheck::Whole { checkpoint: None } => write!(f, "audit trail: whole at its ends"),
            TrailCheck::Whole { checkpoint: Some(number) } => {
                write!(f, "audit trail: whole at checkpoint {number} and at its ends")
            }
            TrailCheck::Broken { shard } => {
                write!(f, "audit trail: chain {shard} was altered or cut, run verify")
            }
            TrailCheck::Failed(error) => write!(f, "audit trail: {}", error.report()),
            TrailCheck::TimedOut => write!(f, "audit trail: no answer in time"),
        }?;
        match &self.sink {
            SinkCheck::Reachable => write!(f, "; sink: reachable"),
            SinkCheck::NotSet => Ok(()),
            SinkCheck::Failed(error) => write!(f, "; sink: {}", error.report()),
            SinkCheck::TimedOut => write!(f, "; sink: no answer in time"),
        }
    }
}

pub(crate) async fn check(vault: &Inner, limit: Duration) -> Readiness {
    let mut keys = pin!(tokio::time::timeout(limit, vault.probe.try_keys(&*vault.key_provider)));
    let mut database = pin!(tokio::time::timeout(limit, database(vault)));
    let mut trail = pin!(tokio::time::timeout(limit, trail(vault)));
    let mut sink = pin!(tokio::time::timeout(limit, sink(vault)));
    let mut found = (None, None, None, None);
    // Side by side: what hangs holds up no other.
    poll_fn(|context| {
        step(&mut found.0, keys.as_mut(), context);
        step(&mut found.1, database.as_mut(), context);
        step(&mut found.2, trail.as_mut(), context);
        step(&mut found.3, sink.as_mut(), context);
        match &mut found {
            (Some(_), Some(_), Some(_), Some(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    Readiness {
        keys: match found.0 {
            Some(Ok(Ok(None))) => KeysCheck::Open,
            Some(Ok(Ok(Some(error)))) => KeysCheck::OpenOnly(error),
            Some(Ok(Err(error))) => KeysCheck::Failed(error),
            Some(Err(_)) | None => KeysCheck::TimedOut,
        },
        database: match found.1 {
            Some(Ok(Ok(found))) => found,
            Some(Ok(Err(error))) => DatabaseCheck::Failed(error),
            Some(Err(_)) | None => DatabaseCheck::TimedOut,
        },
        trail: match found.2 {
            Some(Ok(Ok(found))) => found,
            Some(Ok(Err(error))) => TrailCheck::Failed(error),
            Some(Err(_)) | None => TrailCheck::TimedOut,
        },
        sink: match found.3 {
            Some(Ok(Ok(found))) => found,
            Some(Ok(Err(error))) => SinkCheck::Failed(error),
            Some(Err(_)) | None => SinkCheck::TimedOut,
        },
    }
}

fn step<F: Future>(found: &mut Option<F::Output>, part: Pin<&mut F>, context: &mut Context<'_>) {
    if found.is_none()
        && let Poll::Ready(output) = part.poll(context)
    {
        *found = Some(output);
    }
}

async fn database(vault: &Inner) -> Result<DatabaseCheck, Error> {
    let found = vault.store.vault().await?;
    if found.is_none_or(|found| found.id != vault.id) {
        return Ok(DatabaseCheck::OtherVault);
    }
    vault.store.writable().await?;
    Ok(DatabaseCheck::Reachable)
}

async fn sink(vault: &Inner) -> Result<SinkCheck, Error> {
    let Some(sink) = &vault.sink else { return Ok(SinkCheck::NotSet) };
    sink.last().await?;
    Ok(SinkCheck::Reachable)
}

/// Looks at every chain where the last checkpoint has it, and at its end: two short reads each.
async fn trail(vault: &Inner) -> Result<TrailCheck, Error> {
    // Both first: the heads may move on, never back.
    let marks = vault.keys.chain.marks();
    let checkpoint = checkpoint::stored(vault).await?;
    for head in vault.store.audit_heads().await? {
        let at_checkpoint = checkpoint.as_ref().and_then(|last| last.heads().get(usize::from(head.shard)));
        let seen = marks.iter().chain(at_checkpoint);
        if { seen }.any(|seen| head.went_back(seen)) {
            return Ok(TrailCheck::Broken { shard: head.shard });
        }
        let at = at_checkpoint.copied().unwrap_or(AuditHead::empty(head.shard));
        match passes(vault, &[at, head]).await {
            Ok(true) => {}
            Err(error) if error.kind() != ErrorKind::Tampered => return Err(error),
            _ => return Ok(TrailCheck::Broken { shard: head.shard }),
        }
    }
    Ok(TrailCheck::Whole { checkpoint: checkpoint.map(|last| last.number()) })
}

async fn passes(vault: &Inner, heads: &[AuditHead; 2]) -> Result<bool, Error> {
    Ok(ends_well(vault, heads[0]).await? && (heads[0] == heads[1] || ends_well(vault, heads[1]).await?))
}

/// Whether this head's entry is there, genuine, and follows the one before it.
async fn ends_well(vault: &Inner, head: AuditHead) -> Result<bool, Error> {
    let Some(before) = head.sequence.checked_sub(1) else { return Ok(head == AuditHead::empty(head.shard)) };
    let found = vault.store.audit_entries(head.shard, before.saturating_sub(1), 2).await?;
    let (previous, last) = match &found[..] {
        [last] if before == 0 => (AuditHead::empty(head.shard), last),
        [last, _] if before == 0 => (AuditHead::empty(head.shard), last),
        [previous, last] => (previous.head(), last),
        _ => return Ok(false),
    };
    Ok(last.head() == head && vault.keys.chain.follows(&previous, last))
}
