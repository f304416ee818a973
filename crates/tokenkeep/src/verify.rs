//! Whether the trail and the records are what the vault wrote.

use std::collections::HashMap;
use std::fmt;

use tokenkeep_core::{ConnectionId, Error, ErrorKind, Revision};
use tokenkeep_store::{AuditHead, Record, SHARDS, Scan, shard_of};

use crate::inner::Inner;

/// How many entries or records are read at a time.
const PAGE: u32 = 512;

/// How often a head that its chain has outgrown is read anew.
const TRIES: usize = 5;

/// Something that is not as the vault wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// In this chain, the entry at this place is not the one that was written behind the one before it: altered,
    /// removed, inserted or reordered. The chain is not followed further.
    EntryAltered {
        /// Which chain.
        shard: u16,
        /// Which place, from 1.
        sequence: u64,
    },
    /// The chain's head is not its last entry: entries were cut off, or the head was altered.
    HeadAltered {
        /// Which chain.
        shard: u16,
    },
    /// The record does not fit its MAC, or can't be read.
    RecordAltered {
        /// Whose record.
        id: ConnectionId,
    },
    /// The record is older than the trail's last change of it: an old row was put back.
    RecordPutBack {
        /// Whose record.
        id: ConnectionId,
        /// The revision that stands in the database.
        found: Revision,
        /// The revision that the trail ends with.
        expected: Revision,
    },
    /// The trail knows the connection, but its record is gone.
    RecordMissing {
        /// Whose record.
        id: ConnectionId,
    },
    /// The record is newer than the trail's last change of it, or the trail doesn't know it: entries are missing.
    RecordUnaccounted {
        /// Whose record.
        id: ConnectionId,
    },
    /// Records could not be listed, because one that the trail doesn't know can't be read.
    RecordsUnreadable,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryAltered { shard, sequence } => {
                write!(f, "audit entry {shard}/{sequence} was altered, removed, inserted or reordered")
            }
            Self::HeadAltered { shard } => write!(f, "audit chain {shard} was cut, or its head altered"),
            Self::RecordAltered { id } => write!(f, "the record of {id} was altered"),
            Self::RecordPutBack { id, found, expected } => {
                write!(f, "the record of {id} is an old one put back: revision {found}, should be {expected}")
            }
            Self::RecordMissing { id } => write!(f, "the record of {id} was removed"),
            Self::RecordUnaccounted { id } => {
                write!(f, "the record of {id} has changes that the trail doesn't know")
            }
            Self::RecordsUnreadable => write!(f, "a record that the trail doesn't know can't be read"),
        }
    }
}

/// What a verification went through, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Verification {
    /// How many audit entries were checked.
    pub entries: u64,
    /// How many records were checked.
    pub records: u64,
    /// What is not as the vault wrote it.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether everything is as the vault wrote it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} audit entries and {} records checked: ", self.entries, self.records)?;
        if self.is_whole() {
            return write!(f, "whole");
        }
        write!(f, "{} findings", self.findings.len())?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

pub(crate) async fn verify(vault: &Inner) -> Result<Verification, Error> {
    let mut walk =
        Walk { vault, entries: 0, latest: HashMap::new(), broken: Vec::new(), findings: Vec::new() };
    let mut ends = Vec::with_capacity(usize::from(SHARDS));
    for shard in 0..SHARDS {
        ends.push(walk.chain(AuditHead::empty(shard)).await?);
    }
    walk.heads(&mut ends).await?;
    let records = walk.records(&mut ends).await?;
    Ok(Verification { entries: walk.entries, records, findings: walk.findings })
}

