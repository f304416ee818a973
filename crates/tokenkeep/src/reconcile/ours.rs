//! What a tenant's audit trail says of its runs and uses since a time.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tokenkeep_store::{Action, AuditDraft, AuditHead, Timestamp, shard_of};

use crate::chain_walk::{Page, next_page};
use crate::inner::Inner;

/// By how much an instance's clock and the provider's may differ.
const CLOCKS: Duration = Duration::from_secs(10 * 60);

/// Runs and uses on our record, read once and on.
#[derive(Debug)]
pub(super) struct Ours {
    since: Timestamp,
    /// Up to where the chain was read; `None` before the start.
    end: Option<AuditHead>,
    /// What the tenant's tokens made.
    started: HashSet<String>,
    /// The minutes in which the connection's token was used.
    minutes: BTreeSet<i64>,
}

impl Ours {
    pub(super) fn since(since: Timestamp) -> Self {
        Self { since, end: None, started: HashSet::new(), minutes: BTreeSet::new() }
    }

    /// Whether the tenant's record has a run of this identifier.
    pub(super) fn started(&self, run: &str) -> bool {
        self.started.contains(run)
    }

    /// Whether the connection's token was used in this minute or in one beside it; for no minute, whether it was used at all.
    pub(super) fn was_used_about(&self, at: Option<Timestamp>) -> bool {
        let Some(at) = at else { return !self.minutes.is_empty() };
        let minute = minute(at);
        self.minutes.range(minute - 1..=minute + 1).next().is_some()
    }

    /// Reads the chain to its present end, checking that each entry follows the one before it.
    ///
    /// # Cancellation
    /// Safe: what was read is kept, and the rest is read by the next call.
    pub(super) async fn read_on(&mut self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        let shard = shard_of(id.tenant());
        let heads = vault.store.audit_heads().await?;
        let head = heads.into_iter().find(|head| head.shard == shard).unwrap_or(AuditHead::empty(shard));
        let mut end = match self.end {
            Some(end) => end,
            None => place_before(vault, head, self.since).await?,
        };
        loop {
            match next_page(vault, end, head).await? {
                Page::Entries(entries) => {
                    for entry in &entries {
                        self.note(id, &entry.draft);
                        end = entry.head();
                    }
                    self.end = Some(end);
                }
                Page::End => {
                    self.end = Some(end);
                    return Ok(());
                }
                Page::Altered { .. } | Page::HeadAltered => return Err(altered()),
            }
        }
    }

    fn note(&mut self, id: &ConnectionId, draft: &AuditDraft) {
        match (draft.action, &draft.subject) {
            (Action::Created, Some(run)) if draft.id.tenant() == id.tenant() => {
                self.started.insert(run.clone());
            }
            (Action::Used, _) if draft.id == *id => {
                self.minutes.insert(minute(draft.at));
            }
            _ => {}
        }
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(60_000)
}

/// A place in the chain behind which everything is that was written since this time, found by halving.
///
/// An entry that says to be from before `since - CLOCKS` is from before `since` by the provider's clock, and so is every
/// entry that stands before it, whatever their own times are.
async fn place_before(vault: &Inner, head: AuditHead, since: Timestamp) -> Result<AuditHead, Error> {
    let margin = i64::try_from(CLOCKS.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(since.as_millis().saturating_sub(margin));
    let mut found = AuditHead::empty(head.shard);
    let mut beyond = head.sequence + 1;
    while beyond - found.sequence > 1 {
        let middle = found.sequence + (beyond - found.sequence) / 2;
        let entry = vault.store.audit_entries(head.shard, middle - 1, 1).await?.pop();
        let entry = entry.filter(|entry| entry.sequence == middle).ok_or_else(altered)?;
        if entry.draft.at < before {
            found = entry.head();
        } else {
            beyond = middle;
        }
    }
    Ok(found)
}

fn altered() -> Error {
    Error::new(ErrorKind::Tampered).because("the audit trail does not follow from itself; verify says where")
}
