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
//! Metadata and the logs of builds, unless it is told otherwise: [`Boundary::analytics`] is the default, [`ApifyBuilder::boundary`] sets another. A call outside of
//! the [`Boundary`] fails with `Misuse` before anything is sent, and [`Refused`] in its chain of causes says why.
//!
//! | call of a client | what the boundary must allow |
//! | --- | --- |
//! | `me()` | nothing |
//! | `actors().list()` | reading [`Actors`](Class::Actors) |
//! | `actor(..).get()` | reading [`Actors`](Class::Actors) |
//! | `actor(..).runs().list()` | reading [`Runs`](Class::Runs) |
//! | `actor(..).last_run()` | reading [`Runs`](Class::Runs) |
//! | `actor(..).start(..)` | writing [`Runs`](Class::Runs) and [`Inputs`](Class::Inputs) |
//! | `actor(..).start_json(..)` | writing [`Runs`](Class::Runs) and [`Inputs`](Class::Inputs) |
//! | `actor(..).builds().list()` | reading [`Builds`](Class::Builds) |
//! | `actor(..).default_build()` | reading [`Builds`](Class::Builds) |
//! | `actor(..).env_vars(..).list()` | reading [`EnvVars`](Class::EnvVars) |
//! | `actor(..).env_vars(..).get(..)` | reading [`EnvVars`](Class::EnvVars) |
//! | `actor(..).env_vars(..).create(..)` | writing [`EnvVars`](Class::EnvVars) |
//! | `actor(..).env_vars(..).update(..)` | writing [`EnvVars`](Class::EnvVars) |
//! | `actor(..).env_vars(..).delete(..)` | writing [`EnvVars`](Class::EnvVars) |
//! | `runs().list()` | reading [`Runs`](Class::Runs) |
//! | `run(..).get()` | reading [`Runs`](Class::Runs) |
//! | `run(..).wait(..)` | reading [`Runs`](Class::Runs) |
//! | `run(..).abort()` | writing [`Runs`](Class::Runs) |
//! | `run(..).abort_gracefully()` | writing [`Runs`](Class::Runs) |
//! | `run(..).log()` | reading [`RunLogs`](Class::RunLogs) |
//! | `builds().list()` | reading [`Builds`](Class::Builds) |
//! | `build(..).get()` | reading [`Builds`](Class::Builds) |
//! | `build(..).log()` | reading [`BuildLogs`](Class::BuildLogs) |
//! | `datasets().list()` | reading [`Datasets`](Class::Datasets) |
//! | `datasets().list().with_shared()` | reading [`Datasets`](Class::Datasets) and [`OtherUsers`](Class::OtherUsers) |
//! | `dataset(..).get()` | reading [`Datasets`](Class::Datasets) |
//! | `key_value_stores().list()` | reading [`KeyValueStores`](Class::KeyValueStores) |
//! | `key_value_stores().list().with_shared()` | reading [`KeyValueStores`](Class::KeyValueStores) and [`OtherUsers`](Class::OtherUsers) |
//! | `key_value_store(..).get()` | reading [`KeyValueStores`](Class::KeyValueStores) |
//! | `key_value_store(..).keys()` | reading [`KeyValueStores`](Class::KeyValueStores) |
//! | `usage()` | reading [`Usage`](Class::Usage) |
//! | `limits()` | reading [`Usage`](Class::Usage) |
//!
//! Items of datasets and records of key-value stores have no call here. Whatever else the API has, and the boundary allows, is asked for
//! with [`ApifyClient::request`], and crate `tokenkeep-apify-official` puts the whole of Apify's own client over it.
//!
//! Whatever comes as a list is awaited for one page, or read to its end as a `Stream`, which has a `next()` of its own: [`List::pages`], [`List::items`]; for the keys in a
//! store, [`Keys::pages`] and [`Keys::items`]. A field that is not there, that Apify adds, or that the boundary keeps back, breaks nothing.
//!
//! # Secret input
//!
//! With the feature `secret-input`, [`InputPublicKey::encrypt_input`] encrypts the fields of an Actor's input that its [`InputSchema`] calls secret, and
//! [`InputPrivateKey::decrypt_input`] decrypts them in the Actor's run, as Apify's SDKs do. `docs/secret-input.md` says what that protects from, and where this
//! is stricter than they are.
//!
//! ```
//! # #[cfg(feature = "secret-input")]
//! # fn example(public: &str, private: &str, passphrase: &str) -> Result<(), tokenkeep_core::Error> {
//! use tokenkeep_apify::{InputPrivateKey, InputPublicKey, InputSchema};
//!
//! let schema = InputSchema::parse(r#"{ "properties": { "password": { "type": "string", "isSecret": true } } }"#)?;
//! let encrypted = InputPublicKey::from_pem(public)?.encrypt_input(&schema, r#"{ "password": "not a real one" }"#)?;
//!
//! let key = InputPrivateKey::from_base64_pem(private, passphrase)?; // in a run: from_env()
//! let plain = key.decrypt_input(&*encrypted)?;
//! assert_eq!(plain.text_of("password").unwrap().as_str(), "not a real one");
//! # Ok(()) }
//! ```
//!
//! # Errors
//!
//! Calls fail with the [`Error`](tokenkeep_core::Error) of tokenkeep-core; `tokenkeep_https::CallFailure::of` gets the
//! HTTP status and `Retry-After` out of it, and [`ErrorType::of`] Apify's own name of the error. Nothing else that Apify says in an
//! answer is shown by one. What Apify's errors mean:
//!
//! | answer | kind |
//! | --- | --- |
//! | 401 `invalid-token` or `user-or-token-not-found` | `TokenRefused` |
//! | any other 401, one that is not in Apify's form too | `ProviderMisbehaved`: it is not about the token |
//! | 402 | `PaymentRequired` |
//! | 403 `insufficient-permissions` and the like | `ScopeTooSmall` |
//! | any other 403 | `ProviderMisbehaved` |
//! | 404 `record-or-token-not-found` | `NotFoundOrTokenRefused` |
//! | any other 404 | `NotFound` |
//! | `env-var-already-exists` | `AlreadyExists` |
//! | 429 | `RateLimited` |
//! | 408, 500 and above | `ProviderUnavailable` |
//! | 400, 405, 409, 413, 414, 415, 422 | `Misuse`: the request is at fault |
//! | anything else | `ProviderMisbehaved` |
//!
//! `token-not-provided` is not about the token: the header was sent, so something on the way took it off. A 404
//! `record-or-token-not-found` does not tell which of the two is missing, so nothing is held against the token; a call to
//! [`ApifyClient::me`] tells.
//!
//! What is said here of Apify rests on its published API description and SDKs.

