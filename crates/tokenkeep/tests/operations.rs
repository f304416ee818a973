//! The drills of docs/operations.md, step by step.

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{Scripted, account, give, token};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};
use tempfile::TempDir;
use tokenkeep::{
    Action, Checkpoint, CheckpointFile, ConnectionId, ConnectionState, Error, ErrorKind, Finding,
    LocalKeyring, Provider, SqliteStore, Vault,
};
use tokenkeep_testkit::fake_token;

struct Site {
    folder: TempDir,
    provider: Scripted,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), provider: Scripted::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.path("db/tokenkeep.sqlite")
    }

    /// A process that was just started, with this file of checkpoints.
    async fn start(&self, checkpoints: &str) -> (Vault, SqliteStore) {
        let keys = LocalKeyring::open_or_create(self.path("keys/keyring")).unwrap();
        let sink = CheckpointFile::open_or_create(self.path(checkpoints)).await.unwrap();
        let store = SqliteStore::open(self.database()).await.unwrap();
        let vault = Vault::options().checkpoints(sink).open(store.clone(), keys).await.unwrap();
        (vault, store)
    }

    async fn connect(&self, vault: &Vault, tenant: &str) -> String {
        let text = fake_token();
        self.provider.answer(Ok(account(tenant)));
        vault.connection(tenant, "apify").unwrap().connect(&self.provider, token(&text)).await.unwrap();
        text
    }

    /// Whether the tenant's token would be used.
    async fn given(&self, vault: &Vault, tenant: &str) -> Result<String, ErrorKind> {
        give(&vault.connection(tenant, "apify").unwrap().credential(), &self.provider).await
    }

    /// Behind the vault's back.
    async fn sql(&self, sql: &'static str) {
        let mut database = SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    /// A copy of the live database, as the page says to make one.
    async fn back_up(&self, name: &str) {
        let options = SqliteConnectOptions::new().filename(self.database());
        let mut database = options.connect().await.unwrap();
        let copy = self.path(name).to_str().unwrap().to_owned();
        sqlx::query("VACUUM INTO ?").bind(copy).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    fn restore(&self, name: &str) {
        for ending in ["-wal", "-shm"] {
            let mut file = self.database().into_os_string();
            file.push(ending);
            let _ = std::fs::remove_file(file);
        }
        std::fs::copy(self.path(name), self.database()).unwrap();
    }
}

/// Tenant, connection and action of the exported lines behind a place.
fn behind(lines: &str, end: &str) -> Vec<(String, String, String)> {
    let end: Vec<u64> = end.split(',').map(|place| place.parse().unwrap()).collect();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    lines
        .filter(|line| {
            let shard = usize::try_from(line["shard"].as_u64().unwrap()).unwrap();
            line["sequence"].as_u64().unwrap() > end[shard]
        })
        .map(|line| (text(&line["tenant"]), text(&line["connection"]), text(&line["action"])))
        .collect()
}

#[tokio::test]
async fn an_old_database_is_restored() {
    let site = Site::new();
    let (vault, store) = site.start("sink/checkpoints").await;
    for tenant in ["goes", "leaks", "replaces", "stays"] {
        site.connect(&vault, tenant).await;
    }
    vault.checkpoint().await.unwrap();
    site.back_up("backup").await;

    // What happens after the backup.
    let _ = vault.connection("goes", "apify").unwrap().disconnect().await.unwrap();
    let mut response = vault.connection("leaks", "apify").unwrap().suspect_leak();
    while response.next().await.unwrap().is_some() {}
    site.provider.answer(Ok(account("replaces")));
    let replaced = vault.connection("replaces", "apify").unwrap();
    replaced.replace(&site.provider, token(&fake_token())).await.unwrap();
    site.connect(&vault, "comes").await;
    site.connect(&vault, "visits").await;
    let _ = vault.connection("visits", "apify").unwrap().disconnect().await.unwrap();
    vault.flush().await.unwrap();
    vault.checkpoint().await.unwrap();
    let mut export = vault.audit().export();
    let mut lines = String::new();
    while let Some(page) = export.next().await.unwrap() {
        lines.push_str(&page);
    }
    let kept = export.cursor().to_string();

    drop(vault);
    store.close().await;
    site.restore("backup");

    // One that is started anew would use it: that is why nobody serves yet. Verify says what was done, and nothing else.
    let (vault, store) = site.start("sink/checkpoints").await;
    let findings = vault.verify().await.unwrap().findings;
    let is_the_restore =
        |f: &Finding| matches!(f, Finding::DatabasePutBack { .. } | Finding::TrailCut { .. });
    assert!(findings.iter().all(is_the_restore), "{findings:?}");
    assert!(findings.iter().any(|f| matches!(f, Finding::DatabasePutBack { .. })), "{findings:?}");
    assert_eq!(vault.checkpoint().await.unwrap_err().kind(), ErrorKind::Tampered, "into the old file");
    let mut end = vault.audit().export();
    while end.next().await.unwrap().is_some() {}
    let end = end.cursor();
    let lost = behind(&lines, &end.to_string());
    let error = vault.audit().export().after(kept.parse().unwrap()).next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered, "the export does not go on from the old place");
    assert!(site.given(&vault, "goes").await.is_ok(), "it is there again");
    let acted: BTreeSet<_> =
        lost.iter().map(|(tenant, _, action)| (tenant.as_str(), action.as_str())).collect();
    for expected in
        [("goes", "disconnected"), ("leaks", "suspected"), ("replaces", "replaced"), ("comes", "connected")]
    {
        assert!(acted.contains(&expected), "{expected:?} of {acted:?}");
    }
    assert!(acted.iter().all(|(tenant, _)| *tenant != "stays"), "{acted:?}");

    // Done again, before anybody is served.
    for (tenant, connection, action) in &lost {
        let connection = vault.connection_of(&ConnectionId::new(tenant, connection).unwrap());
        let done = match action.as_str() {
            "disconnected" | "discarded" => connection.disconnect().await.map(drop),
            "suspected" => connection.suspect_leak().finish().await.map(drop),
            _ => Ok(()),
        };
        let was_never_there = done.is_err_and(|error| error.kind() == ErrorKind::NotConnected);
        assert_eq!(was_never_there, tenant == "visits" && action == "disconnected", "{tenant} {action}");
    }
    drop(vault);
    store.close().await;

    let (vault, _store) = site.start("sink/new-checkpoints").await;
    vault.checkpoint().await.unwrap();
    let (mut export, mut lines) = (vault.audit().export().after(end), String::new());
    while let Some(page) = export.next().await.unwrap() {
        lines.push_str(&page);
    }
    let exported = behind(&lines, &end.to_string());
    for expected in [("goes", "disconnected"), ("leaks", "suspected")] {
        let found =
            exported.iter().filter(|(tenant, _, action)| (tenant.as_str(), action.as_str()) == expected);
        assert_eq!(found.count(), 1, "{expected:?} of {exported:?}");
    }
    assert_eq!(site.given(&vault, "goes").await, Err(ErrorKind::NotConnected));
    assert_eq!(site.given(&vault, "leaks").await, Err(ErrorKind::Suspected));
    assert_eq!(site.given(&vault, "comes").await, Err(ErrorKind::NotConnected));
    assert!(site.given(&vault, "stays").await.is_ok());
    assert!(vault.verify().await.unwrap().is_whole());
}

