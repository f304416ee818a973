//! What a verification may find.

use std::fmt;

use tokenkeep_core::{ConnectionId, Revision};

use crate::checkpoint::BadCheckpoint;

/// Where a checkpoint was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckpointCopy {
    /// In the database.
    Database,
    /// In the sink.
    Sink,
    /// It was given to [`Vault::verify_against`](crate::Vault::verify_against).
    Kept,
}

impl fmt::Display for CheckpointCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the database's last checkpoint",
            Self::Sink => "the sink's last checkpoint",
            Self::Kept => "the checkpoint that was kept",
        })
    }
}

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
    /// The chain is whole in itself but ends before a checkpoint: entries were cut off, with the head, or the whole database
    /// was put back.
    TrailCut {
        /// Which chain.
        shard: u16,
        /// The place of the last entry that is there.
        found: u64,
        /// The place of the last entry that the checkpoint knows.
        expected: u64,
        /// The checkpoint's number.
        checkpoint: u64,
    },
    /// The chain is whole in itself but has another entry at the place that a checkpoint names: it was cut before, or the
    /// whole database was put back, and then went on in another way.
    TrailForked {
        /// Which chain.
        shard: u16,
        /// Which place, from 1. The two ways part there or before.
        sequence: u64,
        /// The checkpoint's number.
        checkpoint: u64,
    },
    /// The chain is whole in itself, but this very process has seen it end further on, or with another entry at this place.
    HeadPutBack {
        /// Which chain.
        shard: u16,
        /// Which place, from 1.
        sequence: u64,
    },
    /// The trail and the database's last checkpoint are both older than a checkpoint outside: the whole database was put
    /// back. Where the trail ends instead is said by [`TrailCut`](Self::TrailCut) and [`TrailForked`](Self::TrailForked).
    DatabasePutBack {
        /// The number of the database's last checkpoint; `None` where it has none.
        found: Option<u64>,
        /// The number of the last one outside.
        exported: u64,
    },
    /// The trail is there, but the database's last checkpoint was removed or put back.
    CheckpointPutBack {
        /// The number of the database's last checkpoint; `None` where it has none.
        found: Option<u64>,
        /// The number of the last one outside.
        exported: u64,
    },
    /// This is no checkpoint of this vault.
    CheckpointAltered {
        /// Where it was found.
        copy: CheckpointCopy,
        /// What is wrong with it.
        why: BadCheckpoint,
    },
    /// Two checkpoints are both signed by this vault, and yet not of one run of them: the database was put back and made
    /// others, or the sink was exchanged.
    CheckpointsForked {
        /// The number of the first that differs.
        number: u64,
        /// Where one was found.
        one: CheckpointCopy,
        /// Where the other was found.
        other: CheckpointCopy,
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
            Self::TrailCut { shard, found, expected, checkpoint } => write!(
                f,
                "audit chain {shard} ends at {found}, but checkpoint {checkpoint} has it until {expected}: it was cut"
            ),
            Self::TrailForked { shard, sequence, checkpoint } => {
                write!(f, "audit entry {shard}/{sequence} is another one than checkpoint {checkpoint} has")
            }
            Self::HeadPutBack { shard, sequence } => {
                write!(f, "audit entry {shard}/{sequence} is gone or another one than this process has seen")
            }
            Self::DatabasePutBack { found, exported } => {
                write!(f, "the database was put back: its last checkpoint is {}, ", Number(*found))?;
                write!(f, "the last one outside {exported}")
            }
            Self::CheckpointPutBack { found, exported } => {
                write!(
                    f,
                    "the database's last checkpoint was removed or put back: it is {}, ",
                    Number(*found)
                )?;
                write!(f, "the last one outside {exported}")
            }
            Self::CheckpointAltered { copy, why } => write!(f, "{copy}: {why}"),
            Self::CheckpointsForked { number, one, other } => {
                write!(f, "there are two checkpoints {number}: {one} and {other} are not of one run")
            }
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

/// A checkpoint's number, or that there is none.
struct Number(Option<u64>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("missing"),
        }
    }
}
