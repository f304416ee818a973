//! What is known of the trail from elsewhere: checkpoints, and what this process has seen.

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::{AuditHead, SHARDS, StoredCheckpoint};

use super::{CheckpointCopy, Finding, Findings, VerifiedUpTo};
use crate::checkpoint::{BadCheckpoint, Checkpoint};
use crate::inner::Inner;

/// How often sink and database are read anew because a checkpoint came in between.
const TRIES: usize = 8;

struct Anchor {
    copy: CheckpointCopy,
    checkpoint: Checkpoint,
}

/// Where the trail must pass.
pub(super) struct Anchors {
    /// By number.
    checkpoints: Vec<Anchor>,
    /// The number of the database's last one.
    in_database: Result<Option<u64>, BadCheckpoint>,
    /// What this process saw committed before.
    marks: Vec<AuditHead>,
    /// For each chain, the first checkpoint that it does not pass through, and where.
    forked: [Option<(u64, u64)>; SHARDS as usize],
    /// For each chain, whether it does not pass through this process's mark.
    beside_mark: [bool; SHARDS as usize],
}

impl Anchors {
    /// Reads the checkpoints: all that is read of the trail later must be as far as they are.
    pub(super) async fn read(vault: &Inner, kept: &[String], findings: &mut Findings) -> Result<Self, Error> {
        let (mut checkpoints, in_database) = read_both(vault, findings).await?;
        for note in kept {
            match Checkpoint::open(note, vault.keys.checkpoints.public()) {
                Ok(checkpoint) => checkpoints.push(Anchor { copy: CheckpointCopy::Kept, checkpoint }),
                Err(why) => findings.add(Finding::CheckpointAltered { copy: CheckpointCopy::Kept, why }),
            }
        }
        // Stable, so that the database's comes before the sink's of the same number.
        checkpoints.sort_by_key(|anchor| anchor.checkpoint.number());
        let pairs = checkpoints
            .iter()
            .enumerate()
            .flat_map(|(place, one)| checkpoints[place + 1..].iter().map(move |other| (one, other)));
        // The first says it.
        if let Some((one, other)) =
            { pairs }.find(|(one, other)| one.checkpoint.forks_from(&other.checkpoint))
        {
            let (number, one, other) = (one.checkpoint.number(), one.copy, other.copy);
            findings.add(Finding::CheckpointsForked { number, one, other });
        }
        Ok(Self {
            checkpoints,
            in_database,
            marks: vault.keys.chain.marks(),
            forked: [None; SHARDS as usize],
            beside_mark: [false; SHARDS as usize],
        })
    }

    /// A chain passes through this entry.
    pub(super) fn pass(&mut self, entry: &AuditHead) {
        let shard = usize::from(entry.shard);
        for anchor in &self.checkpoints {
            let head = &anchor.checkpoint.heads()[shard];
            if head.sequence == entry.sequence && head.mac != entry.mac && self.forked[shard].is_none() {
                self.forked[shard] = Some((entry.sequence, anchor.checkpoint.number()));
            }
        }
        let mark = &self.marks[shard];
        self.beside_mark[shard] |= mark.sequence == entry.sequence && mark.mac != entry.mac;
    }

    /// Once all chains were followed: what the checkpoints say of them.
    pub(super) fn judge(&self, ends: &[AuditHead], broken: &[bool], findings: &mut Findings) {
        let mut found = Vec::new();
        for end in ends {
            let shard = usize::from(end.shard);
            let beyond = |anchor: &&Anchor| anchor.checkpoint.heads()[shard].sequence > end.sequence;
            if let Some((sequence, checkpoint)) = self.forked[shard] {
                found.push(Finding::TrailForked { shard: end.shard, sequence, checkpoint });
            } else if broken[shard] {
                // Where it breaks is said already.
            } else if let Some(last) = self.checkpoints.iter().rev().find(beyond) {
                let expected = last.checkpoint.heads()[shard].sequence;
                let checkpoint = last.checkpoint.number();
                found.push(Finding::TrailCut { shard: end.shard, found: end.sequence, expected, checkpoint });
            } else if self.beside_mark[shard] || self.marks[shard].sequence > end.sequence {
                let sequence = self.marks[shard].sequence;
                findings.add(Finding::HeadPutBack { shard: end.shard, sequence });
            }
        }
        let exported = self.exported().map(|checkpoint| checkpoint.number()).max().unwrap_or(0);
        if let Ok(in_database) = self.in_database
            && in_database.unwrap_or(0) < exported
        {
            findings.add(if found.is_empty() {
                Finding::CheckpointPutBack { found: in_database, exported }
            } else {
                Finding::DatabasePutBack { found: in_database, exported }
            });
        }
        found.into_iter().for_each(|finding| findings.add(finding));
    }

