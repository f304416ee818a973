//! Keys of their own, each to be destroyed alone.
//!
//! Each is a transit key with one version, under a random name behind the named key's. It is destroyed by a second version that nothing is
//! ever wrapped under, `min_decryption_version` above the first, and trim. What is left of it says that the service once had the key
//! and trimmed it: so a confirmation rests on what is seen, where a deleted key could not be told from another service's that never
//! had it. And no policy needs to allow deletion, or `deletion_allowed`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use tokenkeep_core::{Error, KekId, WrapRequest, WrappedDek};
use tokenkeep_keys::{DestroyableKeys, Destruction, KekState, KekStatus};

use crate::ids::Named;
use crate::keys::Inner;
use crate::transit_key;
use crate::wire::TransitKey;
use crate::{OpenBaoFailure, OpenBaoKeys};

/// Between the named key's name and the random part.
const INFIX: &str = "-epoch-";

pub(crate) struct OwnKeys {
    prefix: String,
    /// Seen destroyed: nothing changes about those, so they are not asked for again.
    destroyed: Mutex<BTreeSet<[u8; 16]>>,
}

#[derive(Deserialize)]
struct Names {
    keys: Vec<String>,
}

impl OwnKeys {
    pub(crate) fn behind(key: &str) -> Self {
        Self { prefix: format!("{key}{INFIX}"), destroyed: Mutex::default() }
    }

    pub(crate) fn name(&self, random: &[u8; 16]) -> String {
        format!("{}{}", self.prefix, base16ct::lower::encode_string(random))
    }

    fn random_part(&self, name: &str) -> Option<[u8; 16]> {
        let mut random = [0; 16];
        let hex = name.strip_prefix(&self.prefix)?;
        (base16ct::lower::decode(hex, &mut random).ok()?.len() == random.len()).then_some(random)
    }

    /// Every such key at the service, each by a request of its own: the service's list has names alone. Those that were seen destroyed are
    /// not asked for again.
    pub(crate) async fn list(&self, inner: &Inner) -> Result<Vec<KekStatus>, OpenBaoFailure> {
        let mut statuses = Vec::new();
        for random in self.names(inner).await? {
            let state = match self.is_destroyed(inner, &random).await {
                Ok(true) => KekState::Destroyed,
                Ok(false) => KekState::OpenOnly,
                // Deleted by hand meanwhile; or made by others, and nothing is ever wrapped under it.
                Err(OpenBaoFailure::UnknownKey | OpenBaoFailure::KeyUnfit(_)) => continue,
                Err(failure) => return Err(failure),
            };
            statuses.push(KekStatus::new(inner.place.own(&random), state));
        }
        Ok(statuses)
    }

