//! Ending a connection whose record is not the one that the audit trail has.

use tokenkeep_core::{
    ConnectionId, Error, ErrorKind, Incarnation, PayloadKind, ProviderSpec, Revision, SecretVersion,
};
use tokenkeep_store::{
    Action, AuditDraft, AuditEntry, AuditHead, Change, Expected, Record, RecordChange, Status, shard_of,
};

use crate::disconnect::{finish, write_uses};
use crate::inner::Inner;
use crate::receipt::Receipt;

/// How often it is looked at anew when it changes meanwhile.
const TRIES: usize = 4;

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
    let mut unreadable = false;
    for _ in 0..TRIES {
        let mark = vault.seen.mark(id);
        trail.read_on(vault, id).await?;
        let (sequence, present) = (trail.sequence(), Present::read(vault, id).await?);
        trail.read_on(vault, id).await?;
        if trail.sequence() != sequence {
            // It was changed between the two looks. Of a row that can't be read, only the trail tells that.
            continue;
        }
        let found = Found { mark, pinned: trail.pinned.as_ref(), present };
        let fault = found.fault(vault, id)?;
        let change = found.change(vault, id, spec, fault)?;
        // A good change that was made meanwhile moved the revision on.
        match vault.commit(std::slice::from_ref(&change)).await {
            Ok(()) => return change.record.map(|step| step.record).ok_or_else(|| ErrorKind::Internal.into()),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                unreadable = matches!(found.present, Present::Unreadable);
            }
            Err(error) => return Err(error),
        }
    }
    Err(if unreadable {
        Error::new(ErrorKind::Tampered).because(
            "its row can't be read, and is not of the revision that the trail has; remove the row with SQL, then discard it",
        )
    } else {
        ErrorKind::Conflict.into()
    })
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
    /// The trail's last entry that changed it.
    pinned: Option<&'a AuditEntry>,
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

    fn expected(&self) -> Option<Revision> {
        self.pinned.map(|entry| entry.draft.revision).max(self.mark)
    }

    /// What is wrong with it, as the entry says it.
    fn fault(&self, vault: &Inner, id: &ConnectionId) -> Result<&'static str, Error> {
        let record = match (&self.present, self.genuine(vault, id)) {
            (Present::Absent, _) if self.expected().is_none() => return Err(ErrorKind::NotConnected.into()),
            (Present::Absent, _) => return Ok("missing"),
            (_, None) => return Ok("altered"),
            (_, Some(record)) => record,
        };
        if Some(record.revision) < self.expected() {
            return Ok("put-back");
        }
        let pinned = self.pinned.map(|entry| (entry.draft.revision, entry.draft.record_mac));
        if pinned == Some((record.revision, Some(record.mac))) {
            return Err(Error::new(ErrorKind::Misuse)
                .because("the record is the one that the audit trail has; a disconnect ends it"));
        }
        Ok("unaccounted")
    }

    /// A tombstone in its place, of which nothing is taken from a record that the vault did not write.
    fn change(
        &self,
        vault: &Inner,
        id: &ConnectionId,
        spec: &ProviderSpec,
        fault: &'static str,
    ) -> Result<Change, Error> {
        let (genuine, pinned) = (self.genuine(vault, id), self.pinned.map(|entry| &entry.draft));
        let highest = self.expected().max(genuine.map(|record| record.revision));
        let incarnation = pinned.map(|draft| draft.incarnation).or(genuine.map(|record| record.incarnation));
        let version =
            pinned.map(|draft| draft.secret_version).or(genuine.map(|record| record.secret_version));
        let now = vault.now();
        let mut record = Record {
            id: id.clone(),
            provider: spec.name.clone(),
            origin: spec.origin.clone(),
            kind: PayloadKind::ApiToken,
            incarnation: incarnation.map_or_else(Incarnation::random, Ok)?,
            secret_version: version.unwrap_or(SecretVersion::FIRST),
            revision: highest.map_or(Revision::FIRST, Revision::next),
            status: Status::Disconnected,
            sealed: None,
            account: None,
            connected_at: now,
            token_set_at: now,
            updated_at: now,
            expires_at: None,
            purge: vault.hooks.due(),
            mac: [0; 32],
        };
        vault.keys.records.set(&mut record);
        let expected = match &self.present {
            Present::Absent => Expected::Absent,
            Present::Record(record) => Expected::Revision(record.revision),
            // Most likely nobody touched it: if somebody did, the commit says so.
            Present::Unreadable => Expected::Revision(self.expected().unwrap_or(Revision::FIRST)),
        };
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
    shard: u16,
    /// Up to where it was read.
    after: u64,
    /// The entry there; `None` when it can't be read.
    before: Option<AuditHead>,
    pinned: Option<AuditEntry>,
}

impl Trail {
    fn of(id: &ConnectionId) -> Self {
        let shard = shard_of(id.tenant());
        Self { shard, after: 0, before: Some(AuditHead::empty(shard)), pinned: None }
    }

    fn sequence(&self) -> Option<u64> {
        self.pinned.as_ref().map(|entry| entry.sequence)
    }

    async fn read_on(&mut self, vault: &Inner, id: &ConnectionId) -> Result<(), Error> {
        let heads = vault.store.audit_heads().await?;
        let end = heads.iter().find(|head| head.shard == self.shard).map_or(0, |head| head.sequence);
        let (mut limit, mut unreadable) = (PAGE, 0);
        while self.after < end {
            let page = match vault.store.audit_entries(self.shard, self.after, limit).await {
                Err(error) if error.kind() == ErrorKind::Tampered && unreadable < UNREADABLE => {
                    if limit > 1 {
                        // One of them: which, one by one.
                        limit = 1;
                    } else {
                        (self.after, self.before) = (self.after + 1, None);
                        (limit, unreadable) = (PAGE, unreadable + 1);
                    }
                    continue;
                }
                page => page?,
            };
            if page.is_empty() {
                break;
            }
            for entry in page {
                let follows = self.before.is_some_and(|before| vault.keys.chain.follows(&before, &entry));
                (self.after, self.before) = (entry.sequence, Some(entry.head()));
                if follows && entry.draft.id == *id && entry.draft.record_mac.is_some() {
                    self.pinned = Some(entry);
                }
            }
        }
        Ok(())
    }
}
