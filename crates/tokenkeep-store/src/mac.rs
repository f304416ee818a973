//! The MACs over records and audit entries: HMAC-SHA-256 over a canonical encoding.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokenkeep_core::{Error, ErrorKind, VaultId};
use zeroize::Zeroizing;

use crate::{AuditDraft, AuditEntry, AuditHead, Record, SHARDS};

/// Feeds fields to a MAC so that two different sequences of fields never look alike: each is led by its length, and an
/// absent one is not an empty one. The encoding is described at [`RecordMac`].
struct Fields(Hmac<Sha256>);

impl Fields {
    fn start(key: &[u8; 32], label: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        let mut fields = Self(mac);
        fields.bytes(label);
        fields
    }

    fn bytes(&mut self, field: &[u8]) {
        self.0.update(&(field.len() as u64).to_be_bytes());
        self.0.update(field);
    }

    fn text(&mut self, field: &str) {
        self.bytes(field.as_bytes());
    }

    fn number(&mut self, field: u64) {
        self.bytes(&field.to_be_bytes());
    }

    fn time(&mut self, field: crate::Timestamp) {
        self.bytes(&field.as_millis().to_be_bytes());
    }

    fn optional<T>(&mut self, field: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.number(u64::from(field.is_some()));
        if let Some(field) = field {
            put(self, field);
        }
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    fn fits(self, mac: &[u8; 32]) -> bool {
        self.0.verify(mac.into()).is_ok()
    }
}

/// Makes and checks the MAC of records: HMAC-SHA-256. Its key is the vault's; it wipes itself.
///
/// # Encoding
/// Each field of the input is its length in bytes as a big-endian `u64`, then its bytes: text in UTF-8, a number as a
/// big-endian `u64`, a time in milliseconds since 1970-01-01 UTC as a big-endian `i64`. What may be absent is the number 0,
/// or the number 1 and then its fields. The fields are, in this order:
///
/// 1. the text `tokenkeep record`;
/// 2. tenant, connection name, provider and origin, as text;
/// 3. the number of the payload's kind;
/// 4. the incarnation's 16 bytes;
/// 5. the numbers of secret version and revision;
/// 6. the [`Status`](crate::Status), by its name;
/// 7. if sealed: the envelope's bytes, the KEK id's bytes, the fingerprint's 32 bytes;
/// 8. if there is an account: its id and its name, as text;
/// 9. the times at which it was connected, its token was set, and it was updated;
/// 10. if it expires: that time; if it was ever paused: that time;
/// 11. the state of the [`Purge`](crate::Purge), by its name.
pub struct RecordMac(Zeroizing<[u8; 32]>);

impl RecordMac {
    /// With this key.
    #[must_use]
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Sets the record's MAC to fit all its other fields.
    pub fn set(&self, record: &mut Record) {
        record.mac = self.fields(record).finish();
    }

    /// Whether the record is as the vault wrote it. Says nothing about its age: an older version of it fits as well.
    #[must_use]
    pub fn fits(&self, record: &Record) -> bool {
        self.fields(record).fits(&record.mac)
    }

    fn fields(&self, record: &Record) -> Fields {
        // Taken apart whole, so that a new field can't be forgotten.
        let Record {
            id,
            provider,
            origin,
            kind,
            incarnation,
            secret_version,
            revision,
            status,
            sealed,
            account,
            connected_at,
            token_set_at,
            updated_at,
            expires_at,
            paused_at,
            purge,
            mac: _,
        } = record;
        let mut fields = Fields::start(&self.0, b"tokenkeep record");
        fields.text(id.tenant().as_str());
        fields.text(id.name().as_str());
        fields.text(provider.as_str());
        fields.text(origin.as_str());
        fields.number(u64::from(kind.number()));
        fields.bytes(incarnation.as_bytes());
        fields.number(secret_version.get());
        fields.number(revision.get());
        fields.text(status.name());
        fields.optional(sealed.as_ref(), |fields, sealed| {
            fields.bytes(&sealed.envelope);
            fields.bytes(sealed.kek.as_bytes());
            fields.bytes(&sealed.fingerprint);
        });
        fields.optional(account.as_ref(), |fields, account| {
            fields.text(account.id());
            fields.text(account.name());
        });
        fields.time(*connected_at);
        fields.time(*token_set_at);
        fields.time(*updated_at);
        fields.optional(*expires_at, Fields::time);
        fields.optional(*paused_at, Fields::time);
        fields.text(purge.name());
        fields
    }
}

impl fmt::Debug for RecordMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordMac([hidden])")
    }
}

/// Chains audit entries. A store is handed it with each commit, because an entry's MAC covers the one before it, which
/// is known only once the chain's head is locked.
///
/// It also remembers the furthest head of each shard that this process has seen committed, and appends nothing behind
/// one that went back: a database that is put back under a running process takes no more commits from it.
///
/// # Encoding
/// An entry's MAC is HMAC-SHA-256 over fields that are encoded as those of a [`RecordMac`]. They are, in this order:
///
/// 1. the text `tokenkeep audit entry`;
/// 2. the numbers of its shard and of its place in it, from 1;
/// 3. the MAC of the entry before it, 32 bytes; zeroes for the first;
/// 4. the time;
/// 5. the [`Action`](crate::Action), by its name;
/// 6. tenant and connection name, as text;
/// 7. the incarnation's 16 bytes;
/// 8. the numbers of secret version and revision;
/// 9. if a record changed: that record's MAC, 32 bytes;
/// 10. the count, a number;
/// 11. if there is one: the subject, as text.
pub struct AuditChain {
    shared: Arc<Shared>,
    /// The last place in each shard that was appended through this handle.
    appended: Mutex<BTreeMap<u16, AuditHead>>,
}

