//! Lists, a page at a time.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::SystemTime;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenkeep_core::Error;

use crate::ApifyClient;

/// A list that is asked for when it is awaited: one call, one page.
///
/// It fails as [the crate's table](crate#errors) says.
#[must_use = "a list is asked for when it is awaited"]
#[derive(Clone)]
pub struct List<T> {
    client: ApifyClient,
    path: &'static str,
    offset: Option<u64>,
    limit: Option<u64>,
    newest_first: bool,
    /// Filters of this kind of list alone.
    pub(crate) statuses: Vec<String>,
    pub(crate) started_after: Option<SystemTime>,
    pub(crate) started_before: Option<SystemTime>,
    items: PhantomData<fn() -> T>,
}

impl<T> List<T> {
    pub(crate) fn new(client: ApifyClient, path: &'static str) -> Self {
        Self {
            client,
            path,
            offset: None,
            limit: None,
            newest_first: false,
            statuses: Vec::new(),
            started_after: None,
            started_before: None,
            items: PhantomData,
        }
    }

    /// Leaves out this many at the start. [`Page::next_offset`] says where the next page begins.
    pub fn offset(mut self, items: u64) -> Self {
        self.offset = Some(items);
        self
    }

    /// At most this many, 1000 unless given. Apify gives 1000 at most.
    pub fn limit(mut self, items: u64) -> Self {
        self.limit = Some(items);
        self
    }

    /// The newest first; the oldest come first unless this is called.
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    async fn fetch(self) -> Result<Page<T>, Error>
    where
        T: DeserializeOwned,
    {
        let mut call = self.client.get(self.path);
        if let Some(offset) = self.offset {
            call = call.query("offset", offset);
        }
        if let Some(limit) = self.limit {
            call = call.query("limit", limit);
        }
        if self.newest_first {
            call = call.query("desc", true);
        }
        if !self.statuses.is_empty() {
            call = call.query("status", self.statuses.join(","));
        }
        for (name, time) in [("startedAfter", self.started_after), ("startedBefore", self.started_before)] {
            if let Some(time) = time {
                call = call.query(name, humantime::format_rfc3339_millis(time));
            }
        }
        self.client.send(call).await
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for List<T> {
    type Output = Result<Page<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("path", &self.path)
            .field("offset", &self.offset)
            .field("limit", &self.limit)
            .field("newest_first", &self.newest_first)
            .field("statuses", &self.statuses)
            .field("started_after", &self.started_after)
            .field("started_before", &self.started_before)
            .finish_non_exhaustive()
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
    /// How many stand before this page.
    #[serde(default)]
    pub offset: u64,
    /// The most that this page could have held.
    #[serde(default)]
    pub limit: u64,
    /// Whether the newest come first.
    #[serde(default)]
    pub desc: bool,
}

impl<T> Page<T> {
    /// Where the next page begins; `None` after the last one.
    #[must_use]
    pub fn next_offset(&self) -> Option<u64> {
        // The offset is Apify's word, whatever it says.
        let next = self.offset.saturating_add(self.items.len() as u64);
        (next < self.total && !self.items.is_empty()).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_whatever_it_says() {
        let next = |json: &str| serde_json::from_str::<Page<u8>>(json).unwrap().next_offset();
        assert_eq!(next(r#"{"items": [1, 2], "total": 5, "offset": 1}"#), Some(3));
        assert_eq!(next(r#"{"items": [1, 2], "total": 2}"#), None);
        assert_eq!(next(r#"{"items": [], "total": 5}"#), None);
        assert_eq!(next(r#"{"items": [1], "total": 5, "offset": 18446744073709551615}"#), None);
    }
}
