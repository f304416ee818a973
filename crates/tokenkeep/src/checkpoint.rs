//! Checkpoints: what the audit trail was at a time, signed, for somebody outside to keep.

mod file;
mod key;
mod make;
mod note;
mod sink;

use std::fmt;

use sha2::{Digest, Sha256};
use tokenkeep_core::VaultId;
use tokenkeep_store::{AuditHead, SHARDS, Timestamp};

pub use file::CheckpointFile;
pub use key::CheckpointKey;
pub(crate) use key::CheckpointSigner;
pub(crate) use make::{checkpoint, every, stored};
use note::Note;
pub use sink::CheckpointSink;

/// The first line of each.
const TITLE: &str = "tokenkeep checkpoint v1\n";

/// How many lines a note has: title, vault, number, time, the one before, the heads, the empty line, the signature.
const LINES: usize = 5 + SHARDS as usize + 2;

/// The last moment that the text of a checkpoint can name: the end of the year 9999.
const LAST_TIME: i64 = 253_402_300_799_999;

/// What the audit trail of a vault was at a time: the last entry of each of its chains. Whoever keeps one outside the
/// database can tell when something before it is cut off, or the whole database is put back.
///
/// # Form
/// A signed note as [c2sp.org/signed-note](https://c2sp.org/signed-note) has it, so that an auditor can check it with other
/// people's tools: a text, an empty line, and one Ed25519 signature under the name `tokenkeep/<vault id>`. The text is 21
/// lines, each ended by a line feed, with single spaces and nothing else in them:
///
/// ```text
/// tokenkeep checkpoint v1
/// vault <the vault's id: 32 hexadecimal digits>
/// number <counts the vault's checkpoints, from 1>
/// time <RFC 3339, UTC, with milliseconds: 2026-11-22T02:45:48.123Z>
/// previous <SHA-256 of the text of the checkpoint before it; 64 zeroes in the first>
/// head 0 <how many entries chain 0 has> <the last one's MAC; 64 zeroes where there is none>
/// ...
/// head 15 <...> <...>
/// ```
///
/// Hexadecimal digits are in lower case, numbers in decimal without leading zeroes. A note in any other form is refused,
/// also a validly signed one. A whole note is 23 lines, so a file of them can be split by lines.
///
/// It holds no name of a tenant and nothing secret.
///
/// ```
/// # use tokenkeep::{Checkpoint, CheckpointKey};
/// # const KEY: &str = include_str!("../vectors/checkpoint.key");
/// # const NOTE: &str = include_str!("../vectors/checkpoint.note");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key: CheckpointKey = KEY.trim_end().parse()?; // from `Vault::checkpoint_key`, kept outside
/// let checkpoint = Checkpoint::open(NOTE, &key)?;
/// println!("{} of {}", checkpoint.number(), checkpoint.at());
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    facts: Facts,
    digest: [u8; 32],
    note: String,
}

/// What the text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) vault: VaultId,
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) previous: [u8; 32],
    /// One for each shard, in order.
    pub(crate) heads: Vec<AuditHead>,
}

/// Why a note is no checkpoint of this vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadCheckpoint {
    /// It is not in the form that a checkpoint has.
    Malformed,
    /// It names another vault.
    OtherVault,
    /// It is signed with another key than this vault's.
    OtherKey,
    /// The signature does not fit.
    BadSignature,
}

impl fmt::Display for BadCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it has not the form of a checkpoint",
            Self::OtherVault => "it is another vault's",
            Self::OtherKey => "it is signed with another key than this vault's",
            Self::BadSignature => "its signature does not fit",
        })
    }
}

impl std::error::Error for BadCheckpoint {}

