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
//! A connection's life: [`Connection::connect`] → [`Connection::credential`] for every use →
//! [`Connection::replace`] when the customer brings a new token → [`Connection::disconnect`]. A token that the provider
//! refuses is paused ([`ConnectionState::Paused`]) until [`Connection::recheck`] finds out whether it was revoked.
//!
//! Everything runs on tokio, on a current-thread runtime too. A call that is dropped happened wholly or not at all, and
//! repeating it is safe.
//!
//! Features: `sqlite` brings `SqliteStore`, `apify` the Apify client, `https` the transport for a provider of your own. The
//! default is the vault alone.

mod audit;
mod check;
mod clock;
mod connect;
mod connection;
mod credential;
mod disconnect;
mod due;
mod erase;
mod high_water;
mod inner;
mod kept;
mod leak;
mod observe;
mod purge;
mod receipt;
mod replacement;
mod reuse;
mod status;
mod uses;
mod vault;
mod vault_keys;
mod verify;

pub use audit::AuditTrail;
pub use check::{DatabaseCheck, KeysCheck, Readiness, TrailCheck};
pub use clock::{Clock, SystemClock};
pub use connect::PreparedChange;
pub use connection::Connection;
pub use due::DueConnections;
pub use erase::{Erased, TenantErasure};
pub use kept::KeptToken;
pub use leak::{LeakResponse, SuspectedToken};
pub use observe::{Ended, Incident, IncidentKind, Observed, Observer, Operation};
pub use purge::PurgeHook;
pub use receipt::{Backups, Receipt};
pub use replacement::Replacement;
pub use status::{ConnectionState, ConnectionStatus};
pub use vault::{Vault, VaultOptions};
pub use verify::{Finding, Verification};

pub use async_trait::async_trait;
pub use tokenkeep_core::{
    Account, ApiToken, BadName, BadOrigin, ConnectionId, ConnectionName, Credential, CredentialSource,
    CustomerAction, Error, ErrorKind, Fault, Incarnation, IssuedToken, Meaning, Origin, Outcome, PayloadKind,
    Provider, ProviderName, ProviderSpec, Revision, SecretVersion, TenantId, TokenRejected, Use,
};
pub use tokenkeep_keys::{KeyProvider, KeyringError, LocalKeyring};
pub use tokenkeep_store::{
    Action, AuditChain, AuditDraft, AuditEntry, AuditHead, Change, MemoryStore, Scrub, Timestamp, TokenStore,
};

#[cfg(feature = "apify")]
pub use tokenkeep_apify as apify;
#[cfg(feature = "https")]
pub use tokenkeep_https as https;
#[cfg(feature = "sqlite")]
pub use tokenkeep_sql::SqliteStore;

/// The code in the README, compiled.
#[cfg(all(doctest, feature = "apify", feature = "sqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
