//! Every operation is told to the observer once: what, how it ended, how long it took, and no name unless asked.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Fixture, Scripted, Unsteady, account, give, token};
use tokenkeep::{
    Account, Connection, Credential, Ended, Error, ErrorKind, Incident, Meaning, Observed, Observer,
    Operation, Outcome, Provider, ProviderSpec, Use, Vault,
};
use tokenkeep_testkit::fake_token;

#[derive(Default)]
struct Counts {
    operations: Mutex<BTreeMap<(&'static str, String), usize>>,
    incidents: Mutex<BTreeMap<&'static str, usize>>,
    names: Mutex<Vec<String>>,
    longest: Mutex<Duration>,
    wants_names: AtomicBool,
    panics: AtomicBool,
}

impl Observer for Counts {
    fn operation(&self, done: &Observed<'_>) {
        let ended = match done.ended {
            Ended::Failed(kind) => format!("{kind:?}"),
            ended => format!("{ended:?}"),
        };
        *self.operations.lock().unwrap().entry((done.operation.name(), ended)).or_default() += 1;
        self.names.lock().unwrap().extend(done.connection.map(ToString::to_string));
        let mut longest = self.longest.lock().unwrap();
        *longest = done.took.max(*longest);
        drop(longest);
        assert!(!self.panics.load(Ordering::SeqCst), "a fault of the observer's own");
    }

    fn incident(&self, incident: &Incident<'_>) {
        *self.incidents.lock().unwrap().entry(incident.kind.name()).or_default() += 1;
        self.names.lock().unwrap().extend(incident.connections.iter().map(ToString::to_string));
        assert!(!self.panics.load(Ordering::SeqCst), "a fault of the observer's own");
    }

    fn wants_names(&self) -> bool {
        self.wants_names.load(Ordering::SeqCst)
    }
}

impl Counts {
    /// What was told since the last time.
    fn told(&self) -> Vec<(&'static str, String, usize)> {
        let told = std::mem::take(&mut *self.operations.lock().unwrap());
        told.into_iter().map(|((operation, ended), times)| (operation, ended, times)).collect()
    }

