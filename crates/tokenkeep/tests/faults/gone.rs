//! A database that is gone for ten seconds, or busy, or that no connection is left for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgPoolOptions;
use tokenkeep::{Action, ErrorKind, PostgresStore, Vault};
use tokenkeep_testkit::{ThrowawayPostgres, fake_token};

use crate::common::{give, token};
use crate::home::{Home, is_passing, is_whole, times};
use crate::until_done::Call;

const GONE: Duration = Duration::from_secs(10);

/// What a task replaced, and how often it was told to try again.
#[derive(Default)]
struct Load {
    ends: AtomicBool,
    failed: AtomicUsize,
}

/// Replaces tokens until it is told to end, each until it is done. Gives the last one, and how many there were.
async fn replace_on(home: Arc<Home>, vault: Vault, name: String, load: Arc<Load>) -> (String, usize) {
    let connection = vault.connection("t", &name).unwrap();
    let (mut new, mut replaced) = (String::new(), 0);
    while !load.ends.load(Ordering::SeqCst) {
        new = fake_token();
        Call::Replace(&new).until_done(&connection, &home.provider, &load.failed).await;
        replaced += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (new, replaced)
}

/// Four tasks at work while something takes the database away and gives it back.
async fn under_load(home: Home, meanwhile: impl AsyncFnOnce(&Home)) {
    let vault = home.vault().await;
    for n in 0..4 {
        let connection = vault.connection("t", format!("of-{n}")).unwrap();
        connection.connect(&home.provider, token(&fake_token())).await.unwrap();
    }
    let home = Arc::new(home);
    let load = Arc::new(Load::default());
    let tasks = (0..4).map(|n| {
        let (home, vault, load) = (Arc::clone(&home), vault.clone(), Arc::clone(&load));
        tokio::spawn(replace_on(home, vault, format!("of-{n}"), load))
    });
    let tasks: Vec<_> = tasks.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    meanwhile(&home).await;
    let failed = load.failed.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    load.ends.store(true, Ordering::SeqCst);
    let fresh = home.vault().await;
    for (n, task) in tasks.into_iter().enumerate() {
        let (last, replaced) = tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        let name = format!("of-{n}");
        assert!(replaced > 0);
        assert_eq!(home.given(&fresh, &name).await, Ok(last), "{name}");
        assert_eq!(times(&fresh, &name, Action::Replaced).await, replaced, "{name}: lost, or made twice");
    }
    assert!(failed > 0, "nobody noticed");
    is_whole(&fresh).await;
    is_whole(&vault).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_gone_for_ten_seconds() {
    let server = Arc::new(ThrowawayPostgres::builder().fsync(true).start().unwrap());
    let mut home = Home::new(Some(server.url(&server.fresh_database().unwrap())));
    home.patience = Duration::from_secs(2);
    under_load(home, async |_| {
        let gone = Arc::clone(&server);
        tokio::task::spawn_blocking(move || gone.kill()).await.unwrap().unwrap();
        tokio::time::sleep(GONE).await;
        let back = Arc::clone(&server);
        tokio::task::spawn_blocking(move || back.start_again()).await.unwrap().unwrap();
    })
    .await;
}

/// Another process holds SQLite's lock: what a commit waits for, five seconds long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_that_somebody_holds_for_ten_seconds() {
    under_load(Home::sqlite(), async |home| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.file());
        let mut holder = options.busy_timeout(Duration::from_secs(5)).connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
        tokio::time::sleep(GONE).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    })
    .await;
}

/// The application's own code holds every connection of the pool.
#[tokio::test]
async fn a_postgres_pool_without_a_free_connection() {
    let home = Home::postgres();
    let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_millis(300));
    let pool = pool.connect_with(home.options()).await.unwrap();
    let vault = home.open(Arc::new(PostgresStore::open(pool.clone()).await.unwrap())).await.unwrap();
    let held = fake_token();
    let connection = vault.connection("t", "held").unwrap();
    connection.connect(&home.provider, token(&held)).await.unwrap();
    let credential = connection.credential();
    assert_eq!(give(&credential, &home.provider).await, Ok(held.clone()));

    let taken = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    let usage = tokenkeep::Use::at(tokenkeep::Provider::spec(&home.provider));
    is_passing("a use", Instant::now(), credential.issue(usage).await);
    is_passing("a replace", Instant::now(), connection.replace(&home.provider, token(&fake_token())).await);
    is_passing("a disconnect", Instant::now(), connection.disconnect().await);
    let new = vault.connection("t", "new").unwrap();
    is_passing("a connect", Instant::now(), new.connect(&home.provider, token(&fake_token())).await);
    let readiness = vault.check().await;
    assert!(!readiness.is_ready(), "{readiness}");
    drop(taken);

    assert_eq!(give(&credential, &home.provider).await, Ok(held));
    assert_eq!(home.given(&vault, "new").await, Err(ErrorKind::NotConnected));
    assert!(connection.disconnect().await.unwrap().hooks_pending.is_empty());
    is_whole(&vault).await;
}
