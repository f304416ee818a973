//! Lists, a page at a time.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::SystemTime;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenkeep_core::{Error, ErrorKind};

use crate::client::Place;
use crate::json::null_as_default;
use crate::pages::Step;
use crate::{Items, Pages};

/// A list that is asked for when it is awaited: one call, one page. [`pages`](Self::pages) and [`items`](Self::items) go through all
/// of it.
///
/// It fails as [the crate's table](crate#errors) says.
#[must_use = "a list is asked for when it is awaited"]
pub struct List<T> {
    place: Place,
    offset: Option<u64>,
    limit: Option<u64>,
    newest_first: bool,
    /// Filters of this kind of list alone.
    pub(crate) statuses: Vec<String>,
    pub(crate) started_after: Option<SystemTime>,
    pub(crate) started_before: Option<SystemTime>,
    pub(crate) unnamed: bool,
    /// Storages alone that the account owns.
    pub(crate) owned: bool,
    items: PhantomData<fn() -> T>,
}

impl<T> List<T> {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            offset: None,
            limit: None,
            newest_first: false,
            statuses: Vec::new(),
            started_after: None,
            started_before: None,
            unnamed: false,
            owned: false,
            items: PhantomData,
        }
    }

    pub(crate) fn owned(mut self) -> Self {
        self.owned = true;
        self
    }

    /// Leaves out this many at the start. [`Page::next_offset`] says where the next page begins.
    pub fn offset(mut self, items: u64) -> Self {
        self.offset = Some(items);
        self
    }

    /// At most this many on a page, 1000 unless given. Apify gives 1000 at most.
    pub fn limit(mut self, items: u64) -> Self {
        self.limit = Some(items);
        self
    }

    /// The newest first; the oldest come first unless this is called.
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    pub(crate) fn started(mut self, after: SystemTime, before: SystemTime) -> Self {
        (self.started_after, self.started_before) = (Some(after), Some(before));
        self
    }

    async fn fetch(self) -> Result<Page<T>, Error>
    where
        T: DeserializeOwned,
    {
        let mut call = self.place.call()?;
        if let Some(offset) = self.offset {
            call = call.query("offset", offset);
        }
        if let Some(limit) = self.limit {
            call = call.query("limit", limit);
        }
        if self.newest_first {
            call = call.query("desc", true);
        }
        if self.unnamed {
            call = call.query("unnamed", true);
        }
        if self.owned {
            call = call.query("ownership", "ownedByMe");
        }
        if !self.statuses.is_empty() {
            call = call.query("status", self.statuses.join(","));
        }
        for (name, time) in [("startedAfter", self.started_after), ("startedBefore", self.started_before)] {
            if let Some(time) = time {
                call = call.query(name, humantime::format_rfc3339_millis(time));
            }
        }
        self.place.client().send(call).await
    }
}

impl<T: DeserializeOwned + 'static> List<T> {
    /// All pages, from this one on, as a `Stream`.
    pub fn pages(self) -> Pages<Page<T>> {
        Pages::new(self.step(|page| page))
    }

    /// What is on all pages, from this one on, as a `Stream`.
    pub fn items(self) -> Items<T> {
        Items::new(self.step(|page| page.items))
    }

    fn step<P: 'static>(self, give: fn(Page<T>) -> P) -> Step<P> {
        Step::new(async move {
            let page = self.clone().fetch().await?;
            page.check(self.offset.unwrap_or(0))?;
            let next = page.next_offset().map(|offset| self.offset(offset).step(give));
            Ok((give(page), next))
        })
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for List<T> {
    type Output = Result<Page<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

/// As deriving it, without asking it of `T`.
impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), statuses: self.statuses.clone(), items: PhantomData, ..*self }
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("place", &self.place)
            .field("offset", &self.offset)
            .field("limit", &self.limit)
            .field("newest_first", &self.newest_first)
            .field("statuses", &self.statuses)
            .field("started_after", &self.started_after)
            .field("started_before", &self.started_before)
            .field("unnamed", &self.unnamed)
            .field("owned", &self.owned)
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
    #[serde(default, deserialize_with = "null_as_default")]
    pub offset: u64,
    /// The most that this page could have held.
    #[serde(default, deserialize_with = "null_as_default")]
    pub limit: u64,
    /// Whether the newest come first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub desc: bool,
}

impl<T> Page<T> {
    /// Where the next page begins; `None` after the last one, and after one that is empty, whatever `total` says.
    #[must_use]
    pub fn next_offset(&self) -> Option<u64> {
        // The offset is Apify's word, whatever it says.
        let next = self.offset.saturating_add(self.items.len() as u64);
        (next < self.total && !self.items.is_empty()).then_some(next)
    }

    /// Whether it is the page that was asked for, and does not stop before the end of its list: else what is read is not whole, or is
    /// read for ever.
    pub(crate) fn check(&self, asked_for: u64) -> Result<(), Error> {
        let why = if self.offset != asked_for {
            "it gave another page"
        } else if self.items.is_empty() && self.offset < self.total {
            "it says that there is more, and gives nothing"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::ProviderMisbehaved).because(why))
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
