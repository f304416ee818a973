//! What goes wrong with a server, by its kind.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_use};
use tokenkeep_store::{Change, Scan, TokenStore};
use tokenkeep_testkit::ThrowawayPostgres;

use super::{Database, NOW, run};

fn change(name: &str) -> Change {
    sample_change(&sample_record(&sample_id("tenant-1", name), 1), None)
}

async fn commit(store: &PostgresStore, name: &str) -> Result<(), Error> {
    store.commit(&[change(name)], &sample_chain()).await
}

/// A retryable error, in a time that a caller can wait.
fn is_passing<T: std::fmt::Debug>(what: &str, began: Instant, result: Result<T, Error>) {
    let error = result.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{what}: {error:?}");
    assert!(
        error.is_retryable() && began.elapsed() < Duration::from_secs(20),
        "{what}: {:?}",
        began.elapsed()
    );
}

async fn opened(server: &ThrowawayPostgres) -> PostgresStore {
    let options = server.url(&server.fresh_database().unwrap()).parse::<PgConnectOptions>().unwrap();
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(3));
    PostgresStore::open(pool.connect_with(options).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_then_works() {
    let server = ThrowawayPostgres::start().unwrap();
    let store = opened(&server).await;
    commit(&store, "first").await.unwrap();
    for round in 0..2 {
        if round == 0 {
            server.kill().unwrap();
        } else {
            server.stop().unwrap();
        }
        let began = Instant::now();
        is_passing("a read", began, store.vault().await);
        is_passing("a commit", Instant::now(), commit(&store, "lost").await);
        is_passing(
            "a closing",
            Instant::now(),
            store.close_kek(&tokenkeep_core::KekId::random().unwrap(), NOW).await,
        );
        server.start_again().unwrap();
        // The pool's other connections may be broken still: it finds out one by one.
        let until = Instant::now() + Duration::from_secs(20);
        while let Err(error) = commit(&store, &format!("again-{round}")).await {
            assert!(error.is_retryable() && Instant::now() < until, "{error:?}");
        }
        assert!(store.record(&sample_id("tenant-1", "first")).await.unwrap().is_some());
        assert!(store.record(&sample_id("tenant-1", "lost")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_connection_that_an_administrator_ends_is_unavailable() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    let mut transaction = application.begin().await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
    let end = sqlx::query("SELECT pg_terminate_backend($1, 5000)").bind(pid);
    end.execute(&mut database.stranger().await).await.unwrap();
    let ended = store.commit_in(&mut transaction, &[change("name")], &sample_chain()).await;
    is_passing("a connection that was ended", Instant::now(), ended);
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_unavailable() {
    let database = Database::fresh();
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_millis(300));
    let pool = pool.connect_with(database.options()).await.unwrap();
    let store = PostgresStore::open(pool.clone()).await.unwrap();
    let held = pool.acquire().await.unwrap();
    is_passing("an exhausted pool", Instant::now(), store.vault().await);
    drop(held);
    store.vault().await.unwrap();
    pool.close().await;
    assert_eq!(store.vault().await.unwrap_err().kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_unavailable() {
    let server = ThrowawayPostgres::builder()
        .setting("max_connections", "5")
        .setting("superuser_reserved_connections", "0")
        .setting("max_wal_senders", "0")
        .start()
        .unwrap();
    let options = server.url("postgres").parse::<PgConnectOptions>().unwrap();
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(1));
    let store = PostgresStore::open(pool.connect_with(options.clone()).await.unwrap()).await.unwrap();
    let mut held = Vec::new();
    while let Ok(connection) = options.connect().await {
        held.push(connection);
    }
    let reads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    match store.vault().await {
                        Err(error) => assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}"),
                        Ok(none) => assert!(none.is_none()),
                    }
                }
            })
        })
        .collect();
    for read in reads {
        read.await.unwrap();
    }
    drop(held);
}

