//! Opening: what is made, what is kept, what is refused and left as it was.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{open, path, run, stranger};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokenkeep_core::{Error, ErrorKind, KekId, VaultId, VaultKeyPurpose};
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::conformance::{
    sample_chain, sample_chain_of, sample_change, sample_id, sample_record, sample_tombstone, sample_use,
};
use tokenkeep_store::{Scan, StoredCheckpoint, Timestamp, TokenStore, VaultRecord};

async fn refusal(path: &Path) -> Error {
    SqliteStore::open(path).await.expect_err("it should have been refused")
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let keys = vec![(VaultKeyPurpose::AuditMac, vec![1; 300]), (VaultKeyPurpose::Fingerprint, vec![2])];
    let vault = VaultRecord { id: VaultId::from_bytes([3; 16]), keys };
    let own = vault.id;
    store.init_vault(&vault).await.unwrap();
    let live = sample_record(&sample_id("tenant", "live"), 1);
    let gone = sample_record(&sample_id("tenant", "gone"), 1);
    let changes = [
        sample_change(&live, None),
        sample_change(&gone, None),
        sample_change(&sample_tombstone(&gone), Some(1)),
        sample_use(&live.id),
    ];
    store.commit(&changes, &sample_chain_of(own)).await.unwrap();
    let kek = KekId::from_slice(b"closed").unwrap();
    store.close_kek(&kek, Timestamp::from_millis(1)).await.unwrap();
    let heads = store.audit_heads().await.unwrap();
    let shard = tokenkeep_store::shard_of(live.id.tenant());
    let entries = store.audit_entries(shard, 0, 10).await.unwrap();
    assert_eq!(entries.len(), 4);
    store.close().await;
    assert_eq!(files(folder.path()).len(), 1, "a closed store leaves its log behind");

    let store = open(&folder).await;
    assert_eq!(store.vault().await.unwrap(), Some(vault));
    let records = store.scan(&Scan::All, None, 10).await.unwrap();
    assert_eq!(records, [sample_tombstone(&gone), live]);
    assert_eq!(store.audit_heads().await.unwrap(), heads);
    assert_eq!(store.audit_entries(shard, 0, 10).await.unwrap(), entries);
    let mut under_closed = sample_record(&sample_id("tenant", "new"), 1);
    under_closed.sealed.as_mut().unwrap().kek = kek;
    let refused = store.commit(&[sample_change(&under_closed, None)], &sample_chain_of(own)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn no_vault_is_made_over_what_another_left() {
    let tables = [
        "tokenkeep_connection",
        "tokenkeep_audit",
        "tokenkeep_audit_head",
        "tokenkeep_vault_key",
        "tokenkeep_checkpoint",
    ];
    let keys = vec![(VaultKeyPurpose::AuditMac, vec![1; 300])];
    let vault = VaultRecord { id: VaultId::from_bytes([3; 16]), keys };
    let own = vault.id;
    for left in tables.into_iter().map(Some).chain([None]) {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        store.init_vault(&vault).await.unwrap();
        let record = sample_record(&sample_id("tenant", "name"), 1);
        store.commit(&[sample_change(&record, None)], &sample_chain_of(own)).await.unwrap();
        store.put_checkpoint(&StoredCheckpoint { number: 1, note: "note".to_owned() }).await.unwrap();
        let mut stranger = stranger(&path(&folder)).await;
        for table in tables.into_iter().filter(|table| Some(*table) != left).chain(["tokenkeep_vault"]) {
            run(&mut stranger, AssertSqlSafe(format!("DELETE FROM {table}"))).await;
        }
        assert_eq!(store.vault().await.unwrap(), None);
        let made = store.init_vault(&vault).await;
        if left.is_none() {
            assert_eq!(made.unwrap(), vault);
            continue;
        }
        assert_eq!(made.unwrap_err().kind(), ErrorKind::StoreUnusable, "{left:?}");
        assert_eq!(store.vault().await.unwrap(), None, "{left:?}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_was() {
    for journal in ["PRAGMA journal_mode = WAL", "PRAGMA journal_mode = DELETE"] {
        let folder = TempDir::new().unwrap();
        open(&folder).await.close().await;
        let mut newer = stranger(&path(&folder)).await;
        run(&mut newer, journal).await;
        run(
            &mut newer,
            "CREATE TABLE tokenkeep_new (x); INSERT INTO tokenkeep_migration (version, description, success, checksum, \
             execution_time) VALUES (2, 'new', TRUE, x'00', 1)",
        )
        .await;
        newer.close().await.unwrap();
        let before = files(folder.path());
        let error = refusal(&path(&folder)).await;
        assert_eq!(error.kind(), ErrorKind::StoreUnusable);
        assert!(error.to_string().contains("a newer tokenkeep wrote"), "{error}");
        assert!(files(folder.path()) == before, "{journal}: something was changed");
    }
}

#[tokio::test]
async fn a_migration_that_was_another_is_refused() {
    let folder = TempDir::new().unwrap();
    open(&folder).await.close().await;
    let mut other = stranger(&path(&folder)).await;
    run(&mut other, "UPDATE tokenkeep_migration SET checksum = x'00'").await;
    other.close().await.unwrap();
    assert_eq!(refusal(&path(&folder)).await.kind(), ErrorKind::StoreUnusable);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_as_it_was() {
    let mut looks_like_one = b"SQLite format 3\0".to_vec();
    looks_like_one.resize(8192, 0x41);
    for garbage in [b"notes of a meeting".to_vec(), vec![0xA5; 20_000], looks_like_one] {
        let folder = TempDir::new().unwrap();
        fs::write(path(&folder), &garbage).unwrap();
        let before = files(folder.path());
        let error = refusal(&path(&folder)).await;
        assert_eq!(error.kind(), ErrorKind::StoreUnusable);
        assert!(error.to_string().contains("no SQLite database"), "{error}");
        assert!(files(folder.path()) == before, "something was changed");
    }
    let folder = TempDir::new().unwrap();
    assert_eq!(refusal(folder.path()).await.kind(), ErrorKind::StoreUnusable);
    fs::write(path(&folder), b"a file").unwrap();
    assert_eq!(refusal(&path(&folder).join("in/it.db")).await.kind(), ErrorKind::StoreUnusable);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_what_it_makes() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("a/b");
    let file = inner.join("tokens.db");
    let store = SqliteStore::open(&file).await.unwrap();
    store
        .commit(&[sample_change(&sample_record(&sample_id("t", "n"), 1), None)], &sample_chain())
        .await
        .unwrap();
    assert_eq!((mode(&folder.path().join("a")), mode(&inner)), (0o700, 0o700));
    let names = files(&inner).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names, ["tokens.db", "tokens.db-shm", "tokens.db-wal"]);
    for name in names {
        assert_eq!(mode(&inner.join(&name)), 0o600, "{name}");
    }
    store.close().await;
    // What is there keeps its mode: it holds sealed bytes alone.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    SqliteStore::open(&file).await.unwrap().close().await;
    assert_eq!(mode(&file), 0o644);
}

#[tokio::test]
async fn the_file_is_named_canonically() {
    let folder = TempDir::new().unwrap();
    let crooked = folder.path().join("x/../y/file:tokens.db?mode=memory");
    fs::create_dir(folder.path().join("x")).unwrap();
    let store = SqliteStore::open(&crooked).await.unwrap();
    let expected = folder.path().canonicalize().unwrap().join("y/file:tokens.db?mode=memory");
    assert_eq!(store.database_file(), Some(expected.as_path()));
    assert!(expected.is_file());
}

#[tokio::test]
async fn an_application_may_share_the_file() {
    let folder = TempDir::new().unwrap();
    fs::write(path(&folder), b"").unwrap();
    let mut application = stranger(&path(&folder)).await;
    run(
        &mut application,
        "CREATE TABLE _sqlx_migrations (version BIGINT); INSERT INTO _sqlx_migrations VALUES (77)",
    )
    .await;
    let store = open(&folder).await;
    let record = sample_record(&sample_id("tenant", "name"), 1);
    store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
    let theirs: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(&mut application).await.unwrap();
    assert_eq!(theirs, [77]);
    let ours: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut application)
    .await
    .unwrap();
    assert!(ours.iter().all(|name| name.starts_with("tokenkeep_")), "{ours:?}");
    open(&folder).await.close().await;
}

#[tokio::test]
async fn a_missing_table_makes_it_unusable() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    run(&mut stranger(&path(&folder)).await, "DROP TABLE tokenkeep_connection").await;
    let error = store.record(&sample_id("tenant", "name")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
}

#[tokio::test]
async fn a_database_that_somebody_holds_is_unavailable_for_writing() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let record = sample_record(&sample_id("tenant", "name"), 1);
    let mut holder = stranger(&path(&folder)).await;
    run(&mut holder, "BEGIN IMMEDIATE").await;
    let began = Instant::now();
    let error = store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_secs(4), "it did not wait");
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(error.is_retryable());
    assert_eq!(store.record(&record.id).await.unwrap(), None);
    run(&mut holder, "ROLLBACK").await;
    store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    store.clone().close().await;
    let error = store.vault().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(!error.is_retryable());
    assert_eq!(store.writable().await.unwrap_err().kind(), ErrorKind::Misuse);
}
