//! Keys beside the primary one, for epochs.

use async_trait::async_trait;
use tokenkeep_core::{Error, ErrorKind, KekId, WrapRequest, WrappedDek};
use tokio::runtime::Handle;

use crate::keyring::unknown;
use crate::keyring_keks::Found;
use crate::{DestroyableKeys, Destruction, KeyringError, LocalKeyring};

/// Made and destroyed in the file, as by [`rotate`](LocalKeyring::rotate) and [`destroy`](LocalKeyring::destroy), but keys beside the primary one alone, on a thread for blocking
/// work, where a call that is dropped goes on to its end. Outside of tokio's runtime the call blocks.
#[async_trait]
impl DestroyableKeys for LocalKeyring {
    async fn make_key(&self) -> Result<KekId, Error> {
        self.in_background(|keyring| keyring.make_beside()).await
    }

    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        match self.opened_now().keks.find(key) {
            Found::Beside(kek) => Ok(request.wrap_with(kek)),
            Found::InTurn(_) => Err(Error::new(ErrorKind::KeysWrong).because(
                "the key was not made beside the primary one, so nothing is wrapped under it by name",
            )),
            Found::Destroyed => Err(ErrorKind::KeyDestroyed.into()),
            Found::Unknown => Err(unknown()),
        }
    }

    /// Always [`Destruction::Unprovable`]: a file can be copied. `Misuse` for a key that is or was primary.
    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
        let key = *key;
        self.in_background(move |keyring| keyring.destroy_beside(&key)).await?;
        Ok(Destruction::Unprovable)
    }
}

impl LocalKeyring {
    pub(crate) async fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, Error> {
        let Ok(runtime) = Handle::try_current() else { return Ok(work(self)?) };
        let keyring = self.clone();
        let done = runtime.spawn_blocking(move || work(&keyring)).await;
        // It panicked, or the runtime is shutting down.
        Ok(done
            .map_err(|_| Error::new(ErrorKind::Internal).because("a keyring's change was not finished"))??)
    }
}