/// A demoted primary, or a role that may only read.
#[tokio::test]
async fn a_read_only_server_takes_no_writes_for_now() {
    let database = Database::fresh();
    database.store().await;
    let options = database.options().options([("default_transaction_read_only", "on")]);
    let store = PostgresStore::open(super::pool(options).await).await.unwrap();
    is_passing("a read-only server", Instant::now(), commit(&store, "name").await);
    assert_eq!(store.vault().await.unwrap(), None);
}

/// A standby may be behind: it is not asked, be the pool led to it at the start or later.
#[tokio::test]
async fn a_standby_gives_no_record() {
    let primary = ThrowawayPostgres::start().unwrap();
    let name = primary.fresh_database().unwrap();
    let options = |server: &ThrowawayPostgres| server.url(&name).parse::<PgConnectOptions>().unwrap();
    let store = PostgresStore::open(super::pool(options(&primary)).await).await.unwrap();
    commit(&store, "name").await.unwrap();
    let replica = primary.start_replica().unwrap();
    let pool = super::pool(options(&primary)).await;
    let moved = PostgresStore::open(pool.clone()).await.unwrap();
    moved.vault().await.unwrap();
    let at_start = PostgresStore::open(super::pool(options(&replica)).await).await;
    is_passing("a standby at the start", Instant::now(), at_start);

    pool.set_connect_options(options(&replica));
    primary.kill().unwrap();
    let id = sample_id("tenant-1", "name");
    let until = Instant::now() + Duration::from_secs(20);
    let asked = loop {
        let error = moved.record(&id).await.expect_err("a standby gave a record");
        assert!(error.is_retryable() && Instant::now() < until, "{error:?}");
        if error.to_string().contains("standby") {
            break error;
        }
    };
    assert_eq!(asked.kind(), ErrorKind::StoreUnavailable);
    // Nor is it believed when it says that there is nothing, or where the trail ends.
    let refused = |what: &str, error: Option<Error>| {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::StoreUnavailable), "{what}");
    };
    let (absent, fingerprint) =
        (sample_id("tenant-1", "absent"), Scan::Fingerprint { of: [9; 32], tenant: None });
    refused("absent", moved.record(&absent).await.err());
    refused("absent, with a scan", moved.record_and_scan(&absent, &fingerprint, 10).await.err());
    refused("an empty page", moved.scan(&fingerprint, None, 10).await.err());
    refused("empty pages", moved.scan_each(&[fingerprint, Scan::PurgePending], 10).await.err());
    refused("heads", moved.audit_heads().await.err());
    refused("entries", moved.audit_entries(0, 1_000_000, 10).await.err());
    refused("a checkpoint", moved.checkpoint().await.err());
    refused("the vault", moved.vault().await.err());
    refused("whether it takes writes", moved.writable().await.err());
    replica.promote().unwrap();
    assert!(moved.record(&id).await.unwrap().is_some());
    commit(&moved, "other").await.unwrap();
}

/// Whoever holds a row holds a commit up for five seconds and not for ever.
#[tokio::test]
async fn a_lock_that_somebody_holds_is_waited_for_in_bounds() {
    let database = Database::fresh();
    let store = database.store().await;
    commit(&store, "name").await.unwrap();
    let mut holder = database.stranger().await;
    for held in
        ["SELECT 1 FROM tokenkeep.connection FOR UPDATE", "SELECT 1 FROM tokenkeep.audit_head FOR UPDATE"]
    {
        run(&mut holder, "BEGIN").await;
        run(&mut holder, held).await;
        let began = Instant::now();
        let next = sample_record(&sample_id("tenant-1", "name"), 2);
        let done = store.commit(&[sample_change(&next, Some(1))], &sample_chain()).await;
        assert!(began.elapsed() > Duration::from_secs(4), "it did not wait");
        is_passing(held, began, done);
        // Reads wait for nobody.
        assert!(store.record(&next.id).await.unwrap().is_some());
        run(&mut holder, "ROLLBACK").await;
    }
}

/// What a server that stopped answering costs: the connection, and a bounded wait.
#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_in_bounds() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut holder = database.stranger().await;
    run(&mut holder, "BEGIN; LOCK TABLE tokenkeep.vault IN ACCESS EXCLUSIVE MODE").await;
    let began = Instant::now();
    is_passing("a read that waits", began, store.vault().await);
    assert!(began.elapsed() > Duration::from_secs(10));
    run(&mut holder, "ROLLBACK").await;
    assert_eq!(store.vault().await.unwrap(), None);
}

