//! Ending a connection whose record is not the one that the audit trail has.

use tokenkeep_core::{
    ConnectionId, Error, ErrorKind, Incarnation, PayloadKind, ProviderSpec, Revision, SecretVersion,
};
use tokenkeep_store::{
    Action, AuditDraft, AuditEntry, AuditHead, Change, Expected, Purge, Record, RecordChange, Status,
    shard_of,
};

use crate::disconnect::{finish, write_uses};
use crate::env::names::{absent, kind_of};
use crate::inner::Inner;
use crate::receipt::Receipt;

/// How often it is looked at anew when its shard moves on meanwhile: one in sixteen tenants' uses and changes move it. Each look
/// reads only what is new.
const TRIES: usize = 256;

/// How many entries are read at a time.
const PAGE: u32 = 512;

/// How many entries that can't be read are passed over.
const UNREADABLE: usize = 1000;

pub(crate) async fn discard(vault: &Inner, id: &ConnectionId, spec: &ProviderSpec) -> Result<Receipt, Error> {
    write_uses(vault, id).await;
    let tombstone = replace(vault, id, spec).await?;
    Ok(finish(vault, &tombstone).await)
}

/// Puts a tombstone where a record was tampered with.
async fn replace(vault: &Inner, id: &ConnectionId, spec: &ProviderSpec) -> Result<Record, Error> {
    let mut trail = Trail::of(id);
    for _ in 0..TRIES {
        let mark = vault.seen.mark(id);
        trail.read_on(vault, id).await?;
        let found = Found { mark, trail: &trail, present: Present::read(vault, id).await? };
        let fault = found.fault(vault, id)?;
        let change = found.change(vault, id, spec, fault)?;
        // Whatever the vault did since the trail was read, to this record or beside it, moved the head on. The revision that
        // a row claims proves nothing: whoever wrote the row chose it.
        match vault.commit(std::slice::from_ref(&change)).await {
            Ok(()) => return change.record.map(|step| step.record).ok_or_else(|| ErrorKind::Internal.into()),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

/// What stands in the database in the place of a record.
enum Present {
    Absent,
    Record(Box<Record>),
    Unreadable,
}

impl Present {
    async fn read(vault: &Inner, id: &ConnectionId) -> Result<Self, Error> {
        match vault.store.record(id).await {
            Ok(None) => Ok(Self::Absent),
            Ok(Some(record)) => Ok(Self::Record(Box::new(record))),
            Err(error) if error.kind() == ErrorKind::Tampered => Ok(Self::Unreadable),
            Err(error) => Err(error),
        }
    }
}

/// A record beside what is known of it.
struct Found<'a> {
    /// The highest revision that this process has seen.
    mark: Option<Revision>,
    trail: &'a Trail,
    present: Present,
}

impl Found<'_> {
    /// The record, if it is one that the vault wrote once.
    fn genuine(&self, vault: &Inner, id: &ConnectionId) -> Option<&Record> {
        match &self.present {
            Present::Record(record) if record.id == *id && vault.keys.records.fits(record) => Some(record),
            _ => None,
        }
    }

    /// The trail's last entry that changed it.
    fn pinned(&self) -> Option<&AuditDraft> {
        self.trail.pinned.as_ref().map(|entry| &entry.draft)
    }

    fn expected(&self) -> Option<Revision> {
        self.pinned().map(|entry| entry.revision).max(self.mark)
    }

    /// What is wrong with it, as the entry says it.
    fn fault(&self, vault: &Inner, id: &ConnectionId) -> Result<&'static str, Error> {
        let record = match (&self.present, self.genuine(vault, id)) {
            (Present::Absent, _) if self.expected().is_none() => return Err(absent(id)),
            (Present::Absent, _) => return Ok("missing"),
            (_, None) => return Ok("altered"),
            (_, Some(record)) => record,
        };
        if Some(record.revision) < self.expected() {
            return Ok("put-back");
        }
        let pinned = self.pinned().map(|entry| (entry.revision, entry.record_mac));
        if pinned == Some((record.revision, Some(record.mac))) {
            return Err(Error::new(ErrorKind::Misuse)
                .because("the record is the one that the audit trail has; a disconnect ends it"));
        }
        Ok("unaccounted")
    }

    /// Above every revision that the record ever had, also where the trail's entries of it can't be read: each revision has an
    /// entry of its own in the shard, so that none is above the number of entries.
    fn revision(&self, genuine: Option<&Record>) -> Revision {
        let seen = self.expected().max(genuine.map(|record| record.revision));
        seen.max(Some(Revision::from_u64(self.trail.end))).map_or(Revision::FIRST, Revision::next)
    }

    /// Whether hooks must run. Whoever has none may still meet those that another process left pending: nothing says so but the
    /// record that was tampered with, so they count as pending unless the trail shows that there can be none.
    fn purge(&self, vault: &Inner, genuine: Option<&Record>) -> Purge {
        let due = vault.hooks.due();
        // The hooks of a set are told the record of its values alone.
        if self.trail.of == PayloadKind::EnvIndex {
            return Purge::Done;
        }
        if due == Purge::Pending || vault.hooks.nowhere {
            return due;
        }
        let pinned = self.pinned();
        let further = genuine.filter(|record| Some(record.revision) > pinned.map(|entry| entry.revision));
        let known = further.map(|record| record.revision).or(pinned.map(|entry| entry.revision));
        let ended = match further {
            Some(record) => record.purge == Purge::Pending,
            // A `Purged` behind it would be the last one.
            None => pinned.is_some_and(|e| matches!(e.action, Action::Disconnected | Action::Discarded)),
        };
        if ended || self.trail.gaps || self.mark > known { Purge::Pending } else { due }
    }

    /// A tombstone in its place, of which nothing is taken from a record that the vault did not write.
    fn change(
        &self,
        vault: &Inner,
        id: &ConnectionId,
        spec: &ProviderSpec,
        fault: &'static str,
    ) -> Result<Change, Error> {
        let (genuine, pinned) = (self.genuine(vault, id), self.pinned());
        let incarnation = pinned.map(|draft| draft.incarnation).or(genuine.map(|record| record.incarnation));
        let version =
            pinned.map(|draft| draft.secret_version).or(genuine.map(|record| record.secret_version));
        let now = vault.now();
        let mut record = Record {
            id: id.clone(),
            provider: spec.name.clone(),
            origin: spec.origin.clone(),
            kind: kind_of(id),
            incarnation: incarnation.map_or_else(Incarnation::random, Ok)?,
            secret_version: version.unwrap_or(SecretVersion::FIRST),
            revision: self.revision(genuine),
            status: Status::Disconnected,
            sealed: None,
            account: None,
            connected_at: now,
            token_set_at: now,
            updated_at: now,
            expires_at: None,
            paused_at: None,
            purge: self.purge(vault, genuine),
            mac: [0; 32],
        };
        vault.keys.records.set(&mut record);
        let expected = Expected::Tampered { head: self.trail.end };
        let entry = AuditDraft {
            record_mac: Some(record.mac),
            subject: Some(fault.to_owned()),
            ..vault.entry(&record, Action::Discarded)
        };
        Ok(Change { record: Some(RecordChange { record, expected }), entry })
    }
}

