//! The provider.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_core::{ApiToken, Dek, Error, KekId, Origin, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_https::Method;
use tokenkeep_keys::{Destruction, KekStatus, KeyProvider};

use crate::client::Client;
use crate::ids::{Named, Place};
use crate::own::OwnKeys;
use crate::transit_key::Watched;
use crate::{OpenBaoBuilder, OpenBaoFailure};

/// The most DEKs in one call. OpenBao takes a thousand strings in a body, and each has five.
const BATCH: usize = 100;

/// KEKs in the transit engine of OpenBao or HashiCorp Vault: the versions of one key, the newest of which is primary.
///
/// The key is of type `aes256-gcm96` and derived, so that the service binds every wrap to its context; it is given a digest, and no
/// tenant's name reaches its log. A call makes one request, whatever the size of the batch up to 100. What is known of
/// the key's versions is looked up once a minute at most: so long a process may wrap under a version that is not the newest any
/// more. [`OpenBaoFailure::of`] an error says what went wrong and whose part it is; after that is mended the next call works.
///
/// A KEK id has 29 bytes: a 1, eight of SHA-256 over namespace, mount and key name, sixteen of SHA-256 over those, the version and its
/// creation time, and the version. So no id is ever used again, not even by a key that was deleted and made anew (but within the same
/// second: then what the former one wrapped is `Tampered` instead of `KeysWrong`).
///
/// A version below `min_decryption_version` is disabled: `KeyDisabled` until it is lowered again, and not listed by
/// [`keks`](KeyProvider::keks). One below `min_available_version` was trimmed and is destroyed for good. That goes for the running
/// service: a snapshot of its storage, with its seal, holds what it held, so it must be gone too before nobody can unwrap any more.
///
/// Cloning is cheap and gives the same provider. It runs on tokio, and has no task in the background: a token is renewed by the call
/// that finds two thirds of its lease over. Calls may be dropped at any await.
#[derive(Clone)]
pub struct OpenBaoKeys {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) mount: String,
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) watched: Watched,
    pub(crate) own: Option<OwnKeys>,
}

impl OpenBaoKeys {
    /// A provider over the transit key of this name, at the service with this origin.
    pub fn builder(origin: Origin, key: &str) -> OpenBaoBuilder {
        OpenBaoBuilder::new(origin, key)
    }

    /// Makes the transit key as it must be, if there is none of its name. For an operator: the application's policy need not
    /// allow it.
    ///
    /// # Errors
    /// `KeysInsecure` when there is one that is made otherwise; as said at [`KeyProvider`].
    pub async fn create_key(&self) -> Result<(), Error> {
        let inner = &*self.inner;
        inner.make(&inner.key).await?;
        inner.view_from(Instant::now()).await?;
        Ok(())
    }

    /// Makes a new version and gives its id: it is primary here from now on, elsewhere within a minute. Touches no stored data. For
    /// an operator. A call whose answer is lost may have made one.
    ///
    /// # Errors
    /// As said at [`KeyProvider`].
    pub async fn rotate(&self) -> Result<KekId, Error> {
        let inner = &*self.inner;
        inner.act(&inner.key, "rotate", json!({})).await?;
        let view = inner.view_from(Instant::now()).await?;
        Ok(view.primary(&inner.place))
    }

