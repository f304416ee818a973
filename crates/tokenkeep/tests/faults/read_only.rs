//! A database that takes no writes.

use std::sync::Arc;
use std::time::Instant;

use sqlx::ConnectOptions as _;
use tokenkeep::{DatabaseCheck, ErrorKind, Provider as _, SqliteStore, Use, Vault};
use tokenkeep_testkit::fake_token;

use crate::common::token;
use crate::home::{Home, is_passing, is_whole};
use crate::mount::Mount;

/// An application that is started where the file system was mounted read-only: what waiting does not mend.
#[tokio::test]
async fn a_read_only_file_system_under_sqlite_takes_no_writes() {
    let home = Home::sqlite();
    let vault = home.vault().await;
    let held = fake_token();
    let connection = vault.connection("t", "held").unwrap();
    connection.connect(&home.provider, token(&held)).await.unwrap();

    // Beside a process that can write, and has read since it wrote, SQLite opens it: a reader that may not write needs the
    // other one's mark in the log's index. There, what needs no entry works.
    connection.status().await.unwrap();
    let mount = Mount::read_only(&home.files);
    let file = mount.path().join("tokenkeep.sqlite");
    let there = home.open(Arc::new(SqliteStore::open(&file).await.unwrap())).await.unwrap();
    let on = there.connection("t", "held").unwrap();
    let new = there.connection("t", "new").unwrap();
    assert_eq!(on.status().await.unwrap().state.name(), "connected");
    for failed in [
        on.replace(&home.provider, token(&fake_token())).await.map(drop),
        on.disconnect().await.map(drop),
        new.connect(&home.provider, token(&fake_token())).await.map(drop),
        on.credential().issue(Use::at(home.provider.spec())).await.map(drop),
    ] {
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnusable, "{}", error.report());
        assert!(!error.is_retryable());
    }
    says_that_it_takes_no_writes(&there, ErrorKind::StoreUnusable).await;
    assert!(vault.check().await.is_ready(), "the process beside it can write");
    assert!(there.verify().await.unwrap().is_whole());
    drop((there, on, new));
    assert_eq!(home.given(&vault, "held").await, Ok(held.clone()));
    assert_eq!(home.given(&vault, "new").await, Err(ErrorKind::NotConnected));

    // Alone it can't even make its log. SQLite says no more than that it can't open a file, which may pass.
    let lone = tempfile::tempdir().unwrap();
    std::fs::copy(home.file(), lone.path().join("tokenkeep.sqlite")).unwrap();
    let mount = Mount::read_only(lone.path());
    let error = SqliteStore::open(mount.path().join("tokenkeep.sqlite")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{}", error.report());
    let vault = home.vault().await;
    assert_eq!(home.given(&vault, "held").await, Ok(held));
    is_whole(&vault).await;
}

async fn says_that_it_takes_no_writes(vault: &Vault, kind: ErrorKind) {
    let readiness = vault.check().await;
    assert!(!readiness.is_ready(), "{readiness}");
    match &readiness.database {
        DatabaseCheck::Failed(error) => assert_eq!(error.kind(), kind, "{}", error.report()),
        other => panic!("{other:?}"),
    }
}

/// A demoted primary, or an operator who wants silence.
#[tokio::test]
async fn a_read_only_postgres_gives_what_needs_no_entry_and_then_works() {
    let home = Home::postgres();
    let vault = home.vault().await;
    let (held, other) = (fake_token(), fake_token());
    for (name, text) in [("held", &held), ("other", &other)] {
        vault.connection("t", name).unwrap().connect(&home.provider, token(text)).await.unwrap();
    }
    assert_eq!(home.given(&vault, "held").await, Ok(held.clone()));

    let mut operator = home.options().connect().await.unwrap();
    let database: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut operator).await.unwrap();
    let set = |value: &str| format!("ALTER DATABASE {database} SET default_transaction_read_only = {value}");
    const CUT_OFF: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(sqlx::AssertSqlSafe(set("on"))).execute(&mut operator).await.unwrap();
    sqlx::raw_sql(CUT_OFF).execute(&mut operator).await.unwrap();

    let connection = vault.connection("t", "held").unwrap();
    // The pool finds out one by one that its connections were ended.
    let mut tries = 0;
    while connection.status().await.is_err() {
        tries += 1;
        assert!(tries < 20);
    }
    says_that_it_takes_no_writes(&vault, ErrorKind::StoreUnavailable).await;
    let began = Instant::now();
    // On record for this minute already; the other one is not, so it is not given.
    assert_eq!(home.given(&vault, "held").await, Ok(held.clone()));
    assert_eq!(home.given(&vault, "other").await, Err(ErrorKind::StoreUnavailable));
    is_passing("a replace", began, connection.replace(&home.provider, token(&fake_token())).await);
    is_passing("a disconnect", Instant::now(), connection.disconnect().await);
    let new = vault.connection("t", "new").unwrap();
    is_passing("a connect", Instant::now(), new.connect(&home.provider, token(&fake_token())).await);
    assert!(vault.verify().await.unwrap().is_whole());

    sqlx::raw_sql(sqlx::AssertSqlSafe(set("off"))).execute(&mut operator).await.unwrap();
    sqlx::raw_sql(CUT_OFF).execute(&mut operator).await.unwrap();
    let mut tries = 0;
    while let Err(error) = connection.disconnect().await {
        tries += 1;
        assert!(error.is_retryable() && tries < 20, "{}", error.report());
    }
    assert!(vault.check().await.is_ready());
    assert_eq!(home.given(&vault, "held").await, Err(ErrorKind::NotConnected));
    assert_eq!(home.given(&vault, "other").await, Ok(other));
    is_whole(&vault).await;
}
