//! Request queues.

use std::time::Duration;

use apify_client::clients::request_queue::RequestQueueClient;
use apify_client::clients::request_queue_collection::RequestQueueCollectionClient;
use apify_client::models::RequestQueueRequest;
use apify_client::{BatchAddRequestsOptions, ListRequestsOptions, RequestQueueRequestsIterator};
use serde_json::json;

use crate::datasets::storages;
use crate::table::{Route, Row, rows};

const ROUTES: [Route<RequestQueueClient>; 4] = [
    ("by id", |client| client.request_queue("q1").with_client_key("client-1"), None),
    ("of a run", |client| client.run("r1").request_queue(), None),
    ("of an Actor's last run", |client| client.actor("a1").last_run(None).request_queue(), None),
    ("of a task's last run", |client| client.task("t1").last_run(None).request_queue(), None),
];

pub(crate) fn add(rows: &mut Vec<Row>) {
    let queues: [Route<RequestQueueCollectionClient>; 1] = [("", |client| client.request_queues(), None)];
    rows!(rows, "request queues", RequestQueueCollectionClient via queues;
        list(storages()) as json => Refused,
        get_or_create(Some("pages")) as json => Refused,
    );
    rows!(rows, "request queues", RequestQueueClient via ROUTES;
        get() as json => Refused,
        update(&json!({ "name": "pages" })) as json => Refused,
        delete() as json => Refused,
        list_head(Some(10)) as json => Refused,
        add_request(&request(), true) as json => Refused,
        get_request("q1r1") as json => Refused,
        update_request(&request(), false) as json => Refused,
        delete_request("q1r1") as json => Refused,
        list_and_lock_head(60, Some(10)) as json => Refused,
        batch_add_requests(&[request()], once()) as json => RefusedInSilence,
        batch_delete_requests(&[json!({ "uniqueKey": "GET|60d83e70|e3b0c442|https://example.com" })]) as json => Refused,
        list_requests(ListRequestsOptions { limit: Some(10), ..ListRequestsOptions::default() }) as json => Refused,
        prolong_request_lock("q1r1", 60, false) as json => Refused,
        delete_request_lock("q1r1", true) as json => Refused,
        unlock_requests() as json => Refused,
    );
    let iterator: [Route<RequestQueueRequestsIterator>; 1] =
        [("", |client| client.request_queue("q1").paginate_requests(Some(10)), None)];
    rows!(rows, "request queues", RequestQueueRequestsIterator via iterator; next() as json => Refused);
}

fn request() -> RequestQueueRequest {
    RequestQueueRequest {
        id: Some("q1r1".into()),
        url: "https://example.com".into(),
        unique_key: Some("https://example.com".into()),
        method: Some("GET".into()),
        user_data: None,
        extra: Default::default(),
    }
}

/// An example's answer never names the request that was sent, so the client would ask again and again.
fn once() -> BatchAddRequestsOptions {
    BatchAddRequestsOptions {
        forefront: true,
        max_unprocessed_requests_retries: Some(0),
        min_delay_between_unprocessed_requests_retries: Some(Duration::ZERO),
        ..BatchAddRequestsOptions::default()
    }
}
