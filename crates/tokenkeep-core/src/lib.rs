//! The crypto core of tokenkeep.
//!
//! It seals an API token into an [`Envelope`] that says nothing about the token but its length, opens only for
//! the facts it was sealed with ([`EncryptionContext`]), and can be moved to another key-encryption key without
//! the token being seen. It also holds the types on which two sides meet: [`ApiToken`], [`Origin`],
//! [`ConnectionId`], [`ErrorKind`] and, with the feature `async` (on by default), the traits `Provider` and
//! `CredentialSource`.
//!
//! There is no I/O here, no runtime and no network type; the cryptography is synchronous, and the crate is
//! `no_std` with `alloc`. The suite is KC-XAES-256-GCM at both levels; the module [`format`] has the format, its limits and the
//! reasons for each choice, enough to write a second implementation from. It has had no outside review.
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
//!
//! An envelope takes 197 bytes over its token with a KEK that was drawn here. Nothing here panics on what it is given.
//!
//! # Moving to another KEK
//!
//! Not one byte of the payload changes, and the token is not seen.
//!
//! ```
//! # use tokenkeep_core::{
//! #     ApiToken, EncryptionContext, Kek, VaultId, VaultKeyPurpose, WrapRequest, open_token, seal_token,
//! # };
//! # let context = EncryptionContext::for_vault_key(VaultId::random()?, VaultKeyPurpose::AuditMac);
//! # let token = ApiToken::new("an-example-token".to_owned())?;
//! let (old, new) = (Kek::generate()?, Kek::generate()?);
//! let envelope = seal_token(&old, &context, &token)?;
//!
//! let dek = envelope.unwrap_request(&context).unwrap_with(&old)?;
//! let wrapped = WrapRequest::for_rewrap(&dek, &context)?.wrap_with(&new);
//! let moved = envelope.with_wrapped_dek(&wrapped);
//!
//! assert!(open_token(&new, &context, &moved).is_ok());
//! assert!(open_token(&old, &context, &moved).is_err());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # A key service that wraps
//!
//! Its own wrapped DEK takes the place of a local one. It is given [`WrapRequest::context_digest`], so that it binds the DEK to the
//! same facts and no tenant's name reaches its logs.
//!
//! ```
//! # use tokenkeep_core::{
//! #     ApiToken, Dek, EncryptionContext, KekId, SealDraft, VaultId, VaultKeyPurpose, WrappedDek,
//! # };
//! # // A key service in three lines: it keeps the DEK and gives a receipt for it.
//! # let mut kept = None;
//! # let mut service_wraps = |dek: &[u8; 32], _digest: [u8; 32]| { kept = Some(*dek); b"receipt".to_vec() };
//! # let context = EncryptionContext::for_vault_key(VaultId::random()?, VaultKeyPurpose::AuditMac);
//! # let token = ApiToken::new("an-example-token".to_owned())?;
//! let key = KekId::from_slice(b"key-1")?;
//! let draft = SealDraft::new(&context)?;
//! let request = draft.wrap_request();
//! let answer = service_wraps(request.dek().expose_secret(), request.context_digest(&key));
//! let envelope = draft.finish(token.expose_secret().as_bytes(), &WrappedDek::from_service(key, answer)?)?;
//!
//! # let service_unwraps = |_: &[u8], _digest: [u8; 32]| kept.unwrap();
//! let request = envelope.unwrap_request(&context);
//! let dek = Dek::from_bytes(&service_unwraps(request.wrapped(), request.context_digest()));
//! let opened = ApiToken::open(&envelope, &dek, &context)?;
//! # assert_eq!(opened.expose_secret(), "an-example-token");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `async` (default) | `Provider`, `CredentialSource` and `Credential`, on `async-trait` |
//! | `aws-lc` | AES-256-GCM by AWS-LC in place of pure Rust. The bytes are the same |
//! | `dangerous-test-vectors` | [`SealDraft`] from bytes that were not drawn. For making test vectors, and nothing else |
//! | `redact` | `Redactor`, `HiddenValues` and `ValueScan`: values are hidden in what passes. Needs the standard library |
//!
//! # What wiping means
//!
//! A type that "wipes itself" overwrites the place where it is dropped. What a move, the compiler or a cipher left in registers
//! and on the stack is not wiped. The tests look at the memory: after [`seal_token`] and [`open_token`], as optimized, neither the
//! token nor the DEK nor the KEK is left on the stack.
//!
//! Commitments and tags are compared in constant time. That an opened payload is a token is checked after that, in a time that may
//! depend on its characters.
#![no_std]

extern crate alloc;
#[cfg(feature = "redact")]
extern crate std;

mod aad;
mod backend;
mod context;
#[cfg(feature = "async")]
mod credential;
mod crypto_error;
#[cfg(feature = "async")]
mod env_target;
mod envelope;
mod error;
mod ids;
mod import;
mod keyring;
mod keys;
mod kind;
mod names;
mod origin;
#[cfg(feature = "async")]
mod provider;
mod random;
#[cfg(feature = "redact")]
mod redact;
#[cfg(feature = "async")]
mod runs;
mod seal;
mod secret_vars;
mod suite;
#[cfg(test)]
mod suite_cases;
mod token;
mod wrap;

#[doc = include_str!("../FORMAT.md")]
pub mod format {}

pub use context::{EncryptionContext, PayloadKind, TokenFacts, VaultKeyPurpose};
#[cfg(feature = "async")]
pub use credential::{Credential, CredentialSource, IssuedToken, Outcome, Use};
pub use crypto_error::{DecodeError, OpenError, RandomUnavailable, SealError};
#[cfg(feature = "async")]
pub use env_target::{EnvTarget, TargetVar};
pub use envelope::{Envelope, MAX_PAYLOAD};
pub use error::Error;
pub use ids::{BadKekId, Incarnation, KekId, Revision, SecretVersion, VaultId};
pub use import::{ImportFault, ImportRejected, ImportedVars};
pub use keyring::{open_keyring, seal_keyring};
pub use keys::{Dek, Kek};
pub use kind::{CustomerAction, ErrorKind, Fault};
pub use names::{BadName, ConnectionId, ConnectionName, ProviderName, TenantId};
pub use origin::{BadOrigin, Origin};
#[cfg(feature = "async")]
pub use provider::{Account, Meaning, Provider, ProviderSpec};
pub use random::fill_random;
#[cfg(feature = "redact")]
pub use redact::{HiddenValues, Redactor, TextPart, ValueScan};
#[cfg(feature = "async")]
pub use runs::{ListedRun, RunList, RunPage};
pub use seal::{SealDraft, open_payload, open_token, seal_token};
pub use secret_vars::{SecretVarRejected, SecretVars};
pub use token::{ApiToken, TokenRejected};
pub use wrap::{UnwrapRequest, WrapRequest, WrappedDek};
