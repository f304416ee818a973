//! Epochs are a key provider like any other: the published suites pass over a key service and over a keyring.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokenkeep_core::{Envelope, ErrorKind, KekId};
use tokenkeep_keys::conformance::{Circumstance, Rig, run_all, run_states};
use tokenkeep_keys::{
    DestroyableKeys, End, EpochKeys, EpochStore, KeyProvider, LocalKeyring, MemoryEpochStore, RetirableKeys,
};

use crate::service::{Home, MINUTE, Pace, SECOND, Service};

const MAX_AGE: Duration = Duration::from_secs(600);

/// How an epoch comes to its end.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// By all its states.
    InOrder,
    /// The provider destroys the epoch's own key, and nobody tells the instances.
    BehindItsBack,
}

struct EpochRig {
    home: Home,
    /// What the epochs' own keys are with, and the service behind it, if there is one.
    base: Arc<dyn DestroyableKeys>,
    service: Option<Service>,
    keys: EpochKeys,
    folder: TempDir,
    ends: Ends,
    /// Whether trouble lasts until nothing is held any more.
    outlasts: bool,
}

impl EpochRig {
    fn over_service(ends: Ends, outlasts: bool) -> Self {
        let home = Home::new();
        let service = home.service.clone();
        Self::over(
            home,
            Arc::new(service.clone()),
            Some(service),
            tempfile::tempdir().unwrap(),
            ends,
            outlasts,
        )
    }

    fn over_keyring(ends: Ends) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keyring = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        Self::over(Home::new(), Arc::new(keyring), None, folder, ends, true)
    }

    fn over(
        home: Home,
        base: Arc<dyn DestroyableKeys>,
        service: Option<Service>,
        folder: TempDir,
        ends: Ends,
        outlasts: bool,
    ) -> Self {
        let keys = home.options().max_age(MAX_AGE).build(Arc::clone(&base), Arc::clone(&home.store)).unwrap();
        Self { home, base, service, keys, folder, ends, outlasts }
    }

    /// The provider's key that was made for this epoch alone.
    async fn own_key(&self, epoch: &KekId) -> KekId {
        let rows = self.home.store.epochs().await.unwrap();
        let row = rows.into_iter().find(|row| row.id == *epoch).expect("an epoch of ours");
        *Envelope::decode(row.sealed).unwrap().kek()
    }

    async fn destroy(&self, epoch: &KekId) {
        if self.ends == Ends::BehindItsBack {
            self.base.destroy_key(&self.own_key(epoch).await).await.unwrap();
            self.home.clock.pass(MAX_AGE);
            return;
        }
        self.keys.make_open_only(epoch).await.unwrap();
        self.home.clock.pass(MAX_AGE);
        self.keys.mark_drained(epoch).await.unwrap();
        assert!(matches!(self.keys.destroy_kek(epoch).await, Ok(End::Settling(_))));
        self.home.clock.pass(MAX_AGE);
        assert!(matches!(self.keys.destroy_kek(epoch).await, Ok(End::Destroyed(_))));
    }

    /// Disabling and trouble are noticed once the maximum age is over.
    fn trouble(&self, kind: Option<ErrorKind>, pace: Pace) -> bool {
        let Some(service) = &self.service else { return false };
        service.fails(kind);
        service.answers(pace);
        if self.outlasts {
            self.home.clock.pass(MAX_AGE);
        }
        true
    }
}

#[async_trait]
impl Rig for EpochRig {
    fn provider(&self) -> &dyn KeyProvider {
        &self.keys
    }

    async fn other_keys(&self) -> Option<Box<dyn KeyProvider>> {
        let other: Arc<dyn DestroyableKeys> = match &self.service {
            Some(_) => Arc::new(Service::new()),
            None => Arc::new(LocalKeyring::create(self.folder.path().join("other/keyring")).unwrap()),
        };
        Some(Box::new(self.home.options().build(other, MemoryEpochStore::new()).unwrap()))
    }

    async fn bring_about(&self, what: Circumstance) -> bool {
        let down = Some(ErrorKind::KeysUnavailable);
        match what {
            Circumstance::Rotated => self.keys.rotate().await.is_ok(),
            Circumstance::Disabled(epoch) => {
                let Some(service) = &self.service else { return false };
                service.disables(&self.own_key(&epoch).await, true);
                self.home.clock.pass(MAX_AGE);
                true
            }
            Circumstance::Enabled(epoch) => {
                let Some(service) = &self.service else { return false };
                service.disables(&self.own_key(&epoch).await, false);
                // So long does the last refusal stand for the next ones.
                self.home.clock.pass(SECOND);
                true
            }
            Circumstance::Destroyed(epoch) => {
                self.destroy(&epoch).await;
                true
            }
            Circumstance::Forbidden => self.trouble(Some(ErrorKind::KeysForbidden), Pace::AtOnce),
            Circumstance::Silent => self.trouble(None, Pace::NotWithin(Duration::from_millis(20))),
            // What is on the wire is the provider's below: it has one kind for all of these.
            Circumstance::Unreachable | Circumstance::Throttled | Circumstance::Garbage => {
                self.trouble(down, Pace::AtOnce)
            }
            Circumstance::Slow => self.trouble(None, Pace::After(Duration::from_millis(20))),
            Circumstance::Well => {
                let Some(service) = &self.service else { return false };
                service.fails(None);
                service.answers(Pace::AtOnce);
                self.home.clock.pass(SECOND);
                true
            }
            _ => false,
        }
    }

    /// The list has the provider's own KEKs, too.
    async fn takes_turns(&self, kek: &KekId) -> bool {
        self.home.store.epochs().await.unwrap().iter().any(|row| row.id == *kek)
    }

    fn works_on_its_own(&self) -> bool {
        !self.outlasts
    }
}

#[tokio::test]
async fn over_a_service_every_rule_is_checked_and_passes() {
    for (ends, outlasts) in [(Ends::InOrder, true), (Ends::BehindItsBack, true), (Ends::InOrder, false)] {
        let rig = EpochRig::over_service(ends, outlasts);
        run_all(&rig.keys).await;
        assert_eq!(run_states(&rig).await.names(), [""; 0], "left out");
        run_all(&rig.keys).await;
    }
}

#[tokio::test]
async fn over_a_keyring_every_rule_passes_that_it_has_the_means_for() {
    for ends in [Ends::InOrder, Ends::BehindItsBack] {
        let rig = EpochRig::over_keyring(ends);
        run_all(&rig.keys).await;
        // A file disables no key, and there is no service that could refuse or be away.
        assert_eq!(
            run_states(&rig).await.to_string(),
            "left out: disabled key, permission denied, time-out, unreachable, throttling, garbage, slow answer"
        );
        run_all(&rig.keys).await;
    }
}

/// The pointers forward what epochs have of their own: one call for a batch, and a refresh.
#[tokio::test]
async fn pointers_to_epochs_pass() {
    let home = Home::new();
    let shared: Arc<dyn KeyProvider> = Arc::new(home.instance());
    run_all(&shared).await;
    home.clock.pass(MINUTE);
    shared.refresh().await.unwrap();
}
