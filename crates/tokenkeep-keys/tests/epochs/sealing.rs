//! Which epoch is sealed under: capped in wraps, bounded in age, made by one instance.

use std::collections::HashSet;
use std::sync::Arc;

use tokenkeep_core::{ErrorKind, KekId};
use tokenkeep_keys::{EpochEvent, EpochKeys, EpochState, EpochStore, MemoryEpochStore};

use crate::service::{DAY, Home, MINUTE, SECOND, fails_with, open, seal, settle};

async fn active(home: &Home) -> KekId {
    let rows = home.store.epochs().await.unwrap();
    let active: Vec<_> = rows.iter().filter(|row| row.state == EpochState::Active).collect();
    let [row] = active[..] else { panic!("{} active epochs", active.len()) };
    row.id
}

#[tokio::test]
async fn instances_that_start_at_once_share_one_epoch() {
    let home = Home::new();
    let instances: Vec<EpochKeys> = (0..8).map(|_| home.instance()).collect();
    let seals: Vec<_> = instances
        .iter()
        .map(|keys| {
            let keys = keys.clone();
            tokio::spawn(async move { *seal(&keys).await.unwrap().kek() })
        })
        .collect();
    let mut under = HashSet::new();
    for sealed in seals {
        under.insert(sealed.await.unwrap());
    }
    assert_eq!(under, HashSet::from([active(&home).await]));
    // Those that lost destroyed the keys that they had made: nothing is wrapped by them.
    assert_eq!((home.service.alive(), home.service.destroyed()), (1, 7));
}

#[tokio::test]
async fn ten_thousand_first_seals_make_one_epoch() {
    let home = Home::new();
    let keys = home.instance();
    let seals: Vec<_> = (0..10_000)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { seal(&keys).await.unwrap() })
        })
        .collect();
    for sealed in seals {
        sealed.await.unwrap();
    }
    // To make its key, to wrap it, and to see that it unwraps.
    assert_eq!((home.service.calls("make"), home.service.all_calls()), (1, 3));
}

/// The next epoch is there before the time of the last one is over, and nobody waited for it.
#[tokio::test]
async fn the_next_epoch_is_made_in_time() {
    let home = Home::new();
    let (one, other) = (home.instance(), home.instance());
    let first = seal(&one).await.unwrap();
    seal(&other).await.unwrap();
    let mut switched = None;
    for hour in 0..31 * 24 {
        home.clock.pass(MINUTE * 60);
        for keys in [&one, &other] {
            let kek = *seal(keys).await.unwrap().kek();
            settle().await;
            if kek != *first.kek() && switched.is_none() {
                switched = Some(hour);
            }
        }
    }
    let hour = switched.unwrap();
    assert!((27 * 24 - 1..28 * 24).contains(&hour), "the next epoch came after {hour} hours");
    let rows = home.store.epochs().await.unwrap();
    assert_eq!((rows.len(), home.service.alive()), (2, 2));
    open(&one, &first).await.unwrap();
    open(&other, &first).await.unwrap();
}

/// While the provider is down the old epoch goes on, to its end and no further.
#[tokio::test]
async fn an_epoch_is_never_sealed_under_past_its_time() {
    let home = Home::new();
    let keys = home.instance();
    let first = seal(&keys).await.unwrap();
    home.service.makes_none(true);
    home.clock.pass(DAY * 27);
    for _ in 0..3 * 24 - 1 {
        home.clock.pass(MINUTE * 60);
        assert_eq!(seal(&keys).await.unwrap().kek(), first.kek());
    }
    home.clock.pass(MINUTE * 60);
    fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
    open(&keys, &first).await.unwrap();
    home.service.makes_none(false);
    home.clock.pass(SECOND);
    assert_ne!(seal(&keys).await.unwrap().kek(), first.kek());
}

/// However many instances there are and however often they start, no epoch wraps more than its cap.
#[tokio::test]
async fn wraps_are_capped_over_all_instances() {
    let home = Home::new();
    let mut counted = std::collections::HashMap::<KekId, u64>::new();
    // Those that run on know less than those that start: what they set aside is decided by the record.
    let running: Vec<_> = (0..8).map(|_| home.with(home.options().wraps(160))).collect();
    for _ in 0..50 {
        for keys in &running {
            *counted.entry(*seal(keys).await.unwrap().kek()).or_default() += 1;
        }
    }
    for start in 0..40 {
        let keys = home.with(home.options().wraps(160));
        for _ in 0..(start * 7) % 31 {
            *counted.entry(*seal(&keys).await.unwrap().kek()).or_default() += 1;
        }
    }
    assert!(counted.len() > 4 && counted.values().all(|wraps| *wraps <= 160), "{counted:?}");
    for row in home.store.epochs().await.unwrap() {
        let wraps = counted.get(&row.id).copied().unwrap_or(0);
        assert!(row.wraps_reserved <= 160 && row.wraps_reserved >= wraps);
    }
    assert!(home.told.count(|event| matches!(event, EpochEvent::Reserved { .. })) > 10);
}

