//! Servers that repeat the token that they were sent.

use std::sync::Arc;

use tokenkeep_core::{Credential, ErrorKind, Meaning, ProviderSpec};
use tokenkeep_https::{AnswerStream, CallFailure, Passage, Transport};
use tokenkeep_testkit::{Fault, JsonStandIn, LeakScanner, RecordedRequest};
use tokio::io::AsyncWriteExt;

use crate::boundary::Begins;
use crate::support::{Scene, Scripted, Spy, everything_in, spec};

const TOKEN: &str = "an-example-token/of_40_characters+and=\"2\"";

fn token_of(request: &RecordedRequest) -> String {
    let header = request.header("authorization").unwrap();
    header.strip_prefix("Bearer ").unwrap().to_owned()
}

async fn repeating(status: u16, body: impl Fn(String) -> String + Send + Sync + 'static) -> JsonStandIn {
    JsonStandIn::start(move |request| (status, body(token_of(request)))).await.unwrap()
}

fn transport(server: &JsonStandIn, change: impl FnOnce(ProviderSpec) -> ProviderSpec) -> Transport {
    Transport::builder(change(spec(&server.origin()))).extra_root_der(&server.ca_der()).build().unwrap()
}

fn credential() -> Credential {
    Arc::new(Spy::new(TOKEN)).credential()
}

fn nothing_of_it_in(text: &[u8]) {
    let leaks = LeakScanner::new().token("token", TOKEN).scan_bytes("text", text);
    assert!(leaks.is_empty(), "{leaks:?} {}", String::from_utf8_lossy(text));
}

#[tokio::test]
async fn a_success_shows_stars_and_keeps_its_shape() {
    let body = |token: String| serde_json::json!({ "sent": token, "n": 1, "again": [token] }).to_string();
    let server = repeating(200, body).await;
    let transport = transport(&server, |spec| spec);
    let answer = transport.get("/").credential(&credential()).send().await.unwrap();
    nothing_of_it_in(answer.body());
    // The stars are as many as what they stand for, escapes included.
    let stars = "*".repeat(TOKEN.len() + 2);
    let read: serde_json::Value = answer.json().unwrap();
    assert_eq!(read, serde_json::json!({ "sent": stars, "n": 1, "again": [stars] }));

    let mut stream = transport.get("/").credential(&credential()).stream().await.unwrap();
    assert_eq!(all_of(&mut stream).await, answer.body());
    // What was not sent is not looked for.
    let server = JsonStandIn::start(|_| (200, format!("{TOKEN:?}"))).await.unwrap();
    let answer = self::transport(&server, |spec| spec).get("/").send().await.unwrap();
    assert_eq!(answer.json::<String>().unwrap(), TOKEN);
}

/// What the provider's `meaning` is shown, in a status: that function can't tell otherwise.
fn meaning(_: u16, body: &[u8]) -> Meaning {
    if body.windows(8).any(|window| window == &TOKEN.as_bytes()[..8]) {
        Meaning::NotFound
    } else {
        Meaning::ScopeTooSmall
    }
}

#[tokio::test]
async fn an_error_keeps_what_was_said_but_the_token() {
    let server = repeating(400, |token| format!("no {token} {}", "x".repeat(100_000))).await;
    let transport = transport(&server, |spec| spec.with_meaning(meaning));
    let error = transport.get("/").credential(&credential()).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeTooSmall, "what it means is asked of the stars");
    let said = CallFailure::of(&error).unwrap().said().unwrap();
    assert_eq!(said.len(), 16 * 1024);
    assert!(said.starts_with(format!("no {} xxx", "*".repeat(TOKEN.len())).as_bytes()));
    let shown = everything_in(&error);
    assert!(!shown.contains("xxx") && !shown.contains("***"), "{shown}");

    let answer = transport.get("/").credential(&credential()).errors_as_answers().send().await.unwrap();
    assert!(answer.body().starts_with(&said[..100]));
    // Cut in the middle of the token.
    let cut = transport.get("/").credential(&credential()).errors_as_answers().max_body(3 + 20);
    assert_eq!(cut.send().await.unwrap().body(), format!("no {}", "*".repeat(20)).as_bytes());
}

