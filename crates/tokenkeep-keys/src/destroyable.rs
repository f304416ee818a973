//! The seam between epochs and the key service that wraps them.

use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId, WrapRequest, WrappedDek};

use crate::KeyProvider;

/// What came of destroying a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Destruction {
    /// The service confirms that the key is gone: nobody unwraps with it any more.
    Confirmed,
    /// The service will have destroyed it by then, in milliseconds since 1970 UTC; until then it may be brought back. Meanwhile it unwraps,
    /// or fails with `KeyDestroyed`: so is told that nothing is left to be proved of it.
    Scheduled(i64),
    /// It is gone from here, and nobody can say that no copy of it is left: a file can be copied.
    Unprovable,
}

/// A key provider that makes keys beside its primary one, each to be destroyed alone: an epoch has one of its own, so that the
/// end of the key is the end of the epoch.
///
/// Such a key is never primary, is listed by [`KeyProvider::keks`] as open-only, and unwraps by [`KeyProvider::unwrap_dek`].
/// Errors are those of [`KeyProvider`].
#[async_trait]
pub trait DestroyableKeys: KeyProvider {
    /// Makes a key and gives its id. A call that is dropped, or whose answer is lost, may leave a key that nothing names.
    ///
    /// # Errors
    /// As said at the trait.
    async fn make_key(&self) -> Result<KekId, Error>;

    /// Wraps under this key, which [`make_key`](Self::make_key) made.
    ///
    /// # Errors
    /// `KeysWrong` for a key that is not known; `KeyDestroyed` for one that was destroyed; as said at the trait.
    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error>;

    /// Destroys a key that [`make_key`](Self::make_key) made, and no other, and every version and copy of it that the service keeps. Repeating it is no error, and tells what is
    /// known of it by now.
    ///
    /// # Errors
    /// `KeysWrong` for a key that was never known, where that can be told from a destroyed one; `Misuse` for one that was not made so; as
    /// said at the trait.
    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error>;
}

macro_rules! forward {
    ($pointer:ident) => {
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<T: DestroyableKeys + ?Sized> DestroyableKeys for $pointer<T> {
            async fn make_key(&self) -> Result<KekId, Error> {
                (**self).make_key().await
            }

            async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
                (**self).wrap_under(key, request).await
            }

            async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
                (**self).destroy_key(key).await
            }
        }
    };
}

forward!(Arc);
forward!(Box);
