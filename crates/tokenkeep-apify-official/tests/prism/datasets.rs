//! Datasets.

use apify_client::clients::dataset::DatasetClient;
use apify_client::clients::dataset_collection::DatasetCollectionClient;
use apify_client::{
    DatasetDownloadOptions, DatasetListItemsOptions, DownloadItemsFormat, StorageListOptions,
};
use serde_json::json;

use crate::runs::last;
use crate::table::{Route, Row, rows};

pub(crate) const ROUTES: [Route<DatasetClient>; 4] = [
    ("by id", |client| client.dataset("d1"), None),
    ("of a run", |client| client.run("r1").dataset(), None),
    ("of an Actor's last run", |client| client.actor("a1").last_run_with_options(last()).dataset(), None),
    ("of a task's last run", |client| client.task("t1").last_run(Some("SUCCEEDED")).dataset(), None),
];

pub(crate) fn add(rows: &mut Vec<Row>) {
    let datasets: [Route<DatasetCollectionClient>; 1] = [("", |client| client.datasets(), None)];
    rows!(rows, "datasets", DatasetCollectionClient via datasets;
        list(storages()) as json => Projected,
        get_or_create(Some("prices")) as json => Refused,
    );
    // Without a word on whose, it lists what others share with the account, too.
    let whosever: [Route<DatasetCollectionClient>; 1] =
        [("of others, too", |client| client.datasets(), None)];
    rows!(rows, "datasets", DatasetCollectionClient via whosever; list(Default::default()) as json => Refused);
    rows!(rows, "datasets", DatasetClient via ROUTES;
        get() as json => Projected,
        update(&json!({ "name": "prices" })) as json => Refused,
        delete() as json => Refused,
        list_items(items()) as values => Refused,
        download_items(DownloadItemsFormat::Csv, download()) as bytes => Refused,
        download_items_stream(DownloadItemsFormat::Json, DatasetDownloadOptions::default()) as stream => Refused,
        push_items(&[json!({ "price": 1 })]) as json => Refused,
        create_items_public_url(DatasetListItemsOptions::default(), Some(60)) as json => Projected,
        create_items_public_url_with_format(
            DatasetListItemsOptions::default(), None, Some(DownloadItemsFormat::Jsonl)) as json => Projected,
        get_statistics() as json => Projected,
    );
    let separated: [Route<DatasetClient>; 1] = [("by semicolons", |client| client.dataset("d1"), None)];
    rows!(rows, "datasets", DatasetClient via separated;
        download_items(DownloadItemsFormat::Csv, semicolons()) as bytes => Refused,
    );
}

/// With a delimiter that some servers take for the end of a parameter, encoded or not.
fn semicolons() -> DatasetDownloadOptions {
    DatasetDownloadOptions { delimiter: Some(";".into()), ..DatasetDownloadOptions::default() }
}

pub(crate) fn storages() -> StorageListOptions {
    let ownership = Some("ownedByMe".to_owned());
    StorageListOptions { limit: Some(10), offset: Some(0), desc: Some(true), unnamed: Some(true), ownership }
}

fn items() -> DatasetListItemsOptions {
    DatasetListItemsOptions {
        offset: Some(0),
        limit: Some(10),
        desc: Some(true),
        fields: Some(vec!["price".into(), "name".into()]),
        omit: Some(vec!["id".into()]),
        skip_empty: Some(true),
        clean: Some(true),
        ..DatasetListItemsOptions::default()
    }
}

fn download() -> DatasetDownloadOptions {
    DatasetDownloadOptions {
        bom: Some(false),
        delimiter: Some("|".into()),
        skip_header_row: Some(true),
        ..DatasetDownloadOptions::default()
    }
}
