//! The hooks of a disconnect run in one process at a time, and are taken over from one that died.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{Fixture, Scripted, TestClock, finish, give, token};
use tokenkeep::{ConnectionId, ErrorKind, Incarnation, PurgeHook, Vault};
use tokenkeep_testkit::fake_token;

/// Takes a moment, and counts how many run at the same time.
#[derive(Default)]
struct Slow {
    hangs: AtomicBool,
    fails: AtomicBool,
    now: AtomicU32,
    most: AtomicU32,
    runs: AtomicU32,
}

#[async_trait]
impl PurgeHook for Slow {
    async fn purge(
        &self,
        _: &ConnectionId,
        _: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.fails.load(Ordering::SeqCst) {
            return Err("the cache is down".into());
        }
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.runs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn instance(f: &Fixture, hook: &Arc<Slow>) -> Vault {
    let options = Vault::options().clock(Arc::clone(&f.clock)).on_disconnect("run lists", Arc::clone(hook));
    options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap()
}

async fn connected(f: &Fixture, vault: &Vault) {
    vault.connection("t", "apify").unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_processes_one_runs_them() {
    let (f, hook) = (Fixture::new().await, Arc::new(Slow::default()));
    let vault = instance(&f, &hook).await;
    connected(&f, &vault).await;
    let mut racing = Vec::new();
    for _ in 0..8 {
        let connection = instance(&f, &hook).await.connection("t", "apify").unwrap();
        racing.push(tokio::spawn(async move { connection.disconnect().await.unwrap() }));
    }
    let mut done = 0;
    for racer in racing {
        let receipt = racer.await.unwrap();
        done += usize::from(receipt.hooks_done == ["run lists"]);
        assert_eq!(receipt.hooks_elsewhere, receipt.hooks_done.is_empty(), "{receipt:?}");
        assert_eq!(receipt.to_string().contains("another process runs them now"), receipt.hooks_elsewhere);
    }
    assert!(done >= 1 && hook.runs.load(Ordering::SeqCst) >= 1);
    assert_eq!(hook.most.load(Ordering::SeqCst), 1, "they ran at the same time");
    assert!(!vault.connection("t", "apify").unwrap().status().await.unwrap().purge_pending);
    assert!(vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn they_are_taken_over_from_a_process_that_died() {
    let (f, hook) = (Fixture::new().await, Arc::new(Slow::default()));
    let (vault, other) = (instance(&f, &hook).await, instance(&f, &hook).await);
    connected(&f, &vault).await;
    hook.hangs.store(true, Ordering::SeqCst);
    // Dies in its hook: its runtime is gone, so nothing of it goes on in the background.
    let connection = vault.connection("t", "apify").unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let died = runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(50), connection.disconnect()).await
        });
        assert!(died.is_err());
        runtime.shutdown_background();
    })
    .join()
    .unwrap();
    hook.hangs.store(false, Ordering::SeqCst);

    let connection = other.connection("t", "apify").unwrap();
    assert!(connection.status().await.unwrap().purge_pending);
    for advance in [0, 59_999] {
        f.clock.advance(advance);
        let receipts = finish(&other).await;
        assert!(receipts[0].hooks_elsewhere, "it may still be at work");
        let error = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PurgePending);
    }
    assert_eq!(hook.runs.load(Ordering::SeqCst), 0);
    f.clock.advance(1);
    let receipts = finish(&other).await;
    assert_eq!((receipts[0].hooks_elsewhere, &receipts[0].hooks_done[..]), (false, &["run lists"][..]));
    assert_eq!(hook.runs.load(Ordering::SeqCst), 1);
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_gives_its_lease_back() {
    let (f, hook) = (Fixture::new().await, Arc::new(Slow::default()));
    let (vault, other) = (instance(&f, &hook).await, instance(&f, &hook).await);
    connected(&f, &vault).await;
    hook.hangs.store(true, Ordering::SeqCst);
    let connection = vault.connection("t", "apify").unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(50), connection.disconnect()).await;
    assert!(dropped.is_err());
    hook.hangs.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(finish(&other).await[0].hooks_done, ["run lists"], "at once");
}

#[tokio::test(start_paused = true)]
async fn a_long_hook_keeps_its_lease() {
    let (f, hook) = (Fixture::new().await, Arc::new(Slow::default()));
    let (vault, other) = (instance(&f, &hook).await, instance(&f, &hook).await);
    connected(&f, &vault).await;
    hook.hangs.store(true, Ordering::SeqCst);
    let connection = vault.connection("t", "apify").unwrap();
    let running = tokio::spawn(async move { connection.disconnect().await });
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        f.clock.advance(20_000);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let finishing = tokio::time::timeout(Duration::from_secs(1), finish(&other));
        let receipts = finishing.await.expect("taken from one at work");
        assert!(receipts[0].hooks_elsewhere, "taken from one at work");
    }
    running.abort();
}

