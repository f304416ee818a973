//! What a vault is given here: a provider that accepts everything, a hook that keeps a list, a clock that runs ahead.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use tokenkeep::{
    Account, Clock, ConnectionId, Credential, Error, Incarnation, Origin, Provider, ProviderSpec, PurgeHook,
    SystemClock, Timestamp, Use, async_trait,
};

use crate::random::Random;

/// A provider to whom every token is of the same account.
#[derive(Debug)]
pub(crate) struct AcceptsAll(ProviderSpec);

impl AcceptsAll {
    pub(crate) fn new() -> Result<Self, String> {
        let name = "apify".parse().map_err(|_| "the provider's name")?;
        let origin = Origin::parse("https://api.apify.com").map_err(|_| "the provider's origin")?;
        Ok(Self(ProviderSpec::new(name, origin)))
    }
}

#[async_trait]
impl Provider for AcceptsAll {
    fn spec(&self) -> &ProviderSpec {
        &self.0
    }

    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        credential.issue(Use::at(&self.0)).await?;
        Ok(Account::new("user-1", "Jane")?)
    }
}

/// Writes down which incarnation it ran for. It fails at times, if it is told to.
pub(crate) struct Listed {
    pub(crate) file: PathBuf,
    pub(crate) fails: Option<Mutex<Random>>,
}

#[async_trait]
impl PurgeHook for Listed {
    async fn purge(
        &self,
        _connection: &ConnectionId,
        former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let failing = self.fails.as_ref().and_then(|random| random.lock().ok());
        if failing.is_some_and(|mut random| random.once_in(8)) {
            return Err("this time it fails".into());
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&self.file)?;
        file.write_all(format!("{former}\n").as_bytes())?;
        Ok(())
    }
}

/// The system's clock, so much ahead. A later life of the process starts minutes after the one before, when what that one
/// leased has run out.
#[derive(Debug)]
pub(crate) struct Ahead(pub(crate) Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(self.0)
    }
}
