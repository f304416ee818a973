//! What is made again, how often, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_core::{ApiToken, Credential, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken};
use tokenkeep_core::{Outcome, SecretVersion, Use};
use tokenkeep_https::{Call, CallFailure, Method, Passage, Retries, Transport};
use tokenkeep_testkit::{Fault, JsonStandIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::boundary::Begins;
use crate::support::{Backlog, INCARNATION, Scene, Scripted, Spy, VERSION, everything_in, spec};

/// At once, or nearly so.
const QUICK: Retries = Retries::standard().first_wait(Duration::from_millis(1));

fn quick(scene: &Scene) -> Transport {
    scene.builder().retries(QUICK).build().unwrap()
}

/// How many requests came since this was last asked.
fn requests(scene: &Scene) -> usize {
    let count = scene.stand_in.requests().len();
    scene.stand_in.clear_requests();
    count
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_a_token_and_a_report_of_its_own() {
    let scene = Scene::new().await;
    let transport = quick(&scene);
    for (fault, told) in [
        (Fault::status(500, "made-up"), "Refused(Unavailable)"),
        (Fault::status(503, "made-up"), "Refused(Unavailable)"),
        (Fault::status(599, "made-up"), "Refused(Unavailable)"),
        (Fault::rate_limited("0"), "Refused(RateLimited)"),
        (Fault::CloseWithoutAnswer, "Unanswered"),
    ] {
        let asked = scene.spy.issued();
        scene.stand_in.answer_next(fault.clone());
        scene.stand_in.answer_next(fault.clone());
        assert_eq!(scene.me(&transport).await.unwrap().status(), 200, "{fault:?}");
        assert_eq!((requests(&scene), scene.spy.issued() - asked), (3, 3), "{fault:?}");
        assert_eq!(scene.spy.told(), [told, told, "Accepted"]);
    }
    // Silence, by the attempt's own time.
    let transport = scene.builder().retries(QUICK).timeout(Duration::from_millis(1500)).build().unwrap();
    scene.stand_in.answer_next(Fault::Silence);
    scene.me(&transport).await.unwrap();
    assert_eq!(scene.spy.told(), ["Unanswered", "Accepted"]);
    // A stream, until it is there.
    scene.stand_in.answer_next(Fault::status(500, "made-up"));
    transport.get("/v2/users/me").credential(&scene.credential()).stream().await.unwrap();
    // And an error that is wanted as an answer.
    scene.stand_in.answer_next(Fault::status(500, "made-up"));
    let kept = transport.get("/v2/users/me").credential(&scene.credential()).errors_as_answers().send();
    assert_eq!(kept.await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_would_end_the_same_way_is_not() {
    let scene = Scene::new().await;
    let transport = quick(&scene);
    for fault in [
        Fault::status(400, "made-up"),
        Fault::status(401, "made-up"),
        Fault::status(403, "made-up"),
        Fault::status(404, "made-up"),
        Fault::status(409, "made-up"),
        Fault::Redirect("/v2/acts".to_owned()),
        Fault::Huge(1 << 40),
    ] {
        scene.stand_in.answer_next(fault.clone());
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(CallFailure::of(&error).unwrap().attempts(), 1);
        assert_eq!((requests(&scene), scene.spy.told().len()), (1, 1), "{fault:?}");
    }
    for passage in [Passage::Refused("with what the test refuses"), Passage::Projected] {
        let bounded = scene.builder().retries(QUICK).boundary(Begins::with("/", passage)).build().unwrap();
        bounded.get("/v2/users/me").credential(&scene.credential()).stream().await.unwrap_err();
        assert_eq!(requests(&scene), 1, "{passage:?}");
    }
    // Nor is a server that can't prove who it is.
    let untrusted = Transport::builder(scene.spec()).retries(QUICK).build().unwrap();
    scene.me(&untrusted).await.unwrap_err();
    assert_eq!(scene.spy.told(), ["Accepted", "Accepted", "Unanswered"]);
}

/// A call that the stand-in of any provider answers with its faults: a `POST`.
fn post(transport: &Transport, scene: &Scene) -> Call {
    let body = Zeroizing::new(br#"{"a":1}"#.to_vec());
    transport.request(Method::POST, "/v2/acts").credential(&scene.credential()).json(body)
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_repeated_only_if_that_does_no_harm() {
    let scene = Scene::new().await;
    let transport = scene.builder().retries(QUICK).timeout(Duration::from_millis(1500)).build().unwrap();
    for fault in [Fault::status(500, "made-up"), Fault::CloseWithoutAnswer, Fault::Silence] {
        scene.stand_in.answer_next(fault.clone());
        post(&transport, &scene).send().await.unwrap_err();
        assert_eq!(requests(&scene), 1, "{fault:?}");

        scene.stand_in.answer_next(fault.clone());
        let error = post(&transport, &scene).idempotent().send().await.unwrap_err();
        // What the second attempt gets: the stand-in knows no such call.
        assert!(CallFailure::of(&error).unwrap().status().is_some_and(|status| status < 500), "{error:?}");
        let bodies: Vec<_> = scene.stand_in.requests().into_iter().map(|sent| sent.body).collect();
        assert_eq!(bodies, [br#"{"a":1}"#, br#"{"a":1}"#], "{fault:?}");
        scene.stand_in.clear_requests();
    }
    // It said that it did not.
    scene.stand_in.answer_next(Fault::rate_limited("0"));
    post(&transport, &scene).send().await.unwrap_err();
    assert_eq!(requests(&scene), 2);
    scene.spy.told();

    // And where nobody is, nobody did.
    let port = Backlog::new().port(); // closed again
    for origin in [format!("https://localhost:{port}"), "https://nobody.invalid".to_owned()] {
        let nowhere = Transport::builder(spec(&origin)).retries(QUICK.at_most(2)).build().unwrap();
        let error = post(&nowhere, &scene).send().await.unwrap_err();
        assert_eq!(CallFailure::of(&error).unwrap().attempts(), 3, "{error:?}");
        assert_eq!(scene.spy.told(), ["Unanswered"; 3]);
    }
}

#[tokio::test]
async fn a_success_that_broke_off_is_made_again_a_stream_of_it_is_not() {
    let server = Scripted::start(|number, mut socket| async move {
        let text: &[u8] = match number {
            0 | 2 => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        };
        socket.write_all(text).await?;
        socket.shutdown().await
    })
    .await;
    let transport = server.builder().retries(QUICK).build().unwrap();
    assert_eq!(transport.get("/").send().await.unwrap().body(), b"hello");
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
    let mut stream = transport.get("/").stream().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "hel");
    assert_eq!(stream.chunk().await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_fails_after_an_answer_is_there_says_how_many_attempts_there_were() {
    let server = Scripted::start(|number, mut socket| async move {
        let text: &[u8] = match number % 3 {
            0 | 1 => b"HTTP/1.1 503 Down\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            2 if number == 2 => b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnot JSON",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        };
        socket.write_all(text).await?;
        socket.shutdown().await
    })
    .await;
    let transport = server.builder().retries(QUICK).build().unwrap();
    let answer = transport.get("/").send().await.unwrap();
    let error = answer.json::<bool>().unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().attempts(), 3);
    let mut stream = transport.get("/").stream().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "hel");
    let error = stream.chunk().await.unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().attempts(), 3);
}

/// Answers with these headers.
async fn limited_with(headers: &'static str) -> Scripted {
    Scripted::start(move |_, mut socket| async move {
        let text = format!("HTTP/1.1 429 Slow Down\r\n{headers}\r\ncontent-length: 0\r\n\r\n");
        socket.write_all(text.as_bytes()).await?;
        socket.read_u8().await.map(drop)
    })
    .await
}

#[tokio::test]
async fn retry_after_comes_in_seconds_and_as_a_date_by_the_server_s_own_clock() {
    for (headers, expected) in [
        ("retry-after: 7", Some(7)),
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        // Over already, also by the clock here.
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
        ("retry-after: Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        // More than can be told, and parts of a second: never sooner than was asked for.
        ("retry-after: 99999999999999999999", Some(u64::MAX)),
        ("retry-after: 1.5", Some(2)),
        ("retry-after: 3.000", Some(3)),
        ("retry-after: 18446744073709551615.1", Some(u64::MAX)),
        ("retry-after: .5", None),
        ("retry-after: 1.", None),
        ("retry-after: +1", None),
        ("retry-after: 1.5.5", None),
        ("retry-after: 1e3", None),
        ("retry-after: in a while", None),
        ("retry-after: -1", None),
    ] {
        let server = limited_with(headers).await;
        let error = server.builder().build().unwrap().get("/").send().await.unwrap_err();
        let expected = expected.map(Duration::from_secs);
        assert_eq!(CallFailure::of(&error).unwrap().retry_after(), expected, "{headers}");
    }
}

#[tokio::test]
async fn retry_after_is_waited_for_and_no_longer_than_there_is_time() {
    let scene = Scene::new().await;
    let transport = quick(&scene);
    let start = Instant::now();
    scene.stand_in.answer_next(Fault::rate_limited("1"));
    scene.me(&transport).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(requests(&scene), 2);

    // A minute is less than the two that a call may take.
    for (asked, deadline) in [("121", Duration::from_secs(120)), ("18446744073709551615", Duration::MAX)] {
        let transport = scene.builder().retries(QUICK).deadline(deadline).build().unwrap();
        scene.stand_in.answer_next(Fault::rate_limited(asked));
        let error = scene.me(&transport).await.unwrap_err(); // within its 20 s
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        let failure = CallFailure::of(&error).unwrap();
        assert_eq!(failure.retry_after(), Some(Duration::from_secs(asked.parse().unwrap())));
        assert_eq!((requests(&scene), failure.attempts()), (1, 1));
    }
}

/// What must end by itself long before this.
async fn within<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), call).await.expect("it ends by itself")
}

#[tokio::test]
async fn all_attempts_stand_under_one_deadline() {
    let scene = Scene::new().await;
    let many = Retries::standard().at_most(u32::MAX).budget(u32::MAX).longest_wait(Duration::from_millis(20));
    let builder = || scene.builder().retries(many).deadline(Duration::from_secs(1));
    scene.stand_in.answer_always(Some(Fault::status(503, "made-up")));
    let error = scene.me(&builder().build().unwrap()).await.unwrap_err();
    let failure = CallFailure::of(&error).unwrap();
    let attempts = failure.attempts() as usize;
    // The deadline may cut the last one before the server has read it.
    assert!(attempts > 1 && (attempts - 1..=attempts).contains(&requests(&scene)), "{error:?}");
    assert!(error.report().contains(&format!("at the last of {} attempts", failure.attempts())));
    assert_eq!(scene.spy.told().len(), attempts);

    // And it ends an attempt that has more time of its own: the test has less.
    scene.stand_in.answer_always(Some(Fault::Silence));
    let transport = builder().timeout(Duration::from_secs(60)).build().unwrap();
    let error = scene.me(&transport).await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout());

    // A call's own, where it is shorter.
    let long = Duration::from_secs(3600);
    let transport = scene.builder().timeout(long).deadline(long).build().unwrap();
    let call = transport.get("/v2/users/me").credential(&scene.credential());
    let error = within(call.deadline(Duration::from_millis(300)).send()).await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout());
    let call = builder().timeout(long).build().unwrap().get("/v2/users/me").credential(&scene.credential());
    let error = within(call.deadline(long).send()).await.unwrap_err();
    assert!(CallFailure::of(&error).unwrap().is_timeout());
}

/// The number of requests is counted, not the time that they take.
#[tokio::test]
async fn a_provider_that_is_down_gets_the_budget_and_no_more() {
    let scene = Scene::new().await;
    let transport = quick(&scene);
    let clone = transport.clone();
    scene.stand_in.answer_always(Some(Fault::status(500, "made-up")));
    for round in 0..100 {
        let transport = if round % 2 == 0 { &transport } else { &clone };
        scene.me(transport).await.unwrap_err();
    }
    assert_eq!(requests(&scene), 100 + 20);

    // Five calls that succeed buy one repeat.
    scene.stand_in.answer_always(None);
    for _ in 0..5 {
        scene.me(&transport).await.unwrap();
    }
    requests(&scene);
    scene.stand_in.answer_always(Some(Fault::status(500, "made-up")));
    scene.me(&transport).await.unwrap_err();
    scene.me(&transport).await.unwrap_err();
    assert_eq!(requests(&scene), 3);
}

#[tokio::test]
async fn a_storm_of_429_is_answered_within_the_same_budget() {
    let server = JsonStandIn::start(|_| (429, "{}".to_owned())).await.unwrap();
    let transport = Transport::builder(spec(&server.origin())).extra_root_der(&server.ca_der());
    let transport = transport.retries(QUICK.budget(30)).build().unwrap();
    let calls: Vec<_> = (0..100).map(|_| tokio::spawn(transport.get("/").send())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().kind(), ErrorKind::RateLimited);
    }
    assert_eq!(server.requests().len(), 100 + 30);
}

#[tokio::test]
async fn a_call_has_a_number_of_repeats_and_may_have_none() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::status(500, "made-up")));
    for (retries, expected) in [(QUICK, 9), (QUICK.at_most(1), 2), (Retries::none(), 1), (QUICK.budget(0), 1)]
    {
        let transport = scene.builder().retries(retries).build().unwrap();
        let error = scene.me(&transport).await.unwrap_err();
        assert_eq!(CallFailure::of(&error).unwrap().attempts(), expected);
        assert_eq!(requests(&scene), expected as usize, "{retries:?}");
    }
}

