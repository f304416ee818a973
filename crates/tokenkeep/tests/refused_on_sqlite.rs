//! A refused token over several instances on one SQLite file: no call starts once the refusal is recorded, and an outage passes.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{Scripted, TestClock, account, token};
use tokenkeep::{
    ConnectionState, ErrorKind, LocalKeyring, Meaning, Outcome, PauseReason, Provider, RecheckOutcome,
    SqliteStore, Use, Vault,
};
use tokenkeep_testkit::fake_token;

const REFUSED: Outcome<'static> = Outcome::Refused(Meaning::TokenRefused);

struct World {
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    provider: Arc<Scripted>,
    instances: [Vault; 2],
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        let clock = TestClock::new();
        let open = async || {
            let store = SqliteStore::open(folder.path().join("db/tokenkeep.sqlite")).await.unwrap();
            Vault::options().clock(Arc::clone(&clock)).open(store, keys.clone()).await.unwrap()
        };
        let instances = [open().await, open().await];
        let provider = Arc::new(Scripted::new());
        Self { folder, clock, provider, instances }
    }

    async fn connect(&self, tenant: &str) {
        let connection = self.instances[0].connection(tenant, "apify").unwrap();
        connection.connect(&*self.provider, token(&fake_token())).await.unwrap();
    }

    async fn refuse(&self, tenant: &str) {
        let credential = self.instances[0].connection(tenant, "apify").unwrap().credential();
        let issued = credential.issue(Use::at(self.provider.spec())).await.unwrap();
        credential.report(issued.incarnation, issued.secret_version, REFUSED).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_starts_once_a_refusal_is_recorded() {
    let world = World::new().await;
    for round in 0..10 {
        let tenant = format!("t{round}");
        world.connect(&tenant).await;
        let (recorded, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (before, after) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let users: Vec<_> = (0..6)
            .map(|n| {
                let credential = world.instances[n % 2].connection(&tenant, "apify").unwrap().credential();
                let (provider, recorded, stop) = (world.provider.clone(), recorded.clone(), stop.clone());
                let (before, after) = (before.clone(), after.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        let late = recorded.load(Ordering::SeqCst);
                        match credential.issue(Use::at(provider.spec())).await {
                            Ok(_) => assert!(!late, "a token was given after its refusal was recorded"),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Paused),
                        }
                        if late { &after } else { &before }.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        while before.load(Ordering::SeqCst) < 12 {
            tokio::task::yield_now().await;
        }
        world.refuse(&tenant).await;
        recorded.store(true, Ordering::SeqCst);
        while after.load(Ordering::SeqCst) < 12 && users.iter().all(|user| !user.is_finished()) {
            tokio::task::yield_now().await;
        }
        stop.store(true, Ordering::SeqCst);
        for user in users {
            user.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outage_passes_and_a_revocation_stays() {
    let world = World::new().await;
    for n in 0..30 {
        world.connect(&format!("t{n:02}")).await;
    }
    world.provider.answer(Err(ErrorKind::TokenRefused));
    for n in 0..30 {
        world.refuse(&format!("t{n:02}")).await;
    }
    world.provider.asked.lock().unwrap().clear();
    for _ in 0..10 {
        world.clock.advance(60_000);
        let run =
            |n: usize| world.instances[n].recheck_paused(&*world.provider).pace(Duration::ZERO).finish();
        let (one, two) = tokio::join!(run(0), run(1));
        assert_eq!((one.unwrap().revoked, two.unwrap().revoked), (0, 0));
    }
    let asked = world.provider.asked.lock().unwrap().clone();
    let most = asked.iter().map(|one| asked.iter().filter(|other| *other == one).count()).max();
    assert!(most <= Some(2), "{most:?} questions about one token in ten minutes");
    let status = world.instances[1].connections("t07", None, 1).await.unwrap();
    assert_eq!(
        (status[0].state, status[0].pause),
        (ConnectionState::Paused, Some(PauseReason::ProviderSuspect)),
        "in a list, too"
    );

    world.provider.answer(Ok(account("user-1")));
    for _ in 0..6 {
        world.clock.advance(60_000);
        world.instances[1].recheck_paused(&*world.provider).pace(Duration::ZERO).finish().await.unwrap();
    }
    for n in 0..30 {
        let status =
            world.instances[0].connection(format!("t{n:02}"), "apify").unwrap().status().await.unwrap();
        assert_eq!((status.state, status.pause), (ConnectionState::Connected, None), "t{n:02}");
    }
    world.clock.advance(6 * 60_000);
    world.refuse("t03").await;
    world.provider.answer(Err(ErrorKind::TokenRefused));
    world.clock.advance(5 * 60_000);
    let mut run = world.instances[1].recheck_paused(&*world.provider);
    let rechecked = run.next().await.unwrap().unwrap();
    assert_eq!((rechecked.id.tenant().as_str(), rechecked.outcome), ("t03", RecheckOutcome::Revoked));
    assert_eq!(run.next().await.unwrap(), None);
    assert!(world.instances[0].verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn an_altered_record_keeps_no_other_waiting() {
    let world = World::new().await;
    for tenant in ["t1", "t2", "t3"] {
        world.connect(tenant).await;
        world.refuse(tenant).await;
    }
    let file = world.folder.path().join("db/tokenkeep.sqlite");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut stranger = sqlx::ConnectOptions::connect(&options).await.unwrap();
    for edit in [
        "UPDATE tokenkeep_connection SET token_set_at = 1 WHERE tenant = 't1'",
        "UPDATE tokenkeep_connection SET incarnation = x'00' WHERE tenant = 't2'",
    ] {
        sqlx::query(edit).execute(&mut stranger).await.unwrap();
    }
    let mut run = world.instances[0].recheck_paused(&*world.provider);
    let mut outcomes = Vec::new();
    while let Some(rechecked) = run.next().await.unwrap() {
        outcomes.push(rechecked.outcome);
    }
    let failed = RecheckOutcome::Failed(ErrorKind::Tampered);
    assert_eq!(outcomes, [failed, failed, RecheckOutcome::Resumed]);
}
