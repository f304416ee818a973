//! The client and the provider against a stand-in for Apify.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokenkeep_apify::{Apify, ApifyBuilder, ApifyClient, Retries, RunStatus};
use tokenkeep_core::{Account, ApiToken, Credential, Error, ErrorKind, Origin, Provider};
use tokenkeep_https::CallFailure;
use tokenkeep_testkit::{Access, ApifyStandIn, Fault, Run, fake_token};

const ACCOUNT: &str = "FakeUser000000001";

/// With all the time that there is: a body takes a while to be read, and wiped, where nothing is optimized.
fn builder(stand_in: &ApifyStandIn) -> ApifyBuilder {
    Apify::builder()
        .origin(Origin::parse(&stand_in.origin()).unwrap())
        .extra_root_der(&stand_in.ca_der())
        .timeout(Duration::from_secs(300))
        .retries(Retries::none())
}

struct Scene {
    stand_in: ApifyStandIn,
    apify: Apify,
    token: String,
}

impl Scene {
    async fn new() -> Self {
        let (stand_in, token) = (ApifyStandIn::start().await.unwrap(), fake_token());
        stand_in.grant(&token, Access::full(ACCOUNT, "jane-doe"));
        let apify = builder(&stand_in).build().unwrap();
        Self { stand_in, apify, token }
    }

    fn credential_for(&self, token: &str) -> Credential {
        let token = Arc::new(ApiToken::new(token.to_owned()).unwrap());
        Credential::fixed(self.apify.spec().origin.clone(), token)
    }

    fn credential(&self) -> Credential {
        self.credential_for(&self.token)
    }

    fn client(&self) -> ApifyClient {
        self.apify.with(self.credential())
    }

    async fn check(&self, token: &str) -> Result<Account, Error> {
        self.apify.provider().check(&self.credential_for(token)).await
    }
}

#[tokio::test]
async fn the_real_apify_is_the_default() {
    let apify = Apify::new().unwrap();
    let spec = apify.provider().spec();
    assert_eq!((spec.name.as_str(), spec.origin.as_str()), ("apify", "https://api.apify.com"));
    assert_eq!((spec.header, spec.prefix), ("authorization", "Bearer "));
}

#[tokio::test]
async fn a_token_is_checked_and_its_account_named() {
    let scene = Scene::new().await;
    let account = scene.check(&scene.token).await.unwrap();
    assert_eq!(account, Account::new(ACCOUNT, "jane-doe").unwrap());
    assert_eq!(scene.stand_in.requests()[0].target, "/v2/users/me");

    assert_eq!(scene.check(&fake_token()).await.unwrap_err().kind(), ErrorKind::TokenRefused);
    scene.stand_in.revoke(&scene.token);
    assert_eq!(scene.check(&scene.token).await.unwrap_err().kind(), ErrorKind::TokenRefused);
}

#[tokio::test]
async fn a_check_blames_the_token_for_nothing_else() {
    let mut scene = Scene::new().await;
    for (fault, kind) in [
        (Fault::status(401, "invalid-token"), ErrorKind::TokenRefused),
        (Fault::status(401, "token-not-provided"), ErrorKind::ProviderMisbehaved),
        (Fault::status(401, "something-new"), ErrorKind::ProviderMisbehaved),
        (Fault::status(403, "insufficient-permissions"), ErrorKind::ScopeTooSmall),
        (Fault::status(404, "record-or-token-not-found"), ErrorKind::ProviderMisbehaved),
        (Fault::status(404, "page-not-found"), ErrorKind::ProviderMisbehaved),
        (Fault::rate_limited("3"), ErrorKind::RateLimited),
        (Fault::status(500, "internal-error"), ErrorKind::ProviderUnavailable),
        (Fault::NotJson, ErrorKind::ProviderMisbehaved),
        (Fault::Huge(10 << 30), ErrorKind::ProviderMisbehaved),
        (Fault::Endless, ErrorKind::ProviderMisbehaved),
        (Fault::CloseWithoutAnswer, ErrorKind::ProviderUnavailable),
        (Fault::Redirect("/v2/acts".to_owned()), ErrorKind::ProviderMisbehaved),
        (Fault::Silence, ErrorKind::ProviderUnavailable),
    ] {
        scene.stand_in.clear_requests();
        scene.stand_in.answer_next(fault.clone());
        if fault == Fault::Silence {
            scene.apify = builder(&scene.stand_in).timeout(Duration::from_millis(1500)).build().unwrap();
        }
        let error = scene.check(&scene.token).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error:?}");
        assert_eq!(scene.stand_in.requests().len(), 1, "{fault:?}");
        if kind == ErrorKind::RateLimited {
            assert_eq!(CallFailure::of(&error).unwrap().retry_after(), Some(Duration::from_secs(3)));
        }
    }
}

