//! What is in databases already must keep fitting: the MACs of fixed samples, as figures that `goldens.py` beside this
//! file computed from the description of the encoding, and the names that are under them.

use tokenkeep_core::{Account, ConnectionId, Incarnation, KekId, PayloadKind, Revision, SecretVersion};
use tokenkeep_store::{
    Action, AuditChain, AuditDraft, AuditHead, Purge, Record, RecordMac, Sealed, Status, Timestamp, shard_of,
};
use zeroize::Zeroizing;

const LIVE: &str = "c3e005b1aa1c5335d697548f6b4e49d7f67122d22440e3c3b5d3038e9a546f98";
const TOMBSTONE: &str = "57789afa95a561ccfefc5a27b4d46b8c90de961ebe69e8a7c32eee6f8c073dea";
const PINNING_ENTRY: &str = "ddaefe37ec0db443ea495f141d92675e528ec50ab86fa92ee156413902d32feb";
const USE: &str = "673b585fae0db46169a821c3912adcd913b176b55cc394a4fbea2f83df02472e";

fn key() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(std::array::from_fn(|at| at as u8))
}

fn id() -> ConnectionId {
    ConnectionId::new("Kunde 17 é", "main").unwrap()
}

fn incarnation() -> Incarnation {
    Incarnation::from_bytes(std::array::from_fn(|at| 0x10 + at as u8))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn live() -> Record {
    let mut record = Record {
        id: id(),
        provider: "apify".parse().unwrap(),
        origin: "https://api.apify.com".parse().unwrap(),
        kind: PayloadKind::ApiToken,
        incarnation: incarnation(),
        secret_version: SecretVersion::from_u64(3),
        revision: Revision::from_u64(4),
        status: Status::Active,
        sealed: Some(Sealed {
            envelope: (0..200).collect(),
            kek: KekId::from_slice(b"KEK-1").unwrap(),
            fingerprint: [0xf5; 32],
        }),
        account: Some(Account::new("id-1", "Náme").unwrap()),
        connected_at: Timestamp::from_millis(1_700_000_000_000),
        token_set_at: Timestamp::from_millis(-1),
        updated_at: Timestamp::from_millis(1_700_000_000_002),
        expires_at: Some(Timestamp::from_millis(1_800_000_000_000)),
        paused_at: Some(Timestamp::from_millis(1_750_000_000_000)),
        purge: Purge::NotDue,
        mac: [0; 32],
    };
    RecordMac::new(key()).set(&mut record);
    record
}

fn tombstone() -> Record {
    let mut record = Record {
        revision: Revision::from_u64(i64::MAX as u64),
        status: Status::Disconnected,
        sealed: None,
        account: None,
        expires_at: None,
        paused_at: None,
        purge: Purge::Pending,
        ..live()
    };
    RecordMac::new(key()).set(&mut record);
    record
}

#[test]
fn the_macs_of_records_stay_what_they_are() {
    assert_eq!(hex(&live().mac), LIVE);
    assert_eq!(hex(&tombstone().mac), TOMBSTONE);
}

#[test]
fn the_macs_of_entries_stay_what_they_are() {
    let chain = AuditChain::new(tokenkeep_core::VaultId::from_bytes([1; 16]), key());
    let disconnected = AuditDraft {
        at: Timestamp::from_millis(1_700_000_000_003),
        action: Action::Disconnected,
        id: id(),
        incarnation: incarnation(),
        secret_version: SecretVersion::from_u64(3),
        revision: Revision::from_u64(i64::MAX as u64),
        record_mac: Some(tombstone().mac),
        count: 1,
        subject: None,
    };
    let used = AuditDraft {
        action: Action::UsedAgain,
        record_mac: None,
        count: 41,
        subject: Some("run-1".to_owned()),
        ..disconnected.clone()
    };
    let first = chain.append(&AuditHead::empty(9), disconnected).unwrap();
    assert_eq!(hex(&first.mac), PINNING_ENTRY);
    assert_eq!(hex(&chain.append(&first.head(), used).unwrap().mac), USE);
}

#[test]
fn a_tenant_stays_in_its_shard() {
    let shard = |tenant| shard_of(ConnectionId::new(tenant, "main").unwrap().tenant());
    assert_eq!([shard("Kunde 17 é"), shard("a"), shard("b")], [7, 10, 14]);
}

#[test]
fn names_stay_what_they_are() {
    let statuses = [Status::Active, Status::Paused, Status::Revoked, Status::Suspected, Status::Disconnected];
    assert_eq!(statuses.map(Status::name), ["active", "paused", "revoked", "suspected", "disconnected"]);
    assert_eq!(statuses.map(|status| Status::from_name(status.name())), statuses.map(Some));
    let purges = [Purge::NotDue, Purge::Pending, Purge::Done];
    assert_eq!(purges.map(Purge::name), ["not-due", "pending", "done"]);
    assert_eq!(purges.map(|purge| Purge::from_name(purge.name())), purges.map(Some));
    let actions = [
        (Action::Connected, "connected"),
        (Action::Replaced, "replaced"),
        (Action::Disconnected, "disconnected"),
        (Action::Purged, "purged"),
        (Action::Used, "used"),
        (Action::UsedAgain, "used-again"),
        (Action::Created, "created"),
        (Action::Paused, "paused"),
        (Action::Resumed, "resumed"),
        (Action::Revoked, "revoked"),
        (Action::Suspected, "suspected"),
        (Action::Cleared, "cleared"),
        (Action::Rewrapped, "rewrapped"),
        (Action::Discarded, "discarded"),
    ];
    for (action, name) in actions {
        assert_eq!((action.name(), Action::from_name(name)), (name, Some(action)));
    }
}