/// A provider that gives back something else than it was given makes no epoch: tokens under it would be lost.
#[tokio::test]
async fn an_epoch_that_does_not_unwrap_is_not_begun() {
    let home = Home::new();
    home.service.garbles_wraps();
    fails_with(seal(&home.instance()).await, ErrorKind::Tampered);
    assert_eq!(home.store.epochs().await.unwrap(), []);
    assert_eq!((home.service.alive(), home.service.destroyed()), (0, 1));
}

/// A store that is down stops sealing and opening once what is known is too old, with an error of the keys.
#[tokio::test]
async fn a_store_that_is_down_is_told_as_keys_unavailable() {
    #[derive(Debug, Default)]
    struct Down(MemoryEpochStore, std::sync::atomic::AtomicBool);

    #[async_trait::async_trait]
    impl EpochStore for Down {
        async fn epochs(&self) -> Result<Vec<tokenkeep_keys::EpochRecord>, tokenkeep_core::Error> {
            if self.1.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(ErrorKind::StoreUnavailable.into());
            }
            self.0.epochs().await
        }

        async fn insert_epoch(
            &self,
            epoch: &tokenkeep_keys::EpochRecord,
            retires: Option<&tokenkeep_keys::EpochRecord>,
        ) -> Result<(), tokenkeep_core::Error> {
            self.0.insert_epoch(epoch, retires).await
        }

        async fn update_epoch(
            &self,
            epoch: &tokenkeep_keys::EpochRecord,
        ) -> Result<(), tokenkeep_core::Error> {
            self.0.update_epoch(epoch).await
        }

        async fn remove_epoch(
            &self,
            id: &KekId,
            expected: tokenkeep_core::Revision,
        ) -> Result<(), tokenkeep_core::Error> {
            self.0.remove_epoch(id, expected).await
        }
    }

    let (home, store) = (Home::new(), Arc::new(Down::default()));
    let keys = home.options().build(home.service.clone(), Arc::clone(&store)).unwrap();
    let envelope = seal(&keys).await.unwrap();
    store.1.store(true, std::sync::atomic::Ordering::SeqCst);
    home.clock.pass(MINUTE * 9);
    open(&keys, &envelope).await.unwrap();
    home.clock.pass(MINUTE);
    fails_with(open(&keys, &envelope).await, ErrorKind::KeysUnavailable);
    fails_with(seal(&keys).await, ErrorKind::KeysUnavailable);
}

#[test]
fn options_that_protect_nothing_are_refused() {
    let home = Home::new();
    let build =
        |options: tokenkeep_keys::EpochOptions| options.build(home.service.clone(), MemoryEpochStore::new());
    for options in [
        home.options().max_age(SECOND / 2),
        home.options().max_age(DAY * 2),
        home.options().grace(DAY * 2),
        home.options().active_for(MINUTE * 99),
        home.options().active_for(DAY * 401),
        home.options().wraps(15),
        home.options().wraps(1 << 37),
    ] {
        fails_with(build(options), ErrorKind::Misuse);
    }
}

const MAY_LOCK_NOTHING: &str = "TOKENKEEP_TEST_LOCKS_NOTHING";

/// Run by itself in a process that may lock no memory: a clear error, or the fallback that was asked for by name.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn at_the_limit_of_locked_memory_it_says_so() {
    if std::env::var_os(MAY_LOCK_NOTHING).is_some() {
        let home = Home::new();
        let error = fails_with(seal(&home.instance()).await, ErrorKind::KeysUnusable);
        assert!(error.report().contains("allow_unlocked_memory"), "{}", error.report());
        assert_eq!(home.store.epochs().await.unwrap(), []);
        let keys = home.with(home.options().allow_unlocked_memory());
        open(&keys, &seal(&keys).await.unwrap()).await.unwrap();
        return;
    }
    let mut command = if rustix::process::geteuid().is_root() {
        // Root's capabilities lift the limit.
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "prlimit"]);
        command
    } else {
        std::process::Command::new("prlimit")
    };
    let exe = std::env::current_exe().unwrap();
    let name = "sealing::at_the_limit_of_locked_memory_it_says_so";
    command.args(["--memlock=0:0"]).arg(exe).args(["--exact", name]).env(MAY_LOCK_NOTHING, "1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
