//! Made-up records and entries.

use sha2::{Digest, Sha256};
use tokenkeep_core::{
    Account, ConnectionId, Incarnation, KekId, Origin, PayloadKind, ProviderName, Revision, SecretVersion,
    VaultId,
};
use zeroize::Zeroizing;

use crate::{
    Action, AuditChain, AuditDraft, Change, Expected, Purge, Record, RecordChange, Sealed, Status, Timestamp,
};

/// The chain that the suite's entries are made with: always the same key and, where a database holds none, the same vault.
#[must_use]
pub fn sample_chain() -> AuditChain {
    sample_chain_of(VaultId::from_bytes([7; 16]))
}

/// The same of this vault.
#[must_use]
pub fn sample_chain_of(vault: VaultId) -> AuditChain {
    AuditChain::new(vault, Zeroizing::new([7; 32]))
}

/// An id.
///
/// # Panics
/// When one of the names is not allowed.
#[must_use]
pub fn sample_id(tenant: &str, name: &str) -> ConnectionId {
    ConnectionId::new(tenant, name).expect("names that are allowed")
}

/// A live record that differs in every other field for another id or revision. Its MAC is made up: a store neither makes
/// nor checks one.
#[must_use]
pub fn sample_record(id: &ConnectionId, revision: u64) -> Record {
    let seed = |label: &str| -> [u8; 32] {
        let text = format!("{label}\n{}\n{}\n{revision}", id.tenant(), id.name());
        Sha256::digest(text.as_bytes()).into()
    };
    let random = seed("numbers");
    let mut incarnation = [0; 16];
    incarnation.copy_from_slice(&seed("incarnation")[..16]);
    let at = 1_700_000_000_000 + i64::from(random[0]) * 1000;
    Record {
        id: id.clone(),
        provider: literal::<ProviderName>(&format!("provider-{}", random[1])),
        origin: literal::<Origin>(&format!("https://api-{}.example", random[2])),
        kind: PayloadKind::ApiToken,
        incarnation: Incarnation::from_bytes(incarnation),
        secret_version: SecretVersion::from_u64(u64::from(random[3])),
        revision: Revision::from_u64(revision),
        status: Status::Active,
        sealed: Some(Sealed {
            envelope: seed("envelope").iter().copied().cycle().take(230 + usize::from(random[4])).collect(),
            kek: sample_kek(b"a KEK"),
            fingerprint: seed("fingerprint"),
        }),
        account: Some(sample_account(&format!("id-{}", random[5]), &format!("name-{}", random[6]))),
        connected_at: Timestamp::from_millis(at),
        token_set_at: Timestamp::from_millis(at + 1),
        updated_at: Timestamp::from_millis(at + 2),
        expires_at: Some(Timestamp::from_millis(at + 3)),
        paused_at: Some(Timestamp::from_millis(at + 4)),
        purge: Purge::NotDue,
        mac: seed("mac"),
    }
}

/// The tombstone that follows this record: one revision later, without token and account, its purge pending.
#[must_use]
pub fn sample_tombstone(of: &Record) -> Record {
    let mut record = sample_record(&of.id, of.revision.next().get());
    record.status = Status::Disconnected;
    record.sealed = None;
    record.account = None;
    record.expires_at = None;
    record.paused_at = None;
    record.purge = Purge::Pending;
    record
}

/// An entry about this record.
#[must_use]
pub fn sample_entry(record: &Record, action: Action) -> AuditDraft {
    AuditDraft {
        at: record.updated_at,
        action,
        id: record.id.clone(),
        incarnation: record.incarnation,
        secret_version: record.secret_version,
        revision: record.revision,
        record_mac: action.changes_record().then_some(record.mac),
        count: 1,
        subject: None,
    }
}

/// The change that writes this record in the place of the one with this revision; of none, for `None`.
#[must_use]
pub fn sample_change(record: &Record, expected: Option<u64>) -> Change {
    let action = match (&record.sealed, expected) {
        (None, _) => Action::Disconnected,
        (Some(_), None) => Action::Connected,
        (Some(_), Some(_)) => Action::Replaced,
    };
    let expected =
        expected.map_or(Expected::Absent, |revision| Expected::Revision(Revision::from_u64(revision)));
    let change = RecordChange { record: record.clone(), expected };
    Change { record: Some(change), entry: sample_entry(record, action) }
}

/// A use: an entry without the change of a record.
#[must_use]
pub fn sample_use(id: &ConnectionId) -> Change {
    Change { record: None, entry: sample_entry(&sample_record(id, 1), Action::Used) }
}

pub(super) fn sample_account(id: &str, name: &str) -> Account {
    Account::new(id, name).expect("an account that is allowed")
}

pub(super) fn sample_kek(bytes: &[u8]) -> KekId {
    KekId::from_slice(bytes).expect("1 to 29 bytes")
}

fn literal<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name that is allowed")
}