impl Checkpoint {
    /// Checks a note and takes what it says.
    ///
    /// # Errors
    /// [`BadCheckpoint`] unless it is a checkpoint of this key's vault, signed with this key.
    pub fn open(note: &str, key: &CheckpointKey) -> Result<Self, BadCheckpoint> {
        let parsed = Note::parse(note).ok_or(BadCheckpoint::Malformed)?;
        if parsed.name != key.name() {
            return Err(BadCheckpoint::OtherVault);
        }
        if parsed.key != key.id() {
            return Err(BadCheckpoint::OtherKey);
        }
        if !parsed.is_signed_by(key.key()) {
            return Err(BadCheckpoint::BadSignature);
        }
        let facts = Facts::parse(parsed.text).ok_or(BadCheckpoint::Malformed)?;
        if facts.vault != key.vault() {
            return Err(BadCheckpoint::OtherVault);
        }
        Ok(Self { facts, digest: Sha256::digest(parsed.text).into(), note: note.to_owned() })
    }

    /// Signs what the trail is now.
    pub(crate) fn make(signer: &CheckpointSigner, mut facts: Facts) -> Self {
        facts.at = Timestamp::from_millis(facts.at.as_millis().clamp(0, LAST_TIME));
        let text = facts.text();
        Self { facts, digest: Sha256::digest(&text).into(), note: signer.sign(&text) }
    }

    /// Whose it is.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.facts.vault
    }

    /// Counts the vault's checkpoints, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.facts.number
    }

    /// When it was made, by the clock of the process that made it.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.facts.at
    }

    /// The digest of the checkpoint before it; zeroes in the first.
    #[must_use]
    pub fn previous(&self) -> &[u8; 32] {
        &self.facts.previous
    }

    /// The last entry of each chain, in order.
    #[must_use]
    pub fn heads(&self) -> &[AuditHead] {
        &self.facts.heads
    }

    /// How many entries all chains had.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.facts.heads.iter().fold(0, |sum, head| sum.saturating_add(head.sequence))
    }

    /// SHA-256 of the text, without the signature: what the next checkpoint holds, and what tells two of one number apart.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The note.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Whether the two can't be of one run of checkpoints: of one number and different, or one after the other without
    /// holding its digest.
    pub(crate) fn forks_from(&self, other: &Self) -> bool {
        let (first, second) = if self.number() <= other.number() { (self, other) } else { (other, self) };
        if first.number() == second.number() {
            first.digest != second.digest
        } else {
            first.number() + 1 == second.number() && first.digest != *second.previous()
        }
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { vault, number, at, .. } = &self.facts;
        let mut shown = f.debug_struct("Checkpoint");
        shown.field("vault", vault).field("number", number).field("at", at).finish_non_exhaustive()
    }
}

impl Facts {
    fn text(&self) -> String {
        use std::fmt::Write as _;
        let hex = base16ct::lower::encode_string;
        let mut text = format!(
            "{TITLE}vault {}\nnumber {}\ntime {}\nprevious {}\n",
            self.vault,
            self.number,
            self.at,
            hex(&self.previous)
        );
        for AuditHead { shard, sequence, mac } in &self.heads {
            // Writing to a `String` does not fail.
            let _ = writeln!(text, "head {shard} {sequence} {}", hex(mac));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix(TITLE)?.split('\n');
        let mut field = |name| lines.next()?.strip_prefix(name);
        let facts = Self {
            vault: VaultId::from_bytes(hex(field("vault ")?)?),
            number: field("number ")?.parse().ok()?,
            at: Timestamp::from_rfc3339(field("time ")?)?,
            previous: hex(field("previous ")?)?,
            heads: (0..SHARDS).map(|shard| head(shard, field("head ")?)).collect::<Option<_>>()?,
        };
        let follows = match facts.number {
            0 => false,
            1 => facts.previous == [0; 32],
            _ => true,
        };
        let heads_fit = facts.heads.iter().all(|head| head.sequence > 0 || head.mac == [0; 32]);
        // Whatever says the same in another way is refused here.
        (follows && heads_fit && facts.text() == text).then_some(facts)
    }
}

fn head(shard: u16, line: &str) -> Option<AuditHead> {
    let mut words = line.splitn(3, ' ').skip(1);
    Some(AuditHead { shard, sequence: words.next()?.parse().ok()?, mac: hex(words.next()?)? })
}

pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (base16ct::lower::decode(text, &mut bytes).ok()?.len() == N).then_some(bytes)
}

#[cfg(test)]
mod tests;
