//! Calls on behalf of one credential.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenkeep_core::{Credential, Error};
use tokenkeep_https::{Call, Transport};

use crate::{Actors, Runs};

/// Calls Apify on behalf of one credential. Owned, cheap to clone, and holding no token.
///
/// A call that failed is made again as the [`Retries`](crate::Retries) say. Dropping a call is safe: it closes its connection or stream, and wipes its token.
#[derive(Clone)]
pub struct ApifyClient {
    transport: Transport,
    credential: Credential,
}

impl ApifyClient {
    pub(crate) fn new(transport: Transport, credential: Credential) -> Self {
        Self { transport, credential }
    }

    /// Whose token it is (`GET /v2/users/me`).
    ///
    /// Apify's answer also holds an e-mail address, the plan and the password of the proxy. They are never parsed.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn me(&self) -> Result<Me, Error> {
        self.send(self.get("/v2/users/me")).await
    }

    /// The account's Actors.
    #[must_use]
    pub fn actors(&self) -> Actors {
        Actors::new(self.clone())
    }

    /// The account's runs.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs::new(self.clone())
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.transport.get(path).credential(&self.credential)
    }

    /// Sends a call and takes its answer out of Apify's `{"data": …}`.
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(call.send().await?.json::<Data<T>>()?.data)
    }
}

impl fmt::Debug for ApifyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApifyClient").field("transport", &self.transport).finish_non_exhaustive()
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
