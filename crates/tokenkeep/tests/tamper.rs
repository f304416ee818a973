//! What someone who can write to the database gets: refused, or named. The database is a real SQLite file, edited
//! with SQL behind the vault's back.

mod common;

use std::path::PathBuf;

use common::{Scripted, give, token};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection as _};
use tempfile::TempDir;
use tokenkeep::{
    ConnectionId, ConnectionState, ErrorKind, Finding, LocalKeyring, Revision, SqliteStore, Vault,
};
use tokenkeep_testkit::fake_token;

struct Files {
    folder: TempDir,
    provider: Scripted,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), provider: Scripted::new() }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("db/tokenkeep.sqlite")
    }

    /// A vault as a process that was just started sees it.
    async fn fresh(&self) -> Vault {
        let keys = LocalKeyring::open_or_create(self.folder.path().join("keys/keyring")).unwrap();
        Vault::open(SqliteStore::open(self.database()).await.unwrap(), keys).await.unwrap()
    }

    async fn sql(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap()
    }

    /// Runs SQL behind the vault's back; it must do something.
    async fn edit(&self, sql: &'static str) {
        let mut connection = self.sql().await;
        let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql} changed nothing");
        connection.close().await.unwrap();
    }

    async fn connected(&self, tenant: &str) -> (Vault, String) {
        let vault = self.fresh().await;
        let text = fake_token();
        vault.connection(tenant, "apify").unwrap().connect(&self.provider, token(&text)).await.unwrap();
        (vault, text)
    }
}

fn id(tenant: &str) -> ConnectionId {
    ConnectionId::new(tenant, "apify").unwrap()
}

async fn findings(vault: &Vault) -> Vec<Finding> {
    vault.verify().await.unwrap().findings
}

#[tokio::test]
async fn a_row_edited_by_hand_is_refused_and_named() {
    for sql in [
        "UPDATE tokenkeep_connection SET provider = 'other'",
        "UPDATE tokenkeep_connection SET provider = 'NO NAME'",
        "UPDATE tokenkeep_connection SET origin = 'https://evil.example'",
        "UPDATE tokenkeep_connection SET origin = 'http://api.apify.com'",
        "UPDATE tokenkeep_connection SET kind = 2",
        "UPDATE tokenkeep_connection SET incarnation = randomblob(16)",
        "UPDATE tokenkeep_connection SET incarnation = x'00'",
        "UPDATE tokenkeep_connection SET secret_version = 2",
        "UPDATE tokenkeep_connection SET secret_version = -1",
        "UPDATE tokenkeep_connection SET revision = 9",
        "UPDATE tokenkeep_connection SET status = 'paused'",
        "UPDATE tokenkeep_connection SET status = 'no status'",
        "UPDATE tokenkeep_connection SET kek = randomblob(16)",
        "UPDATE tokenkeep_connection SET connected_at = 1",
        "UPDATE tokenkeep_connection SET token_set_at = 1",
        "UPDATE tokenkeep_connection SET updated_at = 1",
        "UPDATE tokenkeep_connection SET expires_at = 1",
        "UPDATE tokenkeep_connection SET purge = 'done'",
        "UPDATE tokenkeep_connection SET mac = zeroblob(32)",
        "UPDATE tokenkeep_sealed SET bytes = randomblob(length(bytes))",
        "UPDATE tokenkeep_sealed SET bytes = x'01'",
    ] {
        let f = Files::new();
        drop(f.connected("t").await);
        f.edit(sql).await;
        let vault = f.fresh().await;
        let connection = vault.connection("t", "apify").unwrap();
        let kind = connection.status().await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Tampered, "{sql}");
        assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Tampered), "{sql}");
        match vault.connections("t", None, 10).await {
            Ok(listed) => {
                assert_eq!((listed.len(), listed[0].state), (1, ConnectionState::Tampered), "{sql}");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Tampered, "{sql}"),
        }
        assert_eq!(findings(&vault).await, [Finding::RecordAltered { id: id("t") }], "{sql}");
    }
}

#[tokio::test]
async fn an_old_row_put_back_is_refused_by_who_saw_the_new_one_and_named_by_verify() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(PUT_BACK).await;
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    let put_back =
        Finding::RecordPutBack { id: id("t"), found: Revision::from_u64(1), expected: Revision::from_u64(2) };
    assert_eq!(findings(&vault).await, std::slice::from_ref(&put_back));
    assert_eq!(findings(&f.fresh().await).await, [put_back]);
}

#[tokio::test]
async fn a_disconnected_token_put_back_is_named() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    let _ = connection.disconnect().await.unwrap();
    f.edit(PUT_BACK).await;
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    let fresh = f.fresh().await;
    assert!(matches!(findings(&fresh).await[..], [Finding::RecordPutBack { .. }]));
}

