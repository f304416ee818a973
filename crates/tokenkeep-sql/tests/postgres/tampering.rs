//! Rows edited by hand are named as such, and nothing of them is in the error.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokenkeep_core::{Error, ErrorKind, VaultId, VaultKeyPurpose};
use tokenkeep_store::StoredCheckpoint;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_use};
use tokenkeep_store::{Record, Scan, TokenStore, VaultRecord, shard_of};

use super::{Database, run};

/// What the edits put in; no error may show it.
const PLANTED: &str = "Planted!";

fn is_plain_tampering<T: std::fmt::Debug>(result: Result<T, Error>, edit: &str) {
    let error = result.expect_err(edit);
    assert_eq!(error.kind(), ErrorKind::Tampered, "{edit}: {error:?}");
    let shown = format!("{error} {error:?} {}", error.report());
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

/// Edits every row, past what the table's own rules allow.
async fn edited(db: &mut PgConnection, table: &str, edit: &str) {
    let free = format!(
        "DO $$ DECLARE col record; BEGIN \
         FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'tokenkeep.{table}'::regclass AND attnum > 0 \
             AND attnotnull AND attnum <> ALL (SELECT unnest(indkey) FROM pg_index \
             WHERE indrelid = 'tokenkeep.{table}'::regclass AND indisprimary) LOOP \
             EXECUTE format('ALTER TABLE tokenkeep.{table} ALTER COLUMN %I DROP NOT NULL', col.attname); \
         END LOOP; END $$; UPDATE tokenkeep.{table} SET {edit}"
    );
    run(db, AssertSqlSafe(free)).await;
}

#[tokio::test]
async fn a_record_that_does_not_parse_is_tampered() {
    let edits = [
        "name = 'Planted!' || chr(10)",
        "tenant = ''",
        "provider = 'Planted!'",
        "provider = NULL",
        "origin = 'http://Planted!'",
        "kind = 0",
        "kind = 9",
        "kind = 257", // 1 in its lowest byte
        "kind = -1",
        "kind = NULL",
        "incarnation = '\\x00'",
        "incarnation = NULL",
        "secret_version = -1",
        "revision = -1",
        "revision = NULL",
        "status = 'Planted!'",
        "status = NULL",
        "purge = 'Planted!'",
        "kek = NULL",
        "kek = ''",
        "kek = decode(repeat('00', 30), 'hex')",
        "fingerprint = NULL",
        "fingerprint = '\\x00'",
        "fingerprint = decode(repeat('00', 33), 'hex')",
        "envelope = NULL",
        "fingerprint = NULL, envelope = NULL",
        "kek = NULL, fingerprint = NULL",
        "account_id = NULL",
        "account_id = ''",
        "account_id = 'Planted!' || chr(10)",
        "account_id = repeat('x', 256)",
        "account_name = NULL",
        "account_name = 'Planted!' || chr(8238)",
        "account_name = repeat('x', 256)",
        "connected_at = NULL",
        "mac = ''",
        "mac = NULL",
        "mac = decode(repeat('00', 33), 'hex')",
    ];
    let database = Database::fresh();
    let store = database.store().await;
    let mut stranger = database.stranger().await;
    let record = sample_record(&sample_id("tenant-1", "name"), 1);
    for edit in edits {
        run(&mut stranger, "TRUNCATE tokenkeep.connection").await;
        store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
        assert_eq!(store.scan(&Scan::All, None, 10).await.unwrap(), std::slice::from_ref(&record));
        edited(&mut stranger, "connection", edit).await;
        is_tampered_and_spoils_no_page(&store, &record, edit).await;
    }
}

/// A column of another type holds what can't be in it. A connection that knows the old type says so in its own way first.
#[tokio::test]
async fn a_column_of_another_type_is_tampered_or_unusable() {
    for edit in [
        "ALTER TABLE tokenkeep.connection ALTER COLUMN mac TYPE text USING 'Planted!'",
        "ALTER TABLE tokenkeep.connection ALTER COLUMN revision TYPE text USING 'Planted!'",
        "DROP INDEX tokenkeep.connection_paused; DROP INDEX tokenkeep.connection_turn; ALTER TABLE tokenkeep.connection ALTER COLUMN status TYPE bytea USING '\\xff'",
        "ALTER TABLE tokenkeep.connection ALTER COLUMN envelope TYPE text USING 'Planted!'",
    ] {
        let database = Database::fresh();
        let store = database.store().await;
        let record = sample_record(&sample_id("tenant-1", "name"), 1);
        store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
        store.record(&record.id).await.unwrap();
        run(&mut database.stranger().await, edit).await;
        let warm = store.record(&record.id).await.expect_err(edit);
        assert!(matches!(warm.kind(), ErrorKind::Tampered | ErrorKind::StoreUnusable), "{edit}: {warm:?}");
        is_plain_tampering(database.store().await.record(&record.id).await, edit);
    }
}

#[tokio::test]
async fn a_trail_that_does_not_parse_is_tampered() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut stranger = database.stranger().await;
    let id = sample_id("tenant-1", "name");
    let shard = shard_of(id.tenant());
    for edit in [
        "action = 'Planted!'",
        "action = NULL",
        "tenant = ' Planted!'",
        "tenant = NULL",
        "name = ''",
        "incarnation = '\\x0000'",
        "secret_version = -1",
        "revision = -1",
        "times = -1",
        "times = NULL",
        "subject = '\\xff'",
        "mac = '\\x00'",
        "record_mac = ''",
        "record_mac = decode(repeat('00', 33), 'hex')",
    ] {
        run(
            &mut stranger,
            "TRUNCATE tokenkeep.audit; \
             UPDATE tokenkeep.audit_head SET sequence = 0, mac = decode(repeat('00', 32), 'hex')",
        )
        .await;
        store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
        edited(&mut stranger, "audit", edit).await;
        is_plain_tampering(store.audit_entries(shard, 0, 10).await, edit);
    }
}

