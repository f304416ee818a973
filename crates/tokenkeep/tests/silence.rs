//! Nothing is logged: every log line of every dependency, at the finest level, through the whole main job and its
//! failures. A test binary of its own, because a subscriber for all threads is set once for each process.

use tokenkeep::apify::Apify;
use tokenkeep::{ApiToken, ErrorKind, LocalKeyring, Origin, SqliteStore, Vault};
use tokenkeep_testkit::{Access, ApifyStandIn, CapturedLog, Fault, LeakScanner, fake_token};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::{self, format::FmtSpan};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::test]
async fn no_token_reaches_a_log_a_debug_text_or_an_error() {
    let (log, above_debug) = (CapturedLog::new(), CapturedLog::new());
    let layer = |log: &CapturedLog, level: LevelFilter| {
        let writer = log.clone();
        let spans = FmtSpan::NEW | FmtSpan::CLOSE;
        fmt::layer().with_writer(move || writer.clone()).with_span_events(spans).with_filter(level)
    };
    tracing_subscriber::registry()
        .with(vec![layer(&log, LevelFilter::TRACE), layer(&above_debug, LevelFilter::INFO)])
        .init();

    let folder = tempfile::tempdir().unwrap();
    let stand_in = ApifyStandIn::start().await.unwrap();
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let apify = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der()).build().unwrap();
    let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let store = SqliteStore::open(folder.path().join("db/tokenkeep.sqlite")).await.unwrap();
    let vault = Vault::open(store.clone(), keys.clone()).await.unwrap();
    let text = fake_token();
    stand_in.grant(&text, Access::full("FakeUser17", "jane-doe"));
    let token = || ApiToken::new(text.clone()).unwrap();
    let mut shown = format!("{:?}", token());

    let connection = vault.connection("customer-17", "apify").unwrap();
    stand_in.answer_next(Fault::EchoAuthorization);
    let error = connection.connect(apify.provider(), token()).await.unwrap_err();
    shown += &told(&error);
    let prepared = connection.prepare_connect(apify.provider(), token()).await.unwrap();
    shown += &format!("{prepared:?}");
    prepared.commit().await.unwrap();
    let credential = connection.credential();
    let client = apify.with(credential.clone());
    shown += &format!("{:?}", client.runs().list().await.unwrap());
    shown += &format!("{vault:?} {connection:?} {credential:?} {client:?} {apify:?} {store:?} {keys:?}");
    for fault in [
        Fault::EchoAuthorization,
        Fault::NotJson,
        Fault::CloseWithoutAnswer,
        Fault::status(401, "invalid-token"),
    ] {
        stand_in.answer_next(fault);
        shown += &told(&client.runs().list().await.unwrap_err());
    }
    let error = client.runs().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Paused);
    shown += &told(&error);
    shown += &format!("{:?}", connection.status().await.unwrap());
    shown += &format!("{:?}", connection.recheck(apify.provider()).await.unwrap());

    // The same token at a second connection, and at another tenant's; replaced, suspected, cleared, listed.
    for (tenant, name) in [("customer-17", "second"), ("customer-18", "apify")] {
        let other = vault.connection(tenant, name).unwrap();
        shown += &format!("{:?}", other.connect(apify.provider(), token()).await.unwrap());
    }
    let next = fake_token();
    stand_in.grant(&next, Access::full("FakeUser17", "jane-doe"));
    shown += &told(&connection.replace(apify.provider(), token()).await.unwrap_err());
    shown += &format!(
        "{:?}",
        connection.replace(apify.provider(), ApiToken::new(next.clone()).unwrap()).await.unwrap()
    );
    let response = connection.suspect_leak();
    shown += &format!("{response:?}");
    shown += &format!("{:?}", response.finish().await.unwrap());
    shown += &told(&client.runs().list().await.unwrap_err());
    shown += &told(&connection.recheck(apify.provider()).await.unwrap_err());
    shown += &format!("{:?}", connection.clear_suspicion().await.unwrap());
    shown += &format!("{:?} {:?}", vault.due(), vault.overdue().next().await.unwrap());
    shown += &format!("{:?}", vault.connections("customer-17", None, 10).await.unwrap());
    shown += &format!("{:?}", connection.disconnect().await.unwrap());
    shown += &format!("{:?}", vault.audit().of_tenant("customer-17", 0, 100).await.unwrap());
    shown += &format!("{:?} {:?}", vault.verify().await.unwrap(), stand_in.requests());

    let lines = log.bytes();
    let text_of_log = String::from_utf8_lossy(&lines);
    for said in ["tokenkeep", "hyper_util"] {
        assert!(text_of_log.contains(said), "{said} is heard at all");
    }
    for said in ["action=\"connect\"", "outcome=\"done\"", "outcome=Suspected", "customer-17/apify"] {
        assert!(text_of_log.contains(said), "{said} is not in the log");
    }
    let above_debug = above_debug.bytes();
    let above_debug = String::from_utf8_lossy(&above_debug);
    for said in
        ["action=\"replace\"", "outcome=SameToken", "held for more than one tenant", "incident=\"paused\""]
    {
        assert!(above_debug.contains(said), "{said} is not above DEBUG");
    }
    assert!(!above_debug.contains("customer-1"), "a tenant's name is above DEBUG: {above_debug}");
    let scanner = LeakScanner::new().token("token", &text).token("next", &next);
    assert_eq!(scanner.scan_bytes("log", &lines), []);
    assert_eq!(scanner.scan_bytes("shown", shown.as_bytes()), []);
}

/// An error, its Debug text and its causes.
fn told(error: &tokenkeep::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
