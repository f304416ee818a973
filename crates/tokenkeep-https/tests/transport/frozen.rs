//! A peer that hangs: its connections stand, and its kernel acknowledges what nobody reads.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_https::{Answer, CallFailure, Retries, Transport};
use tokenkeep_testkit::Fault;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{Scene, raw_server, spec};

/// Hands connections on to a port as a balancer does, and can hang on those that there are.
struct Balancer {
    port: u16,
    connections: Arc<AtomicUsize>,
    hangs_below: watch::Sender<usize>,
}

impl Balancer {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (hangs_below, hangs) = watch::channel(0);
        let count = Arc::clone(&connections);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
                let (client, server) = (client.into_split(), server.into_split());
                tokio::spawn(carry(client.0, server.1, number, hangs.clone()));
                tokio::spawn(carry(server.0, client.1, number, hangs.clone()));
            }
        });
        Self { port, connections, hangs_below }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Nothing goes over the connections of this moment any more. None is closed.
    fn hang(&self) {
        self.hangs_below.send_replace(self.connections());
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: usize,
    mut hangs: watch::Receiver<usize>,
) {
    let mut bytes = [0; 16 * 1024];
    loop {
        let hung = async { drop(hangs.wait_for(|below| *below > number).await) };
        let read = tokio::select! {
            biased;
            () = hung => return std::future::pending().await,
            read = from.read(&mut bytes) => read,
        };
        match read {
            Ok(1..) if to.write_all(&bytes[..read.unwrap()]).await.is_ok() => {}
            _ => return drop(to.shutdown().await),
        }
    }
}

/// Long enough for a handshake on a busy host, too.
const TIMEOUT: Duration = Duration::from_secs(5);

fn port_of(origin: &str) -> u16 {
    origin.rsplit(':').next().unwrap().parse().unwrap()
}

async fn behind_a_balancer(scene: &Scene, timeout: Duration) -> (Balancer, Transport) {
    let balancer = Balancer::before(port_of(&scene.stand_in.origin())).await;
    let spec = spec(&format!("https://localhost:{}", balancer.port));
    let builder = Transport::builder(spec).extra_root_der(&scene.stand_in.ca_der()).timeout(timeout);
    let builder = builder.retries(Retries::none());
    (balancer, builder.build().unwrap())
}

fn timed_out(result: Result<Answer, Error>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    assert!(CallFailure::of(&error).unwrap().is_timeout(), "{error:?}");
}

#[tokio::test]
async fn a_call_that_hangs_is_the_last_on_its_connection() {
    let scene = Scene::new().await;
    let (balancer, transport) = behind_a_balancer(&scene, TIMEOUT).await;
    scene.me(&transport).await.unwrap();
    scene.me(&transport).await.unwrap();
    assert_eq!(balancer.connections(), 1, "HTTP/2: one for all");
    balancer.hang();
    timed_out(scene.me(&transport).await);
    scene.me(&transport).await.unwrap();
    assert_eq!(balancer.connections(), 2);
}

/// The server is well, and has little time for each call's last attempt.
#[tokio::test]
async fn a_call_whose_repeat_had_no_more_time_keeps_its_connection() {
    let scene = Scene::new().await;
    let balancer = Balancer::before(port_of(&scene.stand_in.origin())).await;
    let builder = Transport::builder(spec(&format!("https://localhost:{}", balancer.port)));
    let builder = builder.retries(Retries::standard().first_wait(Duration::from_millis(1)));
    let builder = builder.extra_root_der(&scene.stand_in.ca_der()).deadline(TIMEOUT);
    let transport = builder.build().unwrap();
    scene.me(&transport).await.unwrap();
    scene.stand_in.answer_next(Fault::status(503, "made-up"));
    scene.stand_in.answer_next(Fault::Silence);
    scene.me(&transport).await.unwrap_err();
    scene.me(&transport).await.unwrap();
    assert_eq!(balancer.connections(), 1);
    // One that had all the time that there is for a call tells more.
    scene.stand_in.answer_next(Fault::Silence);
    timed_out(scene.me(&transport).await);
    scene.me(&transport).await.unwrap();
    assert_eq!(balancer.connections(), 2);
}

/// Its time is not over when it is dropped, so that nothing but the connection's own silence can tell.
#[tokio::test]
async fn callers_that_give_up_sooner_get_a_new_connection_too() {
    let scene = Scene::new().await;
    let (balancer, transport) = behind_a_balancer(&scene, Duration::from_secs(6)).await;
    scene.me(&transport).await.unwrap();
    balancer.hang();
    let start = Instant::now();
    loop {
        let call = scene.me(&transport);
        if matches!(tokio::time::timeout(Duration::from_millis(700), call).await, Ok(Ok(_))) {
            break;
        }
        // Twice a third of the time that a call has, and some for a busy host; for ever without.
        assert!(start.elapsed() < Duration::from_secs(20), "it never recovers");
    }
    assert_eq!(balancer.connections(), 2);
}

#[tokio::test]
async fn a_call_knows_that_its_peer_hangs_before_its_time_is_over() {
    let scene = Scene::new().await;
    let (balancer, _) = behind_a_balancer(&scene, TIMEOUT).await;
    let spec = spec(&format!("https://localhost:{}", balancer.port));
    let builder = Transport::builder(spec).extra_root_der(&scene.stand_in.ca_der()).retries(Retries::none());
    let ping = Duration::from_millis(200);
    let transport = builder.timeout(Duration::from_secs(60)).ping(ping, ping).build().unwrap();
    scene.me(&transport).await.unwrap();
    balancer.hang();
    let start = Instant::now();
    let call = transport.get("/v2/users/me").credential(&scene.credential()).send();
    assert_eq!(call.await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    assert!(start.elapsed() < Duration::from_secs(30), "it waited for its own time");
    scene.me(&transport).await.unwrap();
}

/// HTTP/1.1 has a connection for each call under way, and keeps them.
#[tokio::test]
async fn of_many_kept_connections_that_hang_one_call_finds_out_for_all() {
    const KEPT: usize = 6;
    let (listener, acceptor, root) = raw_server("http/1.1").await;
    let balancer = Balancer::before(listener.local_addr().unwrap().port()).await;
    let together = Arc::new(tokio::sync::Barrier::new(KEPT));
    tokio::spawn(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, together) = (acceptor.clone(), Arc::clone(&together));
            tokio::spawn(async move {
                let mut socket = acceptor.accept(socket).await.unwrap();
                let mut request = Vec::new();
                while let Ok(byte) = socket.read_u8().await {
                    request.push(byte);
                    if !request.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    if number < KEPT {
                        together.wait().await;
                    }
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                    socket.write_all(answer).await.unwrap();
                    request.clear();
                }
            });
        }
    });
    let spec = spec(&format!("https://localhost:{}", balancer.port));
    let builder = Transport::builder(spec).extra_root_der(&root).retries(Retries::none());
    let transport = builder.timeout(TIMEOUT).build().unwrap();
    let get = || transport.get("/").send();
    let calls: Vec<_> = (0..KEPT).map(|_| tokio::spawn(get())).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(balancer.connections(), KEPT);
    balancer.hang();
    timed_out(get().await);
    get().await.unwrap();
    assert_eq!(balancer.connections(), KEPT + 1);
}
