//! No token is told: not in a log line of any dependency, at the finest level, not in an error, a Debug text or an export, not
//! in a file of the database or in its server's log; through every operation and its failures. A test binary of its own,
//! because a subscriber for all threads is set once for each process.

mod walk;

use std::sync::OnceLock;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokenkeep::{PostgresStore, SqliteStore};
use tokenkeep_testkit::{CapturedLog, LeakScanner, ThrowawayPostgres};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::{self, format::FmtSpan};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use walk::{Walked, walk};

/// Everything that is logged in this process, and what is above DEBUG.
fn logs() -> &'static [CapturedLog; 2] {
    static LOGS: OnceLock<[CapturedLog; 2]> = OnceLock::new();
    LOGS.get_or_init(|| {
        let logs = [CapturedLog::new(), CapturedLog::new()];
        let layer = |log: &CapturedLog, level: LevelFilter| {
            let writer = log.clone();
            let spans = FmtSpan::NEW | FmtSpan::CLOSE;
            fmt::layer().with_writer(move || writer.clone()).with_span_events(spans).with_filter(level)
        };
        let layers = vec![layer(&logs[0], LevelFilter::TRACE), layer(&logs[1], LevelFilter::INFO)];
        tracing_subscriber::registry().with(layers).init();
        logs
    })
}

/// What was shown and logged, after a look at whether that is what it should be.
fn is_silent(Walked { shown, scanner }: &Walked) {
    let [log, above_debug] = logs();
    let lines = log.bytes();
    let text_of_log = String::from_utf8_lossy(&lines);
    for said in ["tokenkeep", "hyper_util"] {
        assert!(text_of_log.contains(said), "{said} is heard at all");
    }
    for said in [
        "action=\"connect\"",
        "outcome=\"done\"",
        "outcome=Suspected",
        "customer-17/apify",
        "action=\"reconcile\"",
        "action=\"finish-disconnects\"",
        "action=\"export-audit\"",
        "action=\"discard-tampered\"",
    ] {
        assert!(text_of_log.contains(said), "{said} is not in the log");
    }
    for said in ["jane-doe", "FakeUser17", "\"action\":\"disconnected\"", "\"action\":\"discarded\""] {
        assert!(shown.contains(said), "{said} was not shown");
    }
    let above_debug = above_debug.bytes();
    let above_debug = String::from_utf8_lossy(&above_debug);
    for said in [
        "action=\"replace\"",
        "outcome=SameToken",
        "held for more than one tenant",
        "incident=\"paused\"",
        "incident=\"hook-failed\"",
    ] {
        assert!(above_debug.contains(said), "{said} is not above DEBUG");
    }
    assert!(!above_debug.contains("customer-1"), "a tenant's name is above DEBUG: {above_debug}");
    is_clean(scanner, "log", &lines);
    is_clean(scanner, "shown", shown.as_bytes());
}

fn is_clean(scanner: &LeakScanner, place: &str, bytes: &[u8]) {
    assert_eq!(scanner.scan_bytes(place, bytes), []);
}

#[tokio::test]
async fn no_token_is_told_on_sqlite() {
    logs();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("tokenkeep.sqlite")).await.unwrap();
    let look = async |scanner: &LeakScanner| assert_eq!(scanner.scan_dir(folder.path()).unwrap(), []);
    let alter = async || {
        let sql = "UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE tenant = 'customer-17' AND name = 'apify'";
        let file = SqliteConnectOptions::new().filename(folder.path().join("tokenkeep.sqlite"));
        let mut database = file.connect().await.unwrap();
        assert_eq!(sqlx::raw_sql(sql).execute(&mut database).await.unwrap().rows_affected(), 1);
        database.close().await.unwrap();
    };
    let walked = Box::pin(walk(store, look, alter)).await;
    is_silent(&walked);
    look(&walked.scanner).await;
}

#[tokio::test]
async fn postgres_no_token_is_told() {
    logs();
    // All that is said to the server, with what is bound to it, is in its log.
    let server = ThrowawayPostgres::builder()
        .setting("log_statement", "all")
        .setting("log_parameter_max_length", "-1")
        .setting("log_parameter_max_length_on_error", "-1")
        .setting("log_min_messages", "debug1")
        .start()
        .unwrap();
    let pool = PgPoolOptions::new().max_connections(4).connect(&server.url("postgres")).await.unwrap();
    let store = PostgresStore::open(pool.clone()).await.unwrap();
    let look = async |scanner: &LeakScanner| {
        let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tokenkeep'";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&pool).await.unwrap();
        let rows =
            |table| server.sql("postgres", &format!("SELECT t::text FROM tokenkeep.{table} t")).unwrap();
        let dump: String = tables.iter().map(rows).collect();
        assert!(tables.len() > 5 && dump.contains("customer-17"), "{tables:?}");
        is_clean(scanner, "the tables", dump.as_bytes());
    };
    let alter = async || {
        let sql = "UPDATE tokenkeep.connection SET mac = decode(repeat('00', 32), 'hex') \
            WHERE tenant = 'customer-17' AND name = 'apify'";
        assert_eq!(sqlx::raw_sql(sql).execute(&pool).await.unwrap().rows_affected(), 1);
    };
    let walked = Box::pin(walk(store, look, alter)).await;
    is_silent(&walked);
    look(&walked.scanner).await;

    let told = server.log().unwrap();
    for said in ["INSERT INTO tokenkeep.audit", "customer-17", "parameters: $1 = "] {
        assert!(told.contains(said), "{said} is not in the server's log");
    }
    is_clean(&walked.scanner, "the server's log", told.as_bytes());
}
