//! Builds of Actors.

use serde::Deserialize;
use tokenkeep_core::Error;

use crate::client::Place;
use crate::endpoint::Endpoint;
use crate::json::null_as_default;
use crate::{ApifyClient, List, Log, RunStatus};

/// Builds: of the whole account, or of one Actor.
#[derive(Debug, Clone)]
pub struct Builds {
    place: Place,
}

impl Builds {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    /// The list of them (`GET /v2/actor-builds`, `GET /v2/actors/{actorId}/builds`), by the time they started.
    ///
    /// Reads the class [`Builds`](crate::Class::Builds).
    pub fn list(self) -> List<Build> {
        List::new(self.place)
    }
}

/// One build. Owned, cheap to clone; it asks nothing until it is told to.
#[derive(Debug, Clone)]
pub struct BuildClient {
    client: ApifyClient,
    id: String,
}

impl BuildClient {
    pub(crate) fn new(client: ApifyClient, id: String) -> Self {
        Self { client, id }
    }

    /// How it stands (`GET /v2/actor-builds/{buildId}`).
    ///
    /// Reads the class [`Builds`](crate::Class::Builds).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn get(&self) -> Result<Build, Error> {
        self.client.send(self.client.place(Endpoint::BUILD, [&self.id]).call()?).await
    }

    /// Its log (`GET /v2/actor-builds/{buildId}/log`).
    ///
    /// Reads the class [`BuildLogs`](crate::Class::BuildLogs).
    pub fn log(&self) -> Log {
        Log::new(self.client.place(Endpoint::BUILD_LOG, [&self.id]))
    }
}

/// A build. What stands only where one is asked for by itself is empty in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Build {
    /// Its identifier.
    pub id: String,
    /// The Actor that was built.
    #[serde(rename = "actId")]
    pub actor_id: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// When it started, as ISO 8601 in UTC.
    pub started_at: Option<String>,
    /// When it ended, as ISO 8601 in UTC.
    pub finished_at: Option<String>,
    /// Its number, such as `0.1.12`.
    pub build_number: Option<String>,
    /// What it cost, in US dollars.
    pub usage_total_usd: Option<f64>,
    /// What started it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub meta: BuildMeta,
    /// What it took. Not in lists.
    pub stats: Option<BuildStats>,
}

/// What started a build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BuildMeta {
    /// What started it, as Apify writes it: `API`, `WEB`.
    pub origin: Option<String>,
}

/// What a build took.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BuildStats {
    /// How long it took, in seconds.
    pub run_time_secs: Option<f64>,
    /// What it used, in Apify's unit: one gigabyte of memory for an hour.
    pub compute_units: Option<f64>,
    /// How large its image is, in bytes.
    pub image_size_bytes: Option<u64>,
}
