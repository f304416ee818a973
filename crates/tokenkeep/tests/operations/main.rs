//! The drills of docs/operations.md, step by step.

mod altered;
#[path = "../common/mod.rs"]
mod common;
mod escrow;
mod restored;
mod sets;
mod site;

use site::Site;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokenkeep::{Checkpoint, CheckpointFile, ConnectionState, ErrorKind, LocalKeyring, SqliteStore, Vault};

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
