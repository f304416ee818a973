//! Each line of the contract of `EpochStore`, on the reference in memory.

use tokenkeep_core::{Error, ErrorKind, KekId, Revision};
use tokenkeep_keys::{EpochRecord, EpochState, EpochStore, MemoryEpochStore};

fn epoch(state: EpochState) -> EpochRecord {
    EpochRecord {
        id: KekId::random().unwrap(),
        state,
        revision: Revision::FIRST,
        sealed: vec![1, 2, 3],
        created_at: 1,
        state_since: 1,
    }
}

#[track_caller]
fn conflicts(result: Result<(), Error>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let store = MemoryEpochStore::new();
    let mut first = epoch(EpochState::OpenOnly);
    store.insert_epoch(&first).await.unwrap();
    let kept = first.clone();
    first.sealed = vec![9];
    conflicts(store.insert_epoch(&first).await);
    assert_eq!(store.epochs().await.unwrap(), [kept]);
}

#[tokio::test]
async fn one_epoch_is_active() {
    let store = MemoryEpochStore::new();
    let mut first = epoch(EpochState::Active);
    let second = epoch(EpochState::Active);
    store.insert_epoch(&first).await.unwrap();
    conflicts(store.insert_epoch(&second).await);
    store.insert_epoch(&epoch(EpochState::OpenOnly)).await.unwrap();

    first.state = EpochState::OpenOnly;
    first.revision = first.revision.next();
    store.update_epoch(&first, Revision::FIRST).await.unwrap();
    store.insert_epoch(&second).await.unwrap();
    let ids: Vec<_> = store.epochs().await.unwrap().iter().map(|epoch| epoch.id).collect();
    assert!(ids.len() == 3 && ids.contains(&first.id) && ids.contains(&second.id));
}

#[tokio::test]
async fn of_two_updates_one_wins() {
    let store = MemoryEpochStore::new();
    let first = epoch(EpochState::Active);
    store.insert_epoch(&first).await.unwrap();
    let winner =
        EpochRecord { state: EpochState::OpenOnly, revision: Revision::FIRST.next(), ..first.clone() };
    let loser = EpochRecord { sealed: vec![9], ..winner.clone() };
    store.update_epoch(&winner, Revision::FIRST).await.unwrap();
    conflicts(store.update_epoch(&loser, Revision::FIRST).await);
    conflicts(store.update_epoch(&epoch(EpochState::OpenOnly), Revision::FIRST).await);
    assert_eq!(store.epochs().await.unwrap(), [winner]);
}

#[tokio::test]
async fn revision_and_state_only_advance() {
    let store = MemoryEpochStore::new();
    let first = epoch(EpochState::Drained);
    store.insert_epoch(&first).await.unwrap();
    let next = first.revision.next();
    let back = EpochRecord { state: EpochState::OpenOnly, revision: next, ..first.clone() };
    conflicts(store.update_epoch(&back, first.revision).await);
    for revision in [first.revision, next.next()] {
        let other = EpochRecord { state: EpochState::Destroying, revision, ..first.clone() };
        conflicts(store.update_epoch(&other, first.revision).await);
    }
    assert_eq!(store.epochs().await.unwrap(), [first]);
}

#[tokio::test]
async fn removal_compares_too() {
    let store = MemoryEpochStore::new();
    let (gone, stays) = (epoch(EpochState::Destroying), epoch(EpochState::Drained));
    store.insert_epoch(&gone).await.unwrap();
    store.insert_epoch(&stays).await.unwrap();
    conflicts(store.remove_epoch(&gone.id, Revision::FIRST.next()).await);
    assert_eq!(store.epochs().await.unwrap().len(), 2);
    store.remove_epoch(&gone.id, Revision::FIRST).await.unwrap();
    conflicts(store.remove_epoch(&gone.id, Revision::FIRST).await);
    assert_eq!(store.epochs().await.unwrap(), [stays]);
}
