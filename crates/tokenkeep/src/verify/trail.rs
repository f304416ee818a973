//! What a verification knows of the trail, and how it gets to know it.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use tokenkeep_core::{ConnectionId, Error, ErrorKind, Revision};
use tokenkeep_store::{Action, AuditEntry, AuditHead, Record, SHARDS};

use super::anchors::Anchors;
use super::{Finding, Findings};
use crate::chain_walk::{Page, next_page};
use crate::inner::Inner;

/// Stands for a connection: a hash of its names, so that their length costs no memory. Two of one hash would take 2^64
/// tries to make.
pub(super) type Key = [u8; 16];

pub(super) fn key(id: &ConnectionId) -> Key {
    let tenant = id.tenant().as_str().as_bytes();
    // A tenant's name has at most 255 bytes.
    let hash = Sha256::new().chain_update([tenant.len() as u8]).chain_update(tenant);
    let hash = hash.chain_update(id.name().as_str()).finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

/// What the trail says last of a connection's record: 32 bytes, 48 with its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) revision: Revision,
    /// Where it says that.
    pub(super) sequence: u64,
    /// The beginning of the record's MAC. The MAC itself is checked with the record.
    mac: [u8; 15],
    /// Whether the record was compared.
    pub(super) seen: bool,
}

impl Latest {
    fn new(entry: &AuditEntry, mac: &[u8; 32]) -> Self {
        let Some(mac) = mac.first_chunk() else { unreachable!("15 of 32 bytes") };
        Self { revision: entry.draft.revision, sequence: entry.sequence, mac: *mac, seen: false }
    }

    pub(super) fn is_of(&self, record: &Record) -> bool {
        self.revision == record.revision && record.mac.starts_with(&self.mac)
    }

    pub(super) fn says_as(&self, other: &Self) -> bool {
        (self.sequence, self.mac) == (other.sequence, other.mac)
    }
}

/// The trail as far as it was followed. It may grow meanwhile: the heads are read first and each chain is followed to its
/// head, so that nothing that was there then can be missing, and nothing that came later is blamed.
pub(super) struct Trail {
    pub(super) entries: u64,
    /// How far each chain was followed.
    pub(super) ends: Vec<AuditHead>,
    /// Apart for each chain, so that growing doubles one sixteenth at a time.
    pub(super) latest: Vec<HashMap<Key, Latest>>,
    /// Chains that are not followed further: what they say of their records is worth nothing.
    pub(super) broken: [bool; SHARDS as usize],
    pub(super) anchors: Anchors,
    pub(super) findings: Findings,
}

impl Trail {
    pub(super) fn new(anchors: Anchors, findings: Findings) -> Self {
        Self {
            entries: 0,
            ends: (0..SHARDS).map(AuditHead::empty).collect(),
            latest: vec![HashMap::new(); usize::from(SHARDS)],
            broken: [false; SHARDS as usize],
            anchors,
            findings,
        }
    }

    /// Reads the heads; one that can't be read is `None`.
    pub(super) async fn heads(vault: &Inner) -> Result<Vec<Option<AuditHead>>, Error> {
        let heads = match vault.store.audit_heads().await {
            Err(error) if error.kind() == ErrorKind::Tampered => Vec::new(),
            heads => heads?,
        };
        Ok((0..SHARDS).map(|shard| heads.iter().find(|head| head.shard == shard).copied()).collect())
    }

    /// Follows every chain from where it was left to its present head.
    pub(super) async fn follow_heads(&mut self, vault: &Inner) -> Result<(), Error> {
        for (shard, head) in (0..SHARDS).zip(Self::heads(vault).await?) {
            while !self.page(vault, shard, head).await? {}
        }
        Ok(())
    }

    /// Takes the next page of a chain on the way to this head; `true` when it is there.
    pub(super) async fn page(
        &mut self,
        vault: &Inner,
        shard: u16,
        head: Option<AuditHead>,
    ) -> Result<bool, Error> {
        if self.broken[usize::from(shard)] {
            return Ok(true);
        }
        let Some(head) = head else {
            self.give_up(shard, Finding::HeadAltered { shard });
            return Ok(true);
        };
        let page = next_page(vault, self.ends[usize::from(shard)], head).await?;
        // No await from here on: what was read is taken whole.
        match page {
            Page::End => return Ok(true),
            Page::Entries(entries) => entries.iter().for_each(|entry| self.entry(entry)),
            Page::Altered { before, sequence } => {
                before.iter().for_each(|entry| self.entry(entry));
                self.give_up(shard, Finding::EntryAltered { shard, sequence });
            }
            Page::HeadAltered => self.give_up(shard, Finding::HeadAltered { shard }),
        }
        Ok(false)
    }

    /// Takes the next entry of its chain, which follows the one before it.
    fn entry(&mut self, entry: &AuditEntry) {
        let shard = usize::from(entry.shard);
        self.entries += 1;
        self.ends[shard] = entry.head();
        self.anchors.pass(&entry.head());
        if let Some(mac) = &entry.draft.record_mac {
            let before = self.latest[shard].insert(key(&entry.draft.id), Latest::new(entry, mac));
            let expected = before.map_or(Revision::FIRST, |before| before.revision.next());
            let follows = match entry.draft.action {
                // It says of itself that the record before it was not the trail's.
                Action::Discarded => entry.draft.revision >= expected,
                _ => entry.draft.revision == expected,
            };
            if !follows {
                // The entries are genuine, but changes between them are not on record, or were made to an old row.
                let (shard, sequence, id) = (entry.shard, entry.sequence, entry.draft.id.clone());
                self.findings.add(Finding::HistoryBroken { shard, sequence, id });
            }
        }
    }

    pub(super) fn give_up(&mut self, shard: u16, finding: Finding) {
        let broken = &mut self.broken[usize::from(shard)];
        if !std::mem::replace(broken, true) {
            self.findings.add(finding);
        }
    }

    /// An entry beyond the head was inserted, unless the head has moved on by now.
    pub(super) async fn nothing_beyond_the_head(&mut self, vault: &Inner, shard: u16) -> Result<(), Error> {
        let end = self.ends[usize::from(shard)];
        let beyond = match vault.store.audit_entries(shard, end.sequence, 1).await {
            Err(error) if error.kind() == ErrorKind::Tampered => true,
            page => !page?.is_empty(),
        };
        if beyond && !self.broken[usize::from(shard)] {
            self.follow_heads(vault).await?;
            if self.ends[usize::from(shard)] == end {
                let sequence = end.sequence + 1;
                self.give_up(shard, Finding::EntryAltered { shard, sequence });
            }
        }
        Ok(())
    }

    pub(super) fn latest(&self, id: &ConnectionId) -> Option<Latest> {
        self.latest[shard(id)].get(&key(id)).copied()
    }

    pub(super) fn mark_seen(&mut self, id: &ConnectionId) {
        if let Some(latest) = self.latest[shard(id)].get_mut(&key(id)) {
            latest.seen = true;
        }
    }
}

pub(super) fn shard(id: &ConnectionId) -> usize {
    usize::from(tokenkeep_store::shard_of(id.tenant()))
}
