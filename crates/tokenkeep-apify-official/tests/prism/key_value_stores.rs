//! Key-value stores.

use apify_client::clients::key_value_store::{GetRecordOptions, KeyValueStoreClient, SetRecordOptions};
use apify_client::clients::key_value_store_collection::KeyValueStoreCollectionClient;
use apify_client::{KeyValueStoreKeysIterator, ListKeysOptions};
use serde_json::json;

use crate::datasets::storages;
use crate::runs::last;
use crate::table::{Route, Row, rows};

const ROUTES: [Route<KeyValueStoreClient>; 4] = [
    ("by id", |client| client.key_value_store("s1"), None),
    ("of a run", |client| client.run("r1").key_value_store(), None),
    ("of an Actor's last run", |client| client.actor("a1").last_run(None).key_value_store(), None),
    (
        "of a task's last run",
        |client| client.task("t1").last_run_with_options(last()).key_value_store(),
        None,
    ),
];

pub(crate) fn add(rows: &mut Vec<Row>) {
    let stores: [Route<KeyValueStoreCollectionClient>; 1] = [("", |client| client.key_value_stores(), None)];
    rows!(rows, "key-value stores", KeyValueStoreCollectionClient via stores;
        list(storages()) as json => Projected,
        get_or_create(Some("settings")) as json => Refused,
    );
    let whosever: [Route<KeyValueStoreCollectionClient>; 1] =
        [("of others, too", |client| client.key_value_stores(), None)];
    rows!(rows, "key-value stores", KeyValueStoreCollectionClient via whosever; list(Default::default()) as json => Refused);
    rows!(rows, "key-value stores", KeyValueStoreClient via ROUTES;
        get() as json => Projected,
        update(&json!({ "name": "settings" })) as json => Refused,
        delete() as json => Refused,
        list_keys(keys()) as json => Projected,
        record_exists("OUTPUT") as json => Refused,
        get_record("OUTPUT") as record => Refused,
        get_record_with_options("OUTPUT", GetRecordOptions { attachment: Some(false), signature: None })
            as record => Refused,
        set_record_raw("OUTPUT", b"a,b".to_vec(), "text/csv") as json => Refused,
        set_record_raw_with_content_encoding("OUTPUT", b"a,b".to_vec(), "text/csv", "identity") as json => Refused,
        set_record_raw_with_options("OUTPUT", b"a,b".to_vec(), "text/csv", SetRecordOptions::default())
            as json => Refused,
        // Long enough to be compressed.
        set_record_json("OUTPUT", &json!({ "a": "1".repeat(4096) })) as json => Refused,
        set_record_json_with_options("OUTPUT", &json!({ "a": 1 }), SetRecordOptions::default()) as json => Refused,
        get_record_public_url("OUTPUT") as json => Projected,
        create_keys_public_url(Some(60)) as json => Projected,
        delete_record("OUTPUT") as json => Refused,
    );
    let iterator: [Route<KeyValueStoreKeysIterator>; 1] =
        [("", |client| client.key_value_store("s1").iterate_keys(keys()), None)];
    rows!(rows, "key-value stores", KeyValueStoreKeysIterator via iterator; next() as json => Projected);
}

fn keys() -> ListKeysOptions {
    ListKeysOptions { limit: Some(10), prefix: Some("OUT".into()), ..ListKeysOptions::default() }
}
