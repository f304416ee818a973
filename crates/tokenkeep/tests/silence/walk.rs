//! Through every operation, and what comes to be seen of each: outcomes, errors and their causes, Debug texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use tokenkeep::apify::{Apify, Retries};
use tokenkeep::{
    ApiToken, ConnectionId, ErrorKind, Incarnation, LocalKeyring, Origin, PurgeHook, Timestamp, TokenStore,
    Vault,
};
use tokenkeep_testkit::{Access, ApifyStandIn, Fault, LeakScanner, fake_token};

/// What was shown, and the tokens that must not be in it.
pub(crate) struct Walked {
    pub(crate) shown: String,
    pub(crate) scanner: LeakScanner,
}

/// Fails at first, then panics, then works.
struct Faulty(AtomicU8);

#[async_trait]
impl PurgeHook for Faulty {
    async fn purge(
        &self,
        connection: &ConnectionId,
        _: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(format!("the cache of {connection} is down").into()),
            1 => panic!("a fault of the hook's own"),
            _ => Ok(()),
        }
    }
}

/// `look` is at the database while it holds the tokens: at the end it holds none. `alter` alters the row of customer-17's
/// connection `apify` in it.
pub(crate) async fn walk(
    store: impl TokenStore + Clone + 'static,
    look: impl AsyncFn(&LeakScanner),
    alter: impl AsyncFn(),
) -> Walked {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = ApifyStandIn::start().await.unwrap();
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let builder = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der());
    // Each fault is to be seen.
    let apify = builder.retries(Retries::none()).build().unwrap();
    let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let hook = Arc::new(Faulty(AtomicU8::new(0)));
    let options = Vault::options().on_disconnect("cache", Arc::clone(&hook));
    let vault = options.open(store.clone(), keys.clone()).await.unwrap();
    let (text, next) = (fake_token(), fake_token());
    stand_in.grant(&text, Access::full("FakeUser17", "jane-doe"));
    stand_in.grant(&next, Access::full("FakeUser17", "jane-doe"));
    let token = || ApiToken::new(text.clone()).unwrap();
    let mut shown = format!("{:?}", token());
    let began = Timestamp::now();

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
    shown += &told(&connection.replace(apify.provider(), token()).await.unwrap_err());
    let new = ApiToken::new(next.clone()).unwrap();
    shown += &format!("{:?}", connection.replace(apify.provider(), new).await.unwrap());
    let response = connection.suspect_leak();
    shown += &format!("{response:?}");
    shown += &format!("{:?}", response.finish().await.unwrap());
    shown += &told(&client.runs().list().await.unwrap_err());
    shown += &told(&connection.recheck(apify.provider()).await.unwrap_err());
    shown += &format!("{:?}", connection.clear_suspicion().await.unwrap());
    shown += &format!("{:?} {:?}", vault.due(), vault.overdue().next().await.unwrap());
    shown += &format!("{:?}", vault.connections("customer-17", None, 10).await.unwrap());

    // Runs that we did not start, from a list that fails first and repeats what it was asked with.
    let mut runs = connection.reconcile(&apify, began..Timestamp::from_millis(began.as_millis() + 60_000));
    stand_in.answer_next(Fault::EchoAuthorization);
    shown += &told(&runs.next().await.unwrap_err());
    shown += &format!("{runs:?} {:?}", runs.next().await.unwrap());
    shown += &format!("{:?}", vault.checkpoint().await.map_err(|error| told(&error)));
    shown += &format!("{:?}", vault.check().await);

    let scanner = LeakScanner::new().token("token", &text).token("next", &next);
    look(&scanner).await;
    // A hook that fails, one that panics, and what is finished behind them.
    shown += &format!("{:?}", connection.disconnect().await.unwrap());
    let new = || ApiToken::new(next.clone()).unwrap();
    shown += &told(&connection.connect(apify.provider(), new()).await.unwrap_err());
    for finished in vault.finish_disconnects().await.unwrap() {
        shown += &format!("{finished:?} {finished}");
    }
    shown += &format!("{:?}", connection.connect(apify.provider(), new()).await.unwrap());
    // What was altered is refused everywhere, and ended.
    alter().await;
    shown += &told(&client.runs().list().await.unwrap_err());
    let error = connection.disconnect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    shown += &told(&error);
    shown += &format!("{:?}", vault.verify().await.unwrap());
    let discarded = connection.discard_tampered(apify.provider()).await.unwrap();
    shown += &format!("{discarded:?} {discarded}");
    shown += &told(&connection.discard_tampered(apify.provider()).await.unwrap_err());
    for tenant in ["customer-17", "customer-18"] {
        let mut erasure = vault.erase_tenant(tenant).unwrap();
        shown += &format!("{erasure:?}");
        while let Some(erased) = erasure.next().await.unwrap() {
            shown += &format!("{erased:?}");
        }
    }
    assert!(hook.0.load(Ordering::SeqCst) > 2, "the hook failed, panicked and worked");
    shown += &told(&client.runs().list().await.unwrap_err());

    shown += &format!("{:?}", vault.audit().of_tenant("customer-17", 0, 100).await.unwrap());
    let mut export = vault.audit().export();
    while let Some(page) = export.next().await.unwrap() {
        shown += &page;
    }
    shown += &format!("{export:?} {:?}", export.cursor());
    shown += &format!("{:?} {:?}", vault.verify().await.unwrap(), stand_in.requests());
    Walked { shown, scanner }
}

/// An error, its Debug text and its causes.
fn told(error: &impl std::error::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
