//! Keeps your customers' API tokens.
//!
//! A [`Vault`] seals each token under a key that lives outside the database, gives it out for one request at a time to a
//! transport that sends it to its provider alone, keeps every use on record, and forgets it the moment the customer
//! clicks Disconnect.
//!
//! ```
//! # async fn example(provider: &dyn tokenkeep::Provider, pasted: String) -> Result<(), tokenkeep::Error> {
//! use tokenkeep::{ApiToken, LocalKeyring, MemoryStore, Vault};
//!
//! # let folder = std::env::temp_dir().join(format!("tokenkeep-doc-{}", std::process::id()));
//! let keys = LocalKeyring::open_or_create(folder.join("keys/keyring"))?;
//! let vault = Vault::open(MemoryStore::new(), keys).await?; // or an SqliteStore, with the feature `sqlite`
//!
//! let connection = vault.connection("customer-17", "apify")?;
//! connection.connect(provider, ApiToken::new(pasted)?).await?; // asks the provider, then seals
//! let credential = connection.credential(); // holds no token; a client asks it before each attempt
//! let receipt = connection.disconnect().await?; // refused everywhere from here on
//! println!("{receipt}");
//! # drop(credential);
//! # Ok(()) }
//! ```
//!
//! # A connection's life
//!
//! **Connected.** [`Connection::connect`] asks the provider whether it accepts the token and whose it is, seals it and keeps
//! it. [`Connection::prepare_connect`] does the same up to what must be committed. What comes back says what the customer
//! should do now: a token that is used for another connection of theirs too should have one of its own. That another
//! *tenant* holds it is told to the operator alone ([`IncidentKind::ReusedAcrossTenants`]).
//!
//! **Used.** [`Connection::credential`] holds no token; a client asks it before each attempt, so that whatever happens to the
//! connection counts at once, in every process.
//!
//! **Refused.** A token that the provider refuses is paused, under each name that its tenant has for it. A job asks the provider about paused ones, one at a time in all
//! instances, and resumes or revokes them ([`Vault::recheck_paused`]); [`Connection::recheck`] does so by hand. None is revoked
//! in its first five minutes, nor while more than five tokens, and more than a hundredth of the provider's connections, are paused
//! together: then it is the provider that is suspect ([`PauseReason`]), and they are resumed once it accepts them again.
//!
//! ```
//! # async fn example(vault: tokenkeep::Vault, connection: tokenkeep::Connection, provider: &dyn tokenkeep::Provider)
//! # -> Result<(), tokenkeep::Error> {
//! // Every minute:
//! println!("{:?}", vault.recheck_paused(provider).finish().await?);
//! // For the customer:
//! for action in connection.status().await?.customer_actions() {
//!     println!("{action}"); // "Please try again in a few minutes."
//! }
//! # Ok(()) }
//! ```
//!
//! **Replaced.** A token should be replaced every 90 days ([`VaultOptions::replace_every`]); [`Vault::due`] and
//! [`Vault::overdue`] list those that are to be, by date, for a job that writes to the customers. [`Connection::replace`] takes
//! a new token of the same account, and says that the old one must be deleted at the provider.
//!
//! **Suspected.** A token that may have leaked is stopped by one command, for a connection
//! ([`Connection::suspect_leak`]), a tenant ([`Vault::suspect_leaks_of`]) or all ([`Vault::suspect_all_leaked`]). It lists what
//! to do about each; only the customer can delete it at the provider. The way back is a new token, or an operator's word
//! ([`Connection::clear_suspicion`]).
//!
//! **Disconnected.** [`Connection::disconnect`] removes the token first; then it scrubs the database's files and runs the
//! application's hooks ([`PurgeHook`]), in one process at a time and until they succeed. The receipt says what is gone and
//! what is not. [`Vault::finish_disconnects`] finishes what was interrupted; [`Vault::erase_tenant`] disconnects all that a
//! tenant has.
//!
//! ```
//! # async fn example(vault: tokenkeep::Vault) -> Result<(), tokenkeep::Error> {
//! // At start, and now and then:
//! for finished in vault.finish_disconnects().await? {
//!     println!("{finished}"); // a receipt, or why there is none
//! }
//! # Ok(()) }
//! ```
//!
//! | [`ConnectionState`] | what the customer is asked to do ([`ConnectionStatus::customer_actions`]) | the way back |
//! | --- | --- | --- |
//! | connected | nothing; replace soon, when it is due; replace, when it is overdue; a token of its own, when it is reused | |
//! | paused | try again in a few minutes | [`Vault::recheck_paused`], [`recheck`](Connection::recheck), [`replace`](Connection::replace) |
//! | revoked | make a new token and enter it | [`replace`](Connection::replace), [`recheck`](Connection::recheck) |
//! | suspected | delete the token at the provider now, make a new one, enter it | [`replace`](Connection::replace), [`clear_suspicion`](Connection::clear_suspicion) |
//! | tampered | contact support | the operator runs [`Vault::verify`], then [`discard_tampered`](Connection::discard_tampered); the customer connects anew |
//! | disconnected, not connected | connect | [`connect`](Connection::connect) |
//!
//! # Running it
//!
//! [`Vault::check`] is for a readiness probe, an [`Observer`] for metrics, and an [`EpochObserver`] for those of the keys
//! ([`EpochKeys`]), which the same type may be; every call is a `tracing` span with its action and
//! outcome. No tenant's name is logged above DEBUG, and no token at any level.
//!
//! The audit trail: [`Vault::audit`] reads and exports it, [`Vault::verify`] tells whether it is whole. With
//! [`VaultOptions::checkpoints`] and [`Vault::checkpoint_every`] signed checkpoints of it go to a place outside the database,
//! so that a cut, or a database that was put back whole, is seen too. [`Connection::reconcile`] holds the provider's list of
//! runs against it, and names those that were not started here.
//!
//! Everything runs on tokio, on a current-thread runtime too. A call that is dropped happened wholly or not at all, and
//! repeating it is safe.
//!
//! Features: `sqlite` brings `SqliteStore`, `postgres` brings `PostgresStore`, `apify` the Apify client, `https` the transport for a provider of your own,
//! `openbao` keys in OpenBao or HashiCorp Vault, `secret-input` the encrypted inputs of Apify's Actors. The default is the vault alone.