#[tokio::test]
async fn of_the_account_only_id_and_name_are_kept() {
    let scene = Scene::new().await;
    let me = scene.client().me().await.unwrap();
    assert_eq!((me.id.as_str(), me.username.as_str()), (ACCOUNT, "jane-doe"));
    assert_eq!(format!("{me:?}"), r#"Me { id: "FakeUser000000001", username: "jane-doe" }"#);
}

#[tokio::test]
async fn actors_are_listed_by_page() {
    let scene = Scene::new().await;
    let actors = scene.client().actors();
    let first = actors.clone().list().limit(2).await.unwrap();
    assert_eq!((first.total, first.offset, first.limit, first.desc), (3, 0, 2, false));
    assert_eq!(first.next_offset(), Some(2));
    let last = actors.clone().list().limit(2).offset(2).await.unwrap();
    assert_eq!((last.items.len(), last.next_offset()), (1, None));
    let beyond = actors.clone().list().offset(100).await.unwrap();
    assert_eq!((beyond.items.len(), beyond.next_offset()), (0, None));

    let actor = &first.items[1];
    assert_eq!((actor.name.as_str(), actor.username.as_str()), ("price-watch", "jane-doe"));
    assert_eq!(actor.title.as_deref(), Some("Price watch"));
    assert_eq!(actor.created_at.as_deref(), Some("2025-11-03T09:15:00.000Z"));
    assert_eq!(actor.modified_at.as_deref(), Some("2026-07-01T08:00:00.000Z"));

    let newest = actors.list().newest_first().await.unwrap();
    assert!(newest.desc);
    assert_eq!(newest.items[1], *actor);
    let targets: Vec<String> = scene.stand_in.requests().into_iter().map(|sent| sent.target).collect();
    assert_eq!(targets[1], "/v2/actors?offset=2&limit=2");
    assert_eq!(targets[3], "/v2/actors?desc=true");
}

#[tokio::test]
async fn runs_are_listed_and_filtered() {
    let scene = Scene::new().await;
    let client = scene.client();
    let all = client.runs().list().await.unwrap();
    assert_eq!((all.total, all.items.len()), (4, 4));
    let running = &all.items[3];
    assert_eq!((&running.status, &running.finished_at), (&RunStatus::Running, &None));
    assert_eq!(running.started_at.as_deref(), Some("2026-08-04T18:45:00.000Z"));
    assert!(all.items.iter().all(|run| run.usage_total_usd.is_some() && run.default_dataset_id.is_some()));

    let some = client
        .runs()
        .list()
        .status(RunStatus::Failed)
        .status(RunStatus::Running)
        .newest_first()
        .await
        .unwrap();
    let statuses: Vec<&RunStatus> = some.items.iter().map(|run| &run.status).collect();
    assert_eq!(statuses, [&RunStatus::Running, &RunStatus::Failed]);
    assert_eq!(scene.stand_in.requests()[1].target, "/v2/actor-runs?desc=true&status=FAILED%2CRUNNING");

    let id = scene.stand_in.add_run(ACCOUNT, Run { status: "TIMED-OUT".to_owned(), ..Run::default() });
    let late = client.runs().list().status(RunStatus::TimedOut).await.unwrap();
    assert_eq!((late.items.len(), &late.items[0].id), (1, &id));
}

#[tokio::test]
async fn runs_are_listed_by_the_time_they_started() {
    let scene = Scene::new().await;
    let first = SystemTime::UNIX_EPOCH + Duration::from_millis(1_785_587_400_000);
    let list =
        scene.client().runs().list().started_after(first).started_before(first + Duration::from_secs(70_000));
    let found = list.await.unwrap();
    let times: Vec<_> = found.items.iter().map(|run| run.started_at.as_deref().unwrap()).collect();
    assert_eq!(
        times,
        ["2026-08-01T12:30:00.000Z", "2026-08-02T06:00:00.000Z"],
        "{:?}",
        scene.stand_in.requests()
    );
    assert_eq!(found.items[0].meta.origin.as_deref(), Some("WEB"));
    // Times that Apify can't write are brought to the nearest that it can.
    let ever = scene.client().runs().list().started_after(SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    let ever = ever.started_before(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40));
    assert_eq!(ever.await.unwrap().total, 4);
    let target = &scene.stand_in.requests()[1].target;
    assert!(target.contains("1970-01-01") && target.contains("9999-12-31"), "{target}");
}

#[tokio::test]
async fn a_token_that_reaches_too_little_is_told_from_a_bad_one() {
    let scene = Scene::new().await;
    let token = fake_token();
    scene.stand_in.grant(&token, Access::under_scoped(ACCOUNT, "jane-doe"));
    let client = scene.apify.with(scene.credential_for(&token));
    assert_eq!(client.me().await.unwrap().id, ACCOUNT);
    assert_eq!(client.actors().list().await.unwrap_err().kind(), ErrorKind::ScopeTooSmall);
    let error = client.runs().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeTooSmall);
    assert!(error.customer_action().is_some());

    scene.stand_in.revoke(&token);
    assert_eq!(client.runs().list().await.unwrap_err().kind(), ErrorKind::TokenRefused);
}

#[tokio::test]
async fn a_token_is_not_sent_elsewhere() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    let error = other.apify.with(scene.credential()).me().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(other.stand_in.requests().is_empty());
}

#[test]
fn what_moves_between_tasks_may() {
    fn movable<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    movable::<Apify>();
    movable::<ApifyClient>();
    movable::<tokenkeep_apify::Page<tokenkeep_apify::Run>>();
    fn sendable<T: Send + 'static>(_: fn(ApifyClient) -> T) {}
    sendable(|client| async move { client.runs().list().await });
    sendable(|client| async move { client.me().await });
}
