//! What an operator does to the versions of the key.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;
use tokenkeep_core::{Error, ErrorKind, KekId};
use tokenkeep_https::Method;
use tokenkeep_keys::{Destruction, End, KekState, RetirableKeys};

use crate::ids::Named;
use crate::keys::Inner;
use crate::transit_key::{AGE, View};
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
    /// `Misuse` for an id that names no version, a key that was made for an epoch included; `Conflict` while others rotate all the
    /// time; as said at [`KeyProvider`](tokenkeep_keys::KeyProvider).
    pub async fn close_version(&self, id: &KekId) -> Result<(), Error> {
        let inner = &*self.inner;
        let (number, stamp) = inner.version(id).map_err(no_version)?;
        for _ in 0..TRIES {
            let view = inner.view_from(Instant::now()).await?;
            match inner.stands(&view, number, &stamp).map_err(no_version)? {
                Stands::Gone => return Ok(()),
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
    /// and asks the service whether it is gone. For an operator. Repeating it is no error. `Unprovable` for a key that the service lets out
    /// (`exportable`, `allow_plaintext_backup`).
    ///
    /// # Errors
    /// `Misuse` with [`OpenBaoFailure::OutOfOrder`] while an older version is left, and for the newest: the service trims from
    /// the oldest on. `Misuse` for an id that names no version, a key that was made for an epoch included. As said at
    /// [`KeyProvider`](tokenkeep_keys::KeyProvider).
    pub async fn destroy_version(&self, id: &KekId) -> Result<Destruction, Error> {
        let inner = &*self.inner;
        let (number, stamp) = inner.version(id).map_err(no_version)?;
        let view = inner.view_from(Instant::now()).await?;
        match inner.stands(&view, number, &stamp).map_err(no_version)? {
            Stands::Older if view.key.min_available_version.max(1) == number => {
                // Neither is lowered: a newer version may be disabled already, or closed.
                let lowest = view.key.min_decryption_version.max(number + 1);
                let closed = view.key.min_encryption_version.max(lowest);
                inner.raise(&inner.key, lowest, closed, number + 1).await?;
            }
            Stands::Older | Stands::Newest => return Err(OpenBaoFailure::OutOfOrder.into()),
            Stands::Gone => {}
        }
        let view = inner.view_from(Instant::now()).await?;
        match inner.stands(&view, number, &stamp).map_err(no_version)? {
            Stands::Gone if view.key.may_be_copied() => Ok(Destruction::Unprovable),
            Stands::Gone => Ok(Destruction::Confirmed),
            Stands::Older | Stands::Newest => Err(OpenBaoFailure::Refused.into()),
        }
    }
}

/// How far a version is from its end.
enum Stands {
    Newest,
    /// Disabled or not.
    Older,
    /// Trimmed.
    Gone,
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

    fn stands(&self, view: &View, number: u32, stamp: &[u8; 16]) -> Result<Stands, OpenBaoFailure> {
        match view.allows(&self.place, number, stamp) {
            Ok(()) if number == view.key.latest_version => Ok(Stands::Newest),
            Ok(()) | Err(OpenBaoFailure::Disabled) => Ok(Stands::Older),
            Err(OpenBaoFailure::Destroyed) => Ok(Stands::Gone),
            Err(failure) => Err(failure),
        }
    }

    async fn state_of(&self, id: &KekId) -> Result<KekState, OpenBaoFailure> {
        let (number, stamp) = self.version(id)?;
        let view = self.view_from(Instant::now()).await?;
        Ok(match self.stands(&view, number, &stamp)? {
            Stands::Newest => KekState::Primary,
            Stands::Older => KekState::OpenOnly,
            Stands::Gone => KekState::Destroyed,
        })
    }

    /// Makes a key as it must be; no error where it is there already.
    pub(crate) async fn make(&self, key: &str) -> Result<(), OpenBaoFailure> {
        let data = json!({ "type": "aes256-gcm96", "derived": true });
        let path = self.keys_path(key);
        self.client.call(&Method::POST, &path, Some(data.to_string().as_bytes())).await?.done()
    }

    /// Nothing below `lowest` is used any more, nothing below `wraps_from` wraps, and what is below `available` is trimmed.
    pub(crate) async fn raise(
        &self,
        key: &str,
        lowest: u32,
        wraps_from: u32,
        available: u32,
    ) -> Result<(), OpenBaoFailure> {
        let config = json!({ "min_decryption_version": lowest, "min_encryption_version": wraps_from });
        self.act(key, "config", config).await?;
        self.act(key, "trim", json!({ "min_available_version": available })).await
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

    /// Also of a version that this process never saw: an id tells it. One that is disabled is open-only, as a destruction that broke off
    /// leaves it.
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
