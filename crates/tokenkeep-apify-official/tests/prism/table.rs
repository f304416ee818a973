//! One row for each public method that can ask a server: the call, and what becomes of it under the boundary of an application that
//! shows how Actors do.

use std::future::Future;
use std::pin::Pin;

use apify_client::models::KeyValueStoreRecord;
use apify_client::{ApifyClient, ApifyClientError, PaginationList, StreamedLog};
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde_json::Value;

/// What becomes of a call under `Boundary::analytics()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Analytics {
    /// It reaches Apify, and the fields that the boundary lists come back.
    Projected,
    /// It reaches Apify, and the answer comes through as it is: a build's log.
    Streams,
    /// Nothing is sent, and the error is the boundary's.
    Refused,
    /// What comes before it is allowed and asked; then it is refused as above.
    RefusedMidway,
    /// Nothing is sent. The client hides every error of this method from its caller and says that nothing was done.
    RefusedInSilence,
    /// It asks nothing of anybody, under any boundary.
    NoCall,
}

/// What a call gave its caller.
#[derive(Debug)]
pub(crate) enum Came {
    Json(Value),
    Bytes(Vec<u8>),
    /// Something that shows nothing: another client, a log's redirection.
    Handle,
}

pub(crate) type Outcome = Result<Came, ApifyClientError>;
pub(crate) type Calling = Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub(crate) struct Row {
    /// By the official client's module: `actors`, `runs`, …
    pub(crate) group: &'static str,
    /// `Type::method`.
    pub(crate) method: &'static str,
    /// How its client is reached, where there is more than one way, since that makes another URL.
    pub(crate) route: &'static str,
    pub(crate) call: Box<dyn Fn(&ApifyClient) -> Calling + Send + Sync>,
    pub(crate) analytics: Analytics,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        if self.route.is_empty() {
            self.method.to_owned()
        } else {
            format!("{} ({})", self.method, self.route)
        }
    }
}

pub(crate) fn table() -> Vec<Row> {
    let mut rows = Vec::new();
    crate::actors::add(&mut rows);
    crate::runs::add(&mut rows);
    crate::datasets::add(&mut rows);
    crate::key_value_stores::add(&mut rows);
    crate::request_queues::add(&mut rows);
    crate::tasks::add(&mut rows);
    crate::logs::add(&mut rows);
    crate::others::add(&mut rows);
    crate::iterators::add(&mut rows);
    crate::local::add(&mut rows);
    rows
}

/// `rows!(rows, "group", Client via ROUTES; method(arguments) as seen => Analytics, …)`: the name of a row is made of the method that
/// it calls. `seen` makes what came out of what the method gave. A route may say that under it the answers are others than the rows say.
macro_rules! rows {
    ($rows:ident, $group:literal, $client:ident via $routes:expr;
     $($method:ident($($argument:expr),* $(,)?) as $seen:ident => $analytics:ident),* $(,)?) => {
        for (route, make, here) in $routes {
            $($rows.push($crate::table::Row {
                group: $group,
                method: concat!(stringify!($client), "::", stringify!($method)),
                route,
                call: Box::new(move |client| {
                    #[allow(unused_mut, reason = "some methods move an iterator on")]
                    let mut it: $client = make(client);
                    Box::pin(async move { $crate::table::$seen(it.$method($($argument),*).await?).await })
                }),
                analytics: here.unwrap_or($crate::table::Analytics::$analytics),
            });)*
        }
    };
}
pub(crate) use rows;

/// How a client is reached, by name; and what its answers are there, if that differs.
pub(crate) type Route<T> = (&'static str, fn(&ApifyClient) -> T, Option<Analytics>);

pub(crate) async fn json(answer: impl Serialize) -> Outcome {
    Ok(Came::Json(serde_json::to_value(answer)?))
}

/// For a method that is generic over what an item is.
pub(crate) async fn values(answer: PaginationList<Value>) -> Outcome {
    json(answer).await
}

pub(crate) async fn value(answer: Option<Value>) -> Outcome {
    json(answer).await
}

pub(crate) async fn all(answer: Vec<Value>) -> Outcome {
    json(answer).await
}

pub(crate) async fn bytes(answer: Vec<u8>) -> Outcome {
    Ok(Came::Bytes(answer))
}

pub(crate) async fn text(answer: Option<String>) -> Outcome {
    some(answer.map(String::into_bytes))
}

pub(crate) async fn log(answer: Option<Vec<u8>>) -> Outcome {
    some(answer)
}

pub(crate) async fn record(answer: Option<KeyValueStoreRecord>) -> Outcome {
    some(answer.map(|record| record.value))
}

pub(crate) async fn handle<T>(answer: T) -> Outcome {
    drop(answer);
    Ok(Came::Handle)
}

pub(crate) async fn redirection(answer: Option<StreamedLog>) -> Outcome {
    assert!(answer.is_some(), "no redirection of a log that is there");
    Ok(Came::Handle)
}

pub(crate) async fn stream(answer: impl Stream<Item = Result<Vec<u8>, ApifyClientError>>) -> Outcome {
    let mut answer = std::pin::pin!(answer);
    let mut whole = Vec::new();
    while let Some(piece) = answer.next().await {
        whole.extend(piece?);
    }
    Ok(Came::Bytes(whole))
}

pub(crate) async fn maybe_stream(
    answer: Option<impl Stream<Item = Result<Vec<u8>, ApifyClientError>>>,
) -> Outcome {
    stream(answer.expect("a log that is there")).await
}

fn some(answer: Option<Vec<u8>>) -> Outcome {
    Ok(Came::Bytes(answer.expect("what is there")))
}
