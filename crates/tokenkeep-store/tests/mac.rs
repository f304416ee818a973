//! Every field of a record and of an audit entry is under its MAC.

use tokenkeep_core::{Account, ErrorKind, Incarnation, KekId, Revision, SecretVersion, VaultId};
use tokenkeep_store::conformance::{sample_entry, sample_id, sample_record, sample_tombstone};
use tokenkeep_store::{
    Action, AuditChain, AuditDraft, AuditEntry, AuditHead, Purge, Record, RecordMac, Sealed, Status,
    Timestamp,
};
use zeroize::Zeroizing;

fn key(byte: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([byte; 32])
}

fn record() -> Record {
    Record {
        account: account("account-id", "account-name"),
        ..sample_record(&sample_id("tenant", "name"), 5)
    }
}

fn sealed(record: &mut Record) -> &mut Sealed {
    record.sealed.as_mut().unwrap()
}

fn account(id: &str, name: &str) -> Option<Account> {
    Some(Account::new(id, name).unwrap())
}

#[test]
fn every_field_of_a_record_matters() {
    let mac = RecordMac::new(key(1));
    let mut original = record();
    mac.set(&mut original);
    assert!(mac.fits(&original));
    assert!(!RecordMac::new(key(2)).fits(&original), "another key's MAC fits");

    type Edit = fn(&mut Record);
    let edits: [(&str, Edit); 25] = [
        ("tenant", |record| record.id = sample_id("tenanT", "name")),
        ("name", |record| record.id = sample_id("tenant", "namE")),
        ("provider", |record| record.provider = "another".parse().unwrap()),
        ("origin", |record| record.origin = "https://another.example".parse().unwrap()),
        ("incarnation", |record| record.incarnation = Incarnation::from_bytes([1; 16])),
        ("secret version", |record| record.secret_version = SecretVersion::from_u64(1 << 40)),
        ("revision", |record| record.revision = Revision::from_u64(6)),
        ("status", |record| record.status = Status::Paused),
        ("sealed", |record| record.sealed = None),
        ("envelope", |record| sealed(record).envelope[100] ^= 1),
        ("envelope's length", |record| sealed(record).envelope.push(0)),
        ("KEK", |record| sealed(record).kek = KekId::from_slice(b"another").unwrap()),
        ("fingerprint", |record| sealed(record).fingerprint[31] ^= 1),
        ("account", |record| record.account = None),
        ("account's id", |record| record.account = account("other", "account-name")),
        ("account's name", |record| record.account = account("account-id", "other")),
        ("connected at", |record| record.connected_at = Timestamp::from_millis(1)),
        ("token set at", |record| record.token_set_at = Timestamp::from_millis(1)),
        ("updated at", |record| record.updated_at = Timestamp::from_millis(1)),
        ("expires at", |record| record.expires_at = Some(Timestamp::from_millis(1))),
        ("no expiry", |record| record.expires_at = None),
        ("paused at", |record| record.paused_at = Some(Timestamp::from_millis(1))),
        ("never paused", |record| record.paused_at = None),
        ("purge", |record| record.purge = Purge::Done),
        ("MAC", |record| record.mac[0] ^= 1),
    ];
    for (what, edit) in edits {
        let mut edited = original.clone();
        edit(&mut edited);
        assert_ne!(edited, original, "the edit of {what} edits nothing");
        assert!(!mac.fits(&edited), "{what} is not under the MAC");
    }
}

/// Whether the two records, each with the MAC of the other, would pass for one another.
fn interchangeable(a: &Record, b: &Record) -> bool {
    let mac = RecordMac::new(key(1));
    let (mut a, mut b) = (a.clone(), b.clone());
    mac.set(&mut a);
    mac.set(&mut b);
    a.mac == b.mac
}

#[test]
fn fields_of_a_record_do_not_run_together() {
    assert!(interchangeable(&record(), &record()));
    let with_id = |tenant, name| Record { id: sample_id(tenant, name), ..record() };
    assert!(!interchangeable(&with_id("ab", "c"), &with_id("a", "bc")));
    let with_account = |id: &str, name: &str| Record { account: account(id, name), ..record() };
    assert!(!interchangeable(&with_account("ab", "c"), &with_account("a", "bc")));
    assert!(!interchangeable(&with_account("ab", "c"), &with_account("abc", "")));
    // Absent is not empty.
    let nobody = Record { account: None, ..record() };
    assert!(!interchangeable(&nobody, &with_account("a", "")));
    let zero = Timestamp::from_millis(0);
    let never = Record { expires_at: None, ..record() };
    assert!(!interchangeable(&never, &Record { expires_at: Some(zero), ..record() }));
    // Nor is the one the other.
    let expires = Record { expires_at: Some(zero), paused_at: None, ..record() };
    assert!(!interchangeable(&expires, &Record { expires_at: None, paused_at: Some(zero), ..record() }));
    // The end of the envelope is not the beginning of the KEK id.
    let with_sealed = |envelope: &[u8], kek: &[u8]| {
        let kek = KekId::from_slice(kek).unwrap();
        Record { sealed: Some(Sealed { envelope: envelope.to_vec(), kek, fingerprint: [0; 32] }), ..record() }
    };
    assert!(!interchangeable(&with_sealed(b"abc", b"d"), &with_sealed(b"ab", b"cd")));
    assert!(!interchangeable(&sample_tombstone(&record()), &Record { sealed: None, ..record() }));
}

