//! tokenkeep-apify: a client that calls with a token, what it asks for and what it gets.

use std::time::Duration;

use tokenkeep_apify::{
    Apify, ApifyClient, Boundary, EnvVar, EnvVarValue, ErrorType, LastRun, NewEnvVar, Retries, TokenShape,
};
use tokenkeep_core::{Credential, ErrorKind, Origin};
use tokenkeep_testkit::{ApifyStandIn, Fault};

use crate::Secrets;
use crate::of_network::error;
use crate::shown::{Shown, show, show_small};

const ACTOR: &str = "jane-doe~price-watch";
const BUILD: &str = "FakeBuild00000001";
const STORAGES: [&str; 2] = ["FakeItems00000000", "FakeStore00000000"];

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets, stand_in: &ApifyStandIn) {
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let builder = Apify::builder().origin(origin.clone()).extra_root_der(&stand_in.ca_der());
    let builder = builder.boundary(Boundary::all()).retries(Retries::none());
    show!(shown, tokenkeep_apify::ApifyBuilder: builder);
    let apify = builder.build().unwrap();
    let client = apify.with(Credential::fixed(origin, secrets.token()));
    show!(shown, tokenkeep_apify::Apify: apify);
    show!(shown, tokenkeep_apify::ApifyClient: client);
    show!(shown, tokenkeep_apify::Me: client.me().await.unwrap());
    actors(shown, &client).await;
    jobs(shown, secrets, &client).await;
    storages(shown, &client).await;
    variables(shown, secrets, &client).await;
    account(shown, &client).await;

    for fault in [Fault::EchoAuthorization, Fault::NotJson, Fault::status(401, "invalid-token")] {
        stand_in.answer_next(fault);
        error(shown, &client.me().await.unwrap_err());
    }
    stand_in.answer_next(Fault::status(403, "insufficient-permissions"));
    let too_small = client.runs().list().await.unwrap_err();
    assert_eq!(too_small.kind(), ErrorKind::ScopeTooSmall);
    show!(shown, tokenkeep_apify::ErrorType: ErrorType::of(&too_small).unwrap());
    error(shown, &too_small);
    boundary(shown, secrets);
}

async fn actors(shown: &mut Shown, client: &ApifyClient) {
    show!(shown, tokenkeep_apify::Actors: client.actors());
    show!(shown, tokenkeep_apify::ActorClient: client.actor(ACTOR));
    show!(shown, tokenkeep_apify::List<tokenkeep_apify::Actor>: client.actors().list().limit(3));
    show!(shown, tokenkeep_apify::Pages<tokenkeep_apify::Page<tokenkeep_apify::Actor>>: client.actors().list().pages());
    show!(shown, tokenkeep_apify::Items<tokenkeep_apify::Actor>: client.actors().list().items());
    show!(shown, tokenkeep_apify::Page<tokenkeep_apify::Actor>: client.actors().list().await.unwrap());
    let actor = client.actor(ACTOR).get().await.unwrap();
    show!(shown, tokenkeep_apify::Actor: actor);
    show!(shown, tokenkeep_apify::ActorStats: actor.stats.unwrap());
    show!(shown, tokenkeep_apify::ActorVersion: actor.versions.unwrap()[0]);
    show!(shown, tokenkeep_apify::RunDefaults: actor.default_run_options.unwrap());
    let tagged = actor.tagged_builds.unwrap().into_values().flatten().next();
    show!(shown, tokenkeep_apify::TaggedBuild: tagged.unwrap());
}

async fn jobs(shown: &mut Shown, secrets: &Secrets, client: &ApifyClient) {
    show!(shown, tokenkeep_apify::Runs: client.runs());
    show!(shown, tokenkeep_apify::List<tokenkeep_apify::Run>: client.runs().list());
    let last: LastRun = client.actor(ACTOR).last_run();
    show!(shown, tokenkeep_apify::LastRun: last);
    let run = client.run(client.runs().list().await.unwrap().items.remove(0).id);
    show!(shown, tokenkeep_apify::RunClient: run);
    let log = run.log();
    show!(shown, tokenkeep_apify::Log: log);
    show!(shown, tokenkeep_apify::LogText: log.text(1 << 20).await.unwrap());
    let run = run.get().await.unwrap();
    show!(shown, tokenkeep_apify::Run: run);
    show!(shown, tokenkeep_apify::RunStatus: run.status);
    show!(shown, tokenkeep_apify::RunMeta: run.meta);
    show!(shown, tokenkeep_apify::RunOptions: run.options.unwrap());
    show!(shown, tokenkeep_apify::RunStats: run.stats.unwrap());
    let start = client.actor(ACTOR).start(&[&secrets.token]).timeout(Duration::from_secs(60));
    show!(shown, tokenkeep_apify::Start: start);

    show!(shown, tokenkeep_apify::Builds: client.builds());
    show!(shown, tokenkeep_apify::BuildClient: client.build(BUILD));
    let build = client.build(BUILD).get().await.unwrap();
    show!(shown, tokenkeep_apify::Build: build);
    show!(shown, tokenkeep_apify::BuildMeta: build.meta);
    show!(shown, tokenkeep_apify::BuildStats: build.stats.unwrap_or_default());
}

