//! Runs: started, waited for, ended.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_apify::{Access, Apify, ApifyClient, Boundary, Class, RunStatus};
use tokenkeep_core::{
    ApiToken, Credential, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken, Origin, Outcome,
    SecretVersion, Use,
};
use tokenkeep_testkit::Fault;
use zeroize::Zeroizing;

use crate::scene::{ACCOUNT, Scene};

fn running() -> Boundary {
    Boundary::analytics().allow(Class::Runs, Access::ReadAndWrite).allow(Class::Inputs, Access::ReadAndWrite)
}

#[tokio::test]
async fn a_run_is_started_as_it_is_told_waited_for_and_ended() {
    let scene = Scene::new().await;
    let client = scene.client(running());
    let actor = client.actor("jane-doe~news-digest");
    let started = actor.start(&serde_json::json!({ "a": [1, "ž"] })).await.unwrap();
    assert_eq!((&started.status, &started.exit_code), (&RunStatus::Ready, &None));
    let sent = &scene.stand_in.requests()[0];
    assert_eq!(
        (sent.method.as_str(), sent.target.as_str()),
        ("POST", "/v2/actors/jane-doe~news-digest/runs")
    );
    assert_eq!(
        (sent.body.as_slice(), sent.header("content-type")),
        (r#"{"a":[1,"ž"]}"#.as_bytes(), Some("application/json"))
    );

    let ended = client.run(&started.id).wait(Duration::from_secs(30)).await.unwrap();
    assert_eq!((ended.status, ended.exit_code), (RunStatus::Succeeded, Some(0)));
    assert_eq!(actor.last_run().await.unwrap().id, started.id);
    let failed = actor.last_run().status(RunStatus::Failed).await.unwrap();
    assert_eq!(failed.id, "FakeRun0000000001");
    let none = actor.last_run().status(RunStatus::Aborting).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);

    let second = actor
        .start_json(Zeroizing::new(b" {} ".to_vec()))
        .memory(256)
        .timeout(Duration::from_millis(900))
        .await
        .unwrap();
    let sent = scene.stand_in.requests().pop().unwrap();
    assert_eq!(
        (sent.body.as_slice(), sent.target.as_str()),
        (&b" {} "[..], "/v2/actors/jane-doe~news-digest/runs?memory=256&timeout=1")
    );
    assert_eq!(client.run(&second.id).abort_gracefully().await.unwrap().status, RunStatus::Aborting);
    assert_eq!(client.run(&second.id).abort().await.unwrap().status, RunStatus::Aborted);
    let target = scene.stand_in.requests().into_iter().rev().nth(1).unwrap().target;
    assert_eq!(target, format!("/v2/actor-runs/{}/abort?gracefully=true", second.id));
}

