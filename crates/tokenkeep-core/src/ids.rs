//! Identifiers that tokenkeep draws or counts itself.

use core::fmt;

use thiserror::Error;

use crate::{RandomUnavailable, fill_random};

/// Writes bytes as lower-case hex; for identifiers only, never for keys.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Draws a new one from the operating system's generator.
            ///
            /// # Errors
            /// [`RandomUnavailable`] when the system gives no random bytes.
            pub fn random() -> Result<Self, RandomUnavailable> {
                let mut bytes = [0; 16];
                fill_random(&mut bytes)?;
                Ok(Self(bytes))
            }

            /// The identifier with these 16 bytes, as a store kept it.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

random_id! {
    /// Names one vault: 16 random bytes made with it, bound into every envelope, so that a record of one
    /// vault never opens in another.
    VaultId
}

random_id! {
    /// 16 random bytes drawn at every connect, so that a reconnected connection is never taken for its former self.
    Incarnation
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// The first one.
            pub const FIRST: Self = Self(1);

            /// The counter with this value, as a store kept it.
            #[must_use]
            pub const fn from_u64(value: u64) -> Self {
                Self(value)
            }

            /// Its value.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one after it.
            #[must_use]
            pub const fn next(self) -> Self {
                // 2^64 changes are out of reach; saturating keeps a forged maximum from wrapping to zero.
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Counts the tokens of an incarnation; changes when a token is replaced.
    SecretVersion
}

counter! {
    /// Counts every change of a record; what compare-and-set compares.
    Revision
}

/// Names a KEK: 1 to 29 bytes, random and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KekId {
    length: u8,
    bytes: [u8; KekId::MAX_LEN],
}

/// A KEK id must have 1 to 29 bytes. As an [`Error`](crate::Error) it is the caller's fault; who reads an id from a database
/// says [`Tampered`](crate::ErrorKind::Tampered) instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a KEK id has 1 to 29 bytes")]
pub struct BadKekId;

impl KekId {
    /// The most bytes that an id has.
    pub const MAX_LEN: usize = 29;

    /// Draws a new id of 16 bytes.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the system gives no random bytes.
    pub fn random() -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; Self::MAX_LEN];
        fill_random(&mut bytes[..16])?;
        Ok(Self { length: 16, bytes })
    }

    /// The id with these bytes.
    ///
    /// # Errors
    /// [`BadKekId`] unless there are 1 to 29 of them.
    pub fn from_slice(slice: &[u8]) -> Result<Self, BadKekId> {
        if slice.is_empty() || slice.len() > Self::MAX_LEN {
            return Err(BadKekId);
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..slice.len()].copy_from_slice(slice);
        // At most 29, checked above.
        Ok(Self { length: slice.len() as u8, bytes })
    }

    /// The id's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.as_bytes())
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekId({self})")
    }
}
