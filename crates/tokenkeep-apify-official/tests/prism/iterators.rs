//! What asks page by page, over everything that can be listed so.

use apify_client::models::{
    Actor, ActorEnvVar, ActorRun, ActorStoreListItem, ActorVersion, Build, Dataset, KeyValueStore,
    RequestQueue, Schedule, Task, Webhook, WebhookDispatch,
};
use apify_client::{
    ActorListOptions, DatasetListItemsOptions, ListIterator, ListOptions, RunDatasetItemsIterator,
    StorageListOptions, StoreListOptions,
};
use serde_json::Value;

use crate::table::{Route, Row, rows};

/// An example's page comes again and again: so a walk ends by the limit, at two rows of it, of which each is a page.
const LIMIT: Option<i64> = Some(2);

macro_rules! lists {
    ($rows:ident, $($route:literal, $item:ty, $make:expr => $analytics:ident;)*) => {
        $({
            type ListIterator = self::ListIterator<$item>;
            let routes: [Route<ListIterator>; 1] = [($route, $make, None)];
            rows!($rows, "iterators", ListIterator via routes;
                next() as json => $analytics,
                collect_all() as json => $analytics,
            );
        })*
    };
}

pub(crate) fn add(rows: &mut Vec<Row>) {
    lists!(rows,
        "actors", Actor, |client| client.actors().iterate(ActorListOptions { limit: LIMIT, ..Default::default() })
            .with_chunk_size(1) => Projected;
        "versions", ActorVersion, |client| client.actor("a1").versions().iterate() => Projected;
        "environment variables", ActorEnvVar, |client| client.actor("a1").version("0.1").env_vars().iterate() => Refused;
        "builds", Build, |client| client.builds().iterate(list()).with_chunk_size(1) => Projected;
        "runs", ActorRun, |client| client.runs().iterate(list(), Default::default()).with_chunk_size(1) => Projected;
        "datasets", Dataset, |client| client.datasets().iterate(storages()).with_chunk_size(1) => Projected;
        "items", Value, |client| client.dataset("d1").iterate_items(items()).with_chunk_size(1) => Refused;
        "key-value stores", KeyValueStore, |client| client.key_value_stores().iterate(storages()).with_chunk_size(1)
            => Projected;
        "request queues", RequestQueue, |client| client.request_queues().iterate(storages()).with_chunk_size(1) => Refused;
        "tasks", Task, |client| client.tasks().iterate(list()).with_chunk_size(1) => Refused;
        "schedules", Schedule, |client| client.schedules().iterate(list()).with_chunk_size(1) => Refused;
        "webhooks", Webhook, |client| client.webhooks().iterate(list()).with_chunk_size(1) => Refused;
        "webhook dispatches", WebhookDispatch, |client| client.webhook_dispatches().iterate(list()).with_chunk_size(1)
            => Refused;
        "store", ActorStoreListItem, |client| client.store().iterate(StoreListOptions { limit: LIMIT, ..Default::default() })
            .with_chunk_size(1) => Refused;
    );
    type RunDatasetItemsIterator = self::RunDatasetItemsIterator<Value>;
    let items: [Route<RunDatasetItemsIterator>; 1] =
        [("", |client| client.run("r1").iterate_dataset_items(items()), None)];
    rows!(rows, "iterators", RunDatasetItemsIterator via items;
        next() as value => RefusedMidway,
        collect_all() as all => RefusedMidway,
    );
}

fn list() -> ListOptions {
    ListOptions { limit: LIMIT, ..ListOptions::default() }
}

fn storages() -> StorageListOptions {
    StorageListOptions { limit: LIMIT, ownership: Some("ownedByMe".into()), ..StorageListOptions::default() }
}

fn items() -> DatasetListItemsOptions {
    DatasetListItemsOptions { limit: LIMIT, ..DatasetListItemsOptions::default() }
}
