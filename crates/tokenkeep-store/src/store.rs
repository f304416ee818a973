//! The seam between a vault and its database.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, KekId, Revision, TenantId};

use crate::{
    AtProvider, AuditChain, AuditDraft, AuditEntry, AuditHead, Counted, PausedRecord, ProbeLease, ProbeTurn,
    PurgeLease, Record, StoredCheckpoint, Timestamp, VaultRecord,
};

/// What a change expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No record of that id, not even a tombstone.
    Absent,
    /// A record with this revision.
    Revision(Revision),
    /// Whatever is there, or nothing: the row was tampered with, and nothing of it is relied on, not even that it can be read.
    /// Instead nothing may have happened since the audit trail was read: when the change's turn comes, the tenant's shard
    /// must end with this entry, 0 being none. Whoever made a change of any record of the shard in between moved it on.
    Tampered {
        /// The sequence of the shard's head.
        head: u64,
    },
}

/// A record to write, and what must be in its place for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// The record, whole, with its MAC.
    pub record: Record,
    /// What must be in its place.
    pub expected: Expected,
}

/// One step of a commit: an audit entry, and the change of a record that it stands for, if it stands for one.
///
/// It is plain data: a backend that shares the application's database can commit it inside the application's own
/// transaction, and nothing in the process has changed before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record; `None` for a use.
    pub record: Option<RecordChange>,
    /// The entry.
    pub entry: AuditDraft,
}

/// Which records a scan gives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scan {
    /// All, tombstones too.
    All,
    /// All of a tenant's, tombstones too.
    Tenant(TenantId),
    /// Those whose envelope is under this KEK.
    UnderKek(KekId),
    /// Tombstones whose purge is pending.
    PurgePending,
    /// Those whose token has this fingerprint, all 32 bytes of it. However many records there are, the database goes by an
    /// index.
    Fingerprint {
        /// The fingerprint.
        of: [u8; 32],
        /// Only this tenant's.
        tenant: Option<TenantId>,
    },
}

/// A record's place in the order of [`TokenStore::tokens_set`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenSet {
    /// When its token was set.
    pub at: Timestamp,
    /// Whose record it is.
    pub id: ConnectionId,
}

impl TokenSet {
    /// The place of this record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { at: record.token_set_at, id: record.id.clone() }
    }
}

/// How far the end of a KEK has got in this database, beyond what the keys know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KekClosure {
    /// Since when no new envelope under it is committed.
    pub closed_at: Timestamp,
    /// Since when nothing in the database needs it, as far as somebody looked and noted it.
    pub drained_at: Option<Timestamp>,
}

/// How far the bytes of removed rows are gone from the database's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scrub {
    /// They are in none of the database's files any more. What the disk itself keeps is another matter.
    Done,
    /// Something still holds them (a reader, another instance); a later scrub may get them.
    Pending,
    /// This database gives no way to do it.
    Impossible,
}

/// What a vault asks of a database, in sealed bytes only.
///
/// # The contract
/// - A commit happens wholly or not at all: every change in it, each with its entry. An acknowledged commit is durable.
/// - It locks the records first and then the heads of the shards, each in ascending order, so that commits can't deadlock.
/// - A change whose expectation is not met makes the whole commit fail with `Conflict`.
/// - A seal under a closed KEK ([`close_kek`](Self::close_kek)) makes the whole commit fail with `Conflict`: a record whose
///   envelope is not the one in place, and names that KEK. A change that leaves the envelope as it is goes through.
/// - A commit whose chain is another vault's ([`AuditChain::belongs_to`]) is `StoreUnusable`, whatever else is wrong with it: it would
///   break the audit trail for good. A database that holds no vault takes it, unless the chain's vault was opened: then it was lost.
/// - A record that [replaces one that was tampered with](Expected::Tampered) comes in the place of any row, also of one that can't
///   be read, or of none. What other rows need too stays. Its revision may be any, and the next change goes on from it. Where the
///   shard's head, which the commit has locked, is not the one that the change names, that is a `Conflict`.
/// - Reads see every commit that was acknowledged before they began, from any instance.
/// - A store keeps what it is given as it is: it neither makes nor checks MACs of records.
/// - What it can't make sense of (a row edited by hand) is `Tampered`; on a page there is a [`Record::illegible`] in its place, as
///   long as its place can be read, so that it keeps nobody from the others.
/// - A schema of another version is `StoreUnusable`; what may work later is `StoreUnavailable`.
///
/// A dropped call happened wholly or not at all; a caller that doesn't know which reads the record again.
#[async_trait]
pub trait TokenStore: Send + Sync + fmt::Debug {
    /// What the vault in this database keeps about itself; `None` before there is one.
    ///
    /// # Errors
    /// As said at the trait.
    async fn vault(&self) -> Result<Option<VaultRecord>, Error>;

