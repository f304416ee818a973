//! What an operator does to the versions of the key.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_https::Method;
use tokenkeep_keys::{Destruction, End, KekState, RetirableKeys};

use crate::ids::Named;
use crate::keys::Inner;
use crate::transit_key::{AGE, Fate, View};
use crate::wire::TransitKey;
use crate::{OpenBaoFailure, OpenBaoKeys};

/// How often a version is closed anew when others rotate at the same time.
const TRIES: usize = 8;

impl OpenBaoKeys {
    /// Makes the transit key as it must be, if there is none of its name. For an operator: the application's policy need not
    /// allow it.
    ///
    /// # Errors
    /// `KeysInsecure` when there is one that is made otherwise; as said at [`KeyProvider`](tokenkeep_keys::KeyProvider).
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
    /// As said at [`KeyProvider`](tokenkeep_keys::KeyProvider).
    pub async fn rotate(&self) -> Result<KekId, Error> {
        let inner = &*self.inner;
        inner.act(&inner.key, "rotate", json!({})).await?;
        let view = inner.view_from(Instant::now()).await?;
        Ok(view.primary(&inner.place))
    }

    /// Ends wrapping under a version, at the service: rotates if it is the newest, and raises `min_encryption_version` to the newest, so
    /// that an instance which does not know of it yet is refused, and looks which version is the newest. No error where that is so
    /// already. For an operator.
    ///
    /// # Errors
    /// `KeyDisabled` for a version that was disabled before this process saw it, and for a key that is soft-deleted. `Misuse` for an id
    /// that names no version, a key that was made for an epoch included; `Conflict` while others rotate all the time; as said at [`KeyProvider`](tokenkeep_keys::KeyProvider).
    pub async fn close_version(&self, id: &KekId) -> Result<(), Error> {
        let inner = &*self.inner;
        let (number, stamp) = inner.version(id).map_err(no_version)?;
        for _ in 0..TRIES {
            let view = inner.view_from(Instant::now()).await?;
            match inner.stands(&view, number, &stamp).map_err(no_version)? {
                Stands::Gone { .. } => return Ok(()),
                Stands::Newest => inner.act(&inner.key, "rotate", json!({})).await?,
                Stands::Older if view.key.min_encryption_version > number => return Ok(()),
                Stands::Older => {
                    let lowest = view.key.latest_version;
                    inner.act(&inner.key, "config", json!({ "min_encryption_version": lowest })).await?;
                }
            }
        }
        Err(ErrorKind::Conflict.into())
    }

    /// Destroys the oldest version that is left: raises `min_decryption_version` and `min_encryption_version` above it, trims it,
    /// and asks the service whether it is gone. For an operator. Repeating it is no error.
    ///
    /// `Confirmed` only where this process saw the version listed with the creation time that the id holds, as it does when it
    /// destroys it. `Unprovable` for one that was trimmed before this process looked, since that of another key could have had its number, and
    /// for a key that the service lets out (`exportable`, `allow_plaintext_backup`). Nobody may delete the transit key and make it anew
    /// while this runs: the service takes changes by the key's name.
    ///
    /// # Errors
    /// `KeyDisabled` for a version that was disabled before this process saw it, and for a key that is soft-deleted: the service
    /// does not tell which key it is, so it must be enabled again before it can be destroyed. `Misuse` with
    /// [`OpenBaoFailure::OutOfOrder`] while an older version is left, and for the newest: the service trims from the oldest
    /// on. `Misuse` for an id that names no version, a key that was made for an epoch included. As said at
    /// [`KeyProvider`](tokenkeep_keys::KeyProvider).
    pub async fn destroy_version(&self, id: &KekId) -> Result<Destruction, Error> {
        let inner = &*self.inner;
        let (number, stamp) = inner.version(id).map_err(no_version)?;
        let view = inner.view_from(Instant::now()).await?;
        match inner.stands(&view, number, &stamp).map_err(no_version)? {
            Stands::Older if view.key.min_available_version.max(1) == number => {
                inner.raise(&inner.key, &view.key, number + 1).await?;
            }
            Stands::Older | Stands::Newest => return Err(OpenBaoFailure::OutOfOrder.into()),
            Stands::Gone { .. } => {}
        }
        let view = inner.view_from(Instant::now()).await?;
        match inner.stands(&view, number, &stamp).map_err(no_version)? {
            Stands::Gone { seen } if seen && !view.key.may_be_copied() => Ok(Destruction::Confirmed),
            Stands::Gone { .. } => Ok(Destruction::Unprovable),
            Stands::Older | Stands::Newest => Err(OpenBaoFailure::Refused.into()),
        }
    }
}

