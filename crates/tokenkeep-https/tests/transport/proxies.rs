//! Proxies: those that the environment names, and the one that is given by name.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tokenkeep_core::ErrorKind;
use tokenkeep_https::{CallFailure, Proxy, Retries, TransportBuilder};
use tokenkeep_testkit::{Fault, LeakScanner};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use crate::support::{Backlog, Scene, everything_in, raw_server};

const CHILD: &str = "TOKENKEEP_TEST_BEHIND_A_PROXY";
const NAME: &str = "proxies::the_environment_s_proxies_are_ignored";

/// Runs itself in a child process, whose environment names a proxy.
#[test]
fn the_environment_s_proxies_are_ignored() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::var_os(CHILD).is_some() {
        runtime.block_on(async {
            let scene = Scene::new().await;
            scene.me(&scene.transport()).await.unwrap();
            assert_eq!(scene.stand_in.requests().len(), 1);
        });
        return;
    }
    let proxy = Backlog::new();
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME]).env(CHILD, "1").env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &url).env(name.to_lowercase(), &url);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);

    // The listener shows a call that goes there.
    runtime.block_on(async {
        let scene = Scene::new().await;
        let builder = scene.builder().proxy(Proxy::new(&url).unwrap());
        let transport = builder.connect_timeout(std::time::Duration::from_millis(200)).build().unwrap();
        scene.me(&transport).await.unwrap_err();
    });
    assert_eq!(proxy.connections(), 1);
}

/// Of each connection, what the proxy was asked, and all that it carried both ways.
type Carried = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A proxy that keeps what goes through it.
struct Recording {
    port: u16,
    /// The one to trust, where it speaks TLS.
    root: Vec<u8>,
    carried: Carried,
}

impl Recording {
    /// Makes the connection that it is asked for, or answers with this.
    async fn start(tls: bool, answer: Option<&'static str>) -> Self {
        let (listener, acceptor, root) = raw_server("h2").await;
        let (port, carried) = (listener.local_addr().unwrap().port(), Carried::default());
        let keep = Arc::clone(&carried);
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (keep, acceptor) = (Arc::clone(&keep), acceptor.clone());
                tokio::spawn(async move {
                    if tls {
                        carry(acceptor.accept(socket).await?, answer, keep).await
                    } else {
                        carry(socket, answer, keep).await
                    }
                });
            }
        });
        Self { port, root, carried }
    }

    fn carried(&self) -> Vec<(String, Vec<u8>)> {
        self.carried.lock().unwrap().clone()
    }
}