    /// The last checkpoint outside the database through which all chains pass, and how many entries lie behind it.
    pub(super) fn verified(&self, ends: &[AuditHead], entries: u64) -> (Option<VerifiedUpTo>, u64) {
        let passed = |checkpoint: &&Checkpoint| {
            checkpoint.heads().iter().zip(ends).all(|(head, end)| {
                let parted = self.forked[usize::from(head.shard)].map(|(sequence, _)| sequence);
                head.sequence <= end.sequence && parted.is_none_or(|parted| head.sequence < parted)
            })
        };
        let last = self.exported().filter(passed).max_by_key(|checkpoint| checkpoint.number());
        let upto = last.map(|last| VerifiedUpTo { number: last.number(), at: last.at() });
        (upto, entries.saturating_sub(last.map_or(0, Checkpoint::entries)))
    }

    fn exported(&self) -> impl Iterator<Item = &Checkpoint> {
        let outside = self.checkpoints.iter().filter(|anchor| anchor.copy != CheckpointCopy::Database);
        outside.map(|anchor| &anchor.checkpoint)
    }
}

type Both = (Vec<Anchor>, Result<Option<u64>, BadCheckpoint>);

/// The sink's last checkpoint and the database's. Of two that were read one after the other, the second may be further on
/// by any number; they are read until they are of one time.
async fn read_both(vault: &Inner, findings: &mut Findings) -> Result<Both, Error> {
    let key = vault.keys.checkpoints.public();
    let mut exported = read_sink(vault).await?;
    let mut stored = read_database(vault).await?;
    for _ in 0..TRIES {
        let now = read_sink(vault).await?;
        if now == exported {
            break;
        }
        exported = now;
        stored = read_database(vault).await?;
    }
    let stored = stored.and_then(|stored| match stored {
        None => Ok(None),
        Some(StoredCheckpoint { number, note }) => {
            let checkpoint = Checkpoint::open(&note, key)?;
            if checkpoint.number() == number { Ok(Some(checkpoint)) } else { Err(BadCheckpoint::Malformed) }
        }
    });
    let exported = exported.and_then(|note| note.map(|note| Checkpoint::open(&note, key)).transpose());
    let in_database =
        stored.as_ref().map(|stored| stored.as_ref().map(Checkpoint::number)).map_err(|why| *why);
    let mut anchors = Vec::new();
    for (copy, found) in [(CheckpointCopy::Database, stored), (CheckpointCopy::Sink, exported)] {
        match found {
            Ok(found) => anchors.extend(found.map(|checkpoint| Anchor { copy, checkpoint })),
            Err(why) => findings.add(Finding::CheckpointAltered { copy, why }),
        }
    }
    Ok((anchors, in_database))
}

async fn read_sink(vault: &Inner) -> Result<Result<Option<String>, BadCheckpoint>, Error> {
    let Some(sink) = &vault.sink else { return Ok(Ok(None)) };
    unless_tampered(sink.last().await)
}

async fn read_database(vault: &Inner) -> Result<Result<Option<StoredCheckpoint>, BadCheckpoint>, Error> {
    unless_tampered(vault.store.checkpoint().await)
}

fn unless_tampered<T>(read: Result<T, Error>) -> Result<Result<T, BadCheckpoint>, Error> {
    match read {
        Err(error) if error.kind() == ErrorKind::Tampered => Ok(Err(BadCheckpoint::Malformed)),
        read => read.map(Ok),
    }
}
