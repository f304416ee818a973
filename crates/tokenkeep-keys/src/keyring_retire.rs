//! The end of a keyring's KEK.

use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Error, KekId};

use crate::keyring_keks::Found;
use crate::{Destruction, End, KekState, KeyProvider, KeyringError, LocalKeyring, RetirableKeys};

/// In the file, under its lock, and on a thread for blocking work: these need tokio's runtime. A call that is dropped goes on there to its
/// end. `Misuse` for a keyring that is no file, which can't be changed.
#[async_trait]
impl RetirableKeys for LocalKeyring {
    /// Nothing: another process may go on with what it read for as long as it likes, so that no time is enough. What it seals the
    /// database refuses, and a vault then reads the file again.
    fn settles_in(&self) -> Duration {
        Duration::ZERO
    }

    /// `Misuse` for a key beside the primary one, before anything was done: it is retired with its epoch.
    async fn kek_state(&self, kek: &KekId) -> Result<Option<KekState>, Error> {
        self.refresh().await?;
        let opened = self.opened_now();
        if let Found::Beside(_) = opened.keks.find(kek) {
            return Err(KeyringError::OfAnEpoch.into());
        }
        Ok(opened.keks.statuses().into_iter().find(|known| known.id == *kek).map(|known| known.state))
    }

    /// `Misuse` for the primary one: everything would come under a KEK that is in this one file alone. [Rotate](LocalKeyring::rotate), keep
    /// a copy of the file, and bring it to the other hosts before.
    async fn make_open_only(&self, kek: &KekId) -> Result<(), Error> {
        let kek = *kek;
        self.in_background(move |keyring| keyring.is_open_only(&kek)).await
    }

    /// Always [`Destruction::Unprovable`]: a file can be copied, and other processes hold the KEK until they
    /// [reload](LocalKeyring::reload).
    async fn destroy_kek(&self, kek: &KekId) -> Result<End, Error> {
        let kek = *kek;
        self.in_background(move |keyring| keyring.destroy_in_turn(&kek)).await?;
        Ok(End::Destroyed(Destruction::Unprovable))
    }
}