/// Keeps the records and sealed bytes as they are now; [`PUT_BACK`] puts them back.
const KEEP: &str = "CREATE TABLE kept_c AS SELECT * FROM tokenkeep_connection;
     CREATE TABLE kept_s AS SELECT * FROM tokenkeep_sealed";
const PUT_BACK: &str = "DELETE FROM tokenkeep_connection; DELETE FROM tokenkeep_sealed;
     INSERT INTO tokenkeep_sealed SELECT * FROM kept_s; INSERT INTO tokenkeep_connection SELECT * FROM kept_c";

#[tokio::test]
async fn what_was_put_back_stays_named_after_the_next_change() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    let _ = vault.connection("t", "apify").unwrap().disconnect().await.unwrap();
    f.edit(PUT_BACK).await;
    let vault = f.fresh().await;
    let connection = vault.connection("t", "apify").unwrap();
    assert!(
        give(&connection.credential(), &f.provider).await.is_ok(),
        "a fresh process can't know; the trail does"
    );
    let _ = connection.disconnect().await.unwrap();
    let found = findings(&vault).await;
    assert!(matches!(&found[..], [Finding::HistoryBroken { sequence: 4, .. }]), "{found:?}");
}

#[tokio::test]
async fn a_cut_in_the_trail_stays_named_after_the_next_change() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(
        "DELETE FROM tokenkeep_audit WHERE sequence = 2;
         UPDATE tokenkeep_audit_head SET sequence = 1,
             mac = (SELECT mac FROM tokenkeep_audit WHERE sequence = 1) WHERE sequence = 2",
    )
    .await;
    let refused = connection.replace(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Tampered, "by who saw the trail's end before");
    let fresh = f.fresh().await;
    let connection = fresh.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let found = findings(&fresh).await;
    assert!(matches!(&found[..], [Finding::HistoryBroken { sequence: 2, .. }]), "{found:?}");
    let found = findings(&vault).await;
    assert!(matches!(&found[1..], [Finding::HeadPutBack { sequence: 2, .. }]), "{found:?}");
}

#[tokio::test]
async fn a_record_of_the_same_revision_from_another_run_of_events_is_named() {
    let f = Files::new();
    drop(f.connected("t").await);
    let replace = async || {
        let vault = f.fresh().await;
        let connection = vault.connection("t", "apify").unwrap();
        connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    };
    f.edit(
        "CREATE TABLE first_c AS SELECT * FROM tokenkeep_connection;
         CREATE TABLE first_s AS SELECT * FROM tokenkeep_sealed;
         CREATE TABLE first_a AS SELECT * FROM tokenkeep_audit;
         CREATE TABLE first_h AS SELECT * FROM tokenkeep_audit_head; UPDATE first_h SET sequence = sequence",
    )
    .await;
    replace().await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    f.edit(
        "DELETE FROM tokenkeep_connection; INSERT INTO tokenkeep_connection SELECT * FROM first_c;
         DELETE FROM tokenkeep_sealed; INSERT INTO tokenkeep_sealed SELECT * FROM first_s;
         DELETE FROM tokenkeep_audit; INSERT INTO tokenkeep_audit SELECT * FROM first_a;
         DELETE FROM tokenkeep_audit_head; INSERT INTO tokenkeep_audit_head SELECT * FROM first_h",
    )
    .await;
    replace().await;
    assert_eq!(findings(&f.fresh().await).await, []);
    f.edit(PUT_BACK).await;
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordUnaccounted { id: id("t") }]);
}

#[tokio::test]
async fn an_envelope_from_before_a_reconnect_does_not_open_after_it() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let mut sql = f.sql().await;
    sqlx::raw_sql("CREATE TABLE kept_s AS SELECT * FROM tokenkeep_sealed").execute(&mut sql).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    let _ = connection.disconnect().await.unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(
        "UPDATE tokenkeep_sealed SET bytes = (SELECT bytes FROM kept_s)
         WHERE slot = (SELECT slot FROM tokenkeep_connection)",
    )
    .await;
    assert_eq!(
        give(&f.fresh().await.connection("t", "apify").unwrap().credential(), &f.provider).await,
        Err(ErrorKind::Tampered)
    );
}

