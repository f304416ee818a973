//! The rules on states and troubles: the local keyring passes those it has the means for, and each flaw is named.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, ErrorKind, Kek, KekId, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_keys::conformance::{Circumstance, Rig, run_states};
use tokenkeep_keys::{KekState, KekStatus, KeyProvider, LocalKeyring};

struct LocalRig {
    folder: tempfile::TempDir,
    keyring: LocalKeyring,
}

#[async_trait]
impl Rig for LocalRig {
    fn provider(&self) -> &dyn KeyProvider {
        &self.keyring
    }

    async fn other_keys(&self) -> Option<Box<dyn KeyProvider>> {
        Some(Box::new(LocalKeyring::create(self.folder.path().join("other/keyring")).unwrap()))
    }

    async fn bring_about(&self, what: Circumstance) -> bool {
        match what {
            Circumstance::Rotated => self.keyring.rotate().is_ok(),
            Circumstance::Destroyed(id) => self.keyring.destroy(&id).is_ok(),
            _ => false,
        }
    }
}

#[tokio::test]
async fn the_local_keyring_passes_where_it_has_the_means() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let left_out = run_states(&LocalRig { folder, keyring }).await;
    // A file has no service that could refuse or be away.
    assert_eq!(
        left_out.to_string(),
        "left out: disabled key, permission denied, time-out, unreachable, throttling, garbage, slow answer"
    );
}

#[tokio::test]
async fn a_good_provider_passes_whole() {
    assert_eq!(run_states(&Model::new(None)).await.names(), [""; 0]);
}