mod actor;
mod apify;
mod boundary;
mod build;
mod cli_secrets;
mod client;
mod dataset;
mod endpoint;
mod env_target;
mod env_var;
mod error_type;
mod json;
mod key_value_store;
mod list;
mod log;
mod meaning;
mod pages;
mod raw;
mod run;
mod run_list;
mod runs;
#[cfg(feature = "secret-input")]
mod secret_input;
mod start;
mod token_shape;
mod usage;
mod wait;

pub use actor::{Actor, ActorClient, ActorStats, ActorVersion, Actors, RunDefaults, TaggedBuild};
pub use apify::{Apify, ApifyBuilder};
pub use boundary::{Access, Admitted, Boundary, Class, Refused, TokenPermission, TokenScope};
pub use build::{Build, BuildClient, BuildMeta, BuildStats, Builds};
pub use cli_secrets::cli_secrets;
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
#[cfg(feature = "secret-input")]
pub use secret_input::{
    FieldName, InputPrivateKey, InputPublicKey, InputSchema, PlainField, PlainInput, SecretInputError,
};
pub use start::Start;
pub use token_shape::TokenShape;
pub use tokenkeep_https::{Answer, AnswerStream, Call, CallFailure, Method, Proxy, Retries};
pub use usage::{
    AccountLimits, CurrentUsage, DailyUsage, Limits, MonthlyUsage, ServiceUsage, Usage, UsageCycle,
};