#[tokio::test]
async fn a_record_copied_to_another_tenant_does_not_open() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit(
        "CREATE TABLE copy AS SELECT * FROM tokenkeep_connection; UPDATE copy SET tenant = 'mallory';
         INSERT INTO tokenkeep_connection SELECT * FROM copy",
    )
    .await;
    let vault = f.fresh().await;
    let stolen = vault.connection("mallory", "apify").unwrap();
    assert_eq!(give(&stolen.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    assert_eq!(findings(&vault).await, [Finding::RecordAltered { id: id("mallory") }]);
    assert!(give(&vault.connection("t", "apify").unwrap().credential(), &f.provider).await.is_ok());
}

#[tokio::test]
async fn two_swapped_tenants_are_refused() {
    let f = Files::new();
    drop(f.connected("a").await);
    drop(f.connected("b").await);
    f.edit(
        "UPDATE tokenkeep_connection SET tenant = 'x' WHERE tenant = 'a';
         UPDATE tokenkeep_connection SET tenant = 'a' WHERE tenant = 'b';
         UPDATE tokenkeep_connection SET tenant = 'b' WHERE tenant = 'x'",
    )
    .await;
    let vault = f.fresh().await;
    for tenant in ["a", "b"] {
        let stolen = vault.connection(tenant, "apify").unwrap();
        assert_eq!(give(&stolen.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    }
}

#[tokio::test]
async fn a_removed_row_is_refused_by_who_saw_it_and_named() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    f.edit("DELETE FROM tokenkeep_connection").await;
    let connection = vault.connection("t", "apify").unwrap();
    assert_eq!(connection.status().await.unwrap_err().kind(), ErrorKind::Tampered);
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordMissing { id: id("t") }]);
}

#[tokio::test]
async fn a_row_that_the_trail_does_not_know_is_named() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit(
        "CREATE TABLE copy AS SELECT * FROM tokenkeep_connection; UPDATE copy SET name = char(7);
         INSERT INTO tokenkeep_connection SELECT * FROM copy",
    )
    .await;
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordsUnreadable]);
}

/// A trail of four entries of one tenant: connected, replaced, replaced, disconnected.
async fn with_a_trail() -> Files {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let _ = connection.disconnect().await.unwrap();
    assert_eq!(findings(&vault).await, []);
    assert_eq!(vault.verify().await.unwrap().entries, 4);
    f
}

#[tokio::test]
async fn every_kind_of_tampering_with_the_trail_is_located() {
    for (sql, place) in [
        ("UPDATE tokenkeep_audit SET action = 'used' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET action = 'no action' WHERE sequence = 1", 1),
        ("UPDATE tokenkeep_audit SET at = at + 1 WHERE sequence = 3", 3),
        ("UPDATE tokenkeep_audit SET tenant = 'u' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET name = 'u' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET incarnation = randomblob(16) WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET secret_version = 7 WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET revision = 7 WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET times = 7 WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET subject = 'x' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET mac = zeroblob(32) WHERE sequence = 4", 4),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 1", 1),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 2", 2),
        (
            "UPDATE tokenkeep_audit SET sequence = 9 WHERE sequence = 2;
             UPDATE tokenkeep_audit SET sequence = 2 WHERE sequence = 3;
             UPDATE tokenkeep_audit SET sequence = 3 WHERE sequence = 9",
            2,
        ),
        (
            "CREATE TABLE c AS SELECT * FROM tokenkeep_audit WHERE sequence = 4; UPDATE c SET sequence = 5;
             INSERT INTO tokenkeep_audit SELECT * FROM c",
            5,
        ),
    ] {
        let f = with_a_trail().await;
        f.edit(sql).await;
        let found = findings(&f.fresh().await).await;
        let first = found.first();
        assert!(
            matches!(first, Some(Finding::EntryAltered { sequence, .. }) if *sequence == place),
            "{sql}: {found:?}"
        );
        assert_eq!(found.len(), 1, "one finding for one deed: {sql}: {found:?}");
    }
}

#[tokio::test]
async fn a_cut_trail_is_named() {
    let f = with_a_trail().await;
    f.edit("DELETE FROM tokenkeep_audit WHERE sequence = 4").await;
    let found = findings(&f.fresh().await).await;
    assert!(matches!(found[..], [Finding::HeadAltered { .. }]), "{found:?}");

    // With the head set back too, the record that goes further than the trail tells.
    let f = with_a_trail().await;
    f.edit(
        "DELETE FROM tokenkeep_audit WHERE sequence = 4;
         UPDATE tokenkeep_audit_head SET sequence = 3,
             mac = (SELECT mac FROM tokenkeep_audit WHERE sequence = 3) WHERE sequence = 4",
    )
    .await;
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordUnaccounted { id: id("t") }]);
}

#[tokio::test]
async fn a_database_that_lost_its_vault_keys_does_not_open() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit("UPDATE tokenkeep_vault_key SET envelope = (SELECT envelope FROM tokenkeep_vault_key WHERE place = 1)").await;
    let keys = LocalKeyring::open(f.folder.path().join("keys/keyring")).unwrap();
    let error = Vault::open(SqliteStore::open(f.database()).await.unwrap(), keys).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered, "one purpose's key does not pass for another's");
}
