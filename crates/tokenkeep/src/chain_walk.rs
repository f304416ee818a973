//! Following one chain of the audit trail, page by page.

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::{AuditEntry, AuditHead, shard_of};

use crate::inner::Inner;

/// How many entries are read at a time.
const PAGE: u32 = 512;

/// What comes next in a chain.
pub(crate) enum Page {
    /// Nothing: its head was reached.
    End,
    /// Entries, each of which follows the one before it.
    Entries(Vec<AuditEntry>),
    /// The entry at this place does not follow the ones before it, which are given.
    Altered { before: Vec<AuditEntry>, sequence: u64 },
    /// The head is not where the entries end.
    HeadAltered,
}

/// Reads on from `end` towards `head`, which was read later.
pub(crate) async fn next_page(vault: &Inner, end: AuditHead, head: AuditHead) -> Result<Page, Error> {
    if end.sequence >= head.sequence {
        return Ok(if end == head { Page::End } else { Page::HeadAltered });
    }
    let missing = u32::try_from(head.sequence - end.sequence).unwrap_or(PAGE).min(PAGE);
    match vault.store.audit_entries(end.shard, end.sequence, missing).await {
        Err(error) if error.kind() == ErrorKind::Tampered => one_by_one(vault, end, missing).await,
        page => Ok(follow(vault, end, page?)),
    }
}

/// The entries that follow each other.
fn follow(vault: &Inner, end: AuditHead, mut page: Vec<AuditEntry>) -> Page {
    let mut reached = end;
    for (place, entry) in page.iter().enumerate() {
        let own_shard = shard_of(entry.draft.id.tenant()) == end.shard;
        if !own_shard || !vault.keys.chain.follows(&reached, entry) {
            page.truncate(place);
            return Page::Altered { before: page, sequence: reached.sequence + 1 };
        }
        reached = entry.head();
    }
    if page.is_empty() { Page::HeadAltered } else { Page::Entries(page) }
}

/// Finds the entry that can't even be read, in a page of which that is all that is known.
async fn one_by_one(vault: &Inner, end: AuditHead, missing: u32) -> Result<Page, Error> {
    let (mut before, mut reached) = (Vec::new(), end);
    for _ in 0..missing {
        let entry = match vault.store.audit_entries(end.shard, reached.sequence, 1).await {
            Err(error) if error.kind() == ErrorKind::Tampered => {
                return Ok(Page::Altered { before, sequence: reached.sequence + 1 });
            }
            entry => entry?,
        };
        match follow(vault, reached, entry) {
            Page::Entries(mut entry) => before.append(&mut entry),
            Page::Altered { sequence, .. } => return Ok(Page::Altered { before, sequence }),
            Page::HeadAltered | Page::End => break,
        }
        reached = before.last().map_or(end, AuditEntry::head);
    }
    Ok(if before.is_empty() { Page::HeadAltered } else { Page::Entries(before) })
}
