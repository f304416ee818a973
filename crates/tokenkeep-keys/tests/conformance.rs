//! The conformance suite passes on the providers of this crate, and names what a broken one breaks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokenkeep_core::{
    Dek, EncryptionContext, Error, ErrorKind, Kek, SealDraft, UnwrapRequest, VaultId, VaultKeyPurpose,
    WrapRequest, WrappedDek,
};
use tokenkeep_keys::{KekState, KekStatus, KeyProvider, LocalKeyring, conformance};

fn keyring(folder: &tempfile::TempDir) -> LocalKeyring {
    let keyring = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    keyring.rotate().unwrap();
    keyring
}

#[tokio::test]
async fn the_local_keyring_passes() {
    let folder = tempfile::tempdir().unwrap();
    conformance::run_all(&keyring(&folder)).await;
}

#[tokio::test]
async fn pointers_pass_and_forward_everything() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = keyring(&folder);
    let path = keyring.key_file().map(ToOwned::to_owned);
    assert!(path.is_some());
    let shared: Arc<dyn KeyProvider> = Arc::new(keyring.clone());
    conformance::run_all(&shared).await;
    assert_eq!(shared.key_file(), path.as_deref());
    let boxed: Box<dyn KeyProvider> = Box::new(shared);
    conformance::run_all(&boxed).await;
    assert_eq!(KeyProvider::key_file(&boxed), path.as_deref());
    // A default method in the way would turn the batch round again, or not at all.
    let reversed: Box<dyn KeyProvider> = Box::new(Arc::new(Broken::new(Flaw::ReversesWraps)));
    assert_eq!(broken_rule(reversed).await, "batch");
}

#[tokio::test]
async fn each_flaw_is_named() {
    for (flaw, rule) in [
        (Flaw::WrapsNothing, "round trip"),
        (Flaw::ListsTwoPrimaries, "one primary"),
        (Flaw::ListsTwice, "one primary"),
        (Flaw::WrapsUnderAnother, "one primary"),
        (Flaw::KeepsVaultKeysUnlisted, "one primary"),
        (Flaw::BindsTokensAlone, "context"),
        (Flaw::IgnoresContext, "context"),
        (Flaw::CachesByContextAlone, "altered bytes"),
        (Flaw::CallsTamperingAnOutage, "context"),
        (Flaw::TakesAnyKek, "unknown KEK"),
        (Flaw::CallsUnknownTampered, "unknown KEK"),
        (Flaw::ReversesWraps, "batch"),
        (Flaw::ReversesUnwraps, "batch"),
        (Flaw::SortsTheBatch, "batch"),
        (Flaw::DropsAnAnswer, "batch"),
        (Flaw::SpoilsTheBatch, "refusals in a batch"),
        (Flaw::SpoilsWhatComesAfter, "refusals in a batch"),
        (Flaw::DiesWhenDropped, "dropped call"),
    ] {
        assert_eq!(broken_rule(Box::new(Broken::new(flaw))).await, rule, "{flaw:?}");
    }
}

/// Runs the suite and gives the rule that its panic names.
async fn broken_rule(provider: Box<dyn KeyProvider>) -> String {
    let outcome = tokio::spawn(async move { conformance::run_all(&provider).await }).await;
    let panic = outcome.expect_err("the suite passed").into_panic();
    let message = panic.downcast::<String>().unwrap();
    message.split(':').next().unwrap().to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    WrapsNothing,
    ListsTwoPrimaries,
    ListsTwice,
    WrapsUnderAnother,
    KeepsVaultKeysUnlisted,
    BindsTokensAlone,
    IgnoresContext,
    CachesByContextAlone,
    CallsTamperingAnOutage,
    TakesAnyKek,
    CallsUnknownTampered,
    ReversesWraps,
    ReversesUnwraps,
    SortsTheBatch,
    DropsAnAnswer,
    SpoilsTheBatch,
    SpoilsWhatComesAfter,
    DiesWhenDropped,
}

/// A provider with KEKs in memory and one flaw.
#[derive(Debug)]
struct Broken {
    flaw: Flaw,
    primary: Kek,
    other: Kek,
    unlisted: Kek,
    cache: Mutex<HashMap<[u8; 32], [u8; 32]>>,
    busy: AtomicBool,
}

impl Broken {
    fn new(flaw: Flaw) -> Self {
        let [primary, other, unlisted] = [(); 3].map(|()| Kek::generate().unwrap());
        Self { flaw, primary, other, unlisted, cache: Mutex::default(), busy: AtomicBool::new(false) }
    }
}

fn one_context() -> EncryptionContext {
    EncryptionContext::for_vault_key(VaultId::from_bytes([0; 16]), VaultKeyPurpose::Fingerprint)
}