    /// Makes the vault, if there is none, and returns the one that there is then: of two that race, one wins.
    ///
    /// # Errors
    /// `StoreUnusable` when there is no vault but there are records or audit entries: it was lost, and a new one would
    /// bury them. Otherwise as said at the trait.
    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error>;

    /// The record of this id; a tombstone is one.
    ///
    /// # Errors
    /// As said at the trait.
    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error>;

    /// Up to `limit` records in ascending order of tenant and name (by bytes), from behind `after`; fewer only at the end.
    /// What changes meanwhile may or may not be seen; what doesn't is seen exactly once.
    ///
    /// # Errors
    /// As said at the trait.
    async fn scan(&self, scan: &Scan, after: Option<&ConnectionId>, limit: u32)
    -> Result<Vec<Record>, Error>;

    /// Up to `limit` records that hold a token which was set in this time, the oldest token first (then by tenant and name,
    /// by bytes), from behind `after`. What changes meanwhile may or may not be seen; what doesn't is seen exactly once.
    /// However many records there are, a page costs as much as what is on it: the database goes by an index.
    ///
    /// # Errors
    /// As said at the trait.
    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error>;

    /// Up to `limit` records of this provider that are paused and whose turn to be asked about is in this time, from behind `after`:
    /// those first about whose token nobody ever took a [lease](Self::lease_probe), then by when the last one of it ended (then by
    /// tenant and name, by bytes). What changes meanwhile may or may not be seen; what doesn't is seen exactly once. However many
    /// records there are, a page costs as much as what is on it: the database goes by an index.
    ///
    /// # Errors
    /// As said at the trait.
    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error>;

    /// How many these are of this provider's. It counts up to `limit` and no further, by an index: what it costs goes by its answer,
    /// and by how many records hold one token.
    ///
    /// # Errors
    /// As said at the trait.
    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error>;

    /// What [`record`](Self::record) gives, and behind it what [`scan`](Self::scan) gives from the start. A backend for which
    /// each call costs a turn makes one of them.
    ///
    /// # Errors
    /// As said at the trait.
    async fn record_and_scan(
        &self,
        id: &ConnectionId,
        scan: &Scan,
        limit: u32,
    ) -> Result<(Option<Record>, Vec<Record>), Error> {
        Ok((self.record(id).await?, self.scan(scan, None, limit).await?))
    }

    /// What [`scan`](Self::scan) gives from the start for each of these, in their order. A backend for which each call costs a
    /// turn makes one of them; for fingerprints within tenants, which a page of records is asked for, in one statement.
    ///
    /// # Errors
    /// As said at the trait.
    async fn scan_each(&self, scans: &[Scan], limit: u32) -> Result<Vec<Vec<Record>>, Error> {
        let mut pages = Vec::with_capacity(scans.len());
        for scan in scans {
            pages.push(self.scan(scan, None, limit).await?);
        }
        Ok(pages)
    }

    /// Makes all the changes in one transaction, and chains their entries with `chain`.
    ///
    /// # Errors
    /// `Conflict`, `StoreUnusable` for another vault's chain, and as said at the trait.
    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error>;

