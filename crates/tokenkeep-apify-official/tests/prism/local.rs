//! What asks nothing of anybody: how clients are reached, set up and put together. Each is called, and the requests are counted.

use std::sync::Arc;
use std::time::Duration;

use apify_client::clients::actor::ActorClient;
use apify_client::clients::actor_collection::ActorCollectionClient;
use apify_client::clients::actor_env_var::ActorEnvVarClient;
use apify_client::clients::actor_env_var_collection::ActorEnvVarCollectionClient;
use apify_client::clients::actor_version::ActorVersionClient;
use apify_client::clients::actor_version_collection::ActorVersionCollectionClient;
use apify_client::clients::build::BuildClient;
use apify_client::clients::build_collection::BuildCollectionClient;
use apify_client::clients::dataset::DatasetClient;
use apify_client::clients::dataset_collection::DatasetCollectionClient;
use apify_client::clients::key_value_store::KeyValueStoreClient;
use apify_client::clients::key_value_store_collection::KeyValueStoreCollectionClient;
use apify_client::clients::log::LogClient;
use apify_client::clients::request_queue::RequestQueueClient;
use apify_client::clients::request_queue_collection::RequestQueueCollectionClient;
use apify_client::clients::run::RunClient;
use apify_client::clients::run_collection::RunCollectionClient;
use apify_client::clients::schedule::ScheduleClient;
use apify_client::clients::schedule_collection::ScheduleCollectionClient;
use apify_client::clients::store_collection::StoreCollectionClient;
use apify_client::clients::task::TaskClient;
use apify_client::clients::task_collection::TaskCollectionClient;
use apify_client::clients::user::UserClient;
use apify_client::clients::webhook::WebhookClient;
use apify_client::clients::webhook_collection::WebhookCollectionClient;
use apify_client::clients::webhook_dispatch::WebhookDispatchClient;
use apify_client::clients::webhook_dispatch_collection::WebhookDispatchCollectionClient;
use apify_client::http_client::ReqwestBackend;
use apify_client::models::Task;
use apify_client::{
    ApifyClient, ApifyClientBuilder, GzipHttpCompressor, ListIterator, RequestCompression,
    RunDatasetItemsIterator, Timeout,
};
use serde_json::Value;

use crate::table::{Analytics, Came, Row};

/// The client's traits: what a caller implements and the client calls. One more would need a look.
pub(crate) const TRAITS: &[&str] = &["HttpBackend", "HttpCompressor", "LogSink"];

/// Other ways to a server than ours, which a client of ours has no use for: who builds a client with them builds one with a token of its own.
/// They can't be called here without reqwest's own types.
pub(crate) const OTHER_TRANSPORT: &[&str] = &["ReqwestBackend::with_client"];

/// `local!(rows, Client as an expression of `client`: method(arguments), …)`.
macro_rules! local {
    ($rows:ident, $($client:ident = $make:expr; $($method:ident $(::<$kind:ty>)? ($($argument:expr),* $(,)?)),*;)*) => {
        $($($rows.push(Row {
            group: "no call",
            method: concat!(stringify!($client), "::", stringify!($method)),
            route: "",
            call: Box::new(|client| {
                let make: fn(&ApifyClient) -> $client = $make;
                #[allow(unused_mut, reason = "some are handed on by value")]
                let mut it = make(client);
                let _ = it.$method$(::<$kind>)?($($argument),*);
                Box::pin(async { Ok(Came::Handle) })
            }),
            analytics: Analytics::NoCall,
        });)*)*
    };
}

/// `made!(rows, Type::function(arguments), …)`: what has no `self`.
macro_rules! made {
    ($rows:ident, $($client:ident::$method:ident($($argument:expr),*)),* $(,)?) => {
        $($rows.push(Row {
            group: "no call",
            method: concat!(stringify!($client), "::", stringify!($method)),
            route: "",
            call: Box::new(|_| {
                let _ = $client::$method($($argument),*);
                Box::pin(async { Ok(Came::Handle) })
            }),
            analytics: Analytics::NoCall,
        });)*
    };
}

const SOON: Duration = Duration::from_secs(1);

pub(crate) fn add(rows: &mut Vec<Row>) {
    made!(rows, ApifyClient::builder(), ApifyClient::new("no token"), ReqwestBackend::new());
    builder(rows);
    accessors(rows);
    timeouts(rows);
}

fn builder(rows: &mut Vec<Row>) {
    local!(rows, ApifyClientBuilder = |_| ApifyClient::builder();
        token("no token"), base_url("https://localhost:1"), public_base_url("https://localhost:1"), max_retries(0),
        min_delay_between_retries(SOON), timeout_short(SOON), timeout_medium(SOON), timeout_long(SOON), timeout_max(SOON),
        timeout(SOON), user_agent_suffix("a"), request_compression(RequestCompression::Gzip),
        http_compressor(Arc::new(GzipHttpCompressor::default())), default_header("a", "b"),
        http_backend(Arc::new(ReqwestBackend::new())), build();
    );
}

