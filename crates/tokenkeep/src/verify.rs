//! Whether the trail and the records are what the vault wrote.

use std::collections::HashMap;
use std::fmt;

use tokenkeep_core::{ConnectionId, Error, ErrorKind, Revision};
use tokenkeep_store::{AuditEntry, AuditHead, SHARDS, Scan, shard_of};

use crate::inner::Inner;

/// How many entries or records are read at a time.
const PAGE: u32 = 512;

/// How often a record that changes while it is compared is read anew.
const TRIES: usize = 64;

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
    /// The entry at this place is genuine, but the change that it stands for does not follow the one before it of that
    /// connection: entries between them were cut off, or the change was made to an old row that had been put back.
    HistoryBroken {
        /// Which chain.
        shard: u16,
        /// Which place, from 1.
        sequence: u64,
        /// Whose record.
        id: ConnectionId,
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
    /// The record is newer than the trail's last change of it, is another one of the same revision, or the trail doesn't
    /// know it: entries are missing.
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
            Self::HistoryBroken { shard, sequence, id } => {
                write!(
                    f,
                    "audit entry {shard}/{sequence} changes {id} from a state that the trail doesn't end with"
                )
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
    let ends = (0..SHARDS).map(AuditHead::empty).collect();
    let mut walk =
        Walk { vault, entries: 0, ends, latest: HashMap::new(), broken: Vec::new(), findings: Vec::new() };
    walk.follow_heads().await?;
    for shard in 0..SHARDS {
        walk.nothing_beyond_the_head(shard).await?;
    }
    let records = walk.records().await?;
    Ok(Verification { entries: walk.entries, records, findings: walk.findings })
}

/// What the trail says last of a connection's record.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Latest {
    revision: Revision,
    mac: [u8; 32],
}

