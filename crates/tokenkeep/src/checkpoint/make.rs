//! Making a checkpoint, and seeing that it gets out.

use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::{AuditHead, SHARDS, StoredCheckpoint};

use super::{Checkpoint, CheckpointSink, Facts};
use crate::chain_walk::{Page, next_page};
use crate::inner::Inner;
use crate::observe::Operation;

/// How often it is tried anew when another instance makes one at the same time.
const TRIES: usize = 16;

pub(crate) fn tampered(detail: &'static str) -> Error {
    Error::new(ErrorKind::Tampered).because(detail)
}

/// Delivers the last checkpoint if need be, and makes one if there is anything new. Returns the one that is the last then.
pub(crate) async fn checkpoint(vault: &Inner) -> Result<Checkpoint, Error> {
    let missing =
        || Error::new(ErrorKind::Misuse).because("the vault was opened without a sink for checkpoints");
    let sink = vault.sink.as_deref().ok_or_else(missing)?;
    for _ in 0..TRIES {
        let last = delivered(vault, sink).await?;
        let next = match next(vault, last.as_ref()).await? {
            Some(next) => next,
            // `next` makes the first one over an empty trail too.
            None => return last.ok_or_else(|| ErrorKind::Internal.into()),
        };
        let stored = StoredCheckpoint { number: next.number(), note: next.note().to_owned() };
        match vault.store.put_checkpoint(&stored).await {
            // Dropped or failed from here on, it is in the database, and the next call delivers it.
            Ok(()) => {
                sink.deliver(&next).await?;
                tracing::debug!(number = next.number(), entries = next.entries(), "checkpoint delivered");
                return Ok(next);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

/// The database's last checkpoint, once the sink has it.
async fn delivered(vault: &Inner, sink: &dyn CheckpointSink) -> Result<Option<Checkpoint>, Error> {
    let key = vault.keys.checkpoints.public();
    // First the sink: whatever it has was in the database before.
    let exported = sink
        .last()
        .await?
        .map(|note| Checkpoint::open(&note, key))
        .transpose()
        .map_err(|why| tampered("the sink's last checkpoint is none of this vault").with_source(why))?;
    let stored = stored(vault).await?;
    match (exported, stored) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(tampered(PUT_BACK)),
        (exported, Some(stored)) => {
            if let Some(exported) = exported {
                if stored.number() < exported.number() {
                    return Err(tampered(PUT_BACK));
                }
                if stored.forks_from(&exported) {
                    return Err(tampered("the database's last checkpoint is not of the sink's run of them"));
                }
                if stored.number() == exported.number() {
                    return Ok(Some(stored));
                }
            }
            sink.deliver(&stored).await?;
            Ok(Some(stored))
        }
    }
}

const PUT_BACK: &str = "the database is behind the checkpoints that the sink has; it was put back";

/// The database's last checkpoint.
pub(crate) async fn stored(vault: &Inner) -> Result<Option<Checkpoint>, Error> {
    vault.store.checkpoint().await?.map(|stored| open_stored(&stored, vault)).transpose()
}

fn open_stored(stored: &StoredCheckpoint, vault: &Inner) -> Result<Checkpoint, Error> {
    let checkpoint = Checkpoint::open(&stored.note, vault.keys.checkpoints.public())
        .map_err(|why| tampered("the database's last checkpoint was altered").with_source(why))?;
    if checkpoint.number() != stored.number {
        return Err(tampered("the database's last checkpoint was altered"));
    }
    Ok(checkpoint)
}

/// What follows `last`, if anything is new. What is signed was followed, entry by entry, from what was signed before.
async fn next(vault: &Inner, last: Option<&Checkpoint>) -> Result<Option<Checkpoint>, Error> {
    let mut ends: Vec<AuditHead> = match last {
        Some(last) => last.heads().to_vec(),
        None => (0..SHARDS).map(AuditHead::empty).collect(),
    };
    let marks = vault.keys.chain.marks();
    let heads = vault.store.audit_heads().await?;
    let is_new = last.is_none() || heads != ends;
    for (end, mark) in ends.iter_mut().zip(&marks) {
        let head = heads.iter().find(|head| head.shard == end.shard);
        let head = *head.ok_or_else(|| tampered("an audit chain has no head"))?;
        if head.went_back(end) || head.went_back(mark) {
            return Err(tampered(
                "an audit chain ends before what was seen of it; it was cut, or the database put back",
            ));
        }
        loop {
            match next_page(vault, *end, head).await? {
                Page::End => break,
                Page::Entries(entries) => {
                    *end = entries.last().map_or(head, tokenkeep_store::AuditEntry::head);
                }
                Page::HeadAltered | Page::Altered { .. } => {
                    return Err(tampered("the audit trail was altered since the last checkpoint"));
                }
            }
        }
        vault.keys.chain.note(end);
    }
    if !is_new {
        return Ok(None);
    }
    let facts = Facts {
        vault: vault.id,
        number: last.map_or(0, Checkpoint::number).saturating_add(1),
        at: vault.now(),
        previous: last.map_or([0; 32], |last| *last.digest()),
        heads: ends,
    };
    Ok(Some(Checkpoint::make(&vault.keys.checkpoints, facts)))
}

/// Makes one now and then, until it is dropped.
pub(crate) async fn every(vault: &Inner, period: Duration) {
    let mut turns = tokio::time::interval(period.max(Duration::from_millis(1)));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let work = checkpoint(vault);
        if let Err(error) = vault.watch.over(Operation::Checkpoint, None, work).await {
            tracing::warn!(error = %error.report(), "no checkpoint made; it is tried again");
        }
    }
}