fn chain_of(key: Zeroizing<[u8; 32]>) -> AuditChain {
    AuditChain::new(VaultId::from_bytes([1; 16]), key)
}

fn draft() -> AuditDraft {
    let mut draft = sample_entry(&record(), Action::Connected);
    draft.subject = Some("run".to_owned());
    draft
}

#[test]
fn every_field_of_an_entry_matters() {
    let chain = chain_of(key(1));
    let before = AuditHead { shard: 3, sequence: 7, mac: [9; 32] };
    let entry = chain.append(&before, draft()).unwrap();
    assert_eq!((entry.shard, entry.sequence, &entry.draft), (3, 8, &draft()));
    assert!(chain.follows(&before, &entry));
    assert!(!chain_of(key(2)).follows(&before, &entry), "another key's MAC fits");

    type Edit = fn(&mut AuditEntry);
    let edits: [(&str, Edit); 16] = [
        ("shard", |entry| entry.shard = 4),
        ("sequence", |entry| entry.sequence = 9),
        ("time", |entry| entry.draft.at = Timestamp::from_millis(1)),
        ("action", |entry| entry.draft.action = Action::UsedAgain),
        ("tenant", |entry| entry.draft.id = sample_id("tenanT", "name")),
        ("name", |entry| entry.draft.id = sample_id("tenant", "namE")),
        ("shifted names", |entry| entry.draft.id = sample_id("tenantn", "ame")),
        ("incarnation", |entry| entry.draft.incarnation = Incarnation::from_bytes([1; 16])),
        ("secret version", |entry| entry.draft.secret_version = SecretVersion::from_u64(1 << 40)),
        ("revision", |entry| entry.draft.revision = Revision::from_u64(6)),
        ("record's MAC", |entry| entry.draft.record_mac = Some([1; 32])),
        ("no record's MAC", |entry| entry.draft.record_mac = None),
        ("count", |entry| entry.draft.count = 2),
        ("subject", |entry| entry.draft.subject = Some("ruN".to_owned())),
        ("no subject", |entry| entry.draft.subject = None),
        ("MAC", |entry| entry.mac[0] ^= 1),
    ];
    for (what, edit) in edits {
        let mut edited = entry.clone();
        edit(&mut edited);
        assert_ne!(edited, entry, "the edit of {what} edits nothing");
        assert!(!chain.follows(&before, &edited), "{what} is not under the MAC");
    }
    // With the place moved along, so that the MAC alone can tell.
    for moved in [
        AuditHead { shard: 4, ..before },
        AuditHead { sequence: 8, ..before },
        AuditHead { mac: [8; 32], ..before },
    ] {
        let place = AuditEntry { shard: moved.shard, sequence: moved.sequence + 1, ..entry.clone() };
        assert!(!chain.follows(&moved, &place), "an entry fits behind {moved:?}");
    }
    let empty = AuditDraft { subject: Some(String::new()), ..draft() };
    let absent = AuditDraft { subject: None, ..draft() };
    let mac = |draft| chain.append(&before, draft).unwrap().mac;
    assert_ne!(mac(empty), mac(absent));
}

#[test]
fn a_record_is_no_entry() {
    // One key for both would be a mistake elsewhere; the labels keep the two apart even then.
    let mut record = record();
    RecordMac::new(key(1)).set(&mut record);
    let entry = chain_of(key(1)).append(&AuditHead::empty(0), draft()).unwrap();
    assert_ne!(record.mac, entry.mac);
    assert_eq!(format!("{:?}", RecordMac::new(key(1))), "RecordMac([hidden])");
    assert_eq!(format!("{:?}", chain_of(key(1))), "AuditChain([hidden])");
}

#[test]
fn nothing_is_appended_behind_a_head_that_went_back() {
    let chain = chain_of(key(1));
    let start = AuditHead::empty(3);
    let commit = chain.for_commit();
    let first = commit.append(&start, draft()).unwrap();
    let second = commit.append(&first.head(), draft()).unwrap();
    // Not acknowledged: perhaps it was rolled back.
    assert!(chain.append(&start, draft()).is_ok());
    commit.committed();
    assert_eq!(chain.marks()[3], second.head());
    assert_eq!(chain.marks()[4], AuditHead::empty(4));
    let beside = AuditHead { mac: [1; 32], ..second.head() };
    for back in [start, first.head(), beside] {
        assert_eq!(chain.append(&back, draft()).unwrap_err().kind(), ErrorKind::Tampered);
        assert_eq!(chain.for_commit().append(&back, draft()).unwrap_err().kind(), ErrorKind::Tampered);
    }
    let further = chain.append(&second.head(), draft()).unwrap();
    assert!(chain.append(&further.head(), draft()).is_ok(), "another instance went on");
    assert!(chain.append(&AuditHead::empty(4), draft()).is_ok(), "the shards are apart");
    chain.note(&first.head());
    assert_eq!(chain.marks()[3], second.head(), "a mark went back");
    // A try that was made again: what the last one appended counts.
    let retried = chain.for_commit();
    let _ = retried.append(&further.head(), draft()).unwrap();
    let last = retried.append(&second.head(), draft()).unwrap();
    retried.committed();
    assert_eq!(chain.marks()[3], last.head());
}
