//! Actors.

use serde::Deserialize;

use crate::{ApifyClient, List};

/// The account's Actors: those it owns, and those of others that it has used.
#[derive(Debug, Clone)]
pub struct Actors {
    client: ApifyClient,
}

impl Actors {
    pub(crate) fn new(client: ApifyClient) -> Self {
        Self { client }
    }

    /// The list of them (`GET /v2/actors`), by the time of their creation.
    pub fn list(self) -> List<Actor> {
        List::new(self.client, "/v2/actors")
    }
}

/// An Actor, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Actor {
    /// Its identifier.
    pub id: String,
    /// Its name, unique for its owner.
    pub name: String,
    /// The name of its owner.
    pub username: String,
    /// Its name for people.
    pub title: Option<String>,
    /// When it was made, as ISO 8601 in UTC.
    pub created_at: Option<String>,
    /// When it was last changed, as ISO 8601 in UTC.
    pub modified_at: Option<String>,
}