/// A walk along all chains. The trail and the records may grow meanwhile: the heads are read first and each chain is
/// followed to its head, so that nothing that was there then can be missing, and nothing that came later is blamed.
struct Walk<'a> {
    vault: &'a Inner,
    entries: u64,
    /// How far each chain was followed.
    ends: Vec<AuditHead>,
    latest: HashMap<ConnectionId, Latest>,
    /// Chains that are not followed further: what they say of their records is worth nothing.
    broken: Vec<u16>,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    /// Follows every chain from where it was left to its present head.
    async fn follow_heads(&mut self) -> Result<(), Error> {
        let heads = match self.vault.store.audit_heads().await {
            Err(error) if error.kind() == ErrorKind::Tampered => Vec::new(),
            heads => heads?,
        };
        for shard in 0..SHARDS {
            match heads.iter().find(|head| head.shard == shard) {
                Some(head) => self.chain(*head).await?,
                None => self.give_up(shard, Finding::HeadAltered { shard }),
            }
        }
        Ok(())
    }

    /// Follows a chain to this head.
    async fn chain(&mut self, head: AuditHead) -> Result<(), Error> {
        let shard = head.shard;
        while !self.broken.contains(&shard) {
            let end = self.ends[usize::from(shard)];
            if end.sequence >= head.sequence {
                if end != head {
                    self.give_up(shard, Finding::HeadAltered { shard });
                }
                return Ok(());
            }
            let missing = u32::try_from(head.sequence - end.sequence).unwrap_or(PAGE).min(PAGE);
            let page = match self.vault.store.audit_entries(shard, end.sequence, missing).await {
                Err(error) if error.kind() == ErrorKind::Tampered => {
                    self.give_up(shard, Finding::EntryAltered { shard, sequence: end.sequence + 1 });
                    return Ok(());
                }
                page => page?,
            };
            if page.is_empty() {
                self.give_up(shard, Finding::HeadAltered { shard });
            }
            for entry in page {
                if !self.entry(shard, entry) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes the next entry of its chain; `false` when the chain is broken there.
    fn entry(&mut self, shard: u16, entry: AuditEntry) -> bool {
        let end = self.ends[usize::from(shard)];
        let own_shard = shard_of(entry.draft.id.tenant()) == shard;
        if !own_shard || !self.vault.keys.chain.follows(&end, &entry) {
            self.give_up(shard, Finding::EntryAltered { shard, sequence: end.sequence + 1 });
            return false;
        }
        self.entries += 1;
        self.ends[usize::from(shard)] = entry.head();
        if let Some(mac) = entry.draft.record_mac {
            let revision = entry.draft.revision;
            let before = self.latest.insert(entry.draft.id.clone(), Latest { revision, mac });
            let expected = before.map_or(Revision::FIRST, |before| before.revision.next());
            if revision != expected {
                // The entries are genuine, but changes between them are not on record, or were made to an old row.
                let (sequence, id) = (entry.sequence, entry.draft.id);
                self.findings.push(Finding::HistoryBroken { shard, sequence, id });
            }
        }
        true
    }

    fn give_up(&mut self, shard: u16, finding: Finding) {
        if !self.broken.contains(&shard) {
            self.broken.push(shard);
            self.findings.push(finding);
        }
    }

    /// An entry beyond the head was inserted, unless the head has moved on by now.
    async fn nothing_beyond_the_head(&mut self, shard: u16) -> Result<(), Error> {
        let end = self.ends[usize::from(shard)];
        let beyond = match self.vault.store.audit_entries(shard, end.sequence, 1).await {
            Err(error) if error.kind() == ErrorKind::Tampered => true,
            page => !page?.is_empty(),
        };
        if beyond && !self.broken.contains(&shard) {
            self.follow_heads().await?;
            if self.ends[usize::from(shard)] == end {
                let sequence = end.sequence + 1;
                self.give_up(shard, Finding::EntryAltered { shard, sequence });
            }
        }
        Ok(())
    }

    /// Compares every record that the trail knows, and finds those that it doesn't know.
    async fn records(&mut self) -> Result<u64, Error> {
        let mut known: Vec<ConnectionId> = self.latest.keys().cloned().collect();
        known.sort();
        for id in &known {
            self.record(id).await?;
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
                if known.binary_search(&record.id).is_err() {
                    count += 1;
                    self.record(&record.id).await?;
                }
            }
        }
    }

    /// Compares one record with the trail. Either may have moved on since the other was read, so both are read anew
    /// until they agree or can't be made to.
    async fn record(&mut self, id: &ConnectionId) -> Result<(), Error> {
        let shard = shard_of(id.tenant());
        for _ in 0..TRIES {
            let expected = self.latest.get(id).copied();
            // Read after its chain: a record that is behind the chain now was put back.
            let record = match self.vault.store.record(id).await {
                Err(error) if error.kind() == ErrorKind::Tampered => {
                    self.findings.push(Finding::RecordAltered { id: id.clone() });
                    return Ok(());
                }
                record => record?,
            };
            let Some(record) = record else {
                self.findings.extend(expected.map(|_| Finding::RecordMissing { id: id.clone() }));
                return Ok(());
            };
            if record.id != *id || !self.vault.keys.records.fits(&record) {
                self.findings.push(Finding::RecordAltered { id: id.clone() });
                return Ok(());
            }
            let found = Latest { revision: record.revision, mac: record.mac };
            match expected {
                Some(expected) if expected == found => return Ok(()),
                Some(expected) if found.revision < expected.revision => {
                    let (found, expected) = (found.revision, expected.revision);
                    self.findings.push(Finding::RecordPutBack { id: id.clone(), found, expected });
                    return Ok(());
                }
                _ => {}
            }
            // Behind a broken entry the trail is not followed, so its silence says nothing.
            if self.broken.contains(&shard) {
                return Ok(());
            }
            self.follow_heads().await?;
            if self.latest.get(id).copied() == expected {
                self.findings.push(Finding::RecordUnaccounted { id: id.clone() });
                return Ok(());
            }
        }
        // It changes faster than it can be read; the next verification gets it.
        Ok(())
    }
}