struct Shared {
    vault: VaultId,
    /// Whether a database that holds no vault is refused too.
    opened: bool,
    key: Zeroizing<[u8; 32]>,
    marks: Mutex<Vec<AuditHead>>,
}

impl AuditChain {
    /// Of this vault, with its key. A database that holds no vault yet takes it; for one that was opened, see
    /// [`of_opened`](Self::of_opened).
    #[must_use]
    pub fn new(vault: VaultId, key: Zeroizing<[u8; 32]>) -> Self {
        Self::with(vault, false, key)
    }

    /// Of a vault that was read from its database: one that has lost it since takes nothing more of it.
    #[must_use]
    pub fn of_opened(vault: VaultId, key: Zeroizing<[u8; 32]>) -> Self {
        Self::with(vault, true, key)
    }

    fn with(vault: VaultId, opened: bool, key: Zeroizing<[u8; 32]>) -> Self {
        let marks = Mutex::new((0..SHARDS).map(AuditHead::empty).collect());
        Self { shared: Arc::new(Shared { vault, opened, key, marks }), appended: Mutex::default() }
    }

    /// The same chain for one commit: once that was acknowledged, [`committed`](Self::committed) remembers its heads.
    #[must_use]
    pub fn for_commit(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), appended: Mutex::default() }
    }

    /// Whose chain it is. It is not under an entry's MAC: that is made with a key that no other vault has.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.shared.vault
    }

    /// Refuses a database whose vault is another one: what is appended there would break its trail for good. One that holds no
    /// vault is anybody's, but not where this chain's vault was once: there it was lost. A store asks this in each commit,
    /// before anything else is refused.
    ///
    /// # Errors
    /// `StoreUnusable` when the database holds another vault, or lost this one.
    pub fn belongs_to(&self, present: Option<VaultId>) -> Result<(), Error> {
        let refused = match present {
            Some(present) if present == self.shared.vault => return Ok(()),
            Some(_) => "the change is of another vault than the one in this database",
            None if self.shared.opened => "the vault is no longer in this database; restore it",
            None => return Ok(()),
        };
        Err(Error::new(ErrorKind::StoreUnusable).because(refused))
    }

    /// The entry that follows `head`, which must be read under its lock.
    ///
    /// # Errors
    /// `Tampered` when the head is behind one that this process saw committed, or beside it. Make nothing of the commit
    /// then.
    pub fn append(&self, head: &AuditHead, draft: AuditDraft) -> Result<AuditEntry, Error> {
        if lock(&self.shared.marks).iter().any(|mark| head.went_back(mark)) {
            return Err(Error::new(ErrorKind::Tampered).because(
                "an audit chain's head is not where this process has seen it; the database was put back",
            ));
        }
        let sequence = head.sequence + 1;
        let mac = self.fields(head, sequence, &draft).finish();
        let entry = AuditEntry { shard: head.shard, sequence, draft, mac };
        // A store that tries a transaction again appends again: the last try is the one that is committed.
        lock(&self.appended).insert(head.shard, entry.head());
        Ok(entry)
    }

    /// What was appended through this handle is in the database now.
    pub fn committed(&self) {
        for head in std::mem::take(&mut *lock(&self.appended)).into_values() {
            self.note(&head);
        }
    }

    /// The furthest head of each shard that this process has seen committed, in order. Taken before heads are read, it is
    /// what they must not [have gone back from](AuditHead::went_back).
    #[must_use]
    pub fn marks(&self) -> Vec<AuditHead> {
        lock(&self.shared.marks).clone()
    }

    /// Notes a head that is committed.
    pub fn note(&self, head: &AuditHead) {
        for mark in lock(&self.shared.marks).iter_mut() {
            if mark.shard == head.shard && mark.sequence < head.sequence {
                *mark = *head;
            }
        }
    }

    /// Whether the entry is the one that was written behind `head`.
    #[must_use]
    pub fn follows(&self, head: &AuditHead, entry: &AuditEntry) -> bool {
        entry.shard == head.shard
            && entry.sequence == head.sequence + 1
            && self.fields(head, entry.sequence, &entry.draft).fits(&entry.mac)
    }

    fn fields(&self, head: &AuditHead, sequence: u64, draft: &AuditDraft) -> Fields {
        let AuditDraft { at, action, id, incarnation, secret_version, revision, record_mac, count, subject } =
            draft;
        let mut fields = Fields::start(&self.shared.key, b"tokenkeep audit entry");
        fields.number(u64::from(head.shard));
        fields.number(sequence);
        fields.bytes(&head.mac);
        fields.time(*at);
        fields.text(action.name());
        fields.text(id.tenant().as_str());
        fields.text(id.name().as_str());
        fields.bytes(incarnation.as_bytes());
        fields.number(secret_version.get());
        fields.number(revision.get());
        fields.optional(record_mac.as_ref(), |fields, mac| fields.bytes(mac));
        fields.number(*count);
        fields.optional(subject.as_deref(), Fields::text);
        fields
    }
}

impl fmt::Debug for AuditChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditChain([hidden])")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
