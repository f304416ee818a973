//! A stand-in, the official client of it, and a credential that tells what it was asked and told.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_apify::{Apify, Boundary, Refused, Retries};
use tokenkeep_apify_official::apify_client::{ApifyClient, ApifyClientBuilder, ApifyClientError};
use tokenkeep_apify_official::{official_builder, official_client};
use tokenkeep_core::{
    ApiToken, Credential, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken, Origin, Outcome,
    SecretVersion, Use,
};
use tokenkeep_testkit::{Access, ApifyStandIn, fake_token};

pub(crate) const ACTOR: &str = "jane-doe/price-watch";
pub(crate) const RUN: &str = "FakeRun0000000001";
pub(crate) const BUILD: &str = "FakeBuild00000001";
pub(crate) const DATASET: &str = "FakeItems00000000";
pub(crate) const STORE: &str = "FakeStore00000000";

pub(crate) struct Scene {
    pub(crate) stand_in: ApifyStandIn,
    pub(crate) token: String,
    pub(crate) spy: Arc<Spy>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let (stand_in, token) = (ApifyStandIn::start().await.unwrap(), fake_token());
        stand_in.grant(&token, Access::full("FakeUser000000001", "jane-doe"));
        let spy = Spy::new(&token);
        Self { stand_in, token, spy }
    }

    pub(crate) fn apify(&self, boundary: Boundary, retries: Retries) -> Apify {
        apify(&self.stand_in.origin(), &self.stand_in.ca_der(), boundary, retries)
    }

    /// A client that makes each call once.
    pub(crate) fn client(&self, boundary: Boundary) -> ApifyClient {
        official_client(&self.apify(boundary, Retries::none()), self.spy.credential())
    }

    pub(crate) fn builder(&self, boundary: Boundary) -> ApifyClientBuilder {
        official_builder(&self.apify(boundary, Retries::none()), self.spy.credential())
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::parse(&self.stand_in.origin()).unwrap()
    }

    /// What the stand-in was asked for: methods and targets.
    pub(crate) fn asked(&self) -> Vec<String> {
        let requests = self.stand_in.requests();
        requests.iter().map(|sent| format!("{} {}", sent.method, sent.target)).collect()
    }
}

/// With all the time that there is, as a host may be slow.
pub(crate) fn apify(origin: &str, ca_der: &[u8], boundary: Boundary, retries: Retries) -> Apify {
    let builder = Apify::builder().origin(Origin::parse(origin).unwrap()).extra_root_der(ca_der);
    builder.timeout(Duration::from_secs(60)).boundary(boundary).retries(retries).build().unwrap()
}

/// A credential source that counts and remembers, and that refuses or fails to record when it is told to.
pub(crate) struct Spy {
    token: String,
    issued: AtomicUsize,
    told: Mutex<Vec<String>>,
    refuses: Mutex<Option<(usize, ErrorKind)>>,
    fails_to_record: Mutex<bool>,
}

impl Spy {
    pub(crate) fn new(token: &str) -> Arc<Self> {
        Arc::new(Self {
            token: token.to_owned(),
            issued: AtomicUsize::new(0),
            told: Mutex::default(),
            refuses: Mutex::default(),
            fails_to_record: Mutex::default(),
        })
    }

    pub(crate) fn credential(self: &Arc<Self>) -> Credential {
        Credential::new(Handle(Arc::clone(self)))
    }

    /// Gives no token from now on.
    pub(crate) fn refuse(&self, kind: ErrorKind) {
        self.refuse_from(0, kind);
    }

    /// Gives none from the time on that it is asked so often.
    pub(crate) fn refuse_from(&self, asked: usize, kind: ErrorKind) {
        *self.refuses.lock().unwrap() = Some((asked, kind));
    }

    pub(crate) fn fail_to_record(&self) {
        *self.fails_to_record.lock().unwrap() = true;
    }

    /// How often it was asked for a token.
    pub(crate) fn issued(&self) -> usize {
        self.issued.load(Ordering::SeqCst)
    }

    /// The outcomes that were reported, as text, since this was last asked.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

struct Handle(Arc<Spy>);

#[async_trait]
impl CredentialSource for Handle {
    async fn issue(&self, _: Use<'_>) -> Result<IssuedToken, Error> {
        let asked = self.0.issued.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((_, kind)) = self.0.refuses.lock().unwrap().filter(|(from, _)| asked >= *from) {
            return Err(kind.into());
        }
        let token = ApiToken::new(self.0.token.clone())?;
        let (incarnation, secret_version) = (Incarnation::from_bytes([7; 16]), SecretVersion::from_u64(5));
        Ok(IssuedToken { token, incarnation, secret_version })
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, outcome: Outcome<'_>) -> Result<(), Error> {
        self.0.told.lock().unwrap().push(format!("{outcome:?}"));
        match *self.0.fails_to_record.lock().unwrap() {
            true => Err(Error::new(ErrorKind::StoreUnavailable).because("a test asked for it")),
            false => Ok(()),
        }
    }
}

/// Why a boundary refused it, if one did.
pub(crate) fn refused(error: &ApifyClientError) -> Option<Refused> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(*refused);
        }
        cause = error.source();
    }
    None
}

/// Everything that anyone could print of an error.
pub(crate) fn everything_in(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        write!(text, "{error}\n{error:?}\n{error:#?}\n").unwrap();
        next = error.source();
    }
    text
}
