//! Actors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenkeep_core::Error;
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::{ApifyClient, Build, Builds, EnvVars, LastRun, List, Runs, Start};

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
    ///
    /// Reads the class [`Actors`](crate::Class::Actors).
    pub fn list(self) -> List<Actor> {
        List::new(self.client.place(Endpoint::ACTORS, []))
    }
}

/// One Actor. Owned, cheap to clone; it asks nothing until it is told to.
#[derive(Debug, Clone)]
pub struct ActorClient {
    client: ApifyClient,
    id: String,
}

impl ActorClient {
    pub(crate) fn new(client: ApifyClient, id: String) -> Self {
        Self { client, id }
    }

    /// Its settings and metadata (`GET /v2/actors/{actorId}`): never source code, environment variables or an example of an input.
    ///
    /// Reads the class [`Actors`](crate::Class::Actors); its tagged builds where [`Builds`](crate::Class::Builds) may be read, too.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn get(&self) -> Result<Actor, Error> {
        self.client.send(self.client.place(Endpoint::ACTOR, [&self.id]).call()?).await
    }

    /// Its runs.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs::new(self.client.place(Endpoint::ACTOR_RUNS, [&self.id]))
    }

    /// The run of it that was started last, once it is awaited.
    pub fn last_run(&self) -> LastRun {
        LastRun::new(self.client.place(Endpoint::ACTOR_LAST_RUN, [&self.id]))
    }

    /// Starts it with this input, once it is awaited. Without a special input it is `&serde_json::json!({})`, or anything that
    /// serializes to an empty object.
    ///
    /// The input wipes itself once it is sent. It is not for secrets all the same: whoever may read the run's key-value store reads it
    /// there.
    pub fn start<I: Serialize + ?Sized>(&self, input: &I) -> Start {
        Start::new(self.client.place(Endpoint::ACTOR_START, [&self.id]), input)
    }

    /// As [`start`](Self::start), with an input that is JSON already.
    pub fn start_json(&self, input: Zeroizing<Vec<u8>>) -> Start {
        Start::raw(self.client.place(Endpoint::ACTOR_START, [&self.id]), input)
    }

    /// Its builds.
    #[must_use]
    pub fn builds(&self) -> Builds {
        Builds::new(self.client.place(Endpoint::ACTOR_BUILDS, [&self.id]))
    }

    /// The build that it runs unless told otherwise (`GET /v2/actors/{actorId}/builds/default`).
    ///
    /// Reads the class [`Builds`](crate::Class::Builds).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn default_build(&self) -> Result<Build, Error> {
        self.client.send(self.client.place(Endpoint::ACTOR_DEFAULT_BUILD, [&self.id]).call()?).await
    }

    /// The environment variables of one of its versions, such as `0.1`.
    #[must_use]
    pub fn env_vars(&self, version: impl Into<String>) -> EnvVars {
        EnvVars::new(self.client.clone(), self.id.clone(), version.into())
    }
}

/// An Actor. What stands only where one is asked for by itself is empty in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Actor {
    /// Its identifier.
    pub id: String,
    /// Its name, unique for its owner.
    pub name: String,
    /// The name of its owner.
    pub username: String,
    /// The identifier of its owner. Not in lists.
    pub user_id: Option<String>,
    /// Its name for people.
    pub title: Option<String>,
    /// What it does, in its author's words. Not in lists.
    pub description: Option<String>,
    /// When it was made, as ISO 8601 in UTC.
    pub created_at: Option<String>,
    /// When it was last changed, as ISO 8601 in UTC.
    pub modified_at: Option<String>,
    /// Whether everybody can run it. Not in lists.
    pub is_public: Option<bool>,
    /// Whether its author says that it is out of use. Not in lists.
    pub is_deprecated: Option<bool>,
    /// What its runs may reach of the account, as Apify writes it: `LIMITED_PERMISSIONS`. Not in lists.
    pub actor_permission_level: Option<String>,
    /// How often it was built and run.
    pub stats: Option<ActorStats>,
    /// Its versions, without what is in them. Not in lists.
    pub versions: Option<Vec<ActorVersion>>,
    /// With what it runs unless told otherwise. Not in lists.
    pub default_run_options: Option<RunDefaults>,
    /// Its builds that have a tag, by tag. Not in lists, and only where builds may be read.
    pub tagged_builds: Option<BTreeMap<String, Option<TaggedBuild>>>,
}

/// How often an Actor was built and run.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActorStats {
    /// How many builds there were.
    pub total_builds: Option<u64>,
    /// How many runs there were, of all users.
    pub total_runs: Option<u64>,
    /// How many users it had.
    pub total_users: Option<u64>,
    /// When the last run was started, as ISO 8601 in UTC.
    pub last_run_started_at: Option<String>,
}

/// A version of an Actor, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActorVersion {
    /// Its number, such as `0.1`.
    pub version_number: String,
    /// What it is built from, as Apify writes it: `SOURCE_FILES`, `GIT_REPO`.
    pub source_type: Option<String>,
    /// The tag that its builds get.
    pub build_tag: Option<String>,
}

/// With what an Actor runs unless told otherwise.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunDefaults {
    /// The tag or the number of the build.
    pub build: Option<String>,
    /// How long it may run, in seconds; 0 for ever.
    pub timeout_secs: Option<u64>,
    /// How much memory it has, in megabytes.
    pub memory_mbytes: Option<u64>,
    /// Whether it is started again when it fails.
    pub restart_on_error: Option<bool>,
}

/// A build that has a tag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TaggedBuild {
    /// Its identifier.
    pub build_id: Option<String>,
    /// Its number, such as `0.1.12`.
    pub build_number: Option<String>,
    /// When it was done, as ISO 8601 in UTC.
    pub finished_at: Option<String>,
}
