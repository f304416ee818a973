//! The seam between a vault and its keys.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, KekId, UnwrapRequest, WrapRequest, WrappedDek};

/// What may be done with a KEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KekState {
    /// New DEKs are wrapped under it.
    Primary,
    /// It unwraps what it wrapped, and wraps nothing more.
    OpenOnly,
    /// It is gone; what it wrapped is gone with it.
    Destroyed,
}

/// One KEK as its provider tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KekStatus {
    /// The id that envelopes name.
    pub id: KekId,
    /// What may be done with it.
    pub state: KekState,
}

impl KekStatus {
    /// The KEK of this id in this state.
    #[must_use]
    pub fn new(id: KekId, state: KekState) -> Self {
        Self { id, state }
    }
}

/// Wraps and unwraps DEKs under KEKs that it alone holds.
///
/// A wrap is bound to its context: by the suite where the KEK is in this process
/// ([`WrapRequest::wrap_with`]), else by giving the key service [`WrapRequest::context_digest`] as associated data.
/// An implementation must refuse to unwrap for another context.
///
/// Every error is an [`Error`] of one of these kinds, so that a vault can tell them apart: `KeysWrong` (the KEK is not
/// known here), `KeyDestroyed`, `KeyDisabled` (opens again once an operator enables it), `KeysUnavailable` (may work later),
/// `KeysForbidden` (the service lets this process in no longer, or not to this), `Tampered` (key, context or bytes don't fit;
/// which is not told), `KeysUnusable` and `KeysInsecure` (the service is not set up as it must be), `RandomUnavailable`.
///
/// A provider may wrap a vault's own keys ([`WrapRequest::is_for_vault_key`]) under another KEK than tokens, as
/// [`EpochKeys`](crate::EpochKeys) do. Primary is the one that tokens are wrapped under; the other is listed, too, and not as destroyed.
/// What unwraps is told by the KEK's id alone.
///
/// Calls may be dropped at any await: a wrap or an unwrap changes nothing that a repetition would not.
#[async_trait]
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// Wraps a DEK under the primary KEK; a vault key's may be under another one.
    ///
    /// # Errors
    /// As said at the trait.
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error>;

    /// Recovers a DEK.
    ///
    /// # Errors
    /// As said at the trait.
    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error>;

    /// Wraps many DEKs; one answer for each, in order. A provider that has a batch call uses it here.
    async fn wrap_deks(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.wrap_dek(request).await);
        }
        answers
    }

    /// Recovers many DEKs; one answer for each, in order. A provider that has a batch call uses it here.
    async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.unwrap_dek(request).await);
        }
        answers
    }

    /// Every KEK that the provider knows, destroyed ones included where it remembers them; exactly one is primary.
    ///
    /// # Errors
    /// As said at the trait.
    async fn keks(&self) -> Result<Vec<KekStatus>, Error>;

    /// Learns anew which KEKs there are and which one is primary, where the provider keeps that in memory. A vault asks this when its
    /// database refuses a seal because the KEK is closed, and then wraps again. By default there is nothing to learn.
    ///
    /// # Errors
    /// As said at the trait.
    async fn refresh(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The file that the keys are in, if they are in one: a vault refuses to open with a key file beside its database.
    fn key_file(&self) -> Option<&Path> {
        None
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        // None may be forgotten: a default would hide the provider's own batch call or its key file.
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<T: KeyProvider + ?Sized> KeyProvider for $pointer<T> {
            async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
                (**self).wrap_dek(request).await
            }

            async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
                (**self).unwrap_dek(request).await
            }

            async fn wrap_deks(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
                (**self).wrap_deks(requests).await
            }

            async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
                (**self).unwrap_deks(requests).await
            }

            async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
                (**self).keks().await
            }

            async fn refresh(&self) -> Result<(), Error> {
                (**self).refresh().await
            }

            fn key_file(&self) -> Option<&Path> {
                (**self).key_file()
            }
        }
    };
}

forward!(Arc);
forward!(Box);
