//! A key service that counts what it is asked, the hands of a clock, and tokens sealed by any provider.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenkeep::{
    ConnectionId, DestroyableKeys, Destruction, EpochClock, EpochTime, Error, Incarnation, KekId, KekStatus,
    KeyProvider, LocalKeyring, Origin, PayloadKind, SecretVersion, VaultId, async_trait,
};
use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, SealDraft, TokenFacts, UnwrapRequest, WrapRequest, WrappedDek,
    open_payload,
};

const TOKEN: &[u8; 46] = b"fake_api_x0123456789abcdef0123456789abcdef0123";

/// A keyring that counts its calls and takes its time, as a service over a network does.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    ring: LocalKeyring,
    calls: Arc<AtomicU64>,
    answers_in: Duration,
}

impl Service {
    pub(crate) fn new(file: &Path, answers_in: Duration) -> Self {
        let ring = LocalKeyring::create(file).expect("a keyring");
        Self { ring, calls: Arc::default(), answers_in }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if !self.answers_in.is_zero() {
            tokio::time::sleep(self.answers_in).await;
        }
    }
}

#[async_trait]
impl KeyProvider for Service {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.call().await;
        self.ring.wrap_dek(request).await
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        self.call().await;
        self.ring.unwrap_dek(request).await
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.call().await;
        self.ring.keks().await
    }
}

#[async_trait]
impl DestroyableKeys for Service {
    async fn make_key(&self) -> Result<KekId, Error> {
        self.call().await;
        self.ring.make_key().await
    }

    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.call().await;
        self.ring.wrap_under(key, request).await
    }

    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
        self.call().await;
        self.ring.destroy_key(key).await
    }
}

/// A clock that is moved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

impl EpochClock for Hands {
    fn now(&self) -> EpochTime {
        let millis = self.0.load(Ordering::Relaxed);
        EpochTime { steady: Duration::from_millis(millis), unix_millis: 1_800_000_000_000 + millis as i64 }
    }
}

pub(crate) fn context(number: usize) -> EncryptionContext {
    EncryptionContext::for_token(&TokenFacts {
        vault: VaultId::from_bytes([1; 16]),
        connection: ConnectionId::new(format!("customer-{number:07}"), "apify").expect("plain names"),
        incarnation: Incarnation::from_bytes([2; 16]),
        provider: "apify".parse().expect("a plain name"),
        origin: Origin::parse("https://api.apify.com").expect("an origin"),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    })
}

pub(crate) async fn seal(keys: &dyn KeyProvider, context: &EncryptionContext) -> Envelope {
    let draft = SealDraft::new(context).expect("the system's generator");
    let wrapped = keys.wrap_dek(&draft.wrap_request()).await.expect("it wraps");
    draft.finish(TOKEN, &wrapped).expect("it is sealed")
}

pub(crate) async fn open(keys: &dyn KeyProvider, envelope: &Envelope, context: &EncryptionContext) {
    let dek = keys.unwrap_dek(&envelope.unwrap_request(context)).await.expect("it unwraps");
    let opened = open_payload(envelope, &dek, context).expect("it opens");
    assert_eq!(opened[..], TOKEN[..]);
}
