//! Work under epochs: an instance that holds them, and instances that just started.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokenkeep_core::{
    ConnectionId, EncryptionContext, Error, Incarnation, KekId, Origin, PayloadKind, SecretVersion,
    TokenFacts, VaultId,
};
use tokenkeep_keys::{EpochEvent, EpochKeys, EpochObserver, MemoryEpochStore, ProviderCall};
use tokenkeep_keys_openbao::OpenBaoKeys;

use crate::direct::Kept;
use crate::seen::Seen;

/// The service, and where the epochs are kept.
#[derive(Clone)]
pub(crate) struct Home {
    service: OpenBaoKeys,
    store: Arc<MemoryEpochStore>,
    /// Tokens, newest last; the newest epoch's among them.
    tokens: Arc<RwLock<Vec<Arc<Kept>>>>,
}

/// The calls of one instance that unwrapped an epoch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unwrapped(Arc<AtomicUsize>);

impl Unwrapped {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl EpochObserver for Unwrapped {
    fn event(&self, event: &EpochEvent) {
        if let EpochEvent::Called { call: ProviderCall::UnwrapEpoch, failed: None, .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Home {
    pub(crate) fn new(service: OpenBaoKeys) -> Self {
        Self { service, store: Arc::default(), tokens: Arc::default() }
    }

    /// A process that starts. It holds what it unwrapped for longer than this program runs.
    pub(crate) fn instance(&self) -> Result<(EpochKeys, Unwrapped), Error> {
        let unwrapped = Unwrapped::default();
        let options = EpochKeys::options().max_age(Duration::from_secs(60 * 60));
        let keys =
            options.observer(unwrapped.clone()).build(self.service.clone(), Arc::clone(&self.store))?;
        Ok((keys, unwrapped))
    }

    fn tokens(&self) -> Vec<Arc<Kept>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, token: Kept) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.push(Arc::new(token));
        let spare = tokens.len().saturating_sub(20);
        tokens.drain(..spare);
    }
}

/// Makes an epoch every second or so, each under a key of its own, and a token under it. While it can't, tokens go on under the former
/// one.
pub(crate) async fn seal(home: Home, seen: Arc<Seen>) -> Result<(), Error> {
    let (keys, _) = home.instance()?;
    while !seen.is_over() {
        match keys.rotate().await {
            Ok(_) => seen.new_epochs.done(0),
            Err(error) => seen.new_epochs.failed(&error),
        }
        if let Ok(token) = Kept::under(&keys, token_context()).await {
            home.keep(token);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Opens the tokens by an instance that lasts, and has asked the service for each epoch once, so that it must not fail. Gives how many
/// epochs it came to hold.
pub(crate) async fn open_held(
    number: usize,
    home: Home,
    keys: EpochKeys,
    seen: Arc<Seen>,
) -> Result<HashSet<KekId>, Error> {
    let mut held = HashSet::new();
    while !seen.is_over() {
        for token in home.tokens() {
            let kek = *token.envelope.kek();
            let work = if held.contains(&kek) { &seen.held } else { &seen.asking };
            match token.comes_back(&keys).await {
                Ok(false) => work.wrong(),
                Err(error) => work.failed(&error),
                Ok(true) if held.insert(kek) => {}
                Ok(true) => seen.held.done(number),
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(held)
}

/// Opens a token by an instance that has just started, again and again.
pub(crate) async fn open_cold(home: Home, seen: Arc<Seen>) -> Result<(), Error> {
    while !seen.is_over() {
        let (keys, unwrapped) = home.instance()?;
        if let Some(token) = home.tokens().last() {
            match token.comes_back(&keys).await {
                Ok(true) if unwrapped.count() == 1 => seen.asking.done(0),
                Ok(_) => seen.asking.wrong(),
                Err(error) => seen.asking.failed(&error),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn token_context() -> Result<EncryptionContext, Error> {
    Ok(EncryptionContext::for_token(&TokenFacts {
        vault: VaultId::random()?,
        connection: ConnectionId::new("customer-17", "apify")?,
        incarnation: Incarnation::random()?,
        provider: "apify".parse()?,
        origin: Origin::parse("https://api.apify.com")?,
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    }))
}
