//! Datasets: what they are, not what is in them.

use serde::Deserialize;
use tokenkeep_core::Error;

use crate::endpoint::Endpoint;
use crate::{ApifyClient, List};

/// The account's datasets.
#[derive(Debug, Clone)]
pub struct Datasets {
    client: ApifyClient,
}

impl Datasets {
    pub(crate) fn new(client: ApifyClient) -> Self {
        Self { client }
    }

    /// The list of those that the account owns and that have a name (`GET /v2/datasets`), by the time of their creation.
    ///
    /// Reads the class [`Datasets`](crate::Class::Datasets).
    pub fn list(self) -> List<Dataset> {
        List::new(self.client.place(Endpoint::DATASETS, [])).owned()
    }
}

impl List<Dataset> {
    /// Those too that other users share with the account. Reads the class [`OtherUsers`](crate::Class::OtherUsers) beside.
    pub fn with_shared(mut self) -> Self {
        self.owned = false;
        self
    }

    /// Those without a name too, which runs write to unless told otherwise.
    pub fn with_unnamed(mut self) -> Self {
        self.unnamed = true;
        self
    }
}

/// One dataset. Owned, cheap to clone; it asks nothing until it is told to.
#[derive(Debug, Clone)]
pub struct DatasetClient {
    client: ApifyClient,
    id: String,
}

impl DatasetClient {
    pub(crate) fn new(client: ApifyClient, id: String) -> Self {
        Self { client, id }
    }

    /// What it is (`GET /v2/datasets/{datasetId}`). Apify's answer also holds the key that links to it are signed with, and such links;
    /// they are never parsed.
    ///
    /// Reads the class [`Datasets`](crate::Class::Datasets).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn get(&self) -> Result<Dataset, Error> {
        self.client.send(self.client.place(Endpoint::DATASET, [&self.id]).call()?).await
    }
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Dataset {
    /// Its identifier.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its name for people.
    pub title: Option<String>,
    /// The identifier of its owner.
    pub user_id: Option<String>,
    /// When it was made, as ISO 8601 in UTC.
    pub created_at: Option<String>,
    /// When it was last changed, as ISO 8601 in UTC.
    pub modified_at: Option<String>,
    /// When it was last read or changed, as ISO 8601 in UTC.
    pub accessed_at: Option<String>,
    /// How many items it has.
    pub item_count: Option<u64>,
    /// How many of them are not empty.
    pub clean_item_count: Option<u64>,
    /// The Actor whose run made it.
    #[serde(rename = "actId")]
    pub actor_id: Option<String>,
    /// The run that made it.
    #[serde(rename = "actRunId")]
    pub run_id: Option<String>,
    /// The names of its items' fields.
    pub fields: Option<Vec<String>>,
    /// How often it was used, and how large it is.
    pub stats: Option<DatasetStats>,
}

/// How often a dataset was used, and how large it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DatasetStats {
    /// How often it was read.
    pub read_count: Option<u64>,
    /// How often it was written to.
    pub write_count: Option<u64>,
    /// How large it is as it is stored, in bytes.
    pub storage_bytes: Option<u64>,
    /// How large it is unpacked, in bytes.
    pub inflated_bytes: Option<u64>,
}