#[tokio::test]
async fn an_input_that_is_no_json_is_not_sent_and_not_repeated() {
    let scene = Scene::new().await;
    let actor = scene.client(running()).actor("jane-doe~news-digest");
    let error = actor.start_json(Zeroizing::new(b"s3cret".to_vec())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(!format!("{error:?}").contains("s3cret"));
    // Apify takes zero for no limit at all, which nobody means who says how long.
    let endless = actor.start("x").timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!(endless.kind(), ErrorKind::Misuse);
    for dollars in [-1.0, f64::NAN, f64::INFINITY] {
        let error = actor.start("x").max_total_charge_usd(dollars).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{dollars}");
    }
    let start = actor.start("s3cret").build("b1");
    assert!(!format!("{start:?}").contains("s3cret"));
    assert!(scene.stand_in.requests().is_empty());
}

/// How long Apify is asked to hold its answer back, as the request says.
fn held_back(scene: &Scene) -> Vec<u64> {
    let secs = |target: String| target.split_once("waitForFinish=").unwrap().1.parse().unwrap();
    scene.stand_in.requests().into_iter().map(|sent| secs(sent.target)).collect()
}

#[tokio::test]
async fn waiting_stands_under_the_callers_limit_and_the_attempts() {
    let scene = Scene::new().await;
    let client = scene.client(running());
    // It never ends, and the stand-in answers at once: a question a second, and the rest is waited out here.
    let begin = Instant::now();
    let run = client.run("FakeRun0000000003").wait(Duration::from_millis(2500)).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(2500));
    assert_eq!(run.status, RunStatus::Running);
    let held_back_secs = held_back(&scene);
    assert!(held_back_secs.iter().all(|secs| *secs <= 2) && held_back_secs.is_sorted_by(|a, b| a >= b));
    assert!(held_back_secs.len() as u64 <= 1 + begin.elapsed().as_secs(), "{held_back_secs:?}");

    // An attempt may take 20 s here, so it holds back less than that.
    scene.stand_in.clear_requests();
    let ended = client.run("FakeRun0000000000").wait(Duration::MAX).await.unwrap();
    assert_eq!((ended.status, held_back(&scene)), (RunStatus::Succeeded, vec![13]));
    scene.stand_in.clear_requests();
    let start = client.actor("jane-doe~news-digest").start(&serde_json::json!({}));
    assert_eq!(start.wait_for_finish(Duration::MAX).await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(held_back(&scene), [13]);
}

#[tokio::test]
async fn waiting_ends_at_its_limit_also_where_nobody_answers() {
    let scene = Scene::new().await;
    let run = scene.client(running()).run("FakeRun0000000003");
    scene.stand_in.answer_always(Some(Fault::Silence));
    let error = run.wait(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
    // What was heard before is given, though the last question went unanswered. The limit grows until there was time for three of them.
    for limit in (0..6).map(|doubled| Duration::from_millis(1700) * (1 << doubled)) {
        scene.stand_in.answer_always(None);
        scene.stand_in.clear_requests();
        let run = run.clone();
        let waiting = tokio::spawn(async move { run.wait(limit).await });
        while scene.stand_in.requests().len() < 2 && !waiting.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scene.stand_in.answer_always(Some(Fault::Silence));
        let result = waiting.await.unwrap();
        if scene.stand_in.requests().len() == 3 {
            assert_eq!(result.unwrap().status, RunStatus::Running);
            break;
        }
        assert!(limit < Duration::from_secs(50), "three questions were never asked");
    }

    scene.stand_in.answer_always(Some(Fault::status(403, "insufficient-permissions")));
    let refused = scene.client(running()).run("FakeRun0000000003").wait(Duration::from_secs(5)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ScopeTooSmall);
}

/// A credential that writes down what it is told, and may fail to.
struct Noting {
    inner: Credential,
    told: Arc<Mutex<Vec<String>>>,
    fails: bool,
}

#[async_trait]
impl CredentialSource for Noting {
    async fn issue(&self, usage: Use<'_>) -> Result<IssuedToken, Error> {
        self.inner.issue(usage).await
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, outcome: Outcome<'_>) -> Result<(), Error> {
        self.told.lock().unwrap().push(format!("{outcome:?}"));
        if self.fails { Err(ErrorKind::StoreUnavailable.into()) } else { Ok(()) }
    }
}

fn noting(scene: &Scene, fails: bool) -> (ApifyClient, Arc<Mutex<Vec<String>>>) {
    let origin = Origin::parse(&scene.stand_in.origin()).unwrap();
    let apify = Apify::builder().origin(origin.clone()).extra_root_der(&scene.stand_in.ca_der());
    let apify = apify.boundary(running()).retries(tokenkeep_apify::Retries::none()).build().unwrap();
    let told = Arc::<Mutex<Vec<String>>>::default();
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    let inner = Credential::fixed(origin, token);
    let source = Noting { inner, told: Arc::clone(&told), fails };
    (apify.with(Credential::new(source)), told)
}

#[tokio::test]
async fn the_credential_is_told_which_run_was_started() {
    let scene = Scene::new().await;
    let (client, told) = noting(&scene, false);
    let actor = client.actor("jane-doe~news-digest");
    let input = serde_json::json!({});
    let run = actor.start(&input).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [format!("Created({:?})", run.id)]);

    for (fault, expected) in [
        (Fault::status(401, "invalid-token"), "Refused(TokenRefused)"),
        (Fault::status(404, "record-or-token-not-found"), "Refused(NotFoundOrTokenRefused)"),
        (Fault::CloseWithoutAnswer, "Unanswered"),
        // A run may have been started; which one is not known.
        (Fault::NotJson, "Accepted"),
    ] {
        told.lock().unwrap().clear();
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(fault.clone());
        actor.start(&input).await.unwrap_err();
        assert_eq!(*told.lock().unwrap(), [expected], "{fault:?}");
        assert_eq!(scene.stand_in.requests().len(), 1, "{fault:?}");
    }
    told.lock().unwrap().clear();
    client.run(&run.id).get().await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["Accepted"]);

    // A run that was started is given, though that can't be recorded.
    let (client, told) = noting(&scene, true);
    let run = client.actor("jane-doe~news-digest").start(&input).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [format!("Created({:?})", run.id)]);
}

