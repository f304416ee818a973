//! The crypto core of tokenkeep.
//!
//! It seals an API token into an [`Envelope`] that says nothing about the token but its length, opens only for
//! the facts it was sealed with ([`EncryptionContext`]), and can be moved to another key-encryption key without
//! the token being seen. It also holds the types on which two sides meet: [`ApiToken`], [`Origin`],
//! [`ConnectionId`], [`ErrorKind`] and, with the feature `async` (on by default), the traits `Provider` and
//! `CredentialSource`.
//!
//! There is no I/O here, no runtime and no network type; the cryptography is synchronous, and the crate is
//! `no_std` with `alloc`. The suite is KC-XAES-256-GCM at both levels; ARCHITECTURE.md says why. It has had no
//! outside review.
//!
//! ```
//! use tokenkeep_core::{
//!     ApiToken, ConnectionId, EncryptionContext, Incarnation, Kek, Origin, PayloadKind, SecretVersion, TokenFacts, VaultId,
//!     open_token, seal_token,
//! };
//!
//! let kek = Kek::generate()?;
//! let facts = TokenFacts {
//!     vault: VaultId::random()?,
//!     connection: ConnectionId::new("customer-17", "apify")?,
//!     incarnation: Incarnation::random()?,
//!     provider: "apify".parse()?,
//!     origin: Origin::parse("https://api.apify.com")?,
//!     kind: PayloadKind::ApiToken,
//!     secret_version: SecretVersion::FIRST,
//! };
//! let context = EncryptionContext::for_token(&facts);
//! let token = ApiToken::new("an-example-token".to_owned())?;
//!
//! let envelope = seal_token(&kek, &context, &token)?;
//! let opened = open_token(&kek, &context, &envelope)?;
//! assert_eq!(opened.expose_secret(), "an-example-token");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;

mod aad;
mod backend;
mod context;
#[cfg(feature = "async")]
mod credential;
mod crypto_error;
mod envelope;
mod error;
mod ids;
mod keys;
mod kind;
mod names;
mod origin;
#[cfg(feature = "async")]
mod provider;
mod random;
mod seal;
mod suite;
#[cfg(test)]
mod suite_cases;
mod token;
mod wrap;

pub use context::{EncryptionContext, PayloadKind, TokenFacts, VaultKeyPurpose};
#[cfg(feature = "async")]
pub use credential::{Credential, CredentialSource, IssuedToken, Outcome, Use};
pub use crypto_error::{DecodeError, OpenError, RandomUnavailable, SealError};
pub use envelope::{Envelope, MAX_PAYLOAD};
pub use error::Error;
pub use ids::{BadKekId, Incarnation, KekId, Revision, SecretVersion, VaultId};
pub use keys::{Dek, Kek};
pub use kind::{CustomerAction, ErrorKind, Fault};
pub use names::{BadName, ConnectionId, ConnectionName, ProviderName, TenantId};
pub use origin::{BadOrigin, Origin};
#[cfg(feature = "async")]
pub use provider::{Account, Meaning, Provider, ProviderSpec};
pub use random::fill_random;
pub use seal::{SealDraft, open_payload, open_token, seal_token};
pub use token::{ApiToken, TokenRejected};
pub use wrap::{UnwrapRequest, WrapRequest, WrappedDek};
