//! A vault to measure: its keys, a clock that stands still, and a provider that answers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tokenkeep::{
    Account, ApiToken, Change, Clock, Connection, Credential, KeyProvider, LocalKeyring, Origin, Provider,
    ProviderSpec, Timestamp, TokenStore, Vault, async_trait,
};
use tokenkeep_core::fill_random;

/// The keys of all vaults of one run, in a folder that vanishes.
pub(crate) struct Keys {
    pub(crate) folder: Arc<TempDir>,
    provider: Arc<dyn KeyProvider>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ring = LocalKeyring::create(folder.path().join("keys/keyring")).expect("a keyring");
        Self::of(Arc::new(folder), ring)
    }

    /// Of another provider.
    pub(crate) fn of(folder: Arc<TempDir>, provider: impl KeyProvider + 'static) -> Self {
        Self { folder, provider: Arc::new(provider) }
    }

    /// A vault as it is by default, but for the clock: no minute ends while a use is measured.
    pub(crate) async fn vault(&self, store: impl TokenStore + 'static, clock: &Arc<StillClock>) -> Vault {
        let options = Vault::options().clock(Arc::clone(clock));
        options.open(store, Arc::clone(&self.provider)).await.expect("a vault")
    }
}

/// Moves when it is told to.
#[derive(Debug)]
pub(crate) struct StillClock(AtomicI64);

impl StillClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000)))
    }

    pub(crate) fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A provider that accepts every token, all of one account, and asks nobody.
#[derive(Debug)]
pub(crate) struct Yes(ProviderSpec);

impl Yes {
    pub(crate) fn new() -> Self {
        let origin = Origin::parse("https://api.apify.com").expect("an origin");
        Self(ProviderSpec::new("apify".parse().expect("a plain name"), origin))
    }
}

#[async_trait]
impl Provider for Yes {
    fn spec(&self) -> &ProviderSpec {
        &self.0
    }

    async fn check(&self, _: &Credential) -> Result<Account, tokenkeep::Error> {
        Account::new("Xy7kQ2mNpRt4vWz8B", "customer-account")
    }
}

/// Another token each time, 46 bytes as Apify's.
pub(crate) fn token() -> ApiToken {
    let mut bytes = [0; 18];
    fill_random(&mut bytes).expect("the system's generator");
    let mut text = String::with_capacity(46);
    text.push_str("fake_api_x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    ApiToken::new(text).expect("a token")
}

pub(crate) fn connection(vault: &Vault, number: u64) -> Connection {
    vault.connection(tenant(number), "apify").expect("plain names")
}

pub(crate) fn tenant(number: u64) -> String {
    format!("customer-{number:07}")
}

/// What connecting would commit, for a floor to write the same rows.
pub(crate) async fn example(vault: &Vault) -> Change {
    let connection = vault.connection("nobody", "apify").expect("plain names");
    connection.prepare_connect(&Yes::new(), token()).await.expect("it is sealed").change().clone()
}
