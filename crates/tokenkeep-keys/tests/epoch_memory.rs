//! The suite of epoch stores passes on the reference in memory, behind pointers too, and names what a broken store breaks.

use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochState, EpochStore, MemoryEpochStore, epoch_conformance};

#[tokio::test]
async fn the_reference_passes() {
    epoch_conformance::run_all(&MemoryEpochStore::new()).await;
    let shared: Arc<dyn EpochStore> = Arc::new(MemoryEpochStore::new());
    epoch_conformance::run_all(&shared).await;
    let boxed: Box<dyn EpochStore> = Box::new(shared);
    epoch_conformance::run_all(&boxed).await;
}

#[test]
fn states_have_an_order_and_names() {
    let mut state = EpochState::Active;
    let mut seen = vec![state];
    while let Some(next) = state.next() {
        state = next;
        seen.push(state);
    }
    assert_eq!(seen, EpochState::ALL);
    for state in EpochState::ALL {
        assert_eq!(EpochState::from_name(state.name()), Some(state));
    }
    assert_eq!(EpochState::from_name("Active"), None);
}

#[tokio::test]
async fn each_flaw_is_named() {
    for (flaw, rule) in [
        (Flaw::ForgetsReserved, "keeps what it is given"),
        (Flaw::Overwrites, "id taken once"),
        (Flaw::TakesASecondActive, "one active epoch"),
        (Flaw::RetiresFirst, "one active epoch"),
        (Flaw::UpdatesBlindly, "succession"),
        (Flaw::RemovesAnyState, "removal"),
    ] {
        let store = Broken { flaw, epochs: Default::default() };
        let panic = tokio::spawn(async move { epoch_conformance::run_all(&store).await }).await;
        let message = panic.expect_err("the suite passed").into_panic().downcast::<String>().unwrap();
        assert_eq!(message.split(':').next(), Some(rule), "{flaw:?}: {message}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    ForgetsReserved,
    Overwrites,
    TakesASecondActive,
    RetiresFirst,
    UpdatesBlindly,
    RemovesAnyState,
}

/// The reference once more, with one flaw.
#[derive(Debug)]
struct Broken {
    flaw: Flaw,
    epochs: std::sync::Mutex<Vec<EpochRecord>>,
}

fn conflict() -> Error {
    tokenkeep_core::ErrorKind::Conflict.into()
}

#[async_trait]
impl EpochStore for Broken {
    async fn epochs(&self) -> Result<Vec<EpochRecord>, Error> {
        Ok(self.epochs.lock().unwrap().clone())
    }

    async fn insert_epoch(&self, epoch: &EpochRecord, retires: Option<&EpochRecord>) -> Result<(), Error> {
        if let (Some(retires), true) = (retires, self.flaw == Flaw::RetiresFirst) {
            self.update_epoch(retires).await?;
        }
        let mut epochs = self.epochs.lock().unwrap();
        let taken = epochs.iter().position(|held| held.id == epoch.id);
        if let Some(at) = taken {
            if self.flaw != Flaw::Overwrites {
                return Err(conflict());
            }
            epochs[at] = epoch.clone();
            return Ok(());
        }
        let place = match retires {
            None => None,
            Some(_) if self.flaw == Flaw::RetiresFirst => None,
            Some(retires) => {
                let fits = |held: &EpochRecord| {
                    retires.follows(held) || self.flaw == Flaw::UpdatesBlindly && held.id == retires.id
                };
                Some((epochs.iter().position(fits).ok_or_else(conflict)?, retires))
            }
        };
        let active = |epoch: &EpochRecord| epoch.state == EpochState::Active;
        let others = epochs.iter().any(|held| active(held) && retires.is_none_or(|old| old.id != held.id));
        let second = active(epoch) && (others || retires.is_some_and(active));
        if second && self.flaw != Flaw::TakesASecondActive {
            return Err(conflict());
        }
        if let Some((at, retires)) = place {
            epochs[at] = retires.clone();
        }
        let wraps_reserved = if self.flaw == Flaw::ForgetsReserved { 0 } else { epoch.wraps_reserved };
        epochs.push(EpochRecord { wraps_reserved, ..epoch.clone() });
        Ok(())
    }

    async fn update_epoch(&self, epoch: &EpochRecord) -> Result<(), Error> {
        let mut epochs = self.epochs.lock().unwrap();
        let at = epochs.iter().position(|held| epoch.follows(held)).ok_or_else(conflict)?;
        epochs[at] = epoch.clone();
        Ok(())
    }

    async fn remove_epoch(&self, id: &KekId, expected: Revision) -> Result<(), Error> {
        let mut epochs = self.epochs.lock().unwrap();
        let fits = |held: &EpochRecord| {
            held.id == *id
                && held.revision == expected
                && (held.state == EpochState::Destroying || self.flaw == Flaw::RemovesAnyState)
        };
        let at = epochs.iter().position(fits).ok_or_else(conflict)?;
        epochs.remove(at);
        Ok(())
    }
}
