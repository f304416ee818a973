//! Every call of the typed client, once, with what it needs: the stand-in and Prism are asked the same.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use tokenkeep_apify::Access::{Read, ReadAndWrite};
use tokenkeep_apify::Class::{
    Actors, BuildLogs, Builds, Datasets, EnvVars, Inputs, KeyValueStores, OtherUsers, RunLogs, Runs, Usage,
};
use tokenkeep_apify::{Access, ApifyClient, Class, NewEnvVar, RunStatus};
use tokenkeep_core::Error;
use zeroize::Zeroizing;

const ACTOR: &str = "jane-doe~price-watch";
const RUN: &str = "FakeRun0000000000";
const BUILD: &str = "FakeBuild00000001";

pub(crate) struct Case {
    /// As the crate's page has it.
    pub(crate) name: &'static str,
    /// What the smallest boundary allows under which it works.
    pub(crate) needs: &'static [(Class, Access)],
    call: fn(ApifyClient) -> Calling,
}

type Calling = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl Case {
    /// Makes the call, and looks at the fields that are always there.
    pub(crate) async fn call(&self, client: ApifyClient) -> Result<(), Error> {
        (self.call)(client).await
    }
}

macro_rules! cases {
    ($($name:literal [$($class:ident $access:ident),*] |$client:ident| $body:block)*) => {
        pub(crate) const CASES: &[Case] = &[$(Case {
            name: $name,
            needs: &[$(($class, $access)),*],
            call: |$client| Box::pin(async move { $body; Ok(()) }),
        }),*];
    };
}

/// It is there, and not empty.
fn there(text: &str) {
    assert!(!text.is_empty());
}