    /// Those that are not destroyed, and when each was made, in seconds since 1970 UTC; 0 for one that is disabled.
    pub(crate) async fn left(&self, inner: &Inner) -> Result<Vec<(KekId, u64)>, OpenBaoFailure> {
        let mut left = Vec::new();
        for random in self.names(inner).await? {
            match self.read(inner, &random).await {
                Ok(key) if is_trimmed(&key) => {}
                Ok(key) => {
                    left.push((inner.place.own(&random), key.keys.get(&1).copied().unwrap_or_default()));
                }
                Err(OpenBaoFailure::UnknownKey | OpenBaoFailure::KeyUnfit(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(left)
    }

    async fn names(&self, inner: &Inner) -> Result<Vec<[u8; 16]>, OpenBaoFailure> {
        let mut path: Vec<&str> = inner.mount.split('/').collect();
        path.push("keys");
        let reply = inner.client.list(&path).await?;
        if reply.is_missing() {
            return Ok(Vec::new());
        }
        reply.done()?;
        let names: Names = reply.data()?;
        Ok(names.keys.iter().filter_map(|name| self.random_part(name)).collect())
    }

    async fn is_destroyed(&self, inner: &Inner, random: &[u8; 16]) -> Result<bool, OpenBaoFailure> {
        if self.destroyed.lock().unwrap_or_else(PoisonError::into_inner).contains(random) {
            return Ok(true);
        }
        Ok(is_trimmed(&self.read(inner, random).await?))
    }

    async fn read(&self, inner: &Inner, random: &[u8; 16]) -> Result<TransitKey, OpenBaoFailure> {
        let name = self.name(random);
        let key = transit_key::read(&inner.client, &inner.keys_path(&name)).await?;
        let key = key.ok_or(OpenBaoFailure::UnknownKey)?.check()?;
        if is_trimmed(&key) {
            self.destroyed.lock().unwrap_or_else(PoisonError::into_inner).insert(*random);
        }
        Ok(key)
    }

    /// Whether such a key decrypts.
    pub(crate) async fn allowed(&self, inner: &Inner, random: &[u8; 16]) -> Result<(), OpenBaoFailure> {
        let key = self.read(inner, random).await?;
        match () {
            () if is_trimmed(&key) => Err(OpenBaoFailure::Destroyed),
            () if key.keys.contains_key(&1) && !key.soft_deleted => Ok(()),
            () => Err(OpenBaoFailure::Disabled),
        }
    }
}

fn is_trimmed(key: &TransitKey) -> bool {
    key.min_available_version > 1 && !key.keys.contains_key(&1)
}

impl OpenBaoKeys {
    pub(crate) fn own(&self) -> Result<&OwnKeys, OpenBaoFailure> {
        const OFF: OpenBaoFailure =
            OpenBaoFailure::Misuse("keys of their own were not turned on in the builder");
        self.inner.own.as_ref().ok_or(OFF)
    }

    fn own_key(&self, id: &KekId) -> Result<[u8; 16], OpenBaoFailure> {
        match self.inner.place.read(id) {
            Some(Named::Own(random)) => Ok(random),
            _ => Err(OpenBaoFailure::UnknownKey),
        }
    }
}

/// With [`own_keys`](crate::OpenBaoBuilder::own_keys) turned on; without it each call is `Misuse`.
#[async_trait]
impl DestroyableKeys for OpenBaoKeys {
    async fn make_key(&self) -> Result<KekId, Error> {
        let (inner, own) = (&*self.inner, self.own()?);
        let random = inner.place.random_own()?;
        inner.make(&own.name(&random)).await?;
        let key = own.read(inner, &random).await?;
        if key.may_be_copied() {
            return Err(
                OpenBaoFailure::KeyUnfit("it may leave the service, so its end would prove nothing").into()
            );
        }
        Ok(inner.place.own(&random))
    }

    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        let (inner, own) = (&*self.inner, self.own()?);
        let random = self.own_key(key)?;
        let requests = std::slice::from_ref(request);
        let answer = inner.wrap_under(&own.name(&random), *key, 1, requests).await.pop();
        match answer.unwrap_or(Err(OpenBaoFailure::Garbage)) {
            // An update of what is not there is refused as well.
            Err(refused @ (OpenBaoFailure::Refused | OpenBaoFailure::Forbidden)) => {
                own.allowed(inner, &random).await?;
                Err(refused.into())
            }
            answer => Ok(answer?),
        }
    }

    /// `Confirmed` once the service says that the version is trimmed away; `Unprovable` if the key was ever allowed to leave it. `KeyDisabled`
    /// for a key that is soft-deleted: restore it first.
    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
        let (inner, own) = (&*self.inner, self.own()?);
        let random = self.own_key(key)?;
        let name = own.name(&random);
        let mut seen = own.read(inner, &random).await?;
        if !is_trimmed(&seen) {
            if seen.soft_deleted {
                return Err(OpenBaoFailure::Disabled.into());
            }
            if seen.latest_version == 1 {
                inner.act(&name, "rotate", serde_json::json!({})).await?;
                seen = own.read(inner, &random).await?;
            }
            // The newest can't be trimmed; of two that do this at once, either's rotation will do.
            let newest = seen.latest_version;
            inner.raise(&name, &seen, newest).await?;
            seen = own.read(inner, &random).await?;
        }
        match (is_trimmed(&seen), seen.may_be_copied()) {
            (true, false) => Ok(Destruction::Confirmed),
            (true, true) => Ok(Destruction::Unprovable),
            (false, _) => Err(OpenBaoFailure::Refused.into()),
        }
    }
}