async fn storages(shown: &mut Shown, client: &ApifyClient) {
    show!(shown, tokenkeep_apify::Datasets: client.datasets());
    show!(shown, tokenkeep_apify::DatasetClient: client.dataset(STORAGES[0]));
    let dataset = client.dataset(STORAGES[0]).get().await.unwrap();
    show!(shown, tokenkeep_apify::Dataset: dataset);
    show!(shown, tokenkeep_apify::DatasetStats: dataset.stats.unwrap_or_default());
    show!(shown, tokenkeep_apify::KeyValueStores: client.key_value_stores());
    let store = client.key_value_store(STORAGES[1]);
    show!(shown, tokenkeep_apify::KeyValueStoreClient: store);
    show!(shown, tokenkeep_apify::Keys: store.keys());
    let keys = store.keys().await.unwrap();
    show!(shown, tokenkeep_apify::KeyPage: keys);
    show!(shown, tokenkeep_apify::Key: keys.items[0]);
    let store = store.get().await.unwrap();
    show!(shown, tokenkeep_apify::KeyValueStore: store);
    show!(shown, tokenkeep_apify::KeyValueStoreStats: store.stats.unwrap_or_default());
}

/// A customer's secrets too: here the token stands in a variable's place.
async fn variables(shown: &mut Shown, secrets: &Secrets, client: &ApifyClient) {
    show!(shown, tokenkeep_apify::EnvVars: client.actor(ACTOR).env_vars("0.1"));
    let value = || EnvVarValue::from(secrets.token.clone());
    show!(shown, tokenkeep_apify::EnvVarValue: value());
    show!(shown, tokenkeep_apify::NewEnvVar: NewEnvVar::secret("KEY", value()), NewEnvVar::plain("KEY", value()));
    let read = format!(r#"{{"name": "KEY", "value": "{}", "isSecret": false}}"#, secrets.token);
    let read: EnvVar = serde_json::from_str(&read).unwrap();
    assert!(read.value.as_ref().is_some_and(|value| value.expose_secret() == secrets.token));
    show!(shown, tokenkeep_apify::EnvVar: read);
}

async fn account(shown: &mut Shown, client: &ApifyClient) {
    show!(shown, tokenkeep_apify::Usage: client.usage());
    let usage = client.usage().await.unwrap();
    show!(shown, tokenkeep_apify::MonthlyUsage: usage);
    show!(shown, tokenkeep_apify::UsageCycle: usage.usage_cycle.clone().unwrap());
    show!(shown, tokenkeep_apify::ServiceUsage: usage.monthly_service_usage.values().next().unwrap().clone());
    show!(shown, tokenkeep_apify::DailyUsage: usage.daily_service_usages[0].clone());
    let limits = client.limits().await.unwrap();
    show!(shown, tokenkeep_apify::AccountLimits: limits);
    show!(shown, tokenkeep_apify::Limits: limits.limits.clone());
    show!(shown, tokenkeep_apify::CurrentUsage: limits.current.clone());
}

fn boundary(shown: &mut Shown, secrets: &Secrets) {
    let boundary = Boundary::analytics();
    // An id that is the token's text is no secret for the boundary, and is not kept all the same.
    let admitted = boundary.judge("GET", &format!("/v2/actor-runs/{}", &secrets.token[15..])).unwrap();
    show!(shown, tokenkeep_apify::Admitted: admitted);
    show!(shown, tokenkeep_apify::Boundary: boundary);
    show!(shown, tokenkeep_apify::TokenScope: boundary.token_scope());
    show!(shown, tokenkeep_apify::TokenShape: TokenShape::of(&secrets.token()));
    show_small!(
        shown,
        tokenkeep_apify::Access,
        tokenkeep_apify::Class,
        tokenkeep_apify::Refused,
        tokenkeep_apify::TokenPermission,
    );
}
