//! The key service, the clock, the observer and the tokens of these tests.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{
    ConnectionId, Dek, EncryptionContext, Envelope, Error, ErrorKind, Incarnation, Kek, KekId, Origin,
    PayloadKind, SealDraft, SecretVersion, TokenFacts, UnwrapRequest, VaultId, VaultKeyPurpose, WrapRequest,
    WrappedDek, open_payload,
};
use tokenkeep_keys::{
    DestroyableKeys, Destruction, EpochClock, EpochEvent, EpochKeys, EpochObserver, EpochOptions, EpochTime,
    KekState, KekStatus, KeyProvider, MemoryEpochStore,
};
use tokio::sync::Semaphore;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Cheap to clone; all clones are one service.
#[derive(Debug, Clone)]
pub(crate) struct Service(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    primary: Kek,
    keys: Mutex<HashMap<KekId, Option<Kek>>>,
    calls: Mutex<HashMap<&'static str, u64>>,
    down: Mutex<Option<ErrorKind>>,
    makes_none: AtomicBool,
    /// What a call must pass; none waits while it is open.
    gate: Semaphore,
    gated: AtomicBool,
    waiting: AtomicUsize,
    destroys: Mutex<Destruction>,
    garbles: AtomicBool,
    disabled: Mutex<HashSet<KekId>>,
    pace: Mutex<Pace>,
}

/// How the service answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    AtOnce,
    /// Late, but it does.
    After(Duration),
    /// Not at all: its client gives up.
    NotWithin(Duration),
}

impl Service {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inside {
            primary: Kek::generate().unwrap(),
            keys: Mutex::default(),
            calls: Mutex::default(),
            down: Mutex::default(),
            makes_none: AtomicBool::new(false),
            gate: Semaphore::new(0),
            gated: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            destroys: Mutex::new(Destruction::Confirmed),
            garbles: AtomicBool::new(false),
            disabled: Mutex::default(),
            pace: Mutex::new(Pace::AtOnce),
        }))
    }

    pub(crate) fn calls(&self, of: &str) -> u64 {
        self.0.calls.lock().unwrap().get(of).copied().unwrap_or(0)
    }

    pub(crate) fn all_calls(&self) -> u64 {
        self.0.calls.lock().unwrap().values().sum()
    }

    /// From now on every call fails so, or none does.
    pub(crate) fn fails(&self, with: Option<ErrorKind>) {
        *self.0.down.lock().unwrap() = with;
    }

    /// From now on it makes no keys, or makes them again.
    pub(crate) fn makes_none(&self, none: bool) {
        self.0.makes_none.store(none, Ordering::SeqCst);
    }

    /// From now on every call waits until it is let through.
    pub(crate) fn hold(&self) {
        self.0.gate.forget_permits(usize::MAX);
        self.0.gated.store(true, Ordering::SeqCst);
    }

    pub(crate) fn let_through(&self) {
        self.0.gated.store(false, Ordering::SeqCst);
        self.0.gate.add_permits(Semaphore::MAX_PERMITS >> 1);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn destroys_with(&self, answer: Destruction) {
        *self.0.destroys.lock().unwrap() = answer;
    }

    pub(crate) fn garbles_wraps(&self) {
        self.0.garbles.store(true, Ordering::SeqCst);
    }

    /// What this key wrapped does not open for now, or opens again.
    pub(crate) fn disables(&self, key: &KekId, disabled: bool) {
        let mut keys = self.0.disabled.lock().unwrap();
        let _ = if disabled { keys.insert(*key) } else { keys.remove(key) };
    }

    pub(crate) fn answers(&self, pace: Pace) {
        *self.0.pace.lock().unwrap() = pace;
    }

    /// Every key but the primary one is gone, as if an operator had destroyed it.
    pub(crate) fn destroys_all(&self) {
        self.0.keys.lock().unwrap().values_mut().for_each(|key| *key = None);
    }

    pub(crate) fn destroyed(&self) -> usize {
        self.0.keys.lock().unwrap().values().filter(|key| key.is_none()).count()
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.keys.lock().unwrap().values().filter(|key| key.is_some()).count()
    }

    fn unwrap(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        if request.kek() == self.0.primary.id() {
            return Ok(request.unwrap_with(&self.0.primary)?);
        }
        match self.0.keys.lock().unwrap().get(request.kek()) {
            Some(Some(_)) if self.0.disabled.lock().unwrap().contains(request.kek()) => {
                Err(ErrorKind::KeyDisabled.into())
            }
            Some(Some(kek)) => Ok(request.unwrap_with(kek)?),
            Some(None) => Err(ErrorKind::KeyDestroyed.into()),
            None => Err(ErrorKind::KeysWrong.into()),
        }
    }

    async fn call(&self, what: &'static str) -> Result<(), Error> {
        *self.0.calls.lock().unwrap().entry(what).or_default() += 1;
        if self.0.gated.load(Ordering::SeqCst) {
            self.0.waiting.fetch_add(1, Ordering::SeqCst);
            let _leaves = Leaves(&self.0.waiting);
            self.0.gate.acquire().await.unwrap().forget();
        }
        let pace = *self.0.pace.lock().unwrap();
        match pace {
            Pace::AtOnce => tokio::task::yield_now().await,
            Pace::After(time) => tokio::time::sleep(time).await,
            Pace::NotWithin(time) => {
                tokio::time::sleep(time).await;
                return Err(ErrorKind::KeysUnavailable.into());
            }
        }
        if what == "make" && self.0.makes_none.load(Ordering::SeqCst) {
            return Err(ErrorKind::KeysUnavailable.into());
        }
        match *self.0.down.lock().unwrap() {
            Some(kind) => Err(kind.into()),
            None => Ok(()),
        }
    }
}

struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl KeyProvider for Service {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.call("wrap").await?;
        Ok(request.wrap_with(&self.0.primary))
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        self.call("unwrap").await?;
        self.unwrap(request)
    }

    async fn wrap_deks(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
        match self.call("wrap-batch").await {
            Ok(()) => requests.iter().map(|request| Ok(request.wrap_with(&self.0.primary))).collect(),
            Err(error) => requests.iter().map(|_| Err(error.kind().into())).collect(),
        }
    }

    async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        match self.call("unwrap-batch").await {
            Ok(()) => requests.iter().map(|request| self.unwrap(request)).collect(),
            Err(error) => requests.iter().map(|_| Err(error.kind().into())).collect(),
        }
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.call("list").await?;
        let mut keks = vec![KekStatus::new(*self.0.primary.id(), KekState::Primary)];
        let state = |kek: &Option<Kek>| if kek.is_some() { KekState::OpenOnly } else { KekState::Destroyed };
        keks.extend(self.0.keys.lock().unwrap().iter().map(|(id, kek)| KekStatus::new(*id, state(kek))));
        Ok(keks)
    }
}

#[async_trait]
impl DestroyableKeys for Service {
    async fn make_key(&self) -> Result<KekId, Error> {
        self.call("make").await?;
        let kek = Kek::generate()?;
        let id = *kek.id();
        self.0.keys.lock().unwrap().insert(id, Some(kek));
        Ok(id)
    }

    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.call("wrap-under").await?;
        if self.0.garbles.load(Ordering::SeqCst) {
            return Ok(WrappedDek::from_service(*key, vec![7; 152])?);
        }
        match self.0.keys.lock().unwrap().get(key) {
            Some(Some(kek)) => Ok(request.wrap_with(kek)),
            Some(None) => Err(ErrorKind::KeyDestroyed.into()),
            None => Err(ErrorKind::KeysWrong.into()),
        }
    }

    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
        self.call("destroy").await?;
        let answer = *self.0.destroys.lock().unwrap();
        if !matches!(answer, Destruction::Scheduled(_)) {
            self.0.keys.lock().unwrap().insert(*key, None);
        }
        Ok(answer)
    }
}

/// A clock that a test moves on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl EpochClock for Hands {
    fn now(&self) -> EpochTime {
        let millis = self.0.load(Ordering::SeqCst);
        let unix_millis = 1_795_315_548_123 + i64::try_from(millis).unwrap();
        EpochTime { steady: Duration::from_millis(millis), unix_millis }
    }
}

/// Counts what it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<EpochEvent>>>);

impl EpochObserver for Told {
    fn event(&self, event: &EpochEvent) {
        self.0.lock().unwrap().push(*event);
    }
}

impl Told {
    pub(crate) fn count(&self, of: impl Fn(&EpochEvent) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| of(event)).count()
    }
}

/// One application: a service, a store, a clock, and as many instances as a test makes.
pub(crate) struct Home {
    pub(crate) service: Service,
    pub(crate) store: Arc<MemoryEpochStore>,
    pub(crate) clock: Hands,
    pub(crate) told: Told,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            service: Service::new(),
            store: Arc::default(),
            clock: Hands::default(),
            told: Told::default(),
        }
    }

    pub(crate) fn options(&self) -> EpochOptions {
        EpochKeys::options().clock(self.clock.clone()).observer(self.told.clone())
    }

    pub(crate) fn instance(&self) -> EpochKeys {
        self.with(self.options())
    }

    pub(crate) fn with(&self, options: EpochOptions) -> EpochKeys {
        options.build(self.service.clone(), Arc::clone(&self.store)).unwrap()
    }
}

pub(crate) fn token_context(connection: &str) -> EncryptionContext {
    EncryptionContext::for_token(&TokenFacts {
        vault: VaultId::from_bytes([1; 16]),
        connection: ConnectionId::new("customer-17", connection).unwrap(),
        incarnation: Incarnation::from_bytes([2; 16]),
        provider: "apify".parse().unwrap(),
        origin: Origin::parse("https://api.apify.com").unwrap(),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    })
}

pub(crate) fn vault_key_context() -> EncryptionContext {
    EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::RecordMac)
}

pub(crate) async fn seal_for(keys: &dyn KeyProvider, context: &EncryptionContext) -> Result<Envelope, Error> {
    let draft = SealDraft::new(context)?;
    let wrapped = keys.wrap_dek(&draft.wrap_request()).await?;
    Ok(draft.finish(b"an-example-token", &wrapped)?)
}

pub(crate) async fn open_for(
    keys: &dyn KeyProvider,
    envelope: &Envelope,
    context: &EncryptionContext,
) -> Result<(), Error> {
    let dek = keys.unwrap_dek(&envelope.unwrap_request(context)).await?;
    assert_eq!(&**open_payload(envelope, &dek, context)?, b"an-example-token");
    Ok(())
}

pub(crate) async fn seal(keys: &dyn KeyProvider) -> Result<Envelope, Error> {
    seal_for(keys, &token_context("apify")).await
}

pub(crate) async fn open(keys: &dyn KeyProvider, envelope: &Envelope) -> Result<(), Error> {
    open_for(keys, envelope, &token_context("apify")).await
}

/// Lets the tasks run that renew beside the calls.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[track_caller]
pub(crate) fn fails_with<T>(result: Result<T, Error>, kind: ErrorKind) -> Error {
    match result {
        Ok(_) => panic!("it worked, where it must be {kind:?}"),
        Err(error) if error.kind() == kind => error,
        Err(error) => panic!("must be {kind:?}: {}", error.report()),
    }
}
