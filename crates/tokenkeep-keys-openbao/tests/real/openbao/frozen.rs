//! A node that hangs: it answers nothing, and its connections stand.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokenkeep_core::{ErrorKind, Origin};
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::ThrowawayOpenBao;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Sample, token};

const LIMIT: Duration = Duration::from_secs(2);
/// Of the limit, for a busy host. Without the sign of life it never ends.
const FACTOR: u32 = 10;

/// One origin before all nodes: hands every new connection to the node of the day.
struct Balancer {
    origin: Origin,
    node: Arc<AtomicU16>,
}

impl Balancer {
    async fn before(node: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let node = Arc::new(AtomicU16::new(node));
        let now = Arc::clone(&node);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let node = now.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, node)).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { origin: Origin::parse(&origin).unwrap(), node }
    }

    fn send_to(&self, node: u16) {
        self.node.store(node, Ordering::SeqCst);
    }
}

fn keys(origin: Origin, server: &ThrowawayOpenBao) -> OpenBaoKeys {
    let builder = OpenBaoKeys::builder(origin, "key").ca_pem(server.ca_pem()).unwrap();
    builder.timeout(LIMIT).token(token(server.root_token())).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_takes_over_without_a_restart() {
    let leader = ThrowawayOpenBao::start().unwrap();
    leader.write("transit/keys/key", &json!({ "derived": true })).unwrap();
    // Two of three are a majority, so that the leader stays one.
    let nodes = [leader.start_follower().unwrap(), leader.start_follower().unwrap()];
    let balancer = Balancer::before(nodes[0].port()).await;
    let keys = keys(balancer.origin.clone(), &leader);
    let sample = Sample::new();
    let begin = Instant::now();
    let wrapped = loop {
        match sample.wrap(&keys).await {
            Ok(wrapped) => break wrapped,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(60), "{}", error.report()),
        }
    };
    let frozen = nodes[0].freeze().unwrap();
    balancer.send_to(leader.port());
    let begin = Instant::now();
    while let Err(error) = sample.unwrap(&keys, &wrapped).await {
        assert_eq!(error.kind(), ErrorKind::KeysUnavailable, "{}", error.report());
        assert!(begin.elapsed() < LIMIT * FACTOR, "it never recovers: {}", error.report());
    }
    drop(frozen);
    sample.unwrap(&keys, &wrapped).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_node_is_used_again_once_it_goes_on() {
    let server = ThrowawayOpenBao::start().unwrap();
    server.write("transit/keys/key", &json!({ "derived": true })).unwrap();
    let keys = keys(Origin::parse(&server.origin()).unwrap(), &server);
    let sample = Sample::new();
    let wrapped = sample.wrap(&keys).await.unwrap();
    for _ in 0..2 {
        let frozen = server.freeze().unwrap();
        for _ in 0..2 {
            let begin = Instant::now();
            let error = sample.unwrap(&keys, &wrapped).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::KeysUnavailable, "{}", error.report());
            assert!(begin.elapsed() < LIMIT * FACTOR);
        }
        drop(frozen);
        let begin = Instant::now();
        while let Err(error) = sample.unwrap(&keys, &wrapped).await {
            assert!(begin.elapsed() < LIMIT * FACTOR, "it never recovers: {}", error.report());
        }
    }
}
