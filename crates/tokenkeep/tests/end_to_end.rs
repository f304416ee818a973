//! The main job through every layer: a real SQLite file, a keyring file, real TLS to a stand-in for the Apify API.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokenkeep::apify::{Access, Apify, Boundary, Class, Retries};
use tokenkeep::{
    ApiToken, Clock, ConnectionState, CustomerAction, ErrorKind, Fault as Blame, LocalKeyring, Origin,
    Outcome, Scrub, SqliteStore, Timestamp, TokenStore, Use, Vault,
};
use tokenkeep_testkit::{Access as Granted, ApifyStandIn, Fault, LeakScanner, Run, fake_token};

struct World {
    folder: TempDir,
    stand_in: ApifyStandIn,
    apify: Apify,
    store: SqliteStore,
    vault: Vault,
    clock: Arc<Later>,
}

/// The system's clock, so many milliseconds later.
#[derive(Debug, Default)]
struct Later(AtomicI64);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Timestamp::now().as_millis() + self.0.load(Ordering::SeqCst))
    }
}

/// An Apify that repeats nothing, and gives up after this long.
fn apify(stand_in: &ApifyStandIn, timeout: Duration) -> Apify {
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let builder = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der());
    builder.timeout(timeout).retries(Retries::none()).build().unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stand_in = ApifyStandIn::start().await.unwrap();
        let apify = apify(&stand_in, Duration::from_secs(300));
        let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        let store = SqliteStore::open(folder.path().join("db/tokenkeep.sqlite")).await.unwrap();
        let clock = Arc::new(Later::default());
        let options = Vault::options().clock(Arc::clone(&clock));
        let vault = options.open(store.clone(), keys).await.unwrap();
        Self { folder, stand_in, apify, store, vault, clock }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("db/tokenkeep.sqlite")
    }

    /// A token that the stand-in accepts.
    fn granted(&self) -> String {
        let text = fake_token();
        self.stand_in.grant(&text, Granted::full("FakeUser17", "jane-doe"));
        text
    }
}

fn token(text: &str) -> ApiToken {
    ApiToken::new(text.to_owned()).unwrap()
}

