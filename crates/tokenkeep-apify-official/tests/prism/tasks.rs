//! Tasks.

use apify_client::clients::task::TaskClient;
use apify_client::clients::task_collection::TaskCollectionClient;
use serde_json::json;

use crate::actors::start_task;
use crate::table::{Route, Row, rows};

pub(crate) fn add(rows: &mut Vec<Row>) {
    let tasks: [Route<TaskCollectionClient>; 1] = [("", |client| client.tasks(), None)];
    rows!(rows, "tasks", TaskCollectionClient via tasks;
        list(Default::default()) as json => Refused,
        create(&json!({ "actId": "a1", "name": "prices-daily" })) as json => Refused,
    );
    let task: [Route<TaskClient>; 1] = [("", |client| client.task("t1"), None)];
    rows!(rows, "tasks", TaskClient via task;
        get() as json => Refused,
        update(&json!({ "name": "prices-daily" })) as json => Refused,
        delete() as json => Refused,
        publish() as json => Refused,
        unpublish() as json => Refused,
        start(Some(&json!({ "a": 1 })), start_task()) as json => Refused,
        call(Some(&json!({ "a": 1 })), start_task(), Some(0)) as json => Refused,
        get_input() as json => Refused,
        update_input(&json!({ "a": 1 })) as json => Refused,
    );
}
