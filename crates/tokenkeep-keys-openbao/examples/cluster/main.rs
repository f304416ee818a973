//! Three OpenBao nodes over raft, the active one killed under load again and again: `cargo xtask cluster [--kills N]`.
//!
//! Eight workers wrap and unwrap through one origin, as behind a load balancer, and compare every DEK; another one rotates the key. What they may see of a failover is
//! `KeysUnavailable`, an error that says to try again, and nothing else: no wrong DEK, and no word of a key that is destroyed, unknown,
//! forbidden or tampered with. After each one all of them work again.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokenkeep_core::{
    ApiToken, Dek, EncryptionContext, Envelope, Error, ErrorKind, Origin, SealDraft, VaultId,
    VaultKeyPurpose, WrapRequest, fill_random,
};
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::{OpenBaoFailure, OpenBaoKeys};
use tokenkeep_testkit::ThrowawayOpenBao;
use tokio::net::{TcpListener, TcpStream};

type Result<T, E = Box<dyn StdError + Send + Sync>> = std::result::Result<T, E>;

const WORKERS: usize = 8;
/// How long a failover may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let kills = match arguments.as_slice() {
        [] => Some(3),
        [option, number] if option == "--kills" => number.parse().ok(),
        _ => None,
    };
    let Some(kills) = kills else {
        eprintln!("usage: cluster [--kills N]");
        return ExitCode::from(2);
    };
    match run(kills).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(kills: u32) -> Result<()> {
    let first = ThrowawayOpenBao::start()?;
    let nodes = Arc::new([first.start_follower()?, first.start_follower()?, first]);
    println!("three nodes at {}", nodes.iter().map(ThrowawayOpenBao::origin).collect::<Vec<_>>().join(", "));
    nodes[2].write("transit/keys/key", &json!({ "type": "aes256-gcm96", "derived": true }))?;
    let port = balance(nodes.iter().map(ThrowawayOpenBao::port).collect()).await?;
    let keys = OpenBaoKeys::builder(Origin::parse(&format!("https://localhost:{port}"))?, "key")
        .ca_pem(nodes[2].ca_pem())?
        .timeout(Duration::from_secs(2))
        .token(ApiToken::new(nodes[2].root_token().to_owned())?)
        .build()?;

    let seen = Arc::new(Seen::default());
    let workers: Vec<_> =
        (0..WORKERS).map(|number| tokio::spawn(work(number, keys.clone(), Arc::clone(&seen)))).collect();
    let rotations = tokio::spawn(rotate(keys, Arc::clone(&seen)));
    let mut outages = Vec::new();
    all_work(&seen).await?;
    for kill in 1..=kills {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let victim = nodes.iter().position(ThrowawayOpenBao::is_leader).ok_or("there is no active node")?;
        let begin = Instant::now();
        nodes[victim].kill()?;
        all_work(&seen).await?;
        outages.push(begin.elapsed());
        println!(
            "kill {kill}: the active node; all workers work again after {:.2} s",
            begin.elapsed().as_secs_f64()
        );
        let back = Arc::clone(&nodes);
        tokio::task::spawn_blocking(move || back[victim].start_again()).await??;
    }
    all_work(&seen).await?;
    seen.end.store(true, Ordering::Relaxed);
    for worker in workers.into_iter().chain([rotations]) {
        worker.await?;
    }
    seen.report(&outages)
}

/// What the workers saw.
#[derive(Default)]
struct Seen {
    end: AtomicBool,
    right: [AtomicUsize; WORKERS],
    rotations: AtomicUsize,
    wrong: AtomicUsize,
    failures: Mutex<BTreeMap<String, usize>>,
    /// Failures that no failover may show.
    forbidden: Mutex<Vec<String>>,
}

impl Seen {
    fn failed(&self, error: &Error) {
        let failure = OpenBaoFailure::of(error).map(|failure| format!("{failure:?}")).unwrap_or_default();
        let name = failure.split(['(', ' ']).next().unwrap_or_default();
        let name = format!("{:?}, {name}", error.kind());
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        if error.kind() != ErrorKind::KeysUnavailable {
            self.forbidden.lock().unwrap_or_else(PoisonError::into_inner).push(error.report());
        }
    }