#[tokio::test]
async fn the_main_job() {
    let w = World::new().await;
    let text = w.granted();
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    let account = connection.connect(w.apify.provider(), token(&text)).await.unwrap().account;
    assert_eq!((account.id(), account.name()), ("FakeUser17", "jane-doe"));

    let client = w.apify.with(connection.credential());
    assert!(!client.runs().list().await.unwrap().items.is_empty());
    assert!(!client.actors().list().await.unwrap().items.is_empty());

    let receipt = connection.disconnect().await.unwrap();
    assert_eq!(receipt.scrub, Scrub::Done);
    w.stand_in.clear_requests();
    let error = client.runs().list().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.customer_action()),
        (ErrorKind::NotConnected, Some(CustomerAction::Connect))
    );
    assert!(w.stand_in.requests().is_empty(), "a disconnected connection sends nothing");
    assert!(w.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn the_token_is_in_no_file_and_nothing_sealed_is_left_after_disconnect() {
    let w = World::new().await;
    let text = w.granted();
    let searched = LeakScanner::new().token("token", &text);
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    connection.connect(w.apify.provider(), token(&text)).await.unwrap();
    let client = w.apify.with(connection.credential());
    let _ = client.runs().list().await.unwrap();
    assert_eq!(searched.scan_dir(w.folder.path()).unwrap(), [], "while it is connected");

    let record = w.store.record(connection.id()).await.unwrap().unwrap();
    let sealed = record.sealed.unwrap();
    let header = 3 + 16 + 2;
    let parts = LeakScanner::new()
        .secret("wrapped DEK, nonce, ciphertext, tag, commitment", &sealed.envelope[header..], 16)
        .secret("fingerprint", &sealed.fingerprint, 16);
    assert!(!parts.scan_dir(w.folder.path()).unwrap().is_empty(), "the scan finds what is there");

    assert_eq!(connection.disconnect().await.unwrap().scrub, Scrub::Done);
    assert_eq!(parts.scan_dir(w.folder.path()).unwrap(), [], "with the vault open");
    assert_eq!(searched.scan_dir(w.folder.path()).unwrap(), []);
    w.store.close().await;
    assert_eq!(parts.scan_dir(w.folder.path()).unwrap(), [], "and closed");
}

#[tokio::test]
async fn a_token_revoked_at_the_provider_is_not_sent_again() {
    let w = World::new().await;
    let text = w.granted();
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    connection.connect(w.apify.provider(), token(&text)).await.unwrap();
    let client = w.apify.with(connection.credential());
    let _ = client.runs().list().await.unwrap();

    w.stand_in.revoke(&text);
    assert_eq!(client.runs().list().await.unwrap_err().kind(), ErrorKind::TokenRefused);
    w.stand_in.clear_requests();
    assert_eq!(client.runs().list().await.unwrap_err().kind(), ErrorKind::Paused);
    assert_eq!(client.actors().list().await.unwrap_err().kind(), ErrorKind::Paused);
    assert!(w.stand_in.requests().is_empty(), "after the refusal is recorded, nothing is sent");

    let status = connection.recheck(w.apify.provider()).await.unwrap();
    assert_eq!((status.state, w.stand_in.requests().len()), (ConnectionState::Paused, 1), "one probe");
    let done = w.vault.recheck_paused(w.apify.provider()).finish().await.unwrap();
    assert_eq!((done.resumed, w.stand_in.requests().len()), (0, 1), "and no other within five minutes");
    w.clock.0.store(5 * 60_000, Ordering::SeqCst);
    let done = w.vault.recheck_paused(w.apify.provider()).finish().await.unwrap();
    assert_eq!((done.revoked, w.stand_in.requests().len()), (1, 2), "which then decides");
    let status = connection.status().await.unwrap();
    assert_eq!(status.state, ConnectionState::Revoked);
    assert_eq!(status.state.customer_action(), Some(CustomerAction::ReplaceToken));

    let new = w.granted();
    connection.replace(w.apify.provider(), token(&new)).await.unwrap();
    assert!(client.runs().list().await.is_ok(), "the same client goes on with the new token");
}

#[tokio::test]
async fn a_scope_that_is_too_small_is_told_and_pauses_nothing() {
    let w = World::new().await;
    let text = fake_token();
    w.stand_in.grant(&text, Granted::under_scoped("FakeUser17", "jane-doe"));
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    connection.connect(w.apify.provider(), token(&text)).await.unwrap();
    let error = w.apify.with(connection.credential()).runs().list().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.customer_action()),
        (ErrorKind::ScopeTooSmall, Some(CustomerAction::WidenScope))
    );
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected);
}

#[tokio::test]
async fn p12_a_run_that_the_client_starts_is_on_record_by_itself() {
    let w = World::new().await;
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    connection.connect(w.apify.provider(), token(&w.granted())).await.unwrap();
    let boundary = Boundary::analytics()
        .allow(Class::Runs, Access::ReadAndWrite)
        .allow(Class::Inputs, Access::ReadAndWrite);
    let origin = Origin::parse(&w.stand_in.origin()).unwrap();
    let apify = Apify::builder().origin(origin).extra_root_der(&w.stand_in.ca_der()).boundary(boundary);
    let client = apify.build().unwrap().with(connection.credential());
    let started = client.actor("jane-doe~price-watch").start("an input").await.unwrap();
    let other = w.stand_in.add_run("FakeUser17", Run::default());

    let time = |text: &str| Timestamp::from_rfc3339(text).unwrap();
    let that_day = time("2026-08-05T00:00:00.000Z")..time("2026-08-06T00:00:00.000Z");
    let mut runs = connection.reconcile(&w.apify, that_day);
    assert_eq!(runs.next().await.unwrap().unwrap().run.id(), other);
    assert_eq!(runs.next().await.unwrap(), None);
    assert_eq!((runs.listed(), runs.ours()), (2, 1));
    assert_ne!(started.id, other);
}

