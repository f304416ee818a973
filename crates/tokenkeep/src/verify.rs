//! Whether the trail and the records are what the vault wrote.

mod anchors;
mod finding;
mod records;
mod trail;

use std::fmt;
use std::sync::Arc;

use tokenkeep_core::Error;
use tokenkeep_store::{AuditHead, SHARDS, Timestamp};

use crate::inner::Inner;
use crate::observe::Operation;
use anchors::Anchors;
pub use finding::{CheckpointCopy, Finding};
use records::Records;
use trail::Trail;

/// How many findings are named; of the rest only the number is kept.
const NAMED: usize = 1000;

/// What a verification went through, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Verification {
    /// How many audit entries were checked.
    pub entries: u64,
    /// How many records were checked.
    pub records: u64,
    /// The last checkpoint outside the database that the trail was held against and passes through; `None` without one.
    pub checkpoint: Option<VerifiedUpTo>,
    /// How many of the entries lie after that checkpoint: what may have been cut off there can't be seen.
    pub after_checkpoint: u64,
    /// What is not as the vault wrote it, up to a thousand of them.
    pub findings: Vec<Finding>,
    /// How many findings there are beyond those.
    pub more_findings: u64,
}

/// The checkpoint up to which a trail was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedUpTo {
    /// Its number.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
}

impl Verification {
    /// Whether everything is as the vault wrote it, as far as can be seen: see [`checkpoint`](Self::checkpoint).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} audit entries and {} records checked: ", self.entries, self.records)?;
        match self.findings.len() {
            0 => write!(f, "whole; ")?,
            named => write!(f, "{} findings; ", named as u64 + self.more_findings)?,
        }
        match self.checkpoint {
            Some(VerifiedUpTo { number, at }) => {
                write!(
                    f,
                    "verified up to checkpoint {number} of {at}, {} entries after it",
                    self.after_checkpoint
                )?;
            }
            None => write!(f, "no checkpoint outside the database to verify it against")?,
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))?;
        match self.more_findings {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// The findings of a run, bounded: whoever removes a million rows does not get the memory of a million names.
#[derive(Debug, Default)]
struct Findings {
    named: Vec<Finding>,
    more: u64,
    altered_record: bool,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        self.altered_record |= matches!(finding, Finding::RecordAltered { .. });
        if self.named.len() < NAMED {
            self.named.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// One that can't be read was named; then there is no need for a vaguer word.
    fn has_altered_record(&self) -> bool {
        self.altered_record
    }
}

/// How far a [`VerifyRun`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Audit entries checked so far.
    pub entries: u64,
    /// How many there were when it began.
    pub of_entries: u64,
    /// Records checked so far; they come after the entries.
    pub records: u64,
}

impl fmt::Display for VerifyProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} audit entries and {} records checked",
            self.entries, self.of_entries, self.records
        )
    }
}

/// A verification in steps. Made by [`Vault::verify_run`](crate::Vault::verify_run).
///
/// Each step reads one page: some hundred entries or records. Between two steps, or when a step failed or was dropped, it
/// keeps how far it is, and the next step goes on there; dropping it ends it. It can't be taken up by another process: what
/// one process has checked is kept in its memory alone, where nobody who can write to the database can alter it.
///
/// It needs 56 to 112 bytes of memory for each connection that the trail knows, and no more for more entries.
///
/// ```
/// # async fn example(vault: tokenkeep::Vault) -> Result<(), tokenkeep::Error> {
/// let mut run = vault.verify_run();
/// while let Some(progress) = run.step().await? {
///     println!("{progress}");
/// }
/// println!("{}", run.finish().await?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is checked before a step is made"]
pub struct VerifyRun {
    vault: Arc<Inner>,
    kept: Vec<String>,
    work: Option<Work>,
}

/// What is kept between two steps.
struct Work {
    trail: Trail,
    heads: Vec<Option<AuditHead>>,
    of_entries: u64,
    records: Records,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Chain(u16),
    Beyond(u16),
    Records,
    Done,
}

