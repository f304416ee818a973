//! A provider with a list of runs, and a connection to it.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokenkeep::{
    Account, Connection, Credential, Error, ErrorKind, ListedRun, Outcome, Provider, ProviderSpec,
    Reconciliation, RunList, RunPage, Timestamp, UnknownRun, Use, Vault,
};
use tokenkeep_testkit::fake_token;

use crate::common::{Fixture, Scripted, token};

/// A provider with a list of runs, three on a page.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) provider: Scripted,
    pub(crate) runs: Mutex<Vec<ListedRun>>,
    /// The next page fails.
    pub(crate) fails: AtomicBool,
    /// It says of every page that there is more.
    pub(crate) endless: AtomicBool,
    /// It gives what it has, whatever was asked for.
    pub(crate) careless: AtomicBool,
    /// Our own connection starts this run while a page is asked for.
    pub(crate) meanwhile: Mutex<Option<(Connection, &'static str)>>,
    /// How many pages it gave.
    pub(crate) pages: AtomicUsize,
}

impl Listing {
    pub(crate) fn new() -> Self {
        Self {
            provider: Scripted::new(),
            runs: Mutex::default(),
            fails: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            careless: AtomicBool::new(false),
            meanwhile: Mutex::default(),
            pages: AtomicUsize::new(0),
        }
    }

    pub(crate) fn add(&self, id: &str, started_at: i64) {
        self.runs.lock().unwrap().push(ListedRun::new(id, started_at).unwrap());
    }
}

#[async_trait]
impl Provider for Listing {
    fn spec(&self) -> &ProviderSpec {
        self.provider.spec()
    }

    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        self.provider.check(credential).await
    }
}

#[async_trait]
impl RunList for Listing {
    async fn runs(&self, credential: &Credential, started: Range<i64>) -> Result<RunPage, Error> {
        let _ = credential.issue(Use::at(self.spec())).await?;
        tokio::task::yield_now().await;
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::ProviderUnavailable.into());
        }
        self.pages.fetch_add(1, Ordering::SeqCst);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some((connection, run)) = meanwhile {
            self.add(run, started.start + 1);
            start(&connection, self, run).await;
        }
        let mut runs = self.runs.lock().unwrap().clone();
        if self.careless.load(Ordering::SeqCst) {
            return Ok(RunPage { runs, more: false });
        }
        runs.retain(|run| started.contains(&run.started_at()));
        runs.sort_by_key(ListedRun::started_at);
        let more = runs.len() > 3 || self.endless.load(Ordering::SeqCst);
        runs.truncate(3);
        Ok(RunPage { runs, more })
    }
}

pub(crate) struct World {
    pub(crate) f: Fixture,
    pub(crate) listing: Listing,
    pub(crate) connection: Connection,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (f, listing) = (Fixture::new().await, Listing::new());
        let connection = connected(&f.vault, "t", "apify", &listing).await;
        Self { f, listing, connection }
    }

    pub(crate) fn now(&self) -> i64 {
        use tokenkeep::Clock as _;
        self.f.clock.now().as_millis()
    }

    /// From an hour ago until in an hour.
    pub(crate) fn around(&self) -> Range<Timestamp> {
        let hour = 3_600_000;
        Timestamp::from_millis(self.now() - hour)..Timestamp::from_millis(self.now() + hour)
    }

    pub(crate) fn reconcile(&self) -> Reconciliation<'_> {
        self.connection.reconcile(&self.listing, self.around())
    }
}

pub(crate) async fn connected(vault: &Vault, tenant: &str, name: &str, listing: &Listing) -> Connection {
    let connection = vault.connection(tenant, name).unwrap();
    connection.connect(listing, token(&fake_token())).await.unwrap();
    connection
}

/// A use of the token that starts a run, as a client of ours makes it.
pub(crate) async fn start(connection: &Connection, listing: &Listing, run: &str) {
    let credential = connection.credential();
    let issued = credential.issue(Use::at(listing.spec())).await.unwrap();
    credential.report(issued.incarnation, issued.secret_version, Outcome::Created(run)).await.unwrap();
}

pub(crate) async fn all(runs: &mut Reconciliation<'_>) -> Vec<UnknownRun> {
    let mut found = Vec::new();
    while let Some(run) = runs.next().await.unwrap() {
        found.push(run);
    }
    found
}

pub(crate) fn ids(found: &[UnknownRun]) -> Vec<&str> {
    found.iter().map(|unknown| unknown.run.id()).collect()
}