#[tokio::test]
async fn a_boundary_judges_once() {
    let scene = Scene::new().await;
    let boundary = Begins::with("/", Passage::AsItIs);
    let transport = scene.builder().retries(QUICK).boundary(boundary.clone()).build().unwrap();
    scene.stand_in.answer_next(Fault::CloseWithoutAnswer);
    scene.me(&transport).await.unwrap();
    assert_eq!((requests(&scene), boundary.asked().len()), (2, 1));
}

/// Gives its token this many times.
struct Few(AtomicUsize, String);

#[async_trait]
impl CredentialSource for Few {
    async fn issue(&self, _: Use<'_>) -> Result<IssuedToken, Error> {
        if self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(ErrorKind::NotConnected.into());
        }
        let token = ApiToken::new(self.1.clone())?;
        Ok(IssuedToken { token, incarnation: INCARNATION, secret_version: VERSION })
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, _: Outcome<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test]
async fn a_disconnect_between_two_attempts_ends_the_call() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::status(500, "made-up")));
    let few = Credential::new(Few(AtomicUsize::new(2), scene.token.clone()));
    let error = quick(&scene).get("/v2/users/me").credential(&few).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert_eq!(requests(&scene), 2);
}

#[tokio::test]
async fn what_could_not_be_recorded_is_not_repeated() {
    let scene = Scene::new().await;
    let spy = Arc::new(Spy::failing_to_record(&scene.token));
    scene.stand_in.answer_next(Fault::status(500, "made-up"));
    let call = quick(&scene).get("/v2/users/me").credential(&spy.credential());
    let error = call.send().await.unwrap_err();
    assert!(everything_in(&error).contains("could not be recorded"));
    assert_eq!((requests(&scene), spy.issued()), (1, 1));
}