    /// What [`commit`](Self::commit) does, and then what [`scan`](Self::scan) gives from the start: it sees every commit that was
    /// acknowledged before this one was.
    ///
    /// # Errors
    /// As [`commit`](Self::commit). Once that is done, what the scan fails with is inside.
    async fn commit_and_scan(
        &self,
        changes: &[Change],
        chain: &AuditChain,
        scan: &Scan,
        limit: u32,
    ) -> Result<Result<Vec<Record>, Error>, Error> {
        self.commit(changes, chain).await?;
        Ok(self.scan(scan, None, limit).await)
    }

    /// Gives the holder the lease of this tombstone's hooks, or renews it: `true` when it has it now. `false` when another has
    /// one that has not run out (nor lasts longer than [`PurgeLease::LONGEST`]), or where there is no tombstone. Of several
    /// that ask at the same time, one gets it.
    ///
    /// A lease lies beside the record, not in it: it is no change of the record, has no entry in the audit trail and is under
    /// no MAC. Whoever can write to the database can make hooks run twice by it, which they bear, or an hour late.
    ///
    /// # Errors
    /// As said at the trait.
    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error>;

    /// Gives the holder the lease of the question whether the provider accepts this token, or renews it: `true` when it
    /// has it now. `false` when another has one that has not run out (nor lasts longer than [`ProbeLease::LONGEST`]), or where the
    /// record holds another token or none. Of several that ask at the same time, one gets it. A commit that puts another token in
    /// its place ends it, as if there had been none.
    ///
    /// It lies beside the record as the [lease of the hooks](Self::lease_purge) does, and apart from that one. Whoever can
    /// write to the database can make the provider be asked more often by it, or for some minutes not at all.
    ///
    /// # Errors
    /// As said at the trait.
    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error>;

    /// Puts these envelopes of the vault's own keys in the place of those: the same keys, with their DEKs under this KEK.
    ///
    /// # Errors
    /// `Conflict` unless the vault in the database is `before`, whole; and where the KEK is closed. Otherwise as said at the trait.
    async fn rewrap_vault(&self, before: &VaultRecord, after: &VaultRecord, kek: &KekId)
    -> Result<(), Error>;

    /// From now on no new envelope under this KEK is committed, and `now` is noted. Where it is closed already, that time stays,
    /// and so does all else that was noted.
    ///
    /// # Errors
    /// As said at the trait.
    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error>;

    /// What is noted of a KEK; `None` where it is not closed.
    ///
    /// # Errors
    /// As said at the trait.
    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error>;

    /// Notes that nothing needs this closed KEK, if that is not noted already; or, with `None`, that something does.
    ///
    /// # Errors
    /// `Conflict` where the KEK is not closed. Otherwise as said at the trait.
    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error>;

    /// The heads of all shards, in order, all of one moment.
    ///
    /// # Errors
    /// As said at the trait.
    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error>;

    /// Up to `limit` entries of a shard, in order, from behind this place.
    ///
    /// # Errors
    /// As said at the trait.
    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error>;

    /// The last checkpoint of the audit trail; `None` before there is one.
    ///
    /// # Errors
    /// As said at the trait.
    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error>;

    /// Puts a checkpoint in the last one's place; only the last one is kept.
    ///
    /// # Errors
    /// `Conflict` unless the last one's number is exactly one less, where 0 stands for none: of several that race, one
    /// wins. Otherwise as said at the trait.
    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error>;

    /// Whether the database takes writes, as far as it says so without one: a readiness probe asks often. `Ok` promises nothing
    /// of the next commit, which may find the disk full.
    ///
    /// # Errors
    /// What a commit would fail with, where it is known that it would; a lock that another one holds is no reason, though that one
    /// may never let it go. Otherwise as said at the trait.
    async fn writable(&self) -> Result<(), Error>;

    /// Removes what is left of deleted bytes from the database's files.
    ///
    /// # Errors
    /// As said at the trait.
    async fn scrub(&self) -> Result<Scrub, Error>;

    /// The file that the database is in, if it is in one: a vault refuses keys that are kept beside it.
    fn database_file(&self) -> Option<&Path> {
        None
    }
}
