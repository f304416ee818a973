//! A key service in memory, real in its cryptography, whose keys are destroyed one by one; slow or out of order as it is told.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep::{Error, ErrorKind, KekId, KeyProvider};
use tokenkeep_core::{Dek, Kek, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_keys::{DestroyableKeys, Destruction, EpochClock, EpochTime, KekState, KekStatus};

use super::TestClock;

/// Cheap to clone; all clones are one service.
#[derive(Debug, Clone)]
pub(crate) struct Service(Arc<(Kek, Keys)>, Arc<Behaviour>);

#[derive(Debug, Default)]
struct Behaviour {
    calls: AtomicU64,
    fails: Mutex<Option<ErrorKind>>,
    hangs: AtomicBool,
    /// A call moves this clock by so much.
    takes: Option<(Arc<TestClock>, Duration)>,
}

/// A key that was destroyed is `None`.
type Keys = Mutex<HashMap<KekId, Option<Kek>>>;

impl Service {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Kek::generate().unwrap(), Mutex::default())), Arc::default())
    }

    /// Each of its calls takes so long.
    pub(crate) fn slow(clock: &Arc<TestClock>, call: Duration) -> Self {
        let behaviour = Behaviour { takes: Some((Arc::clone(clock), call)), ..Behaviour::default() };
        Self(Self::new().0, Arc::new(behaviour))
    }

    pub(crate) fn calls(&self) -> u64 {
        self.1.calls.load(Ordering::SeqCst)
    }

    /// From now on no call is answered.
    pub(crate) fn hangs(&self) {
        self.1.hangs.store(true, Ordering::SeqCst);
    }

    /// From now on every call fails so, or none does.
    pub(crate) fn fails(&self, with: Option<ErrorKind>) {
        *self.1.fails.lock().unwrap() = with;
    }

    async fn call(&self) -> Result<(), Error> {
        self.1.calls.fetch_add(1, Ordering::SeqCst);
        if self.1.hangs.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        if let Some((clock, time)) = &self.1.takes {
            clock.advance(i64::try_from(time.as_millis()).unwrap());
        }
        self.1.fails.lock().unwrap().map_or(Ok(()), |kind| Err(kind.into()))
    }
}

#[async_trait]
impl KeyProvider for Service {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.call().await?;
        Ok(request.wrap_with(&self.0.0))
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        self.call().await?;
        if request.kek() == self.0.0.id() {
            return Ok(request.unwrap_with(&self.0.0)?);
        }
        match self.0.1.lock().unwrap().get(request.kek()) {
            Some(Some(kek)) => Ok(request.unwrap_with(kek)?),
            Some(None) => Err(ErrorKind::KeyDestroyed.into()),
            None => Err(ErrorKind::KeysWrong.into()),
        }
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.call().await?;
        let mut keks = vec![KekStatus::new(*self.0.0.id(), KekState::Primary)];
        keks.extend(self.0.1.lock().unwrap().keys().map(|id| KekStatus::new(*id, KekState::OpenOnly)));
        Ok(keks)
    }
}

#[async_trait]
impl DestroyableKeys for Service {
    async fn make_key(&self) -> Result<KekId, Error> {
        self.call().await?;
        let kek = Kek::generate()?;
        let id = *kek.id();
        self.0.1.lock().unwrap().insert(id, Some(kek));
        Ok(id)
    }

    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.call().await?;
        match self.0.1.lock().unwrap().get(key) {
            Some(Some(kek)) => Ok(request.wrap_with(kek)),
            _ => Err(ErrorKind::KeyDestroyed.into()),
        }
    }

    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
        self.call().await?;
        self.0.1.lock().unwrap().insert(*key, None);
        Ok(Destruction::Confirmed)
    }
}

impl EpochClock for TestClock {
    fn now(&self) -> EpochTime {
        let unix_millis = tokenkeep::Clock::now(self).as_millis();
        EpochTime { steady: Duration::from_millis(unix_millis.unsigned_abs()), unix_millis }
    }
}