#[tokio::test]
async fn p12_runs_that_we_did_not_start_are_listed() {
    let w = World::new().await;
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    connection.connect(w.apify.provider(), token(&w.granted())).await.unwrap();
    let at =
        |time: &str| Run { started_at: format!("2026-11-01T{time}Z"), finished_at: None, ..Run::default() };
    let credential = connection.credential();
    let issued = credential.issue(Use::at(w.apify.provider().spec())).await.unwrap();
    // More than a page of Apify's.
    for number in 0..1100 {
        let time = format!("10:{:02}:{:02}.{:03}", number / 60, number % 60, number % 7);
        let run = w.stand_in.add_run("FakeUser17", at(&time));
        let made = Outcome::Created(&run);
        credential.report(issued.incarnation, issued.secret_version, made).await.unwrap();
    }
    let thief = Run {
        client_ip: Some("203.0.113.7".to_owned()),
        user_agent: Some("curl/8.7.1".to_owned()),
        ..at("10:17:00.000")
    };
    let thief = w.stand_in.add_run("FakeUser17", thief);
    let own = Run { origin: "WEB".to_owned(), ..at("11:00:00.000") };
    let own = w.stand_in.add_run("FakeUser17", own);
    let _ = w.stand_in.add_run("FakeUser17", at("11:00:00.001"));

    let time = |text: &str| Timestamp::from_rfc3339(text).unwrap();
    let november = time("2026-11-01T00:00:00.000Z")..time("2026-11-01T11:00:00.001Z");
    let mut runs = connection.reconcile(&w.apify, november);
    let found = runs.next().await.unwrap().unwrap();
    assert_eq!(found.run.id(), thief);
    assert_eq!(
        found.to_string(),
        format!("2026-11-01T10:17:00.000Z: run {thief}, by API, from 203.0.113.7, user agent \"curl/8.7.1\"")
    );
    let found = runs.next().await.unwrap().unwrap();
    assert_eq!((found.run.id(), found.run.may_be_by_token()), (own.as_str(), false));
    assert_eq!(runs.next().await.unwrap(), None);
    assert_eq!((runs.listed(), runs.ours()), (1102, 1100));
    let asked = w.stand_in.requests();
    let asked: Vec<_> = asked.iter().filter(|request| request.target.contains("startedAfter")).collect();
    assert_eq!(asked.len(), 2, "pages");
    assert!(w.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn whatever_the_provider_answers_the_store_stays_as_it_was() {
    let w = World::new().await;
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    let text = w.granted();
    for (fault, kind, blame) in [
        (Fault::status(401, "user-or-token-not-found"), ErrorKind::TokenRefused, Blame::Customer),
        (Fault::status(403, "insufficient-permissions"), ErrorKind::ScopeTooSmall, Blame::Customer),
        (Fault::status(404, "record-not-found"), ErrorKind::ProviderMisbehaved, Blame::Provider),
        (Fault::rate_limited("3"), ErrorKind::RateLimited, Blame::Provider),
        (Fault::status(500, "internal-error"), ErrorKind::ProviderUnavailable, Blame::Provider),
        (Fault::NotJson, ErrorKind::ProviderMisbehaved, Blame::Provider),
        (Fault::Huge(10 << 30), ErrorKind::ProviderMisbehaved, Blame::Provider),
        (Fault::Endless, ErrorKind::ProviderMisbehaved, Blame::Provider),
        (Fault::CloseWithoutAnswer, ErrorKind::ProviderUnavailable, Blame::Provider),
        (Fault::Silence, ErrorKind::ProviderUnavailable, Blame::Provider),
        (Fault::EchoAuthorization, ErrorKind::ProviderUnavailable, Blame::Provider),
    ] {
        let name = format!("{fault:?}");
        w.stand_in.answer_next(fault);
        let impatient = name == "Silence";
        let apify = if impatient { apify(&w.stand_in, Duration::from_millis(300)) } else { w.apify.clone() };
        let error = connection.connect(apify.provider(), token(&text)).await.unwrap_err();
        assert_eq!((error.kind(), error.fault()), (kind, blame), "{name}: {error}");
        let shown = format!("{error} {error:?}");
        assert_eq!(
            LeakScanner::new().token("token", &text).scan_bytes("error", shown.as_bytes()),
            [],
            "{name}"
        );
        assert_eq!(w.store.record(connection.id()).await.unwrap(), None, "{name}");
        assert!(w.vault.audit().of_tenant("customer-17", 0, 9).await.unwrap().is_empty(), "{name}");
    }
    connection.connect(w.apify.provider(), token(&text)).await.unwrap();
}

#[tokio::test]
async fn the_database_alone_opens_nothing() {
    let w = World::new().await;
    let text = w.granted();
    w.vault
        .connection("customer-17", "apify")
        .unwrap()
        .connect(w.apify.provider(), token(&text))
        .await
        .unwrap();
    w.store.close().await;
    let stolen = tempfile::tempdir().unwrap();
    let copy = stolen.path().join("tokenkeep.sqlite");
    std::fs::copy(w.database(), &copy).unwrap();

    let other = LocalKeyring::create(stolen.path().join("keys/keyring"));
    let other = Vault::options()
        .dangerous_keys_beside_database()
        .open(SqliteStore::open(&copy).await.unwrap(), other.unwrap())
        .await
        .unwrap_err();
    assert_eq!((other.kind(), other.fault()), (ErrorKind::KeysWrong, Blame::Operator), "noticed at start");

    let right = LocalKeyring::open(w.folder.path().join("keys/keyring")).unwrap();
    let vault = Vault::open(SqliteStore::open(&copy).await.unwrap(), right).await.unwrap();
    let client = w.apify.with(vault.connection("customer-17", "apify").unwrap().credential());
    assert!(client.me().await.is_ok(), "with the keyring it opens: that is why the two are kept apart");
}

async fn open_with(keyring: &Path, database: &Path) -> Result<Vault, tokenkeep::Error> {
    let keys = LocalKeyring::open_or_create(keyring)?;
    Vault::open(SqliteStore::open(database).await?, keys).await
}

#[tokio::test]
async fn keys_beside_the_database_are_refused_unless_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let at = |name: &str| folder.path().join(name);
    for (keyring, database) in [
        ("same/keyring", "same/tokenkeep.sqlite"),
        ("below/keys/keyring", "below/tokenkeep.sqlite"),
        ("above/keyring", "above/db/tokenkeep.sqlite"),
    ] {
        let error = open_with(&at(keyring), &at(database)).await.unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::KeysInsecure, Blame::Operator), "{keyring}");
    }
    open_with(&at("good/keys/keyring"), &at("good/db/tokenkeep.sqlite")).await.unwrap();
    std::fs::create_dir(at("linked")).unwrap();
    std::os::unix::fs::symlink(at("good/keys"), at("linked/db")).unwrap();
    let error = open_with(&at("good/keys/keyring"), &at("linked/db/tokenkeep.sqlite")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeysInsecure, "a link hides nothing");

    let keys = LocalKeyring::open(at("same/keyring")).unwrap();
    let store = SqliteStore::open(at("same/tokenkeep.sqlite")).await.unwrap();
    assert!(store.vault().await.unwrap().is_none(), "what was refused made no vault");
    Vault::options().dangerous_keys_beside_database().open(store, keys).await.unwrap();
}

