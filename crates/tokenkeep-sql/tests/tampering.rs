//! Rows edited by hand are named as such, and nothing of them is in the error.

mod common;

use common::{open, path, run, stranger};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use tempfile::TempDir;
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_use};
use tokenkeep_store::{Record, Scan, StoredCheckpoint, TokenStore, shard_of};

/// What the edits put in; no error may show it.
const PLANTED: &str = "Planted!";

fn is_plain_tampering<T: std::fmt::Debug>(result: Result<T, Error>, edit: &str) {
    let error = result.expect_err(edit);
    assert_eq!(error.kind(), ErrorKind::Tampered, "{edit}: {error:?}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(PLANTED) && !shown.contains("tenant-1"), "{edit}: {shown}");
}

/// A row without sense is tampered where it is asked for, and spoils no page, unless its place makes no sense either.
async fn is_tampered_and_spoils_no_page(store: &impl TokenStore, record: &Record, edit: &str) {
    let page = store.scan(&Scan::All, None, 10).await;
    if edit.starts_with("name") || edit.starts_with("tenant") {
        is_plain_tampering(page, edit);
    } else {
        is_plain_tampering(store.record(&record.id).await, edit);
        let illegible = Record::illegible(record.id.clone(), record.token_set_at, record.paused_at).unwrap();
        assert_eq!(page.unwrap(), [illegible], "{edit}");
    }
}

async fn edited(connection: &mut SqliteConnection, table: &str, edit: &str) {
    run(connection, AssertSqlSafe(format!("UPDATE {table} SET {edit}"))).await;
}

#[tokio::test]
async fn a_record_that_does_not_parse_is_tampered() {
    let edits = [
        ("tokenkeep_connection", "name = 'Planted!' || char(10)"),
        ("tokenkeep_connection", "tenant = ''"),
        ("tokenkeep_connection", "tenant = CAST(x'ff' AS TEXT)"),
        ("tokenkeep_connection", "provider = 'Planted!'"),
        ("tokenkeep_connection", "provider = CAST(x'ff' AS TEXT)"),
        ("tokenkeep_connection", "origin = 'http://Planted!'"),
        ("tokenkeep_connection", "kind = 0"),
        ("tokenkeep_connection", "kind = 9"),
        ("tokenkeep_connection", "kind = 257"), // 1 in its lowest byte
        ("tokenkeep_connection", "kind = -1"),
        ("tokenkeep_connection", "incarnation = x'00'"),
        ("tokenkeep_connection", "secret_version = -1"),
        ("tokenkeep_connection", "revision = -1"),
        ("tokenkeep_connection", "status = 'Planted!'"),
        ("tokenkeep_connection", "purge = 'Planted!'"),
        ("tokenkeep_connection", "kek = NULL"),
        ("tokenkeep_connection", "kek = x''"),
        ("tokenkeep_connection", "kek = zeroblob(30)"),
        ("tokenkeep_connection", "fingerprint_start = NULL"),
        ("tokenkeep_connection", "fingerprint_start = x'00'"),
        ("tokenkeep_connection", "fingerprint_start = zeroblob(8)"),
        ("tokenkeep_connection", "slot = NULL"),
        ("tokenkeep_connection", "slot = 17"),
        ("tokenkeep_connection", "mac = x''"),
        ("tokenkeep_connection", "kek = NULL, slot = 17"),
        ("tokenkeep_sealed", "bytes = x''"),
        ("tokenkeep_sealed", "bytes = zeroblob(100)"),
    ];
    for (table, edit) in edits {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        let record = sample_record(&sample_id("tenant-1", "name"), 1);
        store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
        assert_eq!(store.scan(&Scan::All, None, 10).await.unwrap(), std::slice::from_ref(&record));
        edited(&mut stranger(&path(&folder)).await, table, edit).await;
        is_tampered_and_spoils_no_page(&store, &record, edit).await;
    }
}

/// The parts of a slot, each with the length that is said of it.
fn slot(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let lead = |length| u32::try_from(length).unwrap().to_be_bytes();
    let mut bytes: Vec<u8> =
        parts.iter().flat_map(|(length, part)| [&lead(*length)[..], part].concat()).collect();
    bytes.resize(bytes.len().max(768), 0);
    bytes
}

#[tokio::test]
async fn a_slot_that_does_not_parse_is_tampered() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let record = sample_record(&sample_id("tenant-1", "name"), 1);
    store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
    let mut connection = stranger(&path(&folder)).await;
    let sealed = record.sealed.as_ref().unwrap();
    let sealed = [&sealed.fingerprint, &sealed.envelope[..]].concat();
    let put = async |connection: &mut SqliteConnection, bytes: Vec<u8>| {
        let query = sqlx::query("UPDATE tokenkeep_sealed SET bytes = $1").bind(bytes);
        query.execute(connection).await.unwrap();
        store.record(&record.id).await
    };
    let with_account =
        |id: &[u8], name: &[u8]| slot(&[(sealed.len(), &sealed), (id.len(), id), (name.len(), name)]);

    let account = record.account.as_ref().unwrap();
    let (id, name) = (account.id().as_bytes(), account.name().as_bytes());
    let found = put(&mut connection, with_account(id, name)).await.unwrap();
    assert_eq!(found.as_ref(), Some(&record), "these are not the parts that the store writes");
    let longest = [b'x'; 255];
    let found = put(&mut connection, with_account(&longest, &longest)).await.unwrap().unwrap();
    assert_eq!(found.account.unwrap().name().len(), 255);

    let accounts: [(&str, &[u8], &[u8]); 8] = [
        ("no id", b"", b"Planted!"),
        ("an id with a control character", b"Planted!\n", b"name"),
        ("an id that is no UTF-8", b"Planted!\xff", b"name"),
        ("an id that is too long", &[b'x'; 256], b"name"),
        ("a name with a control character", b"id", b"Planted!\x1b"),
        ("a name with what can't be seen", b"id", "Planted!\u{202e}".as_bytes()),
        ("a name that is no UTF-8", b"id", b"Planted!\xff"),
        ("a name that is too long", b"id", &[b'x'; 256]),
    ];
    for (what, id, name) in accounts {
        is_plain_tampering(put(&mut connection, with_account(id, name)).await, what);
    }
    let short = |length| slot(&[(length, &sealed[..length.min(31)]), (id.len(), id), (name.len(), name)]);
    is_plain_tampering(put(&mut connection, short(0)).await, "no envelope");
    is_plain_tampering(put(&mut connection, short(1)).await, "the beginning of a fingerprint");
    is_plain_tampering(put(&mut connection, short(31)).await, "most of a fingerprint");
    let too_long = u32::MAX as usize;
    for (what, bytes) in [
        ("sealed bytes beyond the end", slot(&[(too_long, &sealed)])),
        ("an id beyond the end", slot(&[(sealed.len(), &sealed), (too_long, id)])),
        ("a name beyond the end", slot(&[(sealed.len(), &sealed), (id.len(), id), (too_long, name)])),
        (
            "no room for a name",
            slot(&[(sealed.len(), &sealed), (id.len(), id)])[..sealed.len() + id.len() + 11].to_vec(),
        ),
    ] {
        is_plain_tampering(put(&mut connection, bytes).await, what);
    }
}