fn accessors(rows: &mut Vec<Row>) {
    local!(rows,
        ApifyClient = ApifyClient::clone;
        stats(), user_agent(), api_base_url(), actors(), actor("a1"), builds(), build("b1"), runs(), run("r1"), datasets(),
        dataset("d1"), key_value_stores(), key_value_store("s1"), request_queues(), request_queue("q1"), tasks(), task("t1"),
        schedules(), schedule("c1"), webhooks(), webhook("w1"), webhook_dispatches(), webhook_dispatch("x1"), store(),
        log("l1"), me(), user("u1");
        ActorClient = |client| client.actor("a1");
        id(), last_run(None), last_run_with_options(Default::default()), builds(), runs(), version("0.1"), versions(), webhooks();
        ActorVersionClient = |client| client.actor("a1").version("0.1"); env_var("MY_KEY"), env_vars();
        BuildClient = |client| client.build("b1"); log();
        RunClient = |client| client.run("r1");
        dataset(), key_value_store(), request_queue(), log(), iterate_dataset_items::<Value>(Default::default());
        TaskClient = |client| client.task("t1"); last_run(None), last_run_with_options(Default::default()), runs(), webhooks();
        WebhookClient = |client| client.webhook("w1"); dispatches();
        ActorCollectionClient = |client| client.actors(); iterate(Default::default());
        ActorVersionCollectionClient = |client| client.actor("a1").versions(); iterate();
        ActorEnvVarCollectionClient = |client| client.actor("a1").version("0.1").env_vars(); iterate();
        BuildCollectionClient = |client| client.builds(); iterate(Default::default());
        RunCollectionClient = |client| client.runs(); iterate(Default::default(), Default::default());
        DatasetCollectionClient = |client| client.datasets(); iterate(Default::default());
        DatasetClient = |client| client.dataset("d1"); iterate_items::<Value>(Default::default());
        KeyValueStoreCollectionClient = |client| client.key_value_stores(); iterate(Default::default());
        KeyValueStoreClient = |client| client.key_value_store("s1"); iterate_keys(Default::default());
        RequestQueueCollectionClient = |client| client.request_queues(); iterate(Default::default());
        RequestQueueClient = |client| client.request_queue("q1");
        paginate_requests(None), with_timeout_cap(SOON), with_client_key("k");
        TaskCollectionClient = |client| client.tasks(); iterate(Default::default());
        ScheduleCollectionClient = |client| client.schedules(); iterate(Default::default());
        WebhookCollectionClient = |client| client.webhooks(); iterate(Default::default());
        WebhookDispatchCollectionClient = |client| client.webhook_dispatches(); iterate(Default::default());
        StoreCollectionClient = |client| client.store(); iterate(Default::default());
    );
    type ListIterator = self::ListIterator<Task>;
    type RunDatasetItemsIterator = self::RunDatasetItemsIterator<Value>;
    local!(rows,
        ListIterator = |client| client.tasks().iterate(Default::default()); with_chunk_size(1);
        RunDatasetItemsIterator = |client| client.run("r1").iterate_dataset_items(Default::default());
        with_chunk_size(1), with_poll_interval(SOON);
    );
}

macro_rules! timeouts {
    ($rows:ident, $($client:ident = $make:expr),* $(,)?) => {
        local!($rows, $($client = $make; with_timeout(Timeout::Custom(SOON));)*);
    };
}

fn timeouts(rows: &mut Vec<Row>) {
    timeouts!(
        rows,
        ActorClient = |client| client.actor("a1"),
        ActorCollectionClient = |client| client.actors(),
        ActorEnvVarClient = |client| client.actor("a1").version("0.1").env_var("MY_KEY"),
        ActorEnvVarCollectionClient = |client| client.actor("a1").version("0.1").env_vars(),
        ActorVersionClient = |client| client.actor("a1").version("0.1"),
        ActorVersionCollectionClient = |client| client.actor("a1").versions(),
        BuildClient = |client| client.build("b1"),
        BuildCollectionClient = |client| client.builds(),
        DatasetClient = |client| client.dataset("d1"),
        DatasetCollectionClient = |client| client.datasets(),
        KeyValueStoreClient = |client| client.key_value_store("s1"),
        KeyValueStoreCollectionClient = |client| client.key_value_stores(),
        LogClient = |client| client.log("l1"),
        RequestQueueClient = |client| client.request_queue("q1"),
        RequestQueueCollectionClient = |client| client.request_queues(),
        RunClient = |client| client.run("r1"),
        RunCollectionClient = |client| client.runs(),
        ScheduleClient = |client| client.schedule("c1"),
        ScheduleCollectionClient = |client| client.schedules(),
        StoreCollectionClient = |client| client.store(),
        TaskClient = |client| client.task("t1"),
        TaskCollectionClient = |client| client.tasks(),
        UserClient = |client| client.me(),
        WebhookClient = |client| client.webhook("w1"),
        WebhookCollectionClient = |client| client.webhooks(),
        WebhookDispatchClient = |client| client.webhook_dispatch("x1"),
        WebhookDispatchCollectionClient = |client| client.webhook_dispatches(),
    );
}