#[tokio::test]
async fn a_process_without_hooks_finishes_nobody_elses() {
    let (f, hook) = (Fixture::new().await, Arc::new(Slow::default()));
    let vault = instance(&f, &hook).await;
    connected(&f, &vault).await;
    let connection = vault.connection("t", "apify").unwrap();
    hook.fails.store(true, Ordering::SeqCst);
    assert!(!connection.disconnect().await.unwrap().hooks_complete());

    let job = Vault::options().clock(Arc::clone(&f.clock)).hooks_elsewhere();
    let job = job.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    for without in [&f.vault, &job] {
        let finished = finish(without).await;
        let own = without.connection("t", "apify").unwrap();
        for receipt in [&finished[0], &own.disconnect().await.unwrap()] {
            assert!(receipt.hooks_elsewhere && !receipt.hooks_complete(), "{receipt}");
            assert!(receipt.to_string().contains("pending: a process that registers hooks must run them"));
        }
        let error = own.connect(&f.provider, token(&fake_token())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PurgePending);
        assert!(connection.status().await.unwrap().purge_pending);
    }

    hook.fails.store(false, Ordering::SeqCst);
    assert!(finish(&vault).await[0].hooks_complete());
    assert_eq!(hook.runs.load(Ordering::SeqCst), 1);
    assert!(finish(&f.vault).await.is_empty());
    f.vault.connection("t", "apify").unwrap().connect(&f.provider, token(&fake_token())).await.unwrap();
}

#[tokio::test]
async fn what_a_job_disconnects_waits_for_the_hooks_of_others() {
    let (f, hook) = (Fixture::new().await, Arc::new(Slow::default()));
    let vault = instance(&f, &hook).await;
    connected(&f, &vault).await;
    let job = Vault::options().clock(Arc::clone(&f.clock)).hooks_elsewhere();
    let job = job.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    let connection = job.connection("t", "apify").unwrap();
    assert!(connection.disconnect().await.unwrap().hooks_elsewhere);
    assert!(connection.status().await.unwrap().purge_pending);
    let error = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PurgePending);

    assert_eq!(finish(&vault).await[0].hooks_done, ["run lists"]);
    assert_eq!(hook.runs.load(Ordering::SeqCst), 1);
    assert!(connection.disconnect().await.unwrap().hooks_complete(), "they ran");
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    assert!(job.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn hooks_are_here_or_elsewhere() {
    let f = Fixture::new().await;
    let options = Vault::options().on_disconnect("run lists", Slow::default()).hooks_elsewhere();
    let error = options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
}

/// Takes so long that another process takes its lease over, finishes the disconnect and connects.
struct Overtaken {
    clock: Arc<TestClock>,
    by: Vault,
    connects: String,
    armed: AtomicBool,
}

#[async_trait]
impl PurgeHook for Overtaken {
    async fn purge(
        &self,
        _: &ConnectionId,
        _: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return Err("not yet".into());
        }
        self.clock.advance(60_000);
        let connection = self.by.connection("t", "apify")?;
        connection.connect(&Scripted::new(), token(&self.connects)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn who_is_overtaken_in_its_hooks_connects_over_nobody() {
    let f = Fixture::new().await;
    let by = instance(&f, &Arc::default()).await;
    let armed = AtomicBool::new(false);
    let hook = Arc::new(Overtaken { clock: Arc::clone(&f.clock), by, connects: fake_token(), armed });
    let options = Vault::options().clock(Arc::clone(&f.clock)).on_disconnect("run lists", Arc::clone(&hook));
    let vault = options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap();
    connected(&f, &vault).await;
    let connection = vault.connection("t", "apify").unwrap();
    assert_eq!(connection.disconnect().await.unwrap().hooks_pending, ["run lists"]);

    hook.armed.store(true, Ordering::SeqCst);
    let error = connection.connect(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyConnected);
    assert_eq!(give(&connection.credential(), &f.provider).await.as_ref(), Ok(&hook.connects));
    assert!(vault.verify().await.unwrap().is_whole());
}

/// Takes its time, but less than that after which a lease is renewed while a hook runs.
struct Leisurely(Arc<AtomicU32>);

#[async_trait]
impl PurgeHook for Leisurely {
    async fn purge(
        &self,
        _: &ConnectionId,
        _: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(19)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn many_hooks_keep_their_lease() {
    let (f, runs) = (Fixture::new().await, Arc::default());
    let open = async || {
        let mut options = Vault::options().clock(Arc::clone(&f.clock));
        for name in ["one", "two", "three", "four", "five"] {
            options = options.on_disconnect(name, Leisurely(Arc::clone(&runs)));
        }
        options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap()
    };
    let (vault, other) = (open().await, open().await);
    connected(&f, &vault).await;
    let connection = vault.connection("t", "apify").unwrap();
    let running = tokio::spawn(async move { connection.disconnect().await.unwrap() });
    for second in 1..95 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        f.clock.advance(1_000);
        let looking = tokio::time::timeout(Duration::from_millis(1), finish(&other));
        let receipts = looking.await.unwrap_or_else(|_| panic!("taken from one at work, after {second} s"));
        assert!(receipts[0].hooks_elsewhere, "taken from one at work, after {second} s");
    }
    assert_eq!(running.await.unwrap().hooks_done.len(), 5);
    assert_eq!(runs.load(Ordering::SeqCst), 5);
}