/// What the trail says last of a record. It goes on behind entries that were altered: each is judged by the one before it.
struct Trail {
    /// What the record holds, by its name.
    of: PayloadKind,
    shard: u16,
    /// Where the shard ended when it was looked at last: at least up to there it was read.
    end: u64,
    /// Up to where it was read.
    after: u64,
    /// The entry there; `None` when it can't be read.
    before: Option<AuditHead>,
    pinned: Option<AuditEntry>,
    /// Whether there are entries behind the pinned one, or at all, of which nobody knows whose they are.
    gaps: bool,
}

impl Trail {
    fn of(id: &ConnectionId) -> Self {
        let shard = shard_of(id.tenant());
        Self {
            of: kind_of(id),
            shard,
            end: 0,
            after: 0,
            before: Some(AuditHead::empty(shard)),
            pinned: None,
            gaps: false,
        }
    }

    async fn read_on(&mut self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        loop {
            let heads = vault.store.audit_heads().await?;
            self.end = heads.iter().find(|head| head.shard == self.shard).map_or(0, |head| head.sequence);
            let far = self.end.saturating_sub(self.after) > u64::from(PAGE);
            self.read_to_end(vault, id).await?;
            if !far || self.after < self.end {
                return Ok(());
            }
            // That took a while; it may go on by now.
        }
    }

    async fn read_to_end(&mut self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        let (mut limit, mut unreadable) = (PAGE, 0);
        while self.after < self.end {
            let page = match vault.store.audit_entries(self.shard, self.after, limit).await {
                Err(error) if error.kind() == ErrorKind::Tampered && unreadable < UNREADABLE => {
                    if limit > 1 {
                        // One of them: which, one by one.
                        limit = 1;
                    } else {
                        (self.after, self.before, self.gaps) = (self.after + 1, None, true);
                        (limit, unreadable) = (PAGE, unreadable + 1);
                    }
                    continue;
                }
                page => page?,
            };
            if page.is_empty() {
                // Cut off before the head.
                self.gaps = true;
                break;
            }
            for entry in page {
                let follows = self.before.is_some_and(|before| vault.keys.chain.follows(&before, &entry));
                (self.after, self.before) = (entry.sequence, Some(entry.head()));
                if !follows {
                    self.gaps = true;
                } else if entry.draft.id == *id && entry.draft.record_mac.is_some() {
                    (self.pinned, self.gaps) = (Some(entry), false);
                }
            }
        }
        Ok(())
    }
}
