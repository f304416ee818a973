//! Peers that reset, vanish, drip and never end, over HTTP/1.1 and HTTP/2.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_https::{Answer, CallFailure, Retries, Transport, TransportBuilder};
use tokenkeep_testkit::{Fault, InTheWay, JsonStandIn, TlsProxy};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Scene, Spy, spec};

const PROTOCOLS: [&str; 2] = ["http/1.1", "h2"];
/// Within the first frame, or the first line.
const IN_THE_HEAD: u64 = 7;
/// Behind any head, and before the end.
const IN_THE_BODY: u64 = 50_000;
const BODY: usize = 100_000;

/// A server of a long body behind a proxy that gets in the way.
struct Far {
    server: JsonStandIn,
    proxy: TlsProxy,
    spy: Arc<Spy>,
}

impl Far {
    async fn new(protocol: &str) -> Self {
        let server = JsonStandIn::start(|_| (200, "x".repeat(BODY))).await.unwrap();
        let port = server.origin().rsplit(':').next().unwrap().parse().unwrap();
        let proxy = TlsProxy::start_speaking(protocol, port, &server.ca_der()).await.unwrap();
        Self { server, proxy, spy: Arc::new(Spy::new("an-example-token")) }
    }

    /// Repeats twice, at once.
    fn builder(&self) -> TransportBuilder {
        let retries = Retries::standard().at_most(2).first_wait(Duration::from_millis(1));
        let builder = Transport::builder(spec(&self.proxy.origin())).extra_root_der(&self.proxy.ca_der());
        builder.timeout(Duration::from_secs(20)).retries(retries)
    }

    async fn get(&self, transport: &Transport) -> Result<Answer, Error> {
        let call = transport.get("/").credential(&self.spy.credential()).send();
        tokio::time::timeout(Duration::from_secs(60), call).await.expect("a call ends by itself")
    }

    /// It does so once nobody waits on them any more.
    async fn all_closed(&self) {
        until(|| self.proxy.open_connections() == 0).await;
    }
}

async fn until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_is_one_that_broke_off() {
    for protocol in PROTOCOLS {
        let far = Far::new(protocol).await;
        let transport = far.builder().build().unwrap();
        for (after, status, told) in
            [(IN_THE_HEAD, None, ["Unanswered"; 3]), (IN_THE_BODY, Some(200), ["Accepted"; 3])]
        {
            far.proxy.set(InTheWay::Reset { after }).await;
            let error = far.get(&transport).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{protocol} {after}: {error:?}");
            let failure = CallFailure::of(&error).unwrap();
            assert_eq!((failure.status(), failure.attempts()), (status, 3), "{protocol} {after}: {error:?}");
            assert!(!failure.is_timeout() && !failure.is_untrusted(), "{failure}");
            assert_eq!(far.spy.told(), told);
        }
        let mut stream = transport.get("/").stream().await.unwrap();
        let mut length = 0;
        let error = loop {
            match stream.chunk().await {
                Ok(piece) => length += piece.expect("it breaks off").len(),
                Err(error) => break error,
            }
        };
        assert!(length < BODY);
        assert_eq!(CallFailure::of(&error).unwrap().status(), Some(200));
        assert!(stream.chunk().await.unwrap().is_none());

        far.proxy.set(InTheWay::Nothing).await;
        assert_eq!(far.get(&transport).await.unwrap().body().len(), BODY);
    }
}

#[tokio::test]
async fn a_peer_that_vanishes_is_waited_for_as_long_as_was_said() {
    for protocol in PROTOCOLS {
        let far = Far::new(protocol).await;
        let short = Duration::from_millis(1500);
        let transport = far.builder().timeout(short).retries(Retries::none()).build().unwrap();
        for (after, status) in [(0, None), (IN_THE_HEAD, None), (IN_THE_BODY, Some(200))] {
            far.proxy.set(InTheWay::Vanishing { after }).await;
            let error = far.get(&transport).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{protocol} {after}: {error:?}");
            let failure = CallFailure::of(&error).unwrap();
            assert_eq!(failure.status(), status, "{protocol} {after}: {error:?}");
            // HTTP/2 may notice before its time is over.
            assert!(failure.is_timeout() || protocol == "h2", "{protocol} {after}: {failure}");
            far.spy.told();
        }
        let patient = far.builder().idle_timeout(short).build().unwrap();
        let mut stream = patient.get("/").stream().await.unwrap();
        let error = loop {
            match stream.chunk().await {
                Ok(piece) => drop(piece.expect("it vanishes")),
                Err(error) => break error,
            }
        };
        let failure = CallFailure::of(&error).unwrap();
        assert!(failure.is_timeout() && failure.status() == Some(200), "{protocol}: {failure}");

        far.proxy.set(InTheWay::Nothing).await;
        assert_eq!(far.get(&transport).await.unwrap().body().len(), BODY);
    }
}