/// What can't be brought about in a test is said by a trigger.
#[tokio::test]
async fn what_may_work_later_is_told_from_what_may_not() {
    use ErrorKind::{Internal, StoreUnavailable, StoreUnusable};
    let database = Database::fresh();
    let store = database.store().await;
    let mut stranger = database.stranger().await;
    for (code, kind) in [
        ("08006", StoreUnavailable), // the connection broke
        ("25006", StoreUnavailable), // read-only
        ("40001", StoreUnavailable), // serialization
        ("40P01", StoreUnavailable), // deadlock
        ("53100", StoreUnavailable), // the disk is full
        ("53200", StoreUnavailable), // out of memory
        ("53300", StoreUnavailable), // too many connections
        ("55P03", StoreUnavailable), // lock timeout
        ("57014", StoreUnavailable), // statement timeout
        ("57P01", StoreUnavailable), // admin shutdown
        ("57P03", StoreUnavailable), // starting up
        ("58030", StoreUnavailable), // input or output failed
        ("28P01", StoreUnusable),    // wrong password
        ("3D000", StoreUnusable),    // no such database
        ("42501", StoreUnusable),    // no privilege
        ("42P01", StoreUnusable),    // no such table
        ("XX001", StoreUnusable),    // damaged
        ("22012", Internal),
    ] {
        let trigger = format!(
            "CREATE OR REPLACE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$; \
             CREATE OR REPLACE TRIGGER theirs BEFORE INSERT ON tokenkeep.audit FOR EACH ROW EXECUTE FUNCTION theirs()"
        );
        run(&mut stranger, sqlx::AssertSqlSafe(trigger)).await;
        let error = commit(&store, "name").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}: {error:?}");
        assert_eq!(error.is_retryable(), kind == StoreUnavailable);
        assert!(error.report().contains(code), "{error:?}");
        assert_eq!(store.record(&sample_id("tenant-1", "name")).await.unwrap(), None);
    }
}

/// A commit whose answer is lost: the error says that it may be repeated, and reading again tells what happened.
#[tokio::test]
async fn a_lost_answer_is_unavailable_and_reading_tells() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let database = Database::fresh();
    let store = database.store().await;
    let server = database.options();
    for forwarded in [true, false] {
        // A way to the server that ends at the first COMMIT: behind it, or before it.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = ("127.0.0.1", server.get_port());
        let proxy = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut upstream = tokio::net::TcpStream::connect(to).await.unwrap();
            let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
            loop {
                tokio::select! {
                    read = client.read(&mut up) => {
                        let sent = &up[..read.unwrap()];
                        let last = sent.windows(7).any(|word| word == b"COMMIT\0");
                        if !last || forwarded {
                            upstream.write_all(sent).await.unwrap();
                        }
                        if last {
                            // Until the server has answered, where it was asked.
                            let _ = tokio::time::timeout(Duration::from_secs(1), upstream.read(&mut down)).await;
                            return;
                        }
                    }
                    read = upstream.read(&mut down) => client.write_all(&down[..read.unwrap()]).await.unwrap(),
                }
            }
        });
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(server.clone().port(port));
        let broken = PostgresStore::open(pool).await;
        // Opening commits nothing where the schema is there.
        let broken = broken.unwrap();
        let name = format!("forwarded-{forwarded}");
        is_passing("a lost answer", Instant::now(), commit(&broken, &name).await);
        proxy.await.unwrap();
        let there = store.record(&sample_id("tenant-1", &name)).await.unwrap().is_some();
        assert_eq!(there, forwarded);
        let again = commit(&store, &name).await;
        assert_eq!(again.is_err_and(|error| error.kind() == ErrorKind::Conflict), forwarded);
    }
    store.commit(&[sample_use(&sample_id("tenant-1", "name"))], &sample_chain()).await.unwrap();
}
