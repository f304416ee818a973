//! Key-value stores, and the keys in them: not what is under a key.

use std::collections::HashSet;
use std::future::{Future, IntoFuture};
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;

use serde::Deserialize;
use tokenkeep_core::{Error, ErrorKind};

use crate::client::Place;
use crate::endpoint::Endpoint;
use crate::json::null_as_default;
use crate::pages::Step;
use crate::{ApifyClient, Items, List, Pages};

/// The account's key-value stores.
#[derive(Debug, Clone)]
pub struct KeyValueStores {
    client: ApifyClient,
}

impl KeyValueStores {
    pub(crate) fn new(client: ApifyClient) -> Self {
        Self { client }
    }

    /// The list of those that the account owns and that have a name (`GET /v2/key-value-stores`), by the time of their creation.
    ///
    /// Reads the class [`KeyValueStores`](crate::Class::KeyValueStores).
    pub fn list(self) -> List<KeyValueStore> {
        List::new(self.client.place(Endpoint::KEY_VALUE_STORES, [])).owned()
    }
}

impl List<KeyValueStore> {
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

/// One key-value store. Owned, cheap to clone; it asks nothing until it is told to.
#[derive(Debug, Clone)]
pub struct KeyValueStoreClient {
    client: ApifyClient,
    id: String,
}

impl KeyValueStoreClient {
    pub(crate) fn new(client: ApifyClient, id: String) -> Self {
        Self { client, id }
    }

    /// What it is (`GET /v2/key-value-stores/{storeId}`). Apify's answer also holds the key that links to it are signed with, and such
    /// links; they are never parsed.
    ///
    /// Reads the class [`KeyValueStores`](crate::Class::KeyValueStores).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn get(&self) -> Result<KeyValueStore, Error> {
        self.client.send(self.client.place(Endpoint::KEY_VALUE_STORE, [&self.id]).call()?).await
    }

    /// The keys in it, once this is awaited.
    pub fn keys(&self) -> Keys {
        let place = self.client.place(Endpoint::KEYS, [&self.id]);
        Keys { place, limit: None, after: None, prefix: None }
    }
}

/// A key-value store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyValueStore {
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
    /// The Actor whose run made it.
    #[serde(rename = "actId")]
    pub actor_id: Option<String>,
    /// The run that made it.
    #[serde(rename = "actRunId")]
    pub run_id: Option<String>,
    /// How often it was used, and how large it is.
    pub stats: Option<KeyValueStoreStats>,
}

/// How often a key-value store was used, and how large it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyValueStoreStats {
    /// How often a record was read.
    pub read_count: Option<u64>,
    /// How often one was written.
    pub write_count: Option<u64>,
    /// How often one was deleted.
    pub delete_count: Option<u64>,
    /// How often the keys were listed.
    pub list_count: Option<u64>,
    /// How large it is, in bytes.
    pub storage_bytes: Option<u64>,
}

/// The keys in a key-value store (`GET /v2/key-value-stores/{storeId}/keys`), asked for when this is awaited: one call, one page.
/// [`pages`](Self::pages) and [`items`](Self::items) go through all of them.
///
/// Reads the class [`KeyValueStores`](crate::Class::KeyValueStores). It fails as [the crate's table](crate#errors) says.
#[must_use = "keys are asked for when this is awaited"]
#[derive(Debug, Clone)]
pub struct Keys {
    place: Place,
    limit: Option<u64>,
    after: Option<String>,
    prefix: Option<String>,
}

impl Keys {
    /// At most this many on a page, 1000 unless given. Apify gives 1 to 1000.
    pub fn limit(mut self, keys: u64) -> Self {
        self.limit = Some(keys);
        self
    }

    /// Begins behind this key. [`KeyPage::next_exclusive_start_key`] says where the next page begins.
    pub fn after(mut self, key: impl Into<String>) -> Self {
        self.after = Some(key.into());
        self
    }

    /// Only keys that begin so.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// All pages, from this one on, as a `Stream`.
    pub fn pages(self) -> Pages<KeyPage> {
        Pages::new(self.step(Passed::default(), |page| page))
    }

    /// All keys, from this page on, as a `Stream`.
    pub fn items(self) -> Items<Key> {
        Items::new(self.step(Passed::default(), |page| page.items))
    }

    fn step<P: 'static>(self, mut passed: Passed, give: fn(KeyPage) -> P) -> Step<P> {
        Step::new(async move {
            let page = self.clone().fetch().await?;
            let misbehaves = |why| Err(Error::new(ErrorKind::ProviderMisbehaved).because(why));
            if !page.is_truncated {
                return Ok((give(page), None));
            }
            let Some(next) = page.next_exclusive_start_key.clone() else {
                return misbehaves("it says that there is more, and not where");
            };
            if let Some(after) = &self.after {
                passed.is_new(after);
            }
            if !passed.is_new(&next) {
                return misbehaves("it gave a page again");
            }
            Ok((give(page), Some(self.after(next).step(passed, give))))
        })
    }

    async fn fetch(self) -> Result<KeyPage, Error> {
        let mut call = self.place.call()?;
        if let Some(limit) = self.limit {
            call = call.query("limit", limit);
        }
        if let Some(after) = &self.after {
            call = call.query("exclusiveStartKey", after);
        }
        if let Some(prefix) = &self.prefix {
            call = call.query("prefix", prefix);
        }
        self.place.client().send(call).await
    }
}

/// The keys that pages began behind, by their hashes: in what order Apify has keys is not promised, but none leads back.
#[derive(Default)]
struct Passed {
    hashes: HashSet<u64>,
    by: RandomState,
}

impl Passed {
    /// Whether no page began behind this one; from now on one does.
    fn is_new(&mut self, key: &str) -> bool {
        self.hashes.insert(self.by.hash_one(key))
    }
}

impl IntoFuture for Keys {
    type Output = Result<KeyPage, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

/// A part of the keys in a store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyPage {
    /// The keys on this page.
    pub items: Vec<Key>,
    /// Whether there are more behind it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub is_truncated: bool,
    /// Where the next page begins, if there is one.
    pub next_exclusive_start_key: Option<String>,
}

/// A key in a store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Key {
    /// The key.
    pub key: String,
    /// How large what is under it is, in bytes.
    pub size: Option<u64>,
}
