//! Nothing is logged: every log line of every dependency, at the finest level, through the whole main job and its
//! failures. A test binary of its own, because a subscriber for all threads is set once for each process.

use tokenkeep::apify::Apify;
use tokenkeep::{ApiToken, ErrorKind, LocalKeyring, Origin, SqliteStore, Vault};
use tokenkeep_testkit::{Access, ApifyStandIn, CapturedLog, Fault, LeakScanner, fake_token};

#[tokio::test]
async fn no_token_reaches_a_log_a_debug_text_or_an_error() {
    let log = CapturedLog::new();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
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
    shown += &format!("{:?}", connection.disconnect().await.unwrap());
    shown += &format!("{:?}", vault.audit().of_tenant("customer-17", 0, 100).await.unwrap());
    shown += &format!("{:?} {:?}", vault.verify().await.unwrap(), stand_in.requests());

    let lines = log.bytes();
    let text_of_log = String::from_utf8_lossy(&lines);
    for said in ["tokenkeep", "hyper_util"] {
        assert!(text_of_log.contains(said), "{said} is heard at all");
    }
    let scanner = LeakScanner::new().token("token", &text);
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