    fn incidents(&self) -> Vec<(&'static str, usize)> {
        std::mem::take(&mut *self.incidents.lock().unwrap()).into_iter().collect()
    }
}

async fn observed() -> (Fixture, Vault, Arc<Counts>) {
    let f = Fixture::new().await;
    let counts = Arc::new(Counts::default());
    let options = Vault::options().clock(Arc::clone(&f.clock)).observer(Arc::clone(&counts));
    let vault = options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    (f, vault, counts)
}

fn once(operation: Operation) -> Vec<(&'static str, String, usize)> {
    vec![(operation.name(), "Done".to_owned(), 1)]
}

fn failed(operation: Operation, kind: ErrorKind) -> Vec<(&'static str, String, usize)> {
    vec![(operation.name(), format!("{kind:?}"), 1)]
}

async fn report(connection: &Connection, f: &Fixture, outcome: Outcome<'_>) {
    let credential = connection.credential();
    let issued = credential.issue(Use::at(f.provider.spec())).await.unwrap();
    credential.report(issued.incarnation, issued.secret_version, outcome).await.unwrap();
}

#[tokio::test]
async fn each_operation_is_told_once() {
    let (f, vault, counts) = observed().await;
    assert_eq!(counts.told(), once(Operation::Open));
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(counts.told(), once(Operation::Connect));
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(counts.told(), once(Operation::Replace));
    let prepared = connection.prepare_replace(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(counts.told(), once(Operation::Prepare));
    prepared.commit().await.unwrap();
    assert_eq!(counts.told(), once(Operation::Commit));
    give(&connection.credential(), &f.provider).await.unwrap();
    assert_eq!(counts.told(), once(Operation::Use));
    connection.status().await.unwrap();
    assert_eq!(counts.told(), once(Operation::Status));
    vault.connections("t", None, 10).await.unwrap();
    assert_eq!(counts.told(), once(Operation::List));
    assert_eq!(vault.due().next().await.unwrap(), None);
    assert_eq!(counts.told(), once(Operation::List));
    vault.audit().of_tenant("t", 0, 10).await.unwrap();
    assert_eq!(counts.told(), once(Operation::ReadAudit));
    assert!(vault.verify().await.unwrap().is_whole());
    assert_eq!(counts.told(), once(Operation::Verify));
    assert!(vault.check().await.is_ready());
    assert_eq!(counts.told(), once(Operation::Check));
    vault.flush().await.unwrap();
    assert_eq!(counts.told(), once(Operation::Flush));
    assert_eq!(connection.suspect_leak().finish().await.unwrap().len(), 1);
    assert_eq!(counts.told(), once(Operation::SuspectLeak));
    connection.clear_suspicion().await.unwrap();
    assert_eq!(counts.told(), once(Operation::ClearSuspicion));
    assert_eq!(counts.incidents(), [("cleared", 1), ("suspected", 1)]);

    report(&connection, &f, Outcome::Accepted).await;
    assert_eq!(counts.told(), once(Operation::Use), "that all is well is not told apart from the use");
    report(&connection, &f, Outcome::Created("run-1")).await;
    assert_eq!(counts.told(), [once(Operation::Report), once(Operation::Use)].concat());
    report(&connection, &f, Outcome::Refused(Meaning::TokenRefused)).await;
    assert_eq!(counts.told(), [once(Operation::Report), once(Operation::Use)].concat());
    connection.recheck(&f.provider).await.unwrap();
    assert_eq!(counts.told(), [once(Operation::Recheck), once(Operation::Use)].concat());
    f.provider.answer(Err(ErrorKind::TokenRefused));
    connection.recheck(&f.provider).await.unwrap();
    assert_eq!(counts.told(), [once(Operation::Recheck), once(Operation::Use)].concat());
    f.clock.advance(5 * 60_000);
    let mut run = vault.recheck_paused(&f.provider);
    assert!(run.next().await.unwrap().is_some() && run.next().await.unwrap().is_none());
    assert_eq!(counts.told(), [once(Operation::RecheckPaused), once(Operation::Use)].concat());
    assert_eq!(counts.incidents(), [("paused", 2), ("resumed", 1), ("revoked", 1)]);

    let _ = connection.disconnect().await.unwrap();
    assert_eq!(counts.told(), once(Operation::Disconnect));
    assert!(vault.finish_disconnects().await.unwrap().is_empty());
    assert_eq!(counts.told(), once(Operation::FinishDisconnects));
    assert_eq!(*counts.names.lock().unwrap(), [""; 0], "no name was asked for");
    assert!(*counts.longest.lock().unwrap() > Duration::ZERO);
}

#[tokio::test]
async fn what_goes_by_pages_tells_each() {
    let (f, vault, counts) = observed().await;
    vault.connection("t", "apify").unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
    counts.told();
    let mut export = vault.audit().export();
    assert!(export.next().await.unwrap().is_some());
    assert_eq!(counts.told(), once(Operation::ExportAudit));
    assert_eq!(export.next().await.unwrap(), None);
    assert_eq!(counts.told(), once(Operation::ExportAudit));
    let mut run = vault.verify_run();
    assert!(run.step().await.unwrap().is_some());
    assert_eq!(counts.told(), once(Operation::VerifyStep));
    assert!(run.finish().await.unwrap().is_whole());
    assert_eq!(counts.told(), once(Operation::Verify), "its steps are not told again");
    assert!(!vault.verify_against("no checkpoint").await.unwrap().is_whole());
    assert_eq!(counts.told(), once(Operation::Verify));
    let mut erasure = vault.erase_tenant("t").unwrap();
    assert!(erasure.next().await.unwrap().is_some());
    assert_eq!(counts.told(), [once(Operation::Disconnect), once(Operation::List)].concat());
    assert!(erasure.next().await.unwrap().is_none());
    // The end of the first pass, and two pages of the second, which gives nothing.
    assert_eq!(counts.told(), [("list", "Done".to_owned(), 3)]);

    let store = Unsteady::new(&f.store);
    let options = Vault::options().observer(Arc::clone(&counts));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    counts.told();
    store.hiccup.store(1, Ordering::SeqCst);
    vault.audit().export().next().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::ExportAudit, ErrorKind::StoreUnavailable));
    vault.verify_run().step().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::VerifyStep, ErrorKind::StoreUnavailable));
    vault.verify().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::Verify, ErrorKind::StoreUnavailable));
    vault.erase_tenant("t").unwrap().next().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::List, ErrorKind::StoreUnavailable));
}