/// Every byte is a sign of life, and a call has its time all the same.
#[tokio::test]
async fn what_drips_is_not_waited_for_for_ever() {
    let every = Duration::from_millis(20);
    for protocol in PROTOCOLS {
        let far = Far::new(protocol).await;
        let transport =
            far.builder().timeout(Duration::from_millis(1500)).retries(Retries::none()).build().unwrap();
        for (after, status) in [(IN_THE_HEAD, None), (IN_THE_BODY, Some(200))] {
            far.proxy.set(InTheWay::Drip { after, every }).await;
            let error = far.get(&transport).await.unwrap_err();
            let failure = CallFailure::of(&error).unwrap();
            assert_eq!(failure.status(), status, "{protocol} {after}: {failure}");
            assert!(failure.is_timeout() || protocol == "h2", "{protocol} {after}: {failure}");
            far.spy.told();
        }
        // A stream goes on for as long as its caller does. A frame of HTTP/2 is given when it is whole.
        if protocol == "http/1.1" {
            let transport = far.builder().idle_timeout(Duration::from_secs(20)).build().unwrap();
            let mut stream = transport.get("/").stream().await.unwrap();
            let mut drops = 0;
            while drops < 20 {
                let piece = stream.chunk().await.unwrap().unwrap();
                drops = if piece.len() == 1 { drops + 1 } else { 0 };
            }
            drop(stream);
            far.all_closed().await;
        }
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_left_and_its_connection_closed() {
    let scene = Scene::new().await;
    for protocol in PROTOCOLS {
        let (port, root) = (scene.stand_in.port(), scene.stand_in.ca_der());
        let proxy = TlsProxy::start_speaking(protocol, port, &root).await.unwrap();
        let builder = Transport::builder(spec(&proxy.origin())).extra_root_der(&proxy.ca_der());
        let transport = builder.timeout(Duration::from_secs(60)).max_body(1 << 20).build().unwrap();
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(Fault::Endless);
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderMisbehaved, "{protocol}");
        assert!(error.report().ends_with("over 1048576 bytes"), "{}", error.report());
        assert_eq!(scene.stand_in.requests().len(), 1, "it is not repeated");
        if protocol == "http/1.1" {
            until(|| proxy.open_connections() == 0).await;
        } else {
            // Only its stream is; the connection is good for the next call.
            scene.me(&transport).await.unwrap();
            assert_eq!(proxy.connections(), 1);
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// The calls have a runtime of their own, so that what they leave can be counted.
#[test]
fn a_dropped_call_leaves_no_task_and_no_connection() {
    let (servers, calls) = (runtime(), runtime());
    for protocol in PROTOCOLS {
        for after in [0, IN_THE_BODY] {
            let way = InTheWay::Drip { after, every: Duration::from_secs(3600) };
            let (far, transport) = servers.block_on(async {
                let far = Far::new(protocol).await;
                let transport = far.builder().build().unwrap();
                far.proxy.set(way).await;
                (far, transport)
            });
            let call = calls.spawn(transport.get("/").credential(&far.spy.credential()).send());
            servers.block_on(async {
                until(|| far.server.requests().len() == 1).await;
                call.abort();
                assert!(call.await.unwrap_err().is_cancelled());
                // It was asked for its token, and told nothing.
                assert_eq!((far.spy.issued(), far.spy.told()), (1, Vec::new()), "{protocol} {after}");
                if protocol == "http/1.1" {
                    far.all_closed().await;
                }
                // A connection of HTTP/2 is the transport's.
                drop(transport);
                until(|| calls.metrics().num_alive_tasks() == 0).await;
                far.all_closed().await;
            });
        }
    }
}
