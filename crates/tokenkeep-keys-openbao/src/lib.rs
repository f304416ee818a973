//! A key provider over the transit engine of OpenBao and HashiCorp Vault.
//!
//! ```no_run
//! # async fn example(role_id: String, secret_id: String, ca: &str) -> Result<(), tokenkeep_core::Error> {
//! use tokenkeep_core::{ApiToken, Origin};
//! use tokenkeep_keys_openbao::{AppRole, OpenBaoKeys};
//!
//! let role = AppRole::new(ApiToken::new(role_id)?, ApiToken::new(secret_id)?);
//! let keys = OpenBaoKeys::builder(Origin::parse("https://bao.example:8200")?, "tokenkeep")
//!     .ca_pem(ca)? // of the private CA that signed the service's certificate
//!     .app_role(role)
//!     .build()?;
//! # let _ = keys;
//! # Ok(())
//! # }
//! ```
//!
//! # What is sent, and what binds it
//!
//! DEKs go to the service over verified TLS, never otherwise, and come back wrapped. With each goes a SHA-256 of its encryption context and
//! KEK id, as the `context` of a *derived* key: the service derives another key for every context, so that what was wrapped for one
//! opens for no other, and no tenant's name reaches its log. A key that is not derived is refused, as is one of another type.
//! The KEK ids are described at [`OpenBaoKeys`]; an envelope grows by 29 bytes of id and 60 of wrapped DEK.
//!
//! # A server in one line
//!
//! To try it, from the root of tokenkeep's repository, with a program that `cargo xtask openbao` fetches:
//!
//! ```sh
//! tls=$(mktemp -d); "$(cargo xtask openbao | tail -1)" server -dev -dev-tls -dev-tls-cert-dir="$tls" -dev-root-token-id=root > "$tls/log" &
//! ```
//!
//! Beside it, `BAO_ADDR=https://localhost:8200 BAO_CACERT="$tls/vault-ca.pem" BAO_TOKEN=root cargo run --example openbao` runs as it
//! stands; without those variables it starts a throwaway server itself. A dev server forgets all its keys when it ends.
//!
//! # Setting it up
//!
//! An operator enables the engine (`bao secrets enable transit`) and makes the key, with [`OpenBaoKeys::create_key`] or
//! `bao write transit/keys/tokenkeep type=aes256-gcm96 derived=true`. Who gets in may do no more than these policies, which the
//! tests load into a real server (engine at `transit`, key `tokenkeep`):
//!
//! ```hcl
#![doc = include_str!("../policies/application.hcl")]
//! ```
//!
//! ```hcl
#![doc = include_str!("../policies/epochs.hcl")]
//! ```
//!
//! ```hcl
#![doc = include_str!("../policies/operator.hcl")]
//! ```
//!
//! Give the application an AppRole whose secret id is bound to its hosts (`secret_id_bound_cidrs`) and renews for as long as the process may
//! live. Hand it over wrapped: [`AppRole::wrapped`] takes a token that is good for one look, so that nobody on the way has the secret id
//! without its being noticed. A token given by hand is renewed up to its greatest age and then needs [`OpenBaoKeys::set_token`]. Keep the service's own
//! snapshots apart from the token database's backups, and no longer than what is destroyed may be found.
//!
//! # The end of a key
//!
//! [`rotate`](OpenBaoKeys::rotate) makes a new version, which touches no stored data and ends nothing. A version ends in two steps, both by the
//! operator: [`close_version`](OpenBaoKeys::close_version) makes the service wrap nothing more under it, for whoever asks; and once nothing
//! that is kept names it, [`destroy_version`](OpenBaoKeys::destroy_version) trims it, the oldest one that is left first, and looks that it is
//! gone: by a process that saw the version while it was enabled, since the service tells only then which one it is. `Vault::retire` makes
//! both steps, and counts in between; that needs a transit key of this vault's own. A key that was made for an epoch ends with its
//! epoch. [`orphans`](OpenBaoKeys::orphans) lists those that a crash left without one.
//!
//! In a cluster, give one origin before all nodes, and let standbys answer nothing from what they have: `disable_standby_reads = true` in the
//! configuration of OpenBao from 2.5 on, `disable_performance_standby = true` for HashiCorp's Enterprise. A standby that lags, or has just
//! started, else says that a key which is there is missing (`cargo xtask cluster` has seen it), and opens for a moment longer what was
//! trimmed. Redirects to the active node are never followed: a node that sends one is `NoActiveNode`.
//!
//! # When it fails
//!
//! Every error's cause is an [`OpenBaoFailure`], which says what to mend and what works at once after that. No call waits for ever
//! ([`OpenBaoBuilder::timeout`]), a node that hangs is left for another one behind the same origin ([`OpenBaoBuilder::ping`]), and a
//! renewal that fails is a warning (`tracing`) for as long as the token still holds.
//!
//! | what happened | [`OpenBaoFailure`] | kind |
//! | --- | --- | --- |
//! | sealed; standby without an active node; own fault | `Sealed`, `NoActiveNode`, `Fault` | `KeysUnavailable` |
//! | nothing mounted at the path, or not yet | `NotMounted` | `KeysUnavailable` |
//! | no connection; no answer in time; certificate not trusted | `Unreachable`, `TimedOut`, `Untrusted` | `KeysUnavailable` |
//! | too many calls; a gateway's page | `Throttled`, `Garbage` | `KeysUnavailable` |
//! | policy withdrawn; token over; role refused | `Forbidden`, `TokenExpired`, `LoginRefused` | `KeysForbidden` |
//! | wrapping token used by somebody; not of this role | `WrappingTokenSpent`, `WrapsSomethingElse` | `KeysForbidden` |
//! | no such key; the service does not do it | `KeyMissing`, `Refused` | `KeysUnusable` |
//! | a key that binds no context, of another type, or imported | `KeyUnfit` | `KeysInsecure` |
//! | version below `min_decryption_version`; key soft-deleted | `Disabled` | `KeyDisabled` |
//! | version trimmed | `Destroyed` | `KeyDestroyed` |
//! | an id of another key | `UnknownKey` | `KeysWrong` |
//! | other context, altered bytes | `Rejected` | `Tampered` |
//!
//! A call that fails is not made again here: whether to wait is the caller's to decide. The one exception is a token that the service does
//! not know any more, where another is to be had.
//!
//! A login that is refused is not tried again at each call. **A service locks a role whose logins fail**, for every instance: five failures,
//! a quarter of an hour, unless it is set otherwise (`user_lockout`). One instance with a secret id that ended waits too long
//! in between for that; many may do it together. Mend or stop them first, then unlock the role (`sys/locked-users`).
//!
//! # What stays in memory
//!
//! DEKs are in blocks of ours that wipe themselves, requests and answers included. Beneath, hyper, h2 and the TLS library have read and
//! write buffers of their own: plaintext DEKs, in Base64 and some three times each, and the token stay in those until they are used again or the connection
//! closes, and in freed memory after that. An allocator that zeroes what it frees wipes the latter. A DEK of every open passes
//! there, or with `EpochKeys` the key of every epoch.

mod app_role;
mod batches;
mod builder;
mod client;
mod failure;
mod flight;
mod ids;
mod keys;
mod login;
mod orphans;
mod own;
mod pause;
mod session;
mod steps;
mod transit_key;
mod versions;
mod wire;

pub use app_role::AppRole;
pub use builder::OpenBaoBuilder;
pub use failure::OpenBaoFailure;
pub use keys::OpenBaoKeys;
pub use orphans::OrphanKey;