#[tokio::test]
async fn what_a_boundary_holds_back_of_an_error_is_not_kept() {
    let scene = Scene::new().await;
    let said = async |transport: Transport| {
        scene.stand_in.answer_next(Fault::status(403, "insufficient-permissions"));
        let error = scene.me(&transport).await.unwrap_err();
        CallFailure::of(&error).unwrap().said().map(<[u8]>::to_vec)
    };
    let whole = said(scene.transport()).await.unwrap();
    assert!(String::from_utf8(whole).unwrap().contains("insufficient-permissions"));
    // Its projection likes no errors.
    let bounded = scene.builder().boundary(Begins::with("/", Passage::AsItIs)).build().unwrap();
    assert_eq!(said(bounded).await, None);
}

async fn all_of(stream: &mut AnswerStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = stream.chunk().await.unwrap() {
        assert!(!piece.is_empty());
        all.extend_from_slice(&piece);
    }
    all
}

/// A server that sends these pieces, one list for each request.
async fn sending(lists: Vec<Vec<String>>) -> Transport {
    let server = Scripted::start(move |number, mut socket| {
        let pieces = lists[number].clone();
        async move {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; of={TOKEN}\r\ntransfer-encoding: chunked\r\n\
                 connection: close\r\n\r\n"
            );
            socket.write_all(head.as_bytes()).await?;
            for piece in pieces {
                socket.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await?;
            }
            socket.write_all(b"0\r\n\r\n").await
        }
    })
    .await;
    server.builder().build().unwrap()
}

#[tokio::test]
async fn a_stream_shows_stars_wherever_its_pieces_end() {
    let mut lists: Vec<Vec<String>> = (1..TOKEN.len())
        .map(|cut| vec![format!("a {}", &TOKEN[..cut]), format!("{} b", &TOKEN[cut..])])
        .collect();
    let text = format!("a {TOKEN} b");
    lists.push(text.chars().map(String::from).collect());
    lists.push(vec![text]);
    let expected = format!("a {} b", "*".repeat(TOKEN.len()));
    let rounds = lists.len();
    let transport = sending(lists).await;
    for round in 0..rounds {
        let mut stream = transport.get("/").credential(&credential()).stream().await.unwrap();
        nothing_of_it_in(stream.content_type().unwrap().as_bytes());
        let all = all_of(&mut stream).await;
        assert_eq!(String::from_utf8(all).unwrap(), expected, "round {round}");
    }
}

#[tokio::test]
async fn a_stream_holds_nothing_else_back() {
    let begins = &TOKEN[..20];
    let texts = [format!("a {begins}"), format!("{begins} b"), begins[..1].to_owned()];
    let transport = sending(vec![texts.to_vec(), vec![format!("{begins}."), "an".to_owned()]]).await;
    let mut stream = transport.get("/").credential(&credential()).stream().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "a ", "only what could begin a token waits");
    assert_eq!(all_of(&mut stream).await, texts.concat().as_bytes()[2..]);
    let mut stream = transport.get("/").credential(&credential()).stream().await.unwrap();
    assert_eq!(all_of(&mut stream).await, format!("{begins}.an").as_bytes());
}

/// The end of this one is its beginning, so that the next one may begin within it.
#[tokio::test]
async fn a_stream_stars_out_two_tokens_that_overlap_wherever_its_pieces_end() {
    const SELF_LIKE: &str = "aXq7Zk29LmPw8Rt5Vy3Hs6Dd1Ff4aXq7Z";
    let text = format!("<{SELF_LIKE}{}>", &SELF_LIKE[5..]);
    let whole = format!("<{SELF_LIKE}");
    let mut lists: Vec<_> = (1..text.len()).map(|cut| vec![text[..cut].into(), text[cut..].into()]).collect();
    lists.push(text.chars().map(String::from).collect());
    lists.push(vec![whole.clone()]);
    lists.push(whole.chars().map(String::from).collect());
    let rounds = lists.len();
    let transport = sending(lists).await;
    let credential = Arc::new(Spy::new(SELF_LIKE)).credential();
    for round in 0..rounds {
        let mut stream = transport.get("/").credential(&credential).stream().await.unwrap();
        let all = String::from_utf8(all_of(&mut stream).await).unwrap();
        let expected = match round {
            _ if round >= rounds - 2 => format!("<{}", "*".repeat(SELF_LIKE.len())),
            _ => format!("<{}>", "*".repeat(text.len() - 2)),
        };
        assert_eq!(all, expected, "round {round}");
    }
}