/// How far a version is from its end.
enum Stands {
    Newest,
    /// Disabled or not.
    Older,
    /// Trimmed. `seen`: as the very version, by this process.
    Gone {
        seen: bool,
    },
}

impl Inner {
    /// `UnknownKey` for what is no version, but for an epoch's key, which is `Misuse`.
    fn version(&self, id: &KekId) -> Result<(u32, [u8; 16]), OpenBaoFailure> {
        match self.place.read(id) {
            Some(Named::Version { number, stamp }) => Ok((number, stamp)),
            Some(Named::Own(_)) => Err(OpenBaoFailure::Misuse(
                "this key was made for an epoch and ends with it: retire the epoch instead",
            )),
            None => Err(OpenBaoFailure::UnknownKey),
        }
    }

    /// `Disabled` where nothing tells whether it is the version that is meant, or nothing can be done to it.
    fn stands(&self, view: &View, number: u32, stamp: &[u8; 16]) -> Result<Stands, OpenBaoFailure> {
        match view.fate(&self.place, number, stamp)? {
            Fate::Trimmed { seen } => Ok(Stands::Gone { seen }),
            _ if view.key.soft_deleted => Err(OpenBaoFailure::Disabled),
            Fate::Disabled { seen: false } => Err(OpenBaoFailure::Disabled),
            Fate::Decrypts if number == view.key.latest_version => Ok(Stands::Newest),
            Fate::Decrypts | Fate::Disabled { seen: true } => Ok(Stands::Older),
        }
    }

    async fn state_of(&self, id: &KekId) -> Result<KekState, OpenBaoFailure> {
        let (number, stamp) = self.version(id)?;
        let view = self.view_from(Instant::now()).await?;
        Ok(match self.stands(&view, number, &stamp)? {
            Stands::Newest => KekState::Primary,
            Stands::Older => KekState::OpenOnly,
            Stands::Gone { .. } => KekState::Destroyed,
        })
    }

    /// Makes a key as it must be; no error where it is there already.
    pub(crate) async fn make(&self, key: &str) -> Result<(), OpenBaoFailure> {
        let data = json!({ "type": "aes256-gcm96", "derived": true });
        let path = self.keys_path(key);
        self.client.call(&Method::POST, &path, Some(data.to_string().as_bytes())).await?.done()
    }

    /// Trims what is below `lowest`; nothing below it is used any more. `seen` is how the key was found: what is above is left as it is,
    /// since a newer version may be disabled already, or closed.
    pub(crate) async fn raise(
        &self,
        key: &str,
        seen: &TransitKey,
        lowest: u32,
    ) -> Result<(), OpenBaoFailure> {
        let mut config = serde_json::Map::new();
        let decrypts = seen.min_decryption_version.max(lowest);
        if seen.min_decryption_version < lowest {
            config.insert("min_decryption_version".into(), lowest.into());
        }
        // None below the lowest that decrypts may be set.
        if seen.min_encryption_version < decrypts {
            config.insert("min_encryption_version".into(), decrypts.into());
        }
        if !config.is_empty() {
            self.act(key, "config", config.into()).await?;
        }
        self.act(key, "trim", json!({ "min_available_version": lowest })).await
    }
}

fn no_version(failure: OpenBaoFailure) -> OpenBaoFailure {
    match failure {
        OpenBaoFailure::UnknownKey => {
            OpenBaoFailure::Misuse("no version of the key at this service, mount and namespace has this id")
        }
        failure => failure,
    }
}

/// Versions of the key, the oldest that is left first. For an operator: [`close_version`](OpenBaoKeys::close_version) and
/// [`destroy_version`](OpenBaoKeys::destroy_version) say what is done. **A vault counts its own envelopes alone**: give each vault a transit
/// key of its own, or what another one has under the version is lost with it.
#[async_trait]
impl RetirableKeys for OpenBaoKeys {
    /// A minute. So long may a process wrap under a version that was rotated past and not closed.
    fn settles_in(&self) -> Duration {
        AGE
    }

    /// Also of a version that was trimmed before this process saw it, by its number. One that was disabled after it was seen is open-only, as a
    /// destruction that broke off leaves it; `KeyDisabled` for one that was disabled before, or a key that is soft-deleted.
    async fn kek_state(&self, kek: &KekId) -> Result<Option<KekState>, Error> {
        match self.inner.state_of(kek).await {
            Ok(state) => Ok(Some(state)),
            Err(OpenBaoFailure::UnknownKey) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn make_open_only(&self, kek: &KekId) -> Result<(), Error> {
        self.close_version(kek).await
    }

    async fn destroy_kek(&self, kek: &KekId) -> Result<End, Error> {
        self.destroy_version(kek).await.map(End::Destroyed)
    }
}
