//! The provider.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokenkeep_core::{ApiToken, Dek, Error, Origin, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_https::Method;
use tokenkeep_keys::{KekStatus, KeyProvider};

use crate::client::Client;
use crate::ids::Place;
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
/// A KEK id has 29 bytes: a 1, eight of SHA-256 over service name, namespace, mount and key name, sixteen of SHA-256 over those, the version
/// and its creation time in seconds, and the version. So a key that was deleted and made anew has other ids (but within the same second: then
/// what the former one wrapped is `Tampered` instead of `KeysWrong`). For a minute after that, a process that has not looked
/// gives what the new key wraps the former one's id: it opens, but who counts what is under the new key misses it.
///
/// A version below `min_decryption_version` is disabled: `KeyDisabled` until it is lowered again, and not listed by
/// [`keks`](KeyProvider::keks). So is a key that is soft-deleted, until it is restored. A version below `min_available_version` was trimmed
/// and is destroyed for good. That goes for the running service: a snapshot of its storage, with its seal, holds what it held, and so
/// does another service that was made of one; they must be gone too before nobody can unwrap any more. The service tells creation times only
/// of versions that decrypt. Of any other one, `KeyDisabled` and `KeyDestroyed` go by place and number where this process never saw
/// it: that of a namesake at another service, unless the two have [names](OpenBaoBuilder::service), or of a former key. Nothing is
/// destroyed, and no end confirmed, by that.
///
/// Cloning is cheap and gives the same provider. It runs on tokio, with I/O and time enabled, and needs a runtime that goes on running: a login or
/// a renewal is a task of its own, which all who need it wait for. It is begun by a call, a renewal by the one that finds two thirds of the
/// lease over; nothing runs in the background otherwise. Calls may be dropped at any await: a login goes on without them. What
/// a call may take is said at [`OpenBaoBuilder::timeout`].
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

    /// One request, and with [`own_keys`](OpenBaoBuilder::own_keys) one for their names and one for each of them that was not seen
    /// destroyed before: the service has no list that tells more than names. A key of its own that is disabled is listed as open-only.
    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        let inner = &*self.inner;
        let view = inner.view_from(Instant::now()).await?;
        let mut statuses = view.statuses(&inner.place);
        if let Some(own) = &inner.own {
            statuses.extend(own.list(inner).await?);
        }
        Ok(statuses)
    }

    /// Asks anew which versions there are, so that what another process rotated counts here at once instead of within a minute.
    async fn refresh(&self) -> Result<(), Error> {
        self.inner.view_from(Instant::now()).await?;
        Ok(())
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
}