#[async_trait]
impl KeyProvider for Broken {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        let dek = request.dek();
        self.cache.lock().unwrap().insert(request.context_digest(self.primary.id()), *dek.expose_secret());
        Ok(match self.flaw {
            Flaw::WrapsNothing => WrappedDek::from_service(*self.primary.id(), dek.expose_secret().to_vec())?,
            Flaw::IgnoresContext => WrapRequest::for_rewrap(dek, &one_context())?.wrap_with(&self.primary),
            Flaw::WrapsUnderAnother => request.wrap_with(&self.other),
            Flaw::KeepsVaultKeysUnlisted if request.is_for_vault_key() => request.wrap_with(&self.unlisted),
            // One kind of context only is bound.
            Flaw::BindsTokensAlone if request.is_for_vault_key() => {
                WrapRequest::for_rewrap(dek, &one_context())?.wrap_with(&self.other)
            }
            _ => request.wrap_with(&self.primary),
        })
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        if self.flaw == Flaw::DiesWhenDropped {
            if self.busy.swap(true, Ordering::Relaxed) {
                return Err(ErrorKind::KeysUnavailable.into());
            }
            tokio::task::yield_now().await;
            self.busy.store(false, Ordering::Relaxed);
        }
        let keks = [&self.primary, &self.other, &self.unlisted];
        let Some(kek) = keks.into_iter().find(|kek| kek.id() == request.kek()) else {
            return match self.flaw {
                Flaw::TakesAnyKek => Ok(Dek::from_bytes(&[0; 32])),
                Flaw::CallsUnknownTampered => Err(ErrorKind::Tampered.into()),
                _ => Err(ErrorKind::KeysWrong.into()),
            };
        };
        match self.flaw {
            Flaw::BindsTokensAlone if kek.id() == self.primary.id() => Ok(request.unwrap_with(kek)?),
            Flaw::IgnoresContext | Flaw::BindsTokensAlone => {
                let wrapped = WrappedDek::from_service(*kek.id(), request.wrapped().to_vec())?;
                let context = one_context();
                let envelope = SealDraft::new(&context)?.finish(&[], &wrapped)?;
                Ok(envelope.unwrap_request(&context).unwrap_with(kek)?)
            }
            Flaw::CachesByContextAlone => match self.cache.lock().unwrap().get(&request.context_digest()) {
                Some(dek) => Ok(Dek::from_bytes(dek)),
                None => Ok(request.unwrap_with(kek)?),
            },
            Flaw::CallsTamperingAnOutage => {
                request.unwrap_with(kek).map_err(|_| ErrorKind::KeysUnavailable.into())
            }
            _ => Ok(request.unwrap_with(kek)?),
        }
    }

    async fn wrap_deks(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
        let mut answers = Vec::new();
        for request in requests {
            answers.push(self.wrap_dek(request).await);
        }
        match self.flaw {
            Flaw::ReversesWraps => answers.reverse(),
            // What was sent two ways is not put back in order.
            Flaw::SortsTheBatch => {
                let mut kinds = requests.iter().map(WrapRequest::is_for_vault_key);
                let (vault_keys, mut tokens): (Vec<_>, Vec<_>) =
                    answers.into_iter().partition(|_| kinds.next() == Some(true));
                tokens.extend(vault_keys);
                answers = tokens;
            }
            _ => {}
        }
        answers
    }

    async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        let mut answers = Vec::new();
        for request in requests {
            answers.push(self.unwrap_dek(request).await);
        }
        match self.flaw {
            Flaw::ReversesUnwraps => answers.reverse(),
            Flaw::DropsAnAnswer => {
                answers.pop();
            }
            Flaw::SpoilsTheBatch if answers.iter().any(Result::is_err) => {
                answers = answers.iter().map(|_| Err(ErrorKind::Tampered.into())).collect();
            }
            Flaw::SpoilsWhatComesAfter => {
                let good = answers.iter().take_while(|answer| answer.is_ok()).count();
                answers
                    .iter_mut()
                    .skip(good + 1)
                    .for_each(|answer| *answer = Err(ErrorKind::Tampered.into()));
            }
            _ => {}
        }
        answers
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        let primary = KekStatus::new(*self.primary.id(), KekState::Primary);
        Ok(match self.flaw {
            Flaw::ListsTwoPrimaries => vec![primary, KekStatus::new(*self.other.id(), KekState::Primary)],
            Flaw::ListsTwice => vec![primary.clone(), KekStatus::new(primary.id, KekState::OpenOnly)],
            _ => vec![primary, KekStatus::new(*self.other.id(), KekState::OpenOnly)],
        })
    }
}
