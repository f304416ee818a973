//! [Apify](https://apify.com) for tokenkeep: a typed client that holds no token.
//!
//! Make one [`Apify`] per process. It is the [`Provider`](tokenkeep_core::Provider) that a vault connects to, and
//! [`Apify::with`] makes a client of a connection's credential: it asks for the token at each call and forgets it.
//!
//! ```no_run
//! use tokenkeep_apify::{Apify, RunStatus};
//! # async fn example(credential: tokenkeep_core::Credential) -> Result<(), tokenkeep_core::Error> {
//! let apify = Apify::new()?;
//! let client = apify.with(credential); // a vault's: connection.credential()
//!
//! println!("connected as {}", client.me().await?.username);
//! let failed = client.runs().list().status(RunStatus::Failed).newest_first().limit(10).await?;
//! println!("{} failed runs, the last of them:", failed.total);
//! for run in &failed.items {
//!     println!("{} {}", run.id, run.started_at.as_deref().unwrap_or("not started"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it can reach
//!
//! Metadata, unless it is told otherwise: [`Boundary::analytics`] is the default, [`ApifyBuilder::boundary`] sets another. A call outside of
//! the [`Boundary`] fails with `Misuse` before anything is sent, and [`Refused`] in its chain of causes says why.
//!
//! # Errors
//!
//! Calls fail with the [`Error`](tokenkeep_core::Error) of tokenkeep-core; `tokenkeep_https::CallFailure::of` gets the
//! HTTP status and `Retry-After` out of it. Nothing that Apify says in an answer is in one. What Apify's errors mean:
//!
//! | answer | kind |
//! | --- | --- |
//! | 401 `invalid-token` or `user-or-token-not-found` | `TokenRefused` |
//! | any other 401, one that is not in Apify's form too | `ProviderMisbehaved`: it is not about the token |
//! | 403 `insufficient-permissions` and the like | `ScopeTooSmall` |
//! | any other 403 | `ProviderMisbehaved` |
//! | 404, `record-or-token-not-found` too | `NotFound` |
//! | 429 | `RateLimited` |
//! | 500 and above | `ProviderUnavailable` |
//! | 400, 405, 413, 414, 415, 422 | `Misuse`: the request is at fault |
//! | anything else | `ProviderMisbehaved` |
//!
//! `token-not-provided` is not about the token: the header was sent, so something on the way took it off. A 404
//! `record-or-token-not-found` does not tell which of the two is missing; a call to [`ApifyClient::me`] does.
//!
//! What is said here of Apify rests on its published API description and SDKs.

mod actor;
mod apify;
mod boundary;
mod build;
mod client;
mod dataset;
mod endpoint;
mod env_var;
mod error_type;
mod json;
mod key_value_store;
mod list;
mod log;
mod meaning;
mod pages;
mod run;
mod run_list;
mod runs;
mod start;
mod token_shape;
mod usage;
mod wait;

pub use actor::{Actor, ActorClient, ActorStats, ActorVersion, Actors, RunDefaults, TaggedBuild};
pub use apify::{Apify, ApifyBuilder};
pub use boundary::{Access, Admitted, Boundary, Class, Refused, TokenPermission, TokenScope};
pub use build::{Build, BuildClient, BuildMeta, BuildStats, Builds};
pub use client::{ApifyClient, Me};
pub use dataset::{Dataset, DatasetClient, DatasetStats, Datasets};
pub use env_var::{EnvVar, EnvVarValue, EnvVars, NewEnvVar};
pub use error_type::ErrorType;
pub use key_value_store::{
    Key, KeyPage, KeyValueStore, KeyValueStoreClient, KeyValueStoreStats, KeyValueStores, Keys,
};
pub use list::{List, Page};
pub use log::{Log, LogText};
pub use pages::{Items, Pages};
pub use run::{Run, RunMeta, RunOptions, RunStats, RunStatus};
pub use runs::{LastRun, RunClient, Runs};
pub use start::Start;
pub use token_shape::TokenShape;
pub use tokenkeep_https::{AnswerStream, CallFailure, Retries};
pub use usage::{
    AccountLimits, CurrentUsage, DailyUsage, Limits, MonthlyUsage, ServiceUsage, Usage, UsageCycle,
};
