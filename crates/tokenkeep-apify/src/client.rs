//! Calls on behalf of one credential.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenkeep_core::{Credential, Error};
use tokenkeep_https::{Call, Method, Transport};

use crate::endpoint::{self, Endpoint};
use crate::{
    AccountLimits, ActorClient, Actors, BuildClient, Builds, DatasetClient, Datasets, KeyValueStoreClient,
    KeyValueStores, RunClient, Runs, Usage, raw,
};

/// Calls Apify on behalf of one credential. Owned, cheap to clone, and holding no token.
///
/// A call that failed is made again as the [`Retries`](crate::Retries) say.
/// Dropping a call is safe: it closes its connection or stream, and wipes its token. What was sent may have been done all the same.
#[derive(Clone)]
pub struct ApifyClient {
    transport: Transport,
    credential: Credential,
    times: ClientTimes,
}

/// What of an [`Apify`](crate::Apify)'s times its calls need to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientTimes {
    /// How long an attempt may take.
    pub(crate) attempt: Duration,
    /// How long Apify may be asked to hold an answer back, in whole seconds.
    pub(crate) longest_wait: Duration,
    /// How long a log that is followed may have nothing new.
    pub(crate) followed_silence: Duration,
}

impl ApifyClient {
    /// The operations that its calls use, by method and path, with the names of parameters in braces: for an auditor, and for a
    /// test. A boundary may allow more or less.
    pub const OPERATIONS: &'static [(&'static str, &'static str)] = endpoint::ALL;

    pub(crate) fn new(transport: Transport, credential: Credential, times: ClientTimes) -> Self {
        Self { transport, credential, times }
    }

    /// Whose token it is (`GET /v2/users/me`). Every boundary allows it.
    ///
    /// Apify's answer also holds an e-mail address, the plan and the password of the proxy. They are never parsed.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn me(&self) -> Result<Me, Error> {
        self.send(self.place(Endpoint::ME, []).call()?).await
    }

    /// The same, for somebody who waits for it: at most so long in all.
    pub(crate) async fn me_within(&self, limit: Duration) -> Result<Me, Error> {
        self.send(self.place(Endpoint::ME, []).call()?.deadline(limit)).await
    }

    /// The account's Actors.
    #[must_use]
    pub fn actors(&self) -> Actors {
        Actors::new(self.clone())
    }

    /// One Actor, by its identifier or as `user~name` (`apify~web-scraper`). Asks nothing yet; its calls say `Misuse` of `user/name`.
    #[must_use]
    pub fn actor(&self, id: impl Into<String>) -> ActorClient {
        ActorClient::new(self.clone(), id.into())
    }

    /// The account's runs, of all its Actors.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs::new(self.place(Endpoint::RUNS, []))
    }

    /// One run, by its identifier. Asks nothing yet.
    #[must_use]
    pub fn run(&self, id: impl Into<String>) -> RunClient {
        RunClient::new(self.clone(), id.into())
    }

    /// The account's builds, of all its Actors.
    #[must_use]
    pub fn builds(&self) -> Builds {
        Builds::new(self.place(Endpoint::BUILDS, []))
    }

    /// One build, by its identifier. Asks nothing yet.
    #[must_use]
    pub fn build(&self, id: impl Into<String>) -> BuildClient {
        BuildClient::new(self.clone(), id.into())
    }

    /// The account's datasets.
    #[must_use]
    pub fn datasets(&self) -> Datasets {
        Datasets::new(self.clone())
    }

    /// One dataset, by its identifier or as `user~name`. Asks nothing yet.
    #[must_use]
    pub fn dataset(&self, id: impl Into<String>) -> DatasetClient {
        DatasetClient::new(self.clone(), id.into())
    }

    /// The account's key-value stores.
    #[must_use]
    pub fn key_value_stores(&self) -> KeyValueStores {
        KeyValueStores::new(self.clone())
    }

    /// One key-value store, by its identifier or as `user~name`. Asks nothing yet.
    #[must_use]
    pub fn key_value_store(&self, id: impl Into<String>) -> KeyValueStoreClient {
        KeyValueStoreClient::new(self.clone(), id.into())
    }

    /// What the account used in a month, once it is awaited.
    pub fn usage(&self) -> Usage {
        Usage::new(self.place(Endpoint::USAGE, []))
    }

    /// What the account may use, and uses now (`GET /v2/users/me/limits`).
    ///
    /// Reads the class [`Usage`](crate::Class::Usage).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn limits(&self) -> Result<AccountLimits, Error> {
        self.send(self.place(Endpoint::LIMITS, []).call()?).await
    }

    /// A call of any operation that Apify's API description has, for what has no method here: by its target, path and query as they stand
    /// in a request line (`/v2/datasets/abc/items?limit=10`). It is this client's in all else: the boundary judges it before the token is
    /// asked for, and lets through of the answer what it does of others.
    ///
    /// A run that `POST /v2/actors/{actorId}/runs` or `POST /v2/actor-tasks/{actorTaskId}/runs` starts is told to the credential, and so on
    /// record in a vault. One that `run-sync` or `run-sync-get-dataset-items` starts is not, with `GET` or `POST`: the answer is what the
    /// run wrote, and names no run. So for the vault it is one that somebody else started. None of them is repeated where it
    /// may have started one.
    ///
    /// # Errors
    /// `Misuse`, with [`Refused`](crate::Refused) as its cause, for a target that can be read in more than one way. Nothing is sent. What the boundary does not
    /// allow is refused by [`Call::send`].
    pub fn request(&self, method: Method, target: &str) -> Result<Call, Error> {
        Ok(raw::call(&self.transport, method, target)?.credential(&self.credential))
    }

    pub(crate) fn place<const N: usize>(&self, endpoint: Endpoint, ids: [&str; N]) -> Place {
        Place { client: self.clone(), endpoint, ids: ids.into_iter().map(str::to_owned).collect() }
    }

    /// Sends a call and takes its answer out of Apify's `{"data": …}`.
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(call.credential(&self.credential).send().await?.json::<Data<T>>()?.data)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(crate) fn times(&self) -> ClientTimes {
        self.times
    }
}

impl fmt::Debug for ApifyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApifyClient").field("transport", &self.transport).finish_non_exhaustive()
    }
}

/// An operation of Apify's, what it is asked about, and on whose behalf.
#[derive(Clone)]
pub(crate) struct Place {
    client: ApifyClient,
    endpoint: Endpoint,
    ids: Vec<String>,
}

impl Place {
    /// A call of it, without the credential.
    pub(crate) fn call(&self) -> Result<Call, Error> {
        self.endpoint.call(self.client.transport(), &self.ids)
    }

    pub(crate) fn client(&self) -> &ApifyClient {
        &self.client
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("path", &self.endpoint.path())
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// The account that a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Me {
    /// Its identifier, which stays.
    pub id: String,
    /// Its name, which its owner can change.
    pub username: String,
}
