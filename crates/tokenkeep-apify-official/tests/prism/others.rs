//! Schedules, webhooks, the store, users, and a run's word about itself.

use apify_client::ApifyClient;
use apify_client::clients::schedule::ScheduleClient;
use apify_client::clients::schedule_collection::ScheduleCollectionClient;
use apify_client::clients::store_collection::StoreCollectionClient;
use apify_client::clients::user::UserClient;
use apify_client::clients::webhook::WebhookClient;
use apify_client::clients::webhook_collection::WebhookCollectionClient;
use apify_client::clients::webhook_dispatch::WebhookDispatchClient;
use apify_client::clients::webhook_dispatch_collection::WebhookDispatchCollectionClient;
use serde_json::{Value, json};

use crate::table::{Analytics, Route, Row, rows};

pub(crate) fn add(rows: &mut Vec<Row>) {
    let schedules: [Route<ScheduleCollectionClient>; 1] = [("", |client| client.schedules(), None)];
    rows!(rows, "schedules", ScheduleCollectionClient via schedules;
        list(Default::default()) as json => Refused,
        create(&schedule()) as json => Refused,
    );
    let schedule_client: [Route<ScheduleClient>; 1] = [("", |client| client.schedule("c1"), None)];
    rows!(rows, "schedules", ScheduleClient via schedule_client;
        get() as json => Refused,
        update(&schedule()) as json => Refused,
        delete() as json => Refused,
        get_log() as json => Refused,
    );

    let webhooks: [Route<WebhookCollectionClient>; 3] = [
        ("of the account", |client| client.webhooks(), None),
        ("of an Actor", |client| client.actor("a1").webhooks(), None),
        ("of a task", |client| client.task("t1").webhooks(), None),
    ];
    rows!(rows, "webhooks", WebhookCollectionClient via webhooks;
        list(Default::default()) as json => Refused,
        create(&webhook()) as json => Refused,
    );
    let one: [Route<WebhookClient>; 1] = [("", |client| client.webhook("w1"), None)];
    rows!(rows, "webhooks", WebhookClient via one;
        get() as json => Refused,
        update(&webhook()) as json => Refused,
        delete() as json => Refused,
        test() as json => Refused,
    );
    let dispatches: [Route<WebhookDispatchCollectionClient>; 2] = [
        ("of the account", |client| client.webhook_dispatches(), None),
        ("of a webhook", |client| client.webhook("w1").dispatches(), None),
    ];
    rows!(rows, "webhooks", WebhookDispatchCollectionClient via dispatches;
        list(Default::default()) as json => Refused,
    );
    let dispatch: [Route<WebhookDispatchClient>; 1] = [("", |client| client.webhook_dispatch("x1"), None)];
    rows!(rows, "webhooks", WebhookDispatchClient via dispatch; get() as json => Refused);

    let store: [Route<StoreCollectionClient>; 1] = [("", |client| client.store(), None)];
    rows!(rows, "store", StoreCollectionClient via store; list(Default::default()) as json => Refused);

    let users: [Route<UserClient>; 2] = [
        ("me", |client| client.me(), None),
        ("another", |client| client.user("u1"), Some(Analytics::Refused)),
    ];
    rows!(rows, "users", UserClient via users;
        get() as json => Projected,
        monthly_usage() as json => Projected,
        monthly_usage_for_date(Some("2026-01-31")) as json => Projected,
        limits() as json => Projected,
    );
    rows!(rows, "users", UserClient via users;
        update_limits(&json!({ "maxMonthlyUsageUsd": 300 })) as json => Refused,
    );

    // Named by the environment variable ACTOR_RUN_ID, which `cargo xtask test --only prism` sets.
    let root: [Route<ApifyClient>; 1] = [("", ApifyClient::clone, None)];
    rows!(rows, "runs", ApifyClient via root; set_status_message("half way", false) as json => Refused);
}

fn schedule() -> Value {
    json!({
        "name": "daily", "isEnabled": true, "isExclusive": true, "cronExpression": "0 0 * * *", "timezone": "UTC",
        "actions": [{ "type": "RUN_ACTOR", "actorId": "a1" }],
    })
}

fn webhook() -> Value {
    json!({
        "eventTypes": ["ACTOR.RUN.SUCCEEDED"], "condition": { "actorId": "a1" }, "requestUrl": "https://example.com/",
    })
}