/// Somebody in between, whose certificate nobody vouches for, says 401 to all: that counts for nothing, and no token reaches him.
#[tokio::test]
async fn a_refusal_behind_an_unverified_certificate_pauses_nothing() {
    let w = World::new().await;
    let text = w.granted();
    let connection = w.vault.connection("customer-17", "apify").unwrap();
    connection.connect(w.apify.provider(), token(&text)).await.unwrap();
    w.stand_in.revoke(&text);
    w.stand_in.clear_requests();
    // The same address, by a client that does not know who signed its certificate.
    let origin = Origin::parse(&w.stand_in.origin()).unwrap();
    let strict = Apify::builder().origin(origin).timeout(Duration::from_secs(2)).build().unwrap();
    let client = strict.with(connection.credential());
    let error = client.runs().list().await.unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::ProviderMisbehaved, Blame::Provider));
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected);
    let error = connection.recheck(strict.provider()).await.unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::ProviderMisbehaved, Blame::Provider));
    assert_eq!(
        connection.status().await.unwrap().state,
        ConnectionState::Connected,
        "nor as the answer to a question"
    );
    assert!(w.stand_in.requests().is_empty(), "nothing was sent");
    // The very answer counts where it is known who gives it.
    let client = w.apify.with(connection.credential());
    assert_eq!(client.runs().list().await.unwrap_err().kind(), ErrorKind::TokenRefused);
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Paused);
    // And once it is paused, it revokes nothing.
    w.clock.0.store(10 * 60_000, Ordering::SeqCst);
    let done = w.vault.recheck_paused(strict.provider()).finish().await.unwrap();
    assert_eq!((done.revoked, done.unanswered), (0, 1));
}
