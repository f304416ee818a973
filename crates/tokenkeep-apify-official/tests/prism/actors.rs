//! Actors, their versions, environment variables and builds.

use apify_client::clients::actor::ActorClient;
use apify_client::clients::actor_collection::ActorCollectionClient;
use apify_client::clients::actor_env_var::ActorEnvVarClient;
use apify_client::clients::actor_env_var_collection::ActorEnvVarCollectionClient;
use apify_client::clients::actor_version::ActorVersionClient;
use apify_client::clients::actor_version_collection::ActorVersionCollectionClient;
use apify_client::clients::build::BuildClient;
use apify_client::clients::build_collection::BuildCollectionClient;
use apify_client::models::ActorEnvVar;
use apify_client::{ActorCallOptions, ActorStartOptions, LogRedirect, TaskStartOptions};
use serde_json::json;

use crate::table::{Route, Row, rows};

pub(crate) fn add(rows: &mut Vec<Row>) {
    let actors: [Route<ActorCollectionClient>; 1] = [("", |client| client.actors(), None)];
    rows!(rows, "actors", ActorCollectionClient via actors;
        list(Default::default()) as json => Projected,
        create(&json!({ "name": "price-watch" })) as json => Refused,
    );
    let actor: [Route<ActorClient>; 2] = [
        ("by id", |client| client.actor("a1"), None),
        ("by name", |client| client.actor("jane-doe/price-watch"), None),
    ];
    rows!(rows, "actors", ActorClient via actor;
        get() as json => Projected,
        update(&json!({ "title": "Prices" })) as json => Refused,
        delete() as json => Refused,
        start(Some(&json!({ "a": 1 })), start()) as json => Refused,
        start_raw(b"a,b", ActorStartOptions { content_type: Some("text/csv".into()), ..start() }) as json => Refused,
        call(Some(&json!({ "a": 1 })), quiet(ActorStartOptions::default())) as json => Refused,
        call_raw(b"a,b", quiet(ActorStartOptions { content_type: Some("text/csv".into()), ..start() })) as json => Refused,
        build("0.1", Default::default()) as json => Refused,
        default_build(Some(1)) as handle => Projected,
        validate_input(&json!({ "a": 1 })) as json => Refused,
        validate_input_for_build(&json!({ "a": 1 }), Some("latest")) as json => Refused,
    );

    let versions: [Route<ActorVersionCollectionClient>; 1] =
        [("", |client| client.actor("a1").versions(), None)];
    rows!(rows, "actors", ActorVersionCollectionClient via versions;
        list() as json => Projected,
        create(&json!({ "versionNumber": "0.1", "sourceType": "GIT_REPO", "gitRepoUrl": "https://git.example/a" }))
            as json => Refused,
    );
    let version: [Route<ActorVersionClient>; 1] = [("", |client| client.actor("a1").version("0.1"), None)];
    rows!(rows, "actors", ActorVersionClient via version;
        get() as json => Projected,
        update(&json!({ "buildTag": "beta" })) as json => Refused,
        delete() as json => Refused,
    );
    let env_vars: [Route<ActorEnvVarCollectionClient>; 1] =
        [("", |client| client.actor("a1").version("0.1").env_vars(), None)];
    rows!(rows, "actors", ActorEnvVarCollectionClient via env_vars;
        list() as json => Refused,
        create(&env_var()) as json => Refused,
    );
    let variable: [Route<ActorEnvVarClient>; 1] =
        [("", |client| client.actor("a1").version("0.1").env_var("MY_KEY"), None)];
    rows!(rows, "actors", ActorEnvVarClient via variable;
        get() as json => Refused,
        update(&env_var()) as json => Refused,
        delete() as json => Refused,
    );

    let builds: [Route<BuildCollectionClient>; 2] = [
        ("of the account", |client| client.builds(), None),
        ("of an Actor", |client| client.actor("a1").builds(), None),
    ];
    rows!(rows, "builds", BuildCollectionClient via builds; list(Default::default()) as json => Projected);
    let build: [Route<BuildClient>; 1] = [("", |client| client.build("b1"), None)];
    rows!(rows, "builds", BuildClient via build;
        get() as json => Projected,
        abort() as json => Refused,
        delete() as json => Refused,
        wait_for_finish(Some(0)) as json => Projected,
        get_openapi_definition() as json => Refused,
    );
}

/// With each option that goes into the query.
fn start() -> ActorStartOptions {
    ActorStartOptions {
        build: Some("0.1.2".into()),
        memory_mbytes: Some(256),
        run_timeout_secs: Some(60),
        wait_for_finish: Some(1),
        max_items: Some(10),
        max_total_charge_usd: Some(1.5),
        restart_on_error: Some(false),
        ..ActorStartOptions::default()
    }
}

pub(crate) fn start_task() -> TaskStartOptions {
    TaskStartOptions {
        build: Some("0.1.2".into()),
        memory_mbytes: Some(256),
        run_timeout_secs: Some(60),
        wait_for_finish: Some(1),
        max_items: Some(10),
        max_total_charge_usd: Some(1.5),
        restart_on_error: Some(false),
        ..TaskStartOptions::default()
    }
}

/// Without a wait, as a made-up run never ends, and with nothing on the standard output.
fn quiet(start: ActorStartOptions) -> ActorCallOptions {
    ActorCallOptions { start, wait_secs: Some(0), log: LogRedirect::to_sink(|_: &str| {}) }
}

fn env_var() -> ActorEnvVar {
    ActorEnvVar {
        name: "MY_KEY".into(),
        value: Some("a value".into()),
        is_secret: Some(true),
        extra: Default::default(),
    }
}