mod audit;
mod chain_walk;
mod check;
mod checkpoint;
mod clock;
mod connect;
mod connection;
mod credential;
mod discard;
mod disconnect;
mod due;
mod env;
mod erase;
mod export;
mod high_water;
mod inner;
mod kept;
mod leak;
mod observe;
mod options;
mod paused;
mod pausing;
mod probe;
#[cfg(feature = "process")]
mod process;
mod purge;
mod receipt;
mod recheck;
mod reconcile;
mod replacement;
mod retire;
mod reuse;
mod rewrap;
mod status;
mod suspicion;
mod uses;
mod vault;
mod vault_keys;
mod verify;

pub use audit::AuditTrail;
pub use check::{DatabaseCheck, KeysCheck, Readiness, SinkCheck, TrailCheck};
pub use checkpoint::{BadCheckpoint, Checkpoint, CheckpointFile, CheckpointKey, CheckpointSink};
pub use clock::{Clock, SystemClock};
pub use connect::PreparedChange;
pub use connection::Connection;
pub use disconnect::FinishedDisconnect;
pub use due::DueConnections;
pub use env::{
    EnvAction, EnvChange, EnvPlan, EnvPush, EnvStep, EnvTargetStatus, EnvVarStatus, SecretEnv,
    SecretEnvStatus,
};
pub use erase::{Erased, TenantErasure};
pub use export::{AuditCursor, AuditExport};
pub use kept::KeptToken;
pub use leak::{LeakResponse, SuspectedToken};
pub use observe::{Ended, Incident, IncidentKind, Observed, Observer, Operation};
pub use options::VaultOptions;
pub use paused::{RecheckOutcome, RecheckPaused, RecheckProgress, RecheckStopped, RecheckedConnection};
#[cfg(feature = "process")]
pub use process::{RedactedRead, SecretChild, SecretCommand, SecretCommandError};
pub use purge::PurgeHook;
pub use receipt::{Backups, Receipt};
pub use reconcile::{Reconciliation, UnknownRun};
pub use replacement::Replacement;
pub use retire::{Census, Retirement};
pub use rewrap::{Rewrap, RewrapProgress};
pub use status::{ConnectionState, ConnectionStatus, PauseReason};
pub use vault::Vault;
pub use verify::{CheckpointCopy, Finding, Verification, VerifiedUpTo, VerifyProgress, VerifyRun};

pub use async_trait::async_trait;
pub use tokenkeep_core::{
    Account, ApiToken, BadName, BadOrigin, ConnectionId, ConnectionName, Credential, CredentialSource,
    CustomerAction, EnvTarget, Error, ErrorKind, Fault, ImportFault, ImportRejected, ImportedVars,
    Incarnation, IssuedToken, KekId, ListedRun, Meaning, Origin, Outcome, PayloadKind, Provider,
    ProviderName, ProviderSpec, Revision, RunList, RunPage, SecretVarRejected, SecretVars, SecretVersion,
    TargetVar, TenantId, TokenRejected, Use, VaultId,
};
pub use tokenkeep_keys::{
    DestroyableKeys, Destruction, EpochClock, EpochEvent, EpochKeys, EpochObserver, EpochOptions, EpochState,
    EpochStatus, EpochStore, EpochTime, KekState, KekStatus, KeyProvider, KeyringError, KeyringOptions,
    LocalKeyring, MemoryEpochStore, Passphrase, ProviderCall, RetirableKeys,
};
pub use tokenkeep_store::{
    Action, AuditChain, AuditDraft, AuditEntry, AuditHead, Change, MemoryStore, Scrub, Timestamp, TokenStore,
};

#[cfg(feature = "apify")]
pub use tokenkeep_apify as apify;
#[cfg(feature = "process")]
pub use tokenkeep_core::{HiddenValues, Redactor, TextPart, ValueScan};
#[cfg(feature = "https")]
pub use tokenkeep_https as https;
#[cfg(feature = "openbao")]
pub use tokenkeep_keys_openbao as openbao;
#[cfg(feature = "postgres")]
pub use tokenkeep_sql::{PostgresEpochStore, PostgresMigration, PostgresStore};
#[cfg(feature = "sqlite")]
pub use tokenkeep_sql::{SqliteEpochStore, SqliteStore};

/// The code in the README, compiled.
#[cfg(all(doctest, feature = "apify", feature = "sqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The code in the operator's page, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/operations.md")]
struct Operations;

/// The code in the page on secret input, compiled.
#[cfg(all(doctest, feature = "secret-input"))]
#[doc = include_str!("../../../docs/secret-input.md")]
struct SecretInput;

/// The code in the page on secret environment variables, compiled.
#[cfg(all(doctest, feature = "apify", feature = "process"))]
#[doc = include_str!("../../../docs/secret-env.md")]
struct SecretEnvironment;