async fn carry(
    mut client: impl AsyncRead + AsyncWrite + Unpin + Send,
    answer: Option<&'static str>,
    keep: Carried,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let port = head.split([' ', ':']).nth(2).unwrap().parse::<u16>().unwrap();
    let number = {
        let mut keep = keep.lock().unwrap();
        keep.push((head, Vec::new()));
        keep.len() - 1
    };
    if let Some(answer) = answer {
        client.write_all(answer.as_bytes()).await?;
        client.flush().await?;
        return client.shutdown().await;
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    client.write_all(b"HTTP/1.1 200 Here you are\r\n\r\n").await?;
    client.flush().await?;
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        let (bytes, to): (&[u8], &mut (dyn AsyncWrite + Unpin + Send)) = tokio::select! {
            length = client.read(&mut up) => (&up[..length?], &mut server),
            length = server.read(&mut down) => (&down[..length?], &mut client),
        };
        keep.lock().unwrap()[number].1.extend_from_slice(bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}

fn through(scene: &Scene, url: &str) -> TransportBuilder {
    scene.builder().proxy(Proxy::new(url).unwrap())
}

#[tokio::test]
async fn a_proxy_is_told_the_host_and_carries_what_it_can_t_read() {
    let scene = Scene::new().await;
    for tls in [false, true] {
        scene.stand_in.clear_requests();
        let proxy = Recording::start(tls, None).await;
        let url = format!("{}://localhost:{}", if tls { "https" } else { "http" }, proxy.port);
        let login = Proxy::new(&url).unwrap();
        let login = login.login("jane", Zeroizing::new("a-proxy-password".to_owned())).unwrap();
        let transport = scene.builder().extra_root_der(&proxy.root).proxy(login).build().unwrap();
        assert!(!format!("{transport:?}").contains("a-proxy-password"));
        assert_eq!(scene.me(&transport).await.unwrap().status(), 200);
        assert_eq!(scene.me(&transport).await.unwrap().status(), 200);

        let carried = proxy.carried();
        let [(head, bytes)] = &carried[..] else { panic!("one connection, not {}", carried.len()) };
        let host = scene.stand_in.origin().replace("https://", "");
        assert!(head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains("Basic amFuZTphLXByb3h5LXBhc3N3b3Jk\r\n"), "{head}");
        assert!(bytes.len() > 1000, "{}", bytes.len());
        let scanner = LeakScanner::new().token("token", &scene.token);
        assert!(scanner.scan_bytes("to the proxy", head.as_bytes()).is_empty());
        assert!(scanner.scan_bytes("through the proxy", bytes).is_empty());

        let request = scene.stand_in.requests().remove(0);
        assert_eq!(request.version, "HTTP/2.0");
        assert_eq!(request.bearer(), Some(&*scene.token), "it got there");
        assert_eq!(request.header("proxy-authorization"), None);
    }
}

/// What a proxy says, a 401 above all, is not the provider's word.
#[tokio::test]
async fn a_proxy_that_refuses_blames_no_token() {
    let scene = Scene::new().await;
    for (answer, text, attempts) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "the proxy asks for a login",
            1,
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
            "the proxy did not make the connection",
            2,
        ),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "the proxy did not make the connection", 2),
        ("HTTP/1.1 429 Slow Down\r\nretry-after: 9\r\n\r\n", "the proxy did not make the connection", 2),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy did not make the connection", 2),
        ("HTTP/1.1 302 Found\r\nlocation: https://localhost/\r\n\r\n", "the proxy did not make", 2),
        ("not HTTP at all\r\n\r\n", "the proxy did not make the connection", 2),
        ("", "the proxy did not make the connection", 2),
    ] {
        let proxy = Recording::start(false, Some(answer)).await;
        let once_more = Retries::standard().at_most(1).first_wait(std::time::Duration::from_millis(1));
        let builder = through(&scene, &format!("http://localhost:{}", proxy.port)).retries(once_more);
        let error = scene.me(&builder.build().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{answer} {error:?}");
        let failure = CallFailure::of(&error).unwrap();
        assert!(failure.is_of_proxy() && failure.to_string().contains(text), "{answer} {failure}");
        assert_eq!((failure.status(), failure.attempts()), (None, attempts), "{answer}");
        assert_eq!(scene.spy.told(), vec!["Unanswered"; attempts as usize]);
        assert_eq!(proxy.carried().len(), attempts as usize);
        let scanner = LeakScanner::new().token("token", &scene.token);
        for (head, _) in proxy.carried() {
            assert!(scanner.scan_bytes("to the proxy", head.as_bytes()).is_empty());
        }
    }
    assert!(scene.stand_in.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_not_itself_is_told_from_the_provider() {
    let scene = Scene::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let untrusted = Recording::start(true, None).await;
    let plain = Recording::start(false, None).await;
    for (url, text) in [
        (
            format!("http://localhost:{nobody}"),
            "no connection to the proxy could be made: connection refused",
        ),
        ("http://nobody.invalid:3128".to_owned(), "the proxy's host name could not be resolved"),
        (format!("https://localhost:{}", untrusted.port), "the proxy's certificate is of an issuer"),
        (format!("https://localhost:{}", plain.port), "the proxy"),
    ] {
        // One that takes no TLS waits for a request that never comes.
        let builder = through(&scene, &url).connect_timeout(std::time::Duration::from_secs(2));
        let error = scene.me(&builder.build().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{url}");
        let failure = CallFailure::of(&error).unwrap();
        if failure.is_timeout() {
            assert!(url.ends_with(&plain.port.to_string()), "{url} {failure}");
        } else {
            assert!(failure.is_of_proxy() && failure.to_string().contains(text), "{url} {failure}");
        }
        assert_eq!(scene.spy.told(), ["Unanswered"]);
    }
    assert!(untrusted.carried().is_empty() && scene.stand_in.requests().is_empty());
}

/// Behind a proxy, the provider proves itself as without one, and what it says is its own word.
#[tokio::test]
async fn behind_a_proxy_the_provider_is_who_it_is() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    let proxy = Recording::start(false, None).await;
    let url = format!("http://localhost:{}", proxy.port);
    let trusts_another = tokenkeep_https::Transport::builder(scene.spec())
        .extra_root_der(&other.stand_in.ca_der())
        .proxy(Proxy::new(&url).unwrap());
    let error = scene.me(&trusts_another.build().unwrap()).await.unwrap_err();
    let failure = CallFailure::of(&error).unwrap();
    assert!(failure.is_untrusted() && !failure.is_of_proxy(), "{}", everything_in(&error));
    assert!(scene.stand_in.requests().is_empty());
    assert_eq!(scene.spy.told(), ["Unanswered"]);

    scene.stand_in.answer_next(Fault::status(401, "invalid-token"));
    let error = scene.me(&through(&scene, &url).build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused);
    assert_eq!(scene.spy.told(), ["Refused(TokenRefused)"]);
}