#[tokio::test]
async fn what_may_have_started_a_run_is_not_sent_again() {
    let scene = Scene::new().await;
    let origin = Origin::parse(&scene.stand_in.origin()).unwrap();
    let token = Arc::new(ApiToken::new(scene.token.clone()).unwrap());
    let failing = async |fault: &Fault, abort: bool, timeout: Duration| {
        let apify = Apify::builder().origin(origin.clone()).extra_root_der(&scene.stand_in.ca_der());
        let apify = apify.boundary(running()).timeout(timeout).build().unwrap();
        let client = apify.with(Credential::fixed(origin.clone(), Arc::clone(&token)));
        scene.stand_in.clear_requests();
        scene.stand_in.answer_always(Some(fault.clone()));
        let error = match abort {
            true => client.run("FakeRun0000000003").abort().await.unwrap_err(),
            false => client.actor("jane-doe~news-digest").start("x").await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::ProviderUnavailable, "{fault:?}");
        scene.stand_in.requests().len()
    };
    for abort in [false, true] {
        for fault in [Fault::status(503, "internal-error"), Fault::CloseWithoutAnswer] {
            assert_eq!(failing(&fault, abort, Duration::from_secs(100)).await, 1, "{fault:?}");
        }
        // Silence takes the whole time-out, which grows until the request was there by then.
        let mut timeouts = (0..7).map(|doubled| Duration::from_millis(500) * (1 << doubled));
        loop {
            let timeout = timeouts.next().expect("the request arrives in time");
            match failing(&Fault::Silence, abort, timeout).await {
                0 => {}
                arrived => break assert_eq!(arrived, 1),
            }
        }
    }
    let id = scene.stand_in.add_run(ACCOUNT, tokenkeep_testkit::Run::default());
    assert_eq!(id, "FakeRun0000000004", "nothing was started meanwhile");
}

#[tokio::test]
async fn a_wait_goes_on_where_apify_has_waited_long_enough() {
    let scene = Scene::new().await;
    let run = scene.client(running()).run("FakeRun0000000000");
    scene.stand_in.answer_next(Fault::status(408, "run-timeout-exceeded"));
    assert_eq!(run.wait(Duration::from_secs(100)).await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(scene.stand_in.requests().len(), 2);
    // Another 408 is no word of the run, and what is said for the whole time is no answer.
    scene.stand_in.answer_next(Fault::status(408, "something-new"));
    assert_eq!(run.wait(Duration::from_secs(100)).await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    scene.stand_in.answer_always(Some(Fault::status(408, "run-timeout-exceeded")));
    let error = run.wait(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProviderUnavailable);
}

#[tokio::test]
async fn waiting_for_no_time_asks_once() {
    let scene = Scene::new().await;
    let run = scene.client(running()).run("FakeRun0000000003");
    assert_eq!(run.wait(Duration::ZERO).await.unwrap().status, RunStatus::Running);
    assert_eq!(scene.stand_in.requests().len(), 1);
}

/// Taken from a browser's address bar, where Apify writes it so.
#[tokio::test]
async fn a_name_with_a_slash_is_answered_with_how_to_write_it() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    for error in [
        client.actor("apify/web-scraper").get().await.unwrap_err(),
        client.actor("apify/web-scraper").start("x").await.unwrap_err(),
        client.dataset("apify/prices").get().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.report().to_string().contains("user~name"), "{}", error.report());
        assert!(!format!("{error:?}").contains("apify/"), "{error:?}");
    }
    assert!(scene.stand_in.requests().is_empty());
}