#[tokio::test]
async fn a_call_that_waits_holds_nothing_and_can_be_dropped() {
    let told_to_wait = Arc::new(tokio::sync::Notify::new());
    let (tell, closed) = (Arc::clone(&told_to_wait), Arc::new(tokio::sync::Notify::new()));
    let over = Arc::clone(&closed);
    let server = Scripted::start(move |_, mut socket| {
        let (tell, over) = (Arc::clone(&tell), Arc::clone(&over));
        async move {
            socket
                .write_all(b"HTTP/1.1 429 Slow Down\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n")
                .await?;
            socket.flush().await?;
            tell.notify_one();
            let rest = socket.read_to_end(&mut Vec::new()).await;
            assert!(!matches!(rest, Ok(1..)), "nothing more is sent");
            over.notify_one();
            Ok(())
        }
    })
    .await;
    let spy = Arc::new(Spy::new("an-example-token"));
    let transport = server.builder().retries(QUICK).build().unwrap();
    let call = tokio::spawn(transport.get("/").credential(&spy.credential()).send());
    told_to_wait.notified().await;
    while spy.told_so_far() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!call.is_finished());
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!((spy.issued(), spy.told()), (1, vec!["Refused(RateLimited)".to_owned()]));
    // No task of the call's keeps the connection.
    drop(transport);
    tokio::time::timeout(Duration::from_secs(20), closed.notified()).await.expect("the connection is closed");
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whether_a_call_that_failed_may_have_been_carried_out_is_told() {
    let scene = Scene::new().await;
    let transport =
        scene.builder().retries(Retries::none()).timeout(Duration::from_secs(100)).build().unwrap();
    let post = |transport: &Transport| {
        transport.request(Method::POST, "/v2/acts").credential(&scene.credential()).send()
    };
    let told = |error: &Error| CallFailure::of(error).unwrap().may_have_been_done();
    for (fault, expected) in [
        (Fault::status(400, "made-up"), false),
        (Fault::status(401, "made-up"), false),
        (Fault::status(404, "made-up"), false),
        (Fault::status(429, "made-up"), false),
        // Of what took too long a part may be done.
        (Fault::status(408, "made-up"), true),
        (Fault::status(500, "made-up"), true),
        (Fault::status(503, "made-up"), true),
        (Fault::CloseWithoutAnswer, true),
        (Fault::Huge(1 << 40), true),
        (Fault::Redirect("/v2/actors".to_owned()), true),
    ] {
        scene.stand_in.answer_next(fault.clone());
        assert_eq!(told(&post(&transport).await.unwrap_err()), expected, "{fault:?}");
    }
    scene.stand_in.answer_next(Fault::NotJson);
    let read = post(&transport).await.unwrap().json::<u8>().unwrap_err();
    assert!(told(&read));
    let silent =
        scene.builder().retries(Retries::none()).timeout(Duration::from_millis(1500)).build().unwrap();
    scene.stand_in.answer_next(Fault::Silence);
    assert!(told(&post(&silent).await.unwrap_err()));

    // A server that nobody trusts got nothing.
    let untrusting = Transport::builder(scene.spec()).retries(Retries::none()).build().unwrap();
    assert!(!told(&post(&untrusting).await.unwrap_err()));

    // Of many attempts, each counts.
    let transport = scene.builder().retries(QUICK.at_most(1)).build().unwrap();
    scene.stand_in.answer_next(Fault::status(503, "made-up"));
    scene.stand_in.answer_next(Fault::status(429, "made-up"));
    let error = post_again(&transport, &scene).await;
    assert!(told(&error) && CallFailure::of(&error).unwrap().attempts() == 2, "{error:?}");
    scene.stand_in.answer_next(Fault::status(429, "made-up"));
    scene.stand_in.answer_next(Fault::status(429, "made-up"));
    let error = post_again(&transport, &scene).await;
    assert!(!told(&error) && CallFailure::of(&error).unwrap().attempts() == 2, "{error:?}");
}

/// As one that may be carried out twice.
async fn post_again(transport: &Transport, scene: &Scene) -> Error {
    let call = transport.request(Method::POST, "/v2/acts").idempotent();
    call.credential(&scene.credential()).send().await.unwrap_err()
}