    fn report(&self, outages: &[Duration]) -> Result<()> {
        let right: usize = self.right.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        let rotations = self.rotations.load(Ordering::Relaxed);
        println!("{right} DEKs came back right, over {rotations} rotations");
        for (name, count) in &*self.failures.lock().unwrap_or_else(PoisonError::into_inner) {
            println!("{count:>7} calls failed: {name}");
        }
        let longest = outages.iter().max().copied().unwrap_or_default();
        println!("longest failover {:.2} s of {}", longest.as_secs_f64(), outages.len());
        let wrong = self.wrong.load(Ordering::Relaxed);
        let forbidden = self.forbidden.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong > 0 {
            return Err(format!("{wrong} DEKs came back wrong").into());
        }
        match forbidden.first() {
            Some(first) => {
                Err(format!("{} calls failed in a way that they must not: {first}", forbidden.len()).into())
            }
            None => Ok(()),
        }
    }
}

/// Rotates the key: a standby may unwrap by itself, but only the active node writes.
async fn rotate(keys: OpenBaoKeys, seen: Arc<Seen>) {
    while !seen.end.load(Ordering::Relaxed) {
        match keys.rotate().await {
            Ok(_) => drop(seen.rotations.fetch_add(1, Ordering::Relaxed)),
            Err(error) => seen.failed(&error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Wraps and unwraps, until the end; what was wrapped before a failover is unwrapped after it, too.
async fn work(number: usize, keys: OpenBaoKeys, seen: Arc<Seen>) {
    let mut kept: Vec<(Dek, EncryptionContext, Envelope)> = Vec::new();
    while !seen.end.load(Ordering::Relaxed) {
        match wrapped(&keys).await {
            Ok(one) => {
                kept.push(one);
                if kept.len() > 20 {
                    kept.remove(0);
                }
            }
            Err(error) => seen.failed(&error),
        }
        for (dek, context, envelope) in kept.iter().take(2).chain(kept.last()) {
            match keys.unwrap_dek(&envelope.unwrap_request(context)).await {
                Ok(got) if got.expose_secret() == dek.expose_secret() => {
                    seen.right[number].fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {
                    seen.wrong.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => seen.failed(&error),
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn wrapped(keys: &OpenBaoKeys) -> Result<(Dek, EncryptionContext, Envelope), Error> {
    let mut bytes = [0; Dek::LEN];
    fill_random(&mut bytes)?;
    let dek = Dek::from_bytes(&bytes);
    let context = EncryptionContext::for_vault_key(VaultId::random()?, VaultKeyPurpose::AuditMac);
    let wrapped = keys.wrap_dek(&WrapRequest::for_rewrap(&dek, &context)?).await?;
    let envelope = SealDraft::new(&context)?.finish(&[], &wrapped)?;
    Ok((dek, context, envelope))
}

/// Returns once every worker has done something more, and the key was rotated twice: one rotation may have been under way.
async fn all_work(seen: &Seen) -> Result<()> {
    let count = || -> Vec<usize> { seen.right.iter().map(|count| count.load(Ordering::Relaxed)).collect() };
    let rotated = || seen.rotations.load(Ordering::Relaxed);
    let (before, rotations, begin) = (count(), rotated(), Instant::now());
    while rotated() < rotations + 2 || count().iter().zip(&before).any(|(now, before)| *now < before + 5) {
        if begin.elapsed() > PATIENCE {
            return Err("the workers do not work again".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A load balancer that passes bytes on: to the next node that takes the connection.
async fn balance(ports: Vec<u16>) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        let mut next = 0;
        while let Ok((mut client, _)) = listener.accept().await {
            next += 1;
            let mut order = ports.clone();
            order.rotate_left(next % ports.len());
            tokio::spawn(async move {
                for port in order {
                    if let Ok(mut node) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut node).await;
                        return;
                    }
                }
            });
        }
    });
    Ok(port)
}