    /// Destroys the oldest version that is left: raises `min_decryption_version` and `min_encryption_version` above it, trims it,
    /// and asks the service whether it is gone. For an operator. Repeating it is no error. `Unprovable` for a key that the service lets out
    /// (`exportable`, `allow_plaintext_backup`).
    ///
    /// # Errors
    /// `Misuse` with [`OpenBaoFailure::OutOfOrder`] while an older version is left, and for the newest: the service trims from
    /// the oldest on. `KeysWrong` for an id that names no version. As said at [`KeyProvider`].
    pub async fn destroy_version(&self, id: &KekId) -> Result<Destruction, Error> {
        let inner = &*self.inner;
        let Some(Named::Version { number, stamp }) = inner.place.read(id) else {
            return Err(OpenBaoFailure::UnknownKey.into());
        };
        let view = inner.view_from(Instant::now()).await?;
        match view.allows(&inner.place, number, &stamp) {
            Ok(()) | Err(OpenBaoFailure::Disabled) => {
                if number >= view.key.latest_version || view.key.min_available_version.max(1) != number {
                    return Err(OpenBaoFailure::OutOfOrder.into());
                }
                // Never lowered: a newer version may be disabled already.
                let lowest = view.key.min_decryption_version.max(number + 1);
                inner.raise(&inner.key, lowest, number + 1).await?;
            }
            Err(OpenBaoFailure::Destroyed) => {}
            Err(failure) => return Err(failure.into()),
        }
        let view = inner.view_from(Instant::now()).await?;
        match view.allows(&inner.place, number, &stamp) {
            Err(OpenBaoFailure::Destroyed) if view.key.may_be_copied() => Ok(Destruction::Unprovable),
            Err(OpenBaoFailure::Destroyed) => Ok(Destruction::Confirmed),
            Ok(()) => Err(OpenBaoFailure::Refused.into()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Goes on with this token, after the one before expired or before it does.
    ///
    /// # Errors
    /// `Misuse` with an AppRole, which gets its tokens by itself.
    pub fn set_token(&self, token: ApiToken) -> Result<(), Error> {
        match self.inner.client.login().set_token(token) {
            true => Ok(()),
            false => Err(OpenBaoFailure::Misuse("an AppRole gets its tokens by itself").into()),
        }
    }
}

impl fmt::Debug for OpenBaoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBaoKeys")
            .field("origin", &self.inner.client.transport().spec().origin)
            .field("mount", &self.inner.mount)
            .field("key", &self.inner.key)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyProvider for OpenBaoKeys {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        only(self.inner.wrap(std::slice::from_ref(request)).await)
    }

    /// `KeyDisabled` for a version below `min_decryption_version`.
    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        only(self.inner.unwrap(std::slice::from_ref(request)).await)
    }

    async fn wrap_deks(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
        let mut answers = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(BATCH) {
            answers.extend(self.inner.wrap(chunk).await.into_iter().map(|answer| Ok(answer?)));
        }
        answers
    }

    async fn unwrap_deks(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        let mut answers = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(BATCH) {
            answers.extend(self.inner.unwrap(chunk).await.into_iter().map(|answer| Ok(answer?)));
        }
        answers
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        let inner = &*self.inner;
        let view = inner.view_from(Instant::now()).await?;
        let mut statuses = view.statuses(&inner.place);
        if let Some(own) = &inner.own {
            statuses.extend(own.list(inner).await?);
        }
        Ok(statuses)
    }
}

fn only<T>(answers: Vec<Result<T, OpenBaoFailure>>) -> Result<T, Error> {
    let mut answers = answers.into_iter();
    Ok(answers.next().ok_or(OpenBaoFailure::Garbage)??)
}

impl Inner {
    /// The path at which a key is told.
    pub(crate) fn keys_path<'a>(&'a self, key: &'a str) -> Vec<&'a str> {
        let mut path: Vec<&str> = self.mount.split('/').collect();
        path.extend(["keys", key]);
        path
    }

    /// Does something to a key.
    pub(crate) async fn act(
        &self,
        key: &str,
        what: &str,
        data: serde_json::Value,
    ) -> Result<(), OpenBaoFailure> {
        let mut path = self.keys_path(key);
        path.push(what);
        self.client.call(&Method::POST, &path, Some(data.to_string().as_bytes())).await?.done()
    }

    /// Makes a key as it must be; no error where it is there already.
    pub(crate) async fn make(&self, key: &str) -> Result<(), OpenBaoFailure> {
        let data = json!({ "type": "aes256-gcm96", "derived": true });
        let path = self.keys_path(key);
        self.client.call(&Method::POST, &path, Some(data.to_string().as_bytes())).await?.done()
    }

    /// Nothing below `lowest` is used any more, and what is below `available` is trimmed.
    pub(crate) async fn raise(&self, key: &str, lowest: u32, available: u32) -> Result<(), OpenBaoFailure> {
        let config = json!({ "min_decryption_version": lowest, "min_encryption_version": lowest });
        self.act(key, "config", config).await?;
        self.act(key, "trim", json!({ "min_available_version": available })).await
    }
}
