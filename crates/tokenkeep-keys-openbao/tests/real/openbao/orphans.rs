//! Keys that a crash left: found, told from those that are in use, and destroyed.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokenkeep_core::ErrorKind;
use tokenkeep_keys::{DestroyableKeys, Destruction, EpochKeys, EpochStore, MemoryEpochStore};

use crate::support::{Place, Sample, fails};

#[tokio::test]
async fn what_no_epoch_names_is_listed_and_nothing_else() {
    let place = Place::new();
    let (keys, operator) = (place.keys(), place.operator());
    let stores = [(); 2].map(|()| Arc::new(MemoryEpochStore::new()));
    let [one, other] = stores.each_ref().map(|store| &**store as &dyn EpochStore);
    assert_eq!(operator.orphans(&[one]).await.unwrap(), []);

    // Two applications, one with an epoch that only opens.
    let mut tokens = Vec::new();
    for store in &stores {
        let epochs = EpochKeys::new(keys.clone(), Arc::clone(store)).unwrap();
        for _ in 0..2 {
            let sample = Sample::of_a_token();
            tokens.push((sample.wrap(&epochs).await.unwrap(), sample, epochs.clone()));
            epochs.rotate().await.unwrap();
        }
    }
    assert_eq!(operator.orphans(&[one, other]).await.unwrap(), []);
    let left = keys.make_key().await.unwrap();
    let found = operator.orphans(&[one, other]).await.unwrap();
    assert_eq!(found.iter().map(|orphan| orphan.id).collect::<Vec<_>>(), [left]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(found[0].made_at) < 3600, "made at {}", found[0].made_at);
    assert_eq!(operator.orphans(&[one]).await.unwrap().len(), 4, "the other application's are listed too");

    assert_eq!(operator.destroy_key(&left).await.unwrap(), Destruction::Confirmed);
    assert_eq!(operator.orphans(&[one, other]).await.unwrap(), []);
    for (wrapped, sample, epochs) in &tokens {
        sample.unwrap(epochs, wrapped).await.unwrap();
    }
}

#[tokio::test]
async fn another_applications_store_makes_no_orphans() {
    let place = Place::new();
    let epochs = EpochKeys::new(place.keys(), MemoryEpochStore::new()).unwrap();
    Sample::of_a_token().wrap(&epochs).await.unwrap();
    let other: &dyn EpochStore = &MemoryEpochStore::new();
    fails(place.operator().orphans(&[other]).await, ErrorKind::Misuse, "Misuse");
    fails(place.operator().orphans(&[]).await, ErrorKind::Misuse, "Misuse");
}
