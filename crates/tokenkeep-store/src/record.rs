//! A connection as the database keeps it.

use std::fmt;

use tokenkeep_core::{
    Account, ConnectionId, Incarnation, KekId, Origin, PayloadKind, ProviderName, Revision, SecretVersion,
};

use crate::Timestamp;

/// What may be done with a connection's token. A row that says anything else was altered, so a version that adds one may write it
/// only once the version before it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is used.
    Active,
    /// The provider refused it once; it is not used until that is cleared up.
    Paused,
    /// The provider refused it for good; it must be replaced.
    Revoked,
    /// Whoever runs the application said that it may have leaked; it must be deleted at the provider and replaced.
    Suspected,
    /// It is gone; the record is a tombstone.
    Disconnected,
}

/// How far the hooks that clear what the application cached have got. As with [`Status`], nothing else is ever read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purge {
    /// The connection is live.
    NotDue,
    /// They must still run, or run again.
    Pending,
    /// All of them ran.
    Done,
}

macro_rules! stored_as_text {
    ($type:ident: $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// The name that a database keeps.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use stored_as_text;

stored_as_text! { Status: Active = "active", Paused = "paused", Revoked = "revoked", Suspected = "suspected", Disconnected = "disconnected" }
stored_as_text! { Purge: NotDue = "not-due", Pending = "pending", Done = "done" }

/// The parts of a record that hold the token. A tombstone has none.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The envelope's bytes. A store keeps them as they are.
    pub envelope: Vec<u8>,
    /// The KEK that the envelope names, so that a store can find what is under a KEK.
    pub kek: KekId,
    /// A keyed hash of origin, kind and token: equal for equal tokens of one vault, and of no use without its key.
    pub fingerprint: [u8; 32],
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("kek", &self.kek).finish_non_exhaustive()
    }
}

/// One connection. Every field but `mac` is under the MAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose connection it is, and which.
    pub id: ConnectionId,
    /// The provider that the token is for.
    pub provider: ProviderName,
    /// The one place that the token may be sent to.
    pub origin: Origin,
    /// What the envelope holds.
    pub kind: PayloadKind,
    /// Which life of the connection this is.
    pub incarnation: Incarnation,
    /// Which token of that incarnation it holds.
    pub secret_version: SecretVersion,
    /// Counts every change of the record, over all its incarnations.
    pub revision: Revision,
    /// What may be done with the token.
    pub status: Status,
    /// The token; `None` in a tombstone.
    pub sealed: Option<Sealed>,
    /// Whose token it is at the provider; `None` in a tombstone.
    pub account: Option<Account>,
    /// When this incarnation was connected.
    pub connected_at: Timestamp,
    /// When its present token was set.
    pub token_set_at: Timestamp,
    /// When the record last changed.
    pub updated_at: Timestamp,
    /// When the token expires, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When this life of the connection was last paused, whatever came of that. A tombstone has none.
    pub paused_at: Option<Timestamp>,
    /// How far the hooks of a disconnect have got.
    pub purge: Purge,
    /// HMAC-SHA-256 over all of the above; the vault makes and checks it, a store keeps it as it is.
    pub mac: [u8; 32],
}

impl Record {
    /// What a page has in the place of a row that can't be made sense of: where it stands, and nothing else. Its MAC fits nothing,
    /// so that it is taken for what it is: an altered record. `None` only if these constants were wrong.
    #[must_use]
    pub fn illegible(
        id: ConnectionId,
        token_set_at: Timestamp,
        paused_at: Option<Timestamp>,
    ) -> Option<Self> {
        let long_ago = Timestamp::from_millis(0);
        Some(Self {
            id,
            provider: ProviderName::new("illegible").ok()?,
            origin: Origin::parse("https://illegible.invalid").ok()?,
            kind: PayloadKind::ApiToken,
            incarnation: Incarnation::from_bytes([0; 16]),
            secret_version: SecretVersion::FIRST,
            revision: Revision::FIRST,
            status: Status::Disconnected,
            sealed: None,
            account: None,
            connected_at: long_ago,
            token_set_at,
            updated_at: long_ago,
            expires_at: None,
            paused_at,
            purge: Purge::NotDue,
            mac: [0; 32],
        })
    }

    /// Whether it is no tombstone: the connection holds a token, be it used or not.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.status != Status::Disconnected
    }
}