/// As the page has it, but for what it prints.
async fn end_altered(vault: &Vault, provider: &dyn Provider) -> Result<(), Error> {
    for finding in vault.verify().await?.findings {
        let (Finding::RecordAltered { id }
        | Finding::RecordPutBack { id, .. }
        | Finding::RecordMissing { id }
        | Finding::RecordUnaccounted { id }) = finding
        else {
            continue;
        };
        let _ = vault.connection_of(&id).discard_tampered(provider).await?;
    }
    Ok(())
}

#[tokio::test]
async fn records_were_altered() {
    let site = Site::new();
    let (vault, store) = site.start("sink/checkpoints").await;
    for tenant in ["altered", "missing", "unreadable", "put-back", "stays"] {
        site.connect(&vault, tenant).await;
    }
    site.sql(
        "CREATE TABLE kept_c AS SELECT * FROM tokenkeep_connection WHERE tenant = 'put-back';
         CREATE TABLE kept_s AS SELECT * FROM tokenkeep_sealed WHERE slot = (SELECT slot FROM kept_c)",
    )
    .await;
    let _ = vault.connection("put-back", "apify").unwrap().disconnect().await.unwrap();
    vault.checkpoint().await.unwrap();
    site.sql(
        "UPDATE tokenkeep_connection SET origin = 'https://evil.example' WHERE tenant = 'altered';
         DELETE FROM tokenkeep_connection WHERE tenant IN ('missing', 'put-back');
         UPDATE tokenkeep_connection SET revision = -1 WHERE tenant = 'unreadable';
         REPLACE INTO tokenkeep_sealed SELECT * FROM kept_s;
         INSERT INTO tokenkeep_connection SELECT * FROM kept_c;
         CREATE TABLE planted AS SELECT * FROM tokenkeep_connection WHERE tenant = 'stays';
         UPDATE planted SET name = char(7); INSERT INTO tokenkeep_connection SELECT * FROM planted",
    )
    .await;
    drop(vault);
    store.close().await;

    let (vault, _store) = site.start("sink/checkpoints").await;
    let ended = ["altered", "missing", "unreadable", "put-back"];
    assert!(site.given(&vault, "put-back").await.is_ok(), "a process that was just started can't know");
    let customers_try = vault.connection("altered", "apify").unwrap();
    assert_eq!(customers_try.disconnect().await.unwrap_err().kind(), ErrorKind::Tampered);
    // The row without its revision is removed by hand, and the one that is nobody's.
    let error = loop {
        match end_altered(&vault, &site.provider).await {
            Err(error) => break error,
            Ok(()) => assert!(!vault.verify().await.unwrap().is_whole(), "one was to be removed by hand"),
        }
    };
    assert_eq!(error.kind(), ErrorKind::Tampered);
    let nobodys: Vec<(String, String)> = {
        let mut database = SqliteConnectOptions::new().filename(site.database()).connect().await.unwrap();
        let sql =
            "SELECT tenant, name FROM tokenkeep_connection EXCEPT SELECT tenant, name FROM tokenkeep_audit";
        sqlx::query_as(sql).fetch_all(&mut database).await.unwrap()
    };
    assert_eq!(nobodys, [("stays".to_owned(), "\u{7}".to_owned())]);
    site.sql("DELETE FROM tokenkeep_connection WHERE tenant = 'unreadable' AND name = 'apify'").await;
    site.sql("DELETE FROM tokenkeep_connection WHERE tenant = 'stays' AND name = char(7)").await;
    end_altered(&vault, &site.provider).await.unwrap();
    let found = vault.verify().await.unwrap();
    assert!(found.is_whole(), "{:?}", found.findings);

    for tenant in ended {
        let entries = vault.audit().of_tenant(tenant, 0, 100).await.unwrap();
        let last = &entries.last().unwrap().draft;
        assert_eq!(last.action, Action::Discarded, "{tenant}");
        let expected = if tenant == "unreadable" { "missing" } else { tenant };
        assert_eq!(last.subject.as_deref(), Some(expected));
        site.connect(&vault, tenant).await;
        assert!(site.given(&vault, tenant).await.is_ok());
    }
    assert!(site.given(&vault, "stays").await.is_ok());
    vault.checkpoint().await.unwrap();
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_keyring_is_lost() {
    let site = Site::new();
    let (vault, store) = site.start("sink/checkpoints").await;
    let text = site.connect(&vault, "customer-17").await;
    let key = vault.checkpoint_key();
    let note = vault.checkpoint().await.unwrap().note().to_owned();

    // Who runs goes on.
    std::fs::rename(site.path("keys/keyring"), site.path("copy")).unwrap();
    assert_eq!(site.given(&vault, "customer-17").await, Ok(text.clone()));
    drop(vault);
    store.close().await;

    // Nobody else starts: not without a keyring, and not with a new one, which would bury what is there.
    assert!(LocalKeyring::open(site.path("keys/keyring")).is_err());
    let other = LocalKeyring::open_or_create(site.path("keys/keyring")).unwrap();
    let store = SqliteStore::open(site.database()).await.unwrap();
    assert_eq!(Vault::open(store.clone(), other.clone()).await.unwrap_err().kind(), ErrorKind::KeysWrong);
    store.close().await;

    // With the database put aside, a new vault opens; the old one's checkpoints are still good.
    std::fs::rename(site.path("db"), site.path("db-lost")).unwrap();
    let new = SqliteStore::open(site.database()).await.unwrap();
    let vault = Vault::open(new.clone(), other).await.unwrap();
    let status = vault.connection("customer-17", "apify").unwrap().status().await.unwrap();
    assert_eq!(status.state, ConnectionState::NotConnected);
    assert!(Checkpoint::open(&note, &key).is_ok());
    drop(vault);
    new.close().await;

    // Whom to write to stands in the old database in the clear.
    let options = SqliteConnectOptions::new().filename(site.path("db-lost/tokenkeep.sqlite"));
    let mut old = options.connect().await.unwrap();
    let sql = "SELECT tenant, name FROM tokenkeep_connection WHERE status <> 'disconnected'";
    let named: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut old).await.unwrap();
    assert_eq!(named, [("customer-17".to_owned(), "apify".to_owned())]);
    old.close().await.unwrap();

    // A copy turns up: everything is there again.
    std::fs::remove_dir_all(site.path("db")).unwrap();
    std::fs::rename(site.path("db-lost"), site.path("db")).unwrap();
    std::fs::rename(site.path("copy"), site.path("keys/keyring")).unwrap();
    let (vault, _store) = site.start("sink/checkpoints").await;
    assert_eq!(site.given(&vault, "customer-17").await, Ok(text));
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn checkpoints_beside_the_database_are_refused() {
    let site = Site::new();
    let keys = LocalKeyring::create(site.path("keys/keyring")).unwrap();
    let store = SqliteStore::open(site.database()).await.unwrap();
    std::os::unix::fs::symlink(site.path("db"), site.path("link")).unwrap();
    for (file, beside) in [
        ("db/checkpoints", true),
        ("db/deeper/checkpoints", true),
        ("above", true),
        ("link/linked", true),
        ("audit/checkpoints", false),
    ] {
        let sink = CheckpointFile::open_or_create(site.path(file)).await.unwrap();
        let opened =
            Vault::options().checkpoints(std::sync::Arc::new(sink)).open(store.clone(), keys.clone()).await;
        assert_eq!(opened.err().map(|error| error.kind()), beside.then_some(ErrorKind::Misuse), "{file}");
    }
}
