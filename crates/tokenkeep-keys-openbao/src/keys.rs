//! The provider.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_core::{ApiToken, Dek, Error, KekId, Origin, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_https::Method;
use tokenkeep_keys::{Destruction, KekStatus, KeyProvider};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::ids::{Named, Place};
use crate::own::OwnKeys;
use crate::transit_key::{View, Watched};
use crate::wire::{self, Answers, Plain, Sealed};
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
    #[must_use]
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

/// The same failure for each.
fn all<T>(count: usize, failure: &OpenBaoFailure) -> Vec<Result<T, OpenBaoFailure>> {
    (0..count).map(|_| Err(failure.clone())).collect()
}

impl Inner {
    async fn wrap(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, OpenBaoFailure>> {
        let path = self.keys_path(&self.key);
        let first = match self.watched.recent(&self.client, &path).await {
            Ok(view) => view,
            Err(failure) => return all(requests.len(), &failure),
        };
        let id = first.primary(&self.place);
        let answers = self.wrap_under(&self.key, id, first.key.latest_version, requests).await;
        // A version that is not the newest may be one that wraps no more.
        let refused = |answer: &Result<_, _>| matches!(answer, Err(OpenBaoFailure::Refused));
        if !answers.iter().any(refused) {
            return answers;
        }
        match self.view_from(Instant::now()).await {
            Ok(view) if view.primary(&self.place) != id => {
                let id = view.primary(&self.place);
                self.wrap_under(&self.key, id, view.key.latest_version, requests).await
            }
            Ok(_) => answers,
            Err(failure) => all(requests.len(), &failure),
        }
    }

    /// `Refused` for what the service refused.
    pub(crate) async fn wrap_under(
        &self,
        key: &str,
        id: KekId,
        version: u32,
        requests: &[WrapRequest<'_>],
    ) -> Vec<Result<WrappedDek, OpenBaoFailure>> {
        let items: Vec<Plain<'_>> = requests
            .iter()
            .map(|request| Plain { dek: request.dek(), digest: request.context_digest(&id) })
            .collect();
        let body = wire::encrypt_body(&items, version);
        let answers = self
            .batch(key, "encrypt", body, |answer| wire::ciphertexts(answer, requests.len(), version))
            .await;
        let wrapped = |bytes: Option<Vec<u8>>| {
            let bytes = bytes.ok_or(OpenBaoFailure::Refused)?;
            WrappedDek::from_service(id, bytes).map_err(|_| OpenBaoFailure::Garbage)
        };
        match answers {
            Ok(Some(answers)) => answers.into_iter().map(wrapped).collect(),
            Ok(None) => all(requests.len(), &OpenBaoFailure::Refused),
            Err(failure) => all(requests.len(), &failure),
        }
    }

    async fn unwrap(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, OpenBaoFailure>> {
        let begin = Instant::now();
        let mut answers: Vec<Option<Result<Dek, OpenBaoFailure>>> = requests.iter().map(|_| None).collect();
        // By the name of the transit key.
        let mut calls: BTreeMap<String, Vec<(usize, Named)>> = BTreeMap::new();
        for (index, request) in requests.iter().enumerate() {
            let sorted = match self.place.read(request.kek()) {
                None => Err(OpenBaoFailure::UnknownKey),
                Some(named @ Named::Own(random)) => match &self.own {
                    Some(own) => Ok((own.name(&random), named)),
                    None => Err(OpenBaoFailure::UnknownKey),
                },
                Some(named @ Named::Version { number, stamp }) => {
                    self.allowed(number, &stamp, begin).await.map(|()| (self.key.clone(), named))
                }
            };
            match sorted {
                Ok((key, named)) => calls.entry(key).or_default().push((index, named)),
                Err(failure) => answers[index] = Some(Err(failure)),
            }
        }
        for (key, items) in calls {
            for (index, answer) in self.unwrap_with(&key, &items, requests).await {
                answers[index] = Some(answer);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(OpenBaoFailure::Garbage))).collect()
    }

    /// By what is known already where that says yes, else by what the service says from `begin` on.
    async fn allowed(&self, number: u32, stamp: &[u8; 16], begin: Instant) -> Result<(), OpenBaoFailure> {
        if self.watched.last().is_some_and(|view| view.allows(&self.place, number, stamp).is_ok()) {
            return Ok(());
        }
        self.view_from(begin).await?.allows(&self.place, number, stamp)
    }

    async fn unwrap_with(
        &self,
        key: &str,
        items: &[(usize, Named)],
        requests: &[UnwrapRequest<'_>],
    ) -> Vec<(usize, Result<Dek, OpenBaoFailure>)> {
        let sealed: Vec<Sealed<'_>> = items
            .iter()
            .map(|(index, named)| {
                let request = &requests[*index];
                let version = match named {
                    Named::Version { number, .. } => *number,
                    Named::Own(_) => 1,
                };
                Sealed { version, bytes: request.wrapped(), digest: request.context_digest() }
            })
            .collect();
        let body = wire::decrypt_body(&sealed);
        let answers = self.batch(key, "decrypt", body, |answer| wire::deks(answer, items.len())).await;
        let (answers, else_it_is) = match answers {
            Ok(Some(answers)) => (answers, OpenBaoFailure::Rejected),
            // The call as a whole, whatever was in it.
            Ok(None) => (items.iter().map(|_| None).collect(), OpenBaoFailure::Refused),
            Err(failure) => {
                return items.iter().map(|(index, _)| (*index, Err(failure.clone()))).collect();
            }
        };
        let answered = Instant::now();
        let mut results = Vec::with_capacity(items.len());
        for ((index, named), answer) in items.iter().zip(answers) {
            let result = match answer {
                Some(dek) => Ok(dek),
                None => Err(self.why_refused(named, answered).await.unwrap_or_else(|| else_it_is.clone())),
            };
            results.push((*index, result));
        }
        results
    }

    /// Why something did not decrypt, if the key is the reason. Its state is asked, not the words of a refusal: they are not part
    /// of the API.
    async fn why_refused(&self, named: &Named, answered: Instant) -> Option<OpenBaoFailure> {
        let allowed = match (named, &self.own) {
            (Named::Version { number, stamp }, _) => {
                let view = self.view_from(answered).await;
                view.and_then(|view| view.allows(&self.place, *number, stamp))
            }
            (Named::Own(random), Some(own)) => own.allowed(self, random).await,
            (Named::Own(_), None) => Err(OpenBaoFailure::UnknownKey),
        };
        allowed.err()
    }

    /// What the service says of the key, now or in an answer to a question from this moment on.
    async fn view_from(&self, begin: Instant) -> Result<Arc<View>, OpenBaoFailure> {
        self.watched.from(&self.client, &self.keys_path(&self.key), begin).await
    }

    async fn batch<T>(
        &self,
        key: &str,
        act: &str,
        body: Zeroizing<Vec<u8>>,
        read: impl Fn(&[u8]) -> Result<Answers<T>, OpenBaoFailure>,
    ) -> Result<Answers<T>, OpenBaoFailure> {
        let mut path: Vec<&str> = self.mount.split('/').collect();
        path.extend([act, key]);
        let reply = self.client.call(&Method::POST, &path, Some(&body)).await?;
        let answers = read(reply.body())?;
        // Nobody gets away with an error that says nothing, or with a success that holds one.
        match (&answers, reply.is_done()) {
            (None, true) => Err(OpenBaoFailure::Garbage),
            _ => Ok(answers),
        }
    }

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