#[tokio::test]
async fn heads_that_do_not_parse_are_tampered() {
    let id = sample_id("tenant-1", "name");
    let mine = shard_of(id.tenant());
    let edits = [
        format!("UPDATE tokenkeep.audit_head SET shard = -1 WHERE shard = {mine}"),
        format!("UPDATE tokenkeep.audit_head SET shard = 16 WHERE shard = {mine}"),
        format!("UPDATE tokenkeep.audit_head SET shard = 65536 + {mine} WHERE shard = {mine}"),
        "UPDATE tokenkeep.audit_head SET sequence = -1".to_owned(),
        "UPDATE tokenkeep.audit_head SET mac = ''".to_owned(),
        format!("DELETE FROM tokenkeep.audit_head WHERE shard = {mine}"),
        "DELETE FROM tokenkeep.audit_head".to_owned(),
    ];
    for edit in edits {
        let database = Database::fresh();
        let store = database.store().await;
        store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
        run(&mut database.stranger().await, AssertSqlSafe(edit.clone())).await;
        is_plain_tampering(store.audit_heads().await, &edit);
        let record = sample_record(&id, 1);
        let commit = store.commit(&[sample_change(&record, None)], &sample_chain()).await;
        is_plain_tampering(commit, &edit);
        assert_eq!(store.record(&id).await.unwrap(), None, "half of a refused commit was made");
    }
}

#[tokio::test]
async fn a_head_that_was_put_back_stops_commits() {
    let database = Database::fresh();
    let store = database.store().await;
    let id = sample_id("tenant-1", "name");
    store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
    run(
        &mut database.stranger().await,
        "UPDATE tokenkeep.audit_head SET sequence = 0, mac = decode(repeat('00', 32), 'hex')",
    )
    .await;
    let record = sample_record(&id, 1);
    is_plain_tampering(store.commit(&[sample_change(&record, None)], &sample_chain()).await, "head put back");
    assert_eq!(store.record(&id).await.unwrap(), None, "half of a refused commit was made");
}

#[tokio::test]
async fn a_vault_or_checkpoint_that_does_not_parse_is_tampered() {
    let keys = vec![(VaultKeyPurpose::AuditMac, vec![1; 300])];
    let vault = VaultRecord { id: VaultId::from_bytes([3; 16]), keys };
    for (table, edit) in [
        ("vault", "id = '\\x00'"),
        ("vault", "id = NULL"),
        ("vault_key", "purpose = 'Planted!'"),
        ("vault_key", "envelope = NULL"),
    ] {
        let database = Database::fresh();
        let store = database.store().await;
        store.init_vault(&vault).await.unwrap();
        edited(&mut database.stranger().await, table, edit).await;
        is_plain_tampering(store.vault().await, edit);
        is_plain_tampering(store.init_vault(&vault).await, edit);
    }
    for edit in ["number = -1", "number = NULL", "note = '\\xff'", "note = NULL"] {
        let database = Database::fresh();
        let store = database.store().await;
        store.put_checkpoint(&StoredCheckpoint { number: 1, note: "tenant-1".to_owned() }).await.unwrap();
        edited(&mut database.stranger().await, "checkpoint", edit).await;
        is_plain_tampering(store.checkpoint().await, edit);
    }
}

#[tokio::test]
async fn counters_beyond_the_databases_are_refused() {
    let store = Database::fresh().store().await;
    let id = sample_id("tenant", "name");
    for beyond in [1 << 63, u64::MAX] {
        let refused =
            store.commit(&[sample_change(&sample_record(&id, beyond), None)], &sample_chain()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Internal);
        let mut many = sample_use(&id);
        many.entry.count = beyond;
        let refused = store.commit(&[many], &sample_chain()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Internal);
        let checkpoint = StoredCheckpoint { number: beyond, note: String::new() };
        assert_eq!(store.put_checkpoint(&checkpoint).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    assert_eq!(store.record(&id).await.unwrap(), None);
    assert!(store.audit_heads().await.unwrap().iter().all(|head| head.sequence == 0));
}