impl VerifyRun {
    pub(crate) fn new(vault: Arc<Inner>) -> Self {
        Self { vault, kept: Vec::new(), work: None }
    }

    /// Holds the trail against a checkpoint that was kept elsewhere, as well as against the sink's last one. Has no effect
    /// once a step was made.
    pub fn against(mut self, note: &str) -> Self {
        self.kept.push(note.to_owned());
        self
    }

    /// Checks the next page; `None` when all is checked.
    ///
    /// # Errors
    /// `StoreUnavailable` or `SinkUnavailable` when one of them does not answer. The next call goes on from there.
    ///
    /// # Cancellation
    /// Safe: the next call goes on from there.
    pub async fn step(&mut self) -> Result<Option<VerifyProgress>, Error> {
        let vault = Arc::clone(&self.vault);
        vault.watch.over(Operation::VerifyStep, None, self.step_unwatched()).await
    }

    async fn step_unwatched(&mut self) -> Result<Option<VerifyProgress>, Error> {
        let vault = &*self.vault;
        let work = match &mut self.work {
            Some(work) => work,
            None => self.work.insert(begin(vault, &self.kept).await?),
        };
        work.stage = match work.stage {
            Stage::Chain(shard) => match work.trail.page(vault, shard, work.heads[usize::from(shard)]).await?
            {
                false => Stage::Chain(shard),
                true if shard + 1 < SHARDS => Stage::Chain(shard + 1),
                true => Stage::Beyond(0),
            },
            Stage::Beyond(shard) => {
                work.trail.nothing_beyond_the_head(vault, shard).await?;
                if shard + 1 < SHARDS {
                    Stage::Beyond(shard + 1)
                } else {
                    work.judge(vault);
                    Stage::Records
                }
            }
            Stage::Records => match work.records.page(vault, &mut work.trail).await? {
                false => Stage::Records,
                true => Stage::Done,
            },
            Stage::Done => return Ok(None),
        };
        let (entries, of_entries, records) = (work.trail.entries, work.of_entries, work.records.compared);
        Ok(Some(VerifyProgress { entries, of_entries, records }))
    }

    /// Checks all that is left, and says what was found.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    ///
    /// # Cancellation
    /// Safe: the next call goes on from there.
    pub async fn finish(&mut self) -> Result<Verification, Error> {
        let vault = Arc::clone(&self.vault);
        vault.watch.over(Operation::Verify, None, self.finish_unwatched()).await
    }

    async fn finish_unwatched(&mut self) -> Result<Verification, Error> {
        while self.step_unwatched().await?.is_some() {}
        let Some(Work { trail, records, .. }) = &self.work else { unreachable!("a step makes it") };
        let (checkpoint, after_checkpoint) = trail.anchors.verified(&trail.ends, trail.entries);
        Ok(Verification {
            entries: trail.entries,
            records: records.compared,
            checkpoint,
            after_checkpoint,
            findings: trail.findings.named.clone(),
            more_findings: trail.findings.more,
        })
    }
}

async fn begin(vault: &Inner, kept: &[String]) -> Result<Work, Error> {
    let mut findings = Findings::default();
    let anchors = Anchors::read(vault, kept, &mut findings).await?;
    // Read after the checkpoints, so that the trail must be at least as far.
    let heads = Trail::heads(vault).await?;
    let of_entries = heads.iter().flatten().fold(0_u64, |sum, head| sum.saturating_add(head.sequence));
    let trail = Trail::new(anchors, findings);
    Ok(Work { trail, heads, of_entries, records: Records::default(), stage: Stage::Chain(0) })
}

impl Work {
    /// Once all chains were followed. What was found whole is what this process has seen from now on.
    fn judge(&mut self, vault: &Inner) {
        let Trail { ends, broken, anchors, findings, .. } = &mut self.trail;
        anchors.judge(ends, broken, findings);
        if findings.named.is_empty() {
            ends.iter().for_each(|end| vault.keys.chain.note(end));
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("entries", &self.trail.entries).finish_non_exhaustive()
    }
}
