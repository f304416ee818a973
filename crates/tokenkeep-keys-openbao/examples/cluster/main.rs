//! Three OpenBao nodes over raft, the active one killed under load again and again: `cargo xtask cluster [--kills N]`.
//!
//! Eight workers wrap and unwrap through one origin, as behind a load balancer, and compare every DEK; another one rotates the key. Beside
//! them are instances with epochs over the same service: one that lasts, whose opens under epochs that it holds must never fail and ask
//! nobody; ones that just started, whose first open needs a call; and one that makes a new epoch every second.
//!
//! What a call may see of a failover is `KeysUnavailable`, an error that says to try again, and nothing else: no wrong DEK, and no word of a
//! key that is destroyed, unknown, forbidden or tampered with. After each one all of them work again.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

mod direct;
mod epochs;
mod seen;

use std::collections::HashSet;
use std::error::Error as StdError;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokenkeep_core::{ApiToken, Origin};
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::ThrowawayOpenBao;
use tokio::net::{TcpListener, TcpStream};

use seen::Seen;

type Result<T, E = Box<dyn StdError + Send + Sync>> = std::result::Result<T, E>;

const WORKERS: usize = 8;
const OPENERS: usize = 4;

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
    let key = json!({ "type": "aes256-gcm96", "derived": true });
    nodes[2].patiently(|| nodes[2].write("transit/keys/key", &key))?;
    let port = balance(nodes.iter().map(ThrowawayOpenBao::port).collect()).await?;
    let keys = OpenBaoKeys::builder(Origin::parse(&format!("https://localhost:{port}"))?, "key")
        .ca_pem(nodes[2].ca_pem())?
        .timeout(Duration::from_secs(2))
        .token(ApiToken::new(nodes[2].root_token().to_owned())?)
        .own_keys()
        .build()?;

    let seen = Arc::new(Seen::new(WORKERS, OPENERS));
    let mut tasks: Vec<_> = (0..WORKERS)
        .map(|number| tokio::spawn(direct::work(number, keys.clone(), Arc::clone(&seen))))
        .collect();
    tasks.push(tokio::spawn(direct::rotate(keys.clone(), Arc::clone(&seen))));
    let home = epochs::Home::new(keys);
    let (holder, unwrapped) = home.instance()?;
    let openers: Vec<_> = (0..OPENERS)
        .map(|number| {
            tokio::spawn(epochs::open_held(number, home.clone(), holder.clone(), Arc::clone(&seen)))
        })
        .collect();
    let others = [
        tokio::spawn(epochs::seal(home.clone(), Arc::clone(&seen))),
        tokio::spawn(epochs::open_cold(home, Arc::clone(&seen))),
    ];

    let mut outages = Vec::new();
    seen.all_work().await?;
    for kill in 1..=kills {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // On a busy host the nodes may be electing anew.
        let leader = || nodes.iter().position(ThrowawayOpenBao::is_leader);
        let victim = nodes[0].patiently(|| leader().ok_or_else(|| std::io::Error::other("nobody leads")))?;
        let (begin, held) = (Instant::now(), seen.held.count());
        nodes[victim].kill()?;
        seen.all_work().await?;
        let outage = begin.elapsed();
        println!(
            "kill {kill}: the active node; all work again after {:.2} s, with {} opens meanwhile that needed no provider call",
            outage.as_secs_f64(),
            seen.held.count() - held
        );
        outages.push(outage);
        let back = Arc::clone(&nodes);
        tokio::task::spawn_blocking(move || back[victim].start_again()).await??;
    }
    seen.all_work().await?;
    seen.end.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    for task in others {
        task.await??;
    }
    let mut epochs = HashSet::new();
    for opener in openers {
        epochs.extend(opener.await??);
    }
    seen.report(&outages)?;
    println!("{:>9} epochs held, each unwrapped once: {} calls", epochs.len(), unwrapped.count());
    match unwrapped.count() == epochs.len() {
        true => Ok(()),
        false => Err("opens under held epochs asked the service".into()),
    }
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
