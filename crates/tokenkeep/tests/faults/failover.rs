//! A primary is killed under load and its synchronous replica takes its place.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokenkeep::{Action, Connection, Receipt, Vault};
use tokenkeep_testkit::{ThrowawayPostgres, fake_token};
use tokio::net::{TcpListener, TcpStream};

use crate::home::{Home, is_whole, times};
use crate::until_done::Call;

/// What stands before a pair of servers (a virtual address, a proxy): leads each new connection to the present one.
struct Forwarder {
    port: u16,
    to: Arc<AtomicU16>,
}

impl Forwarder {
    async fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, to) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU16::new(to)));
        let target = Arc::clone(&to);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let to = target.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { port, to }
    }
}

/// Beside the changes: how far the failover is.
#[derive(Default)]
struct Load {
    ends: AtomicBool,
    failed: AtomicUsize,
    done: AtomicUsize,
}

/// What was acknowledged of one connection.
#[derive(Default)]
struct Acknowledged {
    held: Option<String>,
    connected: usize,
    replaced: usize,
    disconnected: usize,
}

async fn work_on(home: Arc<Home>, vault: Vault, name: String, load: Arc<Load>) -> Acknowledged {
    let connection = vault.connection("t", &name).unwrap();
    let mut told = Acknowledged::default();
    while !load.ends.load(Ordering::SeqCst) {
        let new = fake_token();
        load.until_done(&home, &connection, Call::Connect(&new)).await;
        told.connected += 1;
        let mut held = new;
        for _ in 0..3 {
            let new = fake_token();
            load.until_done(&home, &connection, Call::Replace(&new)).await;
            held = new;
            told.replaced += 1;
            load.until_done(&home, &connection, Call::Use(&held)).await;
        }
        told.held = Some(held);
        if load.ends.load(Ordering::SeqCst) {
            break;
        }
        load.until_done(&home, &connection, Call::Disconnect).await;
        (told.disconnected, told.held) = (told.disconnected + 1, None);
    }
    told
}

impl Load {
    async fn until_done(&self, home: &Home, connection: &Connection, call: Call<'_>) {
        call.until_done(connection, &home.provider, &self.failed).await;
        self.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// The replica hears nothing for a moment before the primary is killed, and never what it was sent then: whatever is
/// acknowledged meanwhile without it is lost.
fn die_behind_a_deaf_replica(primary: &ThrowawayPostgres, replica: &ThrowawayPostgres) {
    let receiver = replica.sql("postgres", "SELECT pid FROM pg_stat_wal_receiver").unwrap();
    let signal = |signal: &str| {
        let sent = Command::new("kill").args([signal, receiver.trim()]).status().unwrap();
        assert!(sent.success(), "no signal reached the replica's receiver");
    };
    signal("-STOP");
    std::thread::sleep(Duration::from_millis(400));
    primary.kill().unwrap();
    signal("-KILL");
    let until = Instant::now() + Duration::from_secs(30);
    while replica.sql("postgres", "SELECT 1").is_err() {
        assert!(Instant::now() < until, "the replica does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_replica_takes_over_under_load_and_nothing_acknowledged_is_lost() {
    let primary = Arc::new(ThrowawayPostgres::builder().fsync(true).start().unwrap());
    let database = primary.fresh_database().unwrap();
    let replica = Arc::new(primary.start_replica().unwrap());
    let forwarder = Forwarder::start(primary.port()).await;
    let url =
        primary.url(&database).replace(&format!(":{}/", primary.port()), &format!(":{}/", forwarder.port));
    let home = Arc::new(Home::new(Some(url)));
    // Two instances, with a pool each.
    let vaults = [home.vault().await, home.vault().await];
    let load = Arc::new(Load::default());
    let tasks = (0..8).map(|n| {
        let (home, vault, load) = (Arc::clone(&home), vaults[n % 2].clone(), Arc::clone(&load));
        tokio::spawn(work_on(home, vault, format!("of-{n}"), load))
    });
    let tasks: Vec<_> = tasks.collect();
    // Twenty times as fast as ours: when the answer to a lease of hooks is lost, the next one waits for a minute.
    let clock = Arc::clone(&home.clock);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.advance(1000);
        }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = load.done.load(Ordering::SeqCst);
    assert_eq!(load.failed.load(Ordering::SeqCst), 0, "something failed before anything happened");

    let pair = (Arc::clone(&primary), Arc::clone(&replica));
    tokio::task::spawn_blocking(move || die_behind_a_deaf_replica(&pair.0, &pair.1)).await.unwrap();
    // The address moves before the replica takes writes: a standby answers for a while.
    forwarder.to.store(replica.port(), Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (failed, done) = (load.failed.load(Ordering::SeqCst), load.done.load(Ordering::SeqCst));
    assert!(before > 20 && failed > 0, "{before} done, {failed} failed");
    let heir = Arc::clone(&replica);
    tokio::task::spawn_blocking(move || heir.promote()).await.unwrap().unwrap();
    // The new primary waits for no replica, as its configuration was copied before it was told to.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(load.done.load(Ordering::SeqCst) > done + 20, "it did not go on");

    load.ends.store(true, Ordering::SeqCst);
    let fresh = home.vault().await;
    for (n, task) in tasks.into_iter().enumerate() {
        let told = tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        let name = format!("of-{n}");
        for (action, told) in [
            (Action::Connected, told.connected),
            (Action::Replaced, told.replaced),
            (Action::Disconnected, told.disconnected),
        ] {
            assert_eq!(
                times(&fresh, &name, action).await,
                told,
                "{name}: {action:?} was lost, or made twice"
            );
        }
        assert!(times(&fresh, &name, Action::Used).await > 0);
        assert_eq!(home.given(&fresh, &name).await.ok(), told.held, "{name}");
    }
    let pending = fresh.finish_disconnects().await.unwrap();
    assert!(pending.iter().all(|one| one.receipt.as_ref().is_ok_and(Receipt::hooks_complete)));
    for vault in vaults.iter().chain([&fresh]) {
        is_whole(vault).await;
    }
}