#[tokio::test]
async fn a_trail_that_does_not_parse_is_tampered() {
    let id = sample_id("tenant-1", "name");
    let shard = shard_of(id.tenant());
    let edits = [
        "action = 'Planted!'",
        "tenant = ' Planted!'",
        "name = ''",
        "incarnation = x'0000'",
        "secret_version = -1",
        "revision = -1",
        "times = -1",
        "subject = CAST(x'ff' AS TEXT)",
        "mac = x'00'",
        "record_mac = x''",
        "record_mac = zeroblob(33)",
    ];
    for edit in edits {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
        edited(&mut stranger(&path(&folder)).await, "tokenkeep_audit", edit).await;
        is_plain_tampering(store.audit_entries(shard, 0, 10).await, edit);
    }
    for edit in ["shard = -1", "shard = 16", "shard = 65536", "sequence = -1", "mac = zeroblob(33)"] {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
        edited(&mut stranger(&path(&folder)).await, "tokenkeep_audit_head", edit).await;
        is_plain_tampering(store.audit_heads().await, edit);
    }
}

#[tokio::test]
async fn a_checkpoint_that_does_not_parse_is_tampered() {
    for edit in ["number = -1", "note = CAST(x'ff' AS TEXT)"] {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        store.put_checkpoint(&StoredCheckpoint { number: 1, note: "note".to_owned() }).await.unwrap();
        edited(&mut stranger(&path(&folder)).await, "tokenkeep_checkpoint", edit).await;
        is_plain_tampering(store.checkpoint().await, edit);
    }
}

#[tokio::test]
async fn a_head_that_was_put_back_stops_commits() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let id = sample_id("tenant-1", "name");
    store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
    run(&mut stranger(&path(&folder)).await, "DELETE FROM tokenkeep_audit_head").await;
    let record = sample_record(&id, 1);
    is_plain_tampering(store.commit(&[sample_change(&record, None)], &sample_chain()).await, "head removed");
    assert_eq!(store.record(&id).await.unwrap(), None, "half of a refused commit was made");
}

#[tokio::test]
async fn a_vault_that_does_not_parse_is_tampered() {
    for (table, edit) in [
        ("tokenkeep_vault", "id = x'00'"),
        ("tokenkeep_vault_key", "purpose = 'Planted!'"),
        ("tokenkeep_vault_key", "purpose = CAST(x'ff' AS TEXT)"),
    ] {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        let keys = vec![(tokenkeep_core::VaultKeyPurpose::AuditMac, vec![1; 300])];
        let vault = tokenkeep_store::VaultRecord { id: tokenkeep_core::VaultId::from_bytes([3; 16]), keys };
        store.init_vault(&vault).await.unwrap();
        edited(&mut stranger(&path(&folder)).await, table, edit).await;
        is_plain_tampering(store.vault().await, edit);
        is_plain_tampering(store.init_vault(&vault).await, edit);
    }
}

#[tokio::test]
async fn counters_beyond_the_databases_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let id = sample_id("tenant-1", "name");
    for beyond in [1 << 63, u64::MAX] {
        let refused =
            store.commit(&[sample_change(&sample_record(&id, beyond), None)], &sample_chain()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Internal);
        let mut many = sample_use(&id);
        many.entry.count = beyond;
        let refused = store.commit(&[many], &sample_chain()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Internal);
    }
    assert_eq!(store.record(&id).await.unwrap(), None);
    assert!(store.audit_heads().await.unwrap().iter().all(|head| head.sequence == 0));
}