struct Walk<'a> {
    vault: &'a Inner,
    entries: u64,
    /// The last revision of each connection that the trail knows.
    latest: HashMap<ConnectionId, Revision>,
    /// Chains in which an entry was altered: what the trail says of their records is worth nothing.
    broken: Vec<u16>,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    /// Follows a chain from behind `head` to its end, and returns the last entry that fits.
    async fn chain(&mut self, mut head: AuditHead) -> Result<AuditHead, Error> {
        if self.broken.contains(&head.shard) {
            return Ok(head);
        }
        loop {
            let page = match self.vault.store.audit_entries(head.shard, head.sequence, PAGE).await {
                Err(error) if error.kind() == ErrorKind::Tampered => return Ok(self.break_at(head)),
                page => page?,
            };
            if page.is_empty() {
                return Ok(head);
            }
            for entry in page {
                let fits = self.vault.keys.chain.follows(&head, &entry)
                    && shard_of(entry.draft.id.tenant()) == head.shard;
                if !fits {
                    return Ok(self.break_at(head));
                }
                head = entry.head();
                self.entries += 1;
                if entry.draft.action.changes_record() {
                    self.latest.insert(entry.draft.id, entry.draft.revision);
                }
            }
        }
    }

    fn break_at(&mut self, head: AuditHead) -> AuditHead {
        self.broken.push(head.shard);
        self.findings.push(Finding::EntryAltered { shard: head.shard, sequence: head.sequence + 1 });
        head
    }

    /// Compares the heads with the chains' ends. A chain may grow meanwhile, so both are read anew a few times.
    async fn heads(&mut self, ends: &mut [AuditHead]) -> Result<(), Error> {
        let mut differing = Vec::new();
        for _ in 0..TRIES {
            let heads = match self.vault.store.audit_heads().await {
                Err(error) if error.kind() == ErrorKind::Tampered => Vec::new(),
                heads => heads?,
            };
            differing.clear();
            for end in ends.iter_mut() {
                *end = self.chain(*end).await?;
                if !heads.contains(end) && !self.broken.contains(&end.shard) {
                    differing.push(end.shard);
                }
            }
            if differing.is_empty() {
                break;
            }
        }
        self.findings.extend(differing.into_iter().map(|shard| Finding::HeadAltered { shard }));
        Ok(())
    }

    /// Compares every record that the trail knows, and finds those that it doesn't know.
    async fn records(&mut self, ends: &mut [AuditHead]) -> Result<u64, Error> {
        let mut known: Vec<ConnectionId> = self.latest.keys().cloned().collect();
        known.sort();
        for id in &known {
            self.record(id, ends).await?;
        }
        let mut count = known.len() as u64;
        let mut after: Option<ConnectionId> = None;
        loop {
            let page = match self.vault.store.scan(&Scan::All, after.as_ref(), PAGE).await {
                Err(error) if error.kind() == ErrorKind::Tampered => {
                    // One of a known connection was named above already; then there is no need for a vaguer word.
                    if !self.findings.iter().any(|finding| matches!(finding, Finding::RecordAltered { .. })) {
                        self.findings.push(Finding::RecordsUnreadable);
                    }
                    return Ok(count);
                }
                page => page?,
            };
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.id.clone());
            for record in &page {
                if !self.latest.contains_key(&record.id) {
                    count += 1;
                    self.record(&record.id, ends).await?;
                }
            }
        }
    }

    async fn record(&mut self, id: &ConnectionId, ends: &mut [AuditHead]) -> Result<(), Error> {
        let shard = shard_of(id.tenant());
        let record = match self.vault.store.record(id).await {
            Err(error) if error.kind() == ErrorKind::Tampered => {
                self.findings.push(Finding::RecordAltered { id: id.clone() });
                return Ok(());
            }
            record => record?,
        };
        // The record was read after its chain: it may be newer, and its entries are then there by now.
        let behind =
            |walk: &Self| walk.latest.get(id).copied() < record.as_ref().map(|record| record.revision);
        if behind(self) {
            let end = &mut ends[usize::from(shard)];
            *end = self.chain(*end).await?;
        }
        let finding = self.judge(id, record.as_ref(), self.broken.contains(&shard));
        self.findings.extend(finding);
        Ok(())
    }

    fn judge(&self, id: &ConnectionId, record: Option<&Record>, chain_broken: bool) -> Option<Finding> {
        let expected = self.latest.get(id).copied();
        let id = id.clone();
        let Some(record) = record else {
            return expected.map(|_| Finding::RecordMissing { id });
        };
        if record.id != id || !self.vault.keys.records.fits(record) {
            return Some(Finding::RecordAltered { id });
        }
        match expected {
            Some(expected) if record.revision < expected => {
                Some(Finding::RecordPutBack { id, found: record.revision, expected })
            }
            Some(expected) if record.revision == expected => None,
            // Behind a broken entry the trail is not followed, so its silence says nothing.
            _ if chain_broken => None,
            _ => Some(Finding::RecordUnaccounted { id }),
        }
    }
}
