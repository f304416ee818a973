//! Keys that tell what they unwrapped.

use std::sync::{Arc, Mutex};

use tokenkeep::{Error, KeyProvider, LocalKeyring, TokenStore, async_trait};
use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, PayloadKind, TokenFacts, UnwrapRequest, VaultId, WrapRequest,
    WrappedDek,
};
use tokenkeep_keys::KekStatus;
use tokenkeep_store::Record;

#[derive(Debug, Clone)]
pub(crate) struct Counting {
    keys: LocalKeyring,
    /// The contexts of what was unwrapped, by their digests.
    unwrapped: Arc<Mutex<Vec<[u8; 32]>>>,
}

impl Counting {
    pub(crate) fn over(keys: LocalKeyring) -> Self {
        Self { keys, unwrapped: Arc::default() }
    }

    /// How often this record's DEK was unwrapped.
    pub(crate) fn of(&self, vault: VaultId, record: &Record) -> usize {
        let context = EncryptionContext::for_token(&TokenFacts {
            vault,
            connection: record.id.clone(),
            incarnation: record.incarnation,
            provider: record.provider.clone(),
            origin: record.origin.clone(),
            kind: record.kind,
            secret_version: record.secret_version,
        });
        let envelope = Envelope::decode(record.sealed.as_ref().unwrap().envelope.clone()).unwrap();
        let digest = envelope.unwrap_request(&context).context_digest();
        self.unwrapped.lock().unwrap().iter().filter(|one| **one == digest).count()
    }
}

#[async_trait]
impl KeyProvider for Counting {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        tokio::task::yield_now().await;
        self.keys.wrap_dek(request).await
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        self.unwrapped.lock().unwrap().push(request.context_digest());
        tokio::task::yield_now().await;
        self.keys.unwrap_dek(request).await
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.keys.keks().await
    }
}

#[tokio::test]
async fn listing_names_unwraps_no_values() {
    let f = crate::common::Fixture::new().await;
    let keys = Counting::over(f.keys.clone());
    let vault = tokenkeep::Vault::open(Arc::clone(&f.store), keys.clone()).await.unwrap();
    let env = vault.secret_env("t", "scraper").unwrap();
    env.create(&f.provider, &crate::sets::vars(&[("A", "1")])).await.unwrap();
    let [values, index] = crate::sets::records(&*f.store, "t", "scraper").await;
    assert_eq!((values.kind, index.kind), (PayloadKind::EnvVars, PayloadKind::EnvIndex));

    assert_eq!(env.names().await.unwrap().len(), 1);
    env.status().await.unwrap();
    vault.secret_envs("t", None, 10).await.unwrap();
    assert_eq!((keys.of(vault.id(), &values), keys.of(vault.id(), &index)), (0, 1));
    drop(env.open().await.unwrap());
    assert_eq!(
        (keys.of(vault.id(), &values), keys.of(vault.id(), &index)),
        (1, 2),
        "the look sees what there is"
    );

    // Nor is the record of the values read.
    let change = |record: &Record| {
        let gone = Record { sealed: None, revision: record.revision.next(), ..record.clone() };
        tokenkeep_store::conformance::sample_change(&gone, Some(record.revision.get()))
    };
    let chain = tokenkeep_store::conformance::sample_chain_of(vault.id());
    f.store.commit(&[change(&values)], &chain).await.unwrap();
    assert_eq!(crate::sets::opened(&env).await, Err(tokenkeep::ErrorKind::Tampered));
    assert_eq!(crate::sets::named(&env).await.as_deref(), Ok("A@1"));
}