#[tokio::test]
async fn each_flaw_is_named() {
    for (flaw, rule) in [
        (Flaw::OpensForAnyone, "wrong key"),
        (Flaw::ForgetsOldVersions, "old version"),
        (Flaw::GoesOnWithTheOldVersion, "old version"),
        (Flaw::IgnoresDisabling, "disabled key"),
        (Flaw::CallsDisabledDestroyed, "disabled key"),
        (Flaw::SpoilsTheBatch, "disabled key"),
        (Flaw::IgnoresDestruction, "destroyed key"),
        (Flaw::ListsTheDestroyed, "destroyed key"),
        (Flaw::CallsAnythingAnOutage, "permission denied"),
        (Flaw::TakesItsTime, "permission denied"),
        (Flaw::BelievesGarbage, "garbage"),
        (Flaw::StaysDown, "permission denied"),
        (Flaw::GivesUpOnSlowness, "slow answer"),
    ] {
        let run = tokio::spawn(async move { run_states(&Model::new(Some(flaw))).await });
        let panic = run.await.expect_err("the suite passed").into_panic();
        let message = panic.downcast::<String>().unwrap();
        assert_eq!(message.split(':').next(), Some(rule), "{flaw:?}: {message}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    OpensForAnyone,
    ForgetsOldVersions,
    GoesOnWithTheOldVersion,
    IgnoresDisabling,
    CallsDisabledDestroyed,
    SpoilsTheBatch,
    IgnoresDestruction,
    ListsTheDestroyed,
    CallsAnythingAnOutage,
    TakesItsTime,
    BelievesGarbage,
    StaysDown,
    GivesUpOnSlowness,
}

/// A provider in memory that is its own key service.
#[derive(Debug)]
struct Model {
    flaw: Option<Flaw>,
    keks: Mutex<Vec<(Kek, Life)>>,
    now: Mutex<Circumstance>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Life {
    Enabled,
    Disabled,
    Destroyed,
}

impl Model {
    fn new(flaw: Option<Flaw>) -> Self {
        let keks = Mutex::new(vec![(Kek::generate().unwrap(), Life::Enabled)]);
        Self { flaw, keks, now: Mutex::new(Circumstance::Well) }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn trouble(&self) -> Result<(), Error> {
        let kind = match *self.now.lock().unwrap() {
            Circumstance::Well => return Ok(()),
            Circumstance::Slow if self.has(Flaw::GivesUpOnSlowness) => ErrorKind::KeysUnavailable,
            Circumstance::Slow => return Ok(()),
            Circumstance::Forbidden if self.has(Flaw::CallsAnythingAnOutage) => ErrorKind::KeysUnavailable,
            Circumstance::Forbidden => ErrorKind::KeysForbidden,
            _ => ErrorKind::KeysUnavailable,
        };
        if self.has(Flaw::TakesItsTime) {
            std::thread::sleep(Duration::from_millis(300));
        }
        Err(kind.into())
    }

    fn set(&self, id: KekId, life: Life) -> bool {
        let mut keks = self.keks.lock().unwrap();
        keks.iter_mut().find(|(kek, _)| *kek.id() == id).expect("it is a KEK of ours").1 = life;
        true
    }
}

#[async_trait]
impl KeyProvider for Model {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.trouble()?;
        let keks = self.keks.lock().unwrap();
        let primary = if self.has(Flaw::GoesOnWithTheOldVersion) { keks.first() } else { keks.last() };
        Ok(request.wrap_with(&primary.unwrap().0))
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        if self.has(Flaw::BelievesGarbage) && *self.now.lock().unwrap() == Circumstance::Garbage {
            return Ok(Dek::from_bytes(&[0; 32]));
        }
        self.trouble()?;
        let keks = self.keks.lock().unwrap();
        let Some((index, (kek, life))) =
            keks.iter().enumerate().find(|(_, (kek, _))| kek.id() == request.kek())
        else {
            return match self.has(Flaw::OpensForAnyone) {
                true => Ok(Dek::from_bytes(&[0; 32])),
                false => Err(ErrorKind::KeysWrong.into()),
            };
        };
        match life {
            _ if self.has(Flaw::ForgetsOldVersions) && index + 1 < keks.len() => {
                Err(ErrorKind::KeysWrong.into())
            }
            Life::Disabled if self.has(Flaw::CallsDisabledDestroyed) => Err(ErrorKind::KeyDestroyed.into()),
            Life::Disabled if !self.has(Flaw::IgnoresDisabling) => Err(ErrorKind::KeyDisabled.into()),
            Life::Destroyed if !self.has(Flaw::IgnoresDestruction) => Err(ErrorKind::KeyDestroyed.into()),
            _ => Ok(request.unwrap_with(kek)?),
        }
    }

    async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        let mut answers = Vec::new();
        for request in requests {
            answers.push(self.unwrap_dek(request).await);
        }
        let kind = answers.iter().find_map(|answer| Some(answer.as_ref().err()?.kind()));
        match kind {
            Some(kind) if self.has(Flaw::SpoilsTheBatch) => {
                requests.iter().map(|_| Err(kind.into())).collect()
            }
            _ => answers,
        }
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.trouble()?;
        let keks = self.keks.lock().unwrap();
        let state = |index: usize, life: Life| match life {
            _ if index + 1 == keks.len() => KekState::Primary,
            Life::Destroyed if !self.has(Flaw::ListsTheDestroyed) => KekState::Destroyed,
            _ => KekState::OpenOnly,
        };
        let status =
            |(index, (kek, life)): (usize, &(Kek, Life))| KekStatus::new(*kek.id(), state(index, *life));
        Ok(keks.iter().enumerate().map(status).collect())
    }
}

#[async_trait]
impl Rig for Model {
    fn provider(&self) -> &dyn KeyProvider {
        self
    }

    async fn other_keys(&self) -> Option<Box<dyn KeyProvider>> {
        Some(Box::new(Self::new(self.flaw)))
    }

    async fn bring_about(&self, what: Circumstance) -> bool {
        match what {
            Circumstance::Rotated => {
                self.keks.lock().unwrap().push((Kek::generate().unwrap(), Life::Enabled));
            }
            Circumstance::Disabled(id) => return self.set(id, Life::Disabled),
            Circumstance::Enabled(id) => return self.set(id, Life::Enabled),
            Circumstance::Destroyed(id) => return self.set(id, Life::Destroyed),
            Circumstance::Well if self.has(Flaw::StaysDown) => {}
            other => *self.now.lock().unwrap() = other,
        }
        true
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(250)
    }
}