cases! {
    "me()" [] |client| {
        let me = client.me().await?;
        there(&me.id);
        there(&me.username);
    }
    "actors().list()" [Actors Read] |client| {
        let page = client.actors().list().newest_first().offset(0).limit(5).await?;
        there(&page.items[0].id);
        there(&page.items[0].username);
    }
    "actor(..).get()" [Actors Read] |client| {
        let actor = client.actor(ACTOR).get().await?;
        there(&actor.name);
        assert!(actor.stats.is_some() && actor.default_run_options.is_some());
        assert_eq!(actor.versions.unwrap()[0].version_number, "0.1");
    }
    "actor(..).runs().list()" [Runs Read] |client| {
        let from = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let list = client.actor(ACTOR).runs().list().status(RunStatus::Succeeded).started_after(from);
        there(&list.started_before(SystemTime::now()).newest_first().limit(7).await?.items[0].id);
    }
    "actor(..).last_run()" [Runs Read] |client| {
        there(&client.actor(ACTOR).last_run().status(RunStatus::Succeeded).await?.id);
    }
    "actor(..).start(..)" [Runs ReadAndWrite, Inputs ReadAndWrite] |client| {
        let start = client.actor(ACTOR).start(&serde_json::json!({ "url": "https://example.com" }));
        let limit = Duration::from_secs(60);
        let start = start.max_total_charge_usd(2.5).max_items(10).restart_on_error(false);
        let run = start.memory(1024).timeout(limit).build("0.1.2").wait_for_finish(limit).await?;
        there(&run.id);
    }
    "actor(..).start_json(..)" [Runs ReadAndWrite, Inputs ReadAndWrite] |client| {
        let input = Zeroizing::new(br#"{"url": "https://example.com"}"#.to_vec());
        there(&client.actor(ACTOR).start_json(input).without_time_limit().await?.id);
    }
    "actor(..).builds().list()" [Builds Read] |client| {
        there(&client.actor(ACTOR).builds().list().limit(2).await?.items[0].id);
    }
    "actor(..).default_build()" [Builds Read] |client| {
        there(&client.actor(ACTOR).default_build().await?.id);
    }
    "actor(..).env_vars(..).list()" [EnvVars Read] |client| {
        there(&client.actor(ACTOR).env_vars("0.1").list().await?[0].name);
    }
    "actor(..).env_vars(..).get(..)" [EnvVars Read] |client| {
        there(&client.actor(ACTOR).env_vars("0.1").get("MY_KEY").await?.name);
    }
    "actor(..).env_vars(..).create(..)" [EnvVars ReadAndWrite] |client| {
        let variable = NewEnvVar::secret("NEW_KEY", "a \"value\"".to_owned());
        there(&client.actor(ACTOR).env_vars("0.1").create(&variable).await?.name);
    }
    "actor(..).env_vars(..).update(..)" [EnvVars ReadAndWrite] |client| {
        let variable = NewEnvVar::secret("MY_KEY", "another value".to_owned());
        there(&client.actor(ACTOR).env_vars("0.1").update(&variable).await?.name);
    }
    "actor(..).env_vars(..).delete(..)" [EnvVars ReadAndWrite] |client| {
        client.actor(ACTOR).env_vars("0.1").delete("MY_KEY").await?;
    }
    "runs().list()" [Runs Read] |client| {
        let statuses = [RunStatus::Succeeded, RunStatus::TimedOut, RunStatus::Failed];
        let list = statuses.into_iter().fold(client.runs().list(), |list, status| list.status(status));
        there(&list.offset(0).await?.items[0].id);
    }
    "run(..).get()" [Runs Read] |client| {
        let run = client.run(RUN).get().await?;
        there(&run.id);
        assert!(run.stats.is_some() && run.options.is_some());
    }
    "run(..).wait(..)" [Runs Read] |client| {
        there(&client.run(RUN).wait(Duration::from_secs(3)).await?.id);
    }
    "run(..).abort()" [Runs ReadAndWrite] |client| {
        there(&client.run(RUN).abort().await?.id);
    }
    "run(..).abort_gracefully()" [Runs ReadAndWrite] |client| {
        there(&client.run(RUN).abort_gracefully().await?.id);
    }
    "run(..).log()" [RunLogs Read] |client| {
        let log = client.run(RUN).log().follow().text(1 << 20).await?;
        assert!(log.is_whole);
        there(&log.text);
    }
    "builds().list()" [Builds Read] |client| {
        there(&client.builds().list().newest_first().await?.items[0].id);
    }
    "build(..).get()" [Builds Read] |client| {
        there(&client.build(BUILD).get().await?.id);
    }
    "build(..).log()" [BuildLogs Read] |client| {
        there(&client.build(BUILD).log().text(1 << 20).await?.text);
    }
    "datasets().list()" [Datasets Read] |client| {
        there(&client.datasets().list().with_unnamed().newest_first().await?.items[0].id);
    }
    "datasets().list().with_shared()" [Datasets Read, OtherUsers Read] |client| {
        there(&client.datasets().list().with_shared().await?.items[0].id);
    }
    "dataset(..).get()" [Datasets Read] |client| {
        let dataset = client.dataset("FakeItems00000000").get().await?;
        there(&dataset.id);
        assert!(dataset.item_count.is_some() && dataset.created_at.is_some());
    }
    "key_value_stores().list()" [KeyValueStores Read] |client| {
        there(&client.key_value_stores().list().with_unnamed().limit(3).await?.items[0].id);
    }
    "key_value_stores().list().with_shared()" [KeyValueStores Read, OtherUsers Read] |client| {
        there(&client.key_value_stores().list().with_shared().await?.items[0].id);
    }
    "key_value_store(..).get()" [KeyValueStores Read] |client| {
        let store = client.key_value_store("FakeStore00000000").get().await?;
        there(&store.id);
        assert!(store.modified_at.is_some());
    }
    "key_value_store(..).keys()" [KeyValueStores Read] |client| {
        let keys = client.key_value_store("FakeStore00000000").keys().limit(2).after("A key").prefix("O").await?;
        there(&keys.items[0].key);
    }
    "usage()" [Usage Read] |client| {
        let usage = client.usage().of("2026-08-17").await?;
        assert!(!usage.monthly_service_usage.is_empty() && usage.usage_cycle.is_some());
    }
    "limits()" [Usage Read] |client| {
        let limits = client.limits().await?;
        assert!(limits.limits.max_actor_count.is_some() && limits.current.actor_count.is_some());
    }
}