#[tokio::test]
async fn failures_are_told_with_their_kind() {
    let (f, vault, counts) = observed().await;
    counts.told();
    let connection = vault.connection("t", "apify").unwrap();
    f.provider.answer(Err(ErrorKind::RateLimited));
    connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::Connect, ErrorKind::RateLimited));
    give(&connection.credential(), &f.provider).await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::Use, ErrorKind::NotConnected));
    connection.disconnect().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::Disconnect, ErrorKind::NotConnected));
    connection.suspect_leak().next().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::SuspectLeak, ErrorKind::NotConnected));

    let store = Unsteady::new(&f.store);
    let options = Vault::options().observer(Arc::clone(&counts));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    counts.told();
    store.fails.store(true, Ordering::SeqCst);
    vault.overdue().next().await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::List, ErrorKind::StoreUnavailable));
    let options = Vault::options().observer(Arc::clone(&counts)).replace_every(0);
    options.open(Arc::clone(&store), f.keys.clone()).await.unwrap_err();
    assert_eq!(counts.told(), failed(Operation::Open, ErrorKind::Misuse));
}

/// Never answers.
#[derive(Debug)]
struct Silent(Scripted);

#[async_trait]
impl Provider for Silent {
    fn spec(&self) -> &ProviderSpec {
        self.0.spec()
    }

    async fn check(&self, _: &Credential) -> Result<Account, Error> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_dropped_call_is_told_too() {
    let (_f, vault, counts) = observed().await;
    counts.told();
    let connection = vault.connection("t", "apify").unwrap();
    let silent = Silent(Scripted::new());
    let connecting = connection.connect(&silent, token(&fake_token()));
    assert!(tokio::time::timeout(Duration::from_millis(20), connecting).await.is_err());
    assert_eq!(counts.told(), [("connect", "Dropped".to_owned(), 1)]);
    assert!(*counts.longest.lock().unwrap() >= Duration::from_millis(20));
}

#[tokio::test]
async fn names_are_told_to_who_asks_for_them() {
    let (f, vault, counts) = observed().await;
    counts.wants_names.store(true, Ordering::SeqCst);
    let text = fake_token();
    for tenant in ["anna", "bert"] {
        vault.connection(tenant, "apify").unwrap().connect(&f.provider, token(&text)).await.unwrap();
    }
    assert_eq!(counts.incidents(), [("reused-across-tenants", 1)]);
    let names = std::mem::take(&mut *counts.names.lock().unwrap());
    assert_eq!(names, ["anna/apify", "bert/apify", "anna/apify", "bert/apify"]);
}

#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    let (f, vault, counts) = observed().await;
    counts.told();
    counts.panics.store(true, Ordering::SeqCst);
    let connection = vault.connection("t", "apify").unwrap();
    let text = fake_token();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(text));
    assert_eq!(connection.suspect_leak().finish().await.unwrap().len(), 1);
    assert_eq!(counts.told().len(), 3, "it was called each time");
    f.provider.answer(Ok(account("user-1")));
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
}
