//! What a readiness check seals, and opens again.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokenkeep_core::{
    ConnectionId, EncryptionContext, Envelope, Error, ErrorKind, Incarnation, Origin, PayloadKind,
    ProviderName, SealDraft, SecretVersion, TokenFacts, VaultId, open_payload,
};
use tokenkeep_keys::KeyProvider;

const TEXT: &[u8] = b"readiness";

/// A text of no use to anybody, sealed as a token is: by the keys that tokens are sealed by. It is in no database.
#[derive(Debug)]
pub(crate) struct Probe {
    context: EncryptionContext,
    /// What was sealed last.
    kept: Mutex<Option<Envelope>>,
}

impl Probe {
    pub(crate) fn new(vault: VaultId) -> Result<Self, Error> {
        let context = EncryptionContext::for_token(&TokenFacts {
            vault,
            connection: ConnectionId::new("readiness", "readiness")?,
            // No token has it.
            incarnation: Incarnation::random()?,
            provider: ProviderName::new("readiness")?,
            origin: Origin::parse("https://readiness.invalid")?,
            kind: PayloadKind::ApiToken,
            secret_version: SecretVersion::FIRST,
        });
        Ok(Self { context, kept: Mutex::default() })
    }

    /// Seals and opens it. Where it can't be sealed, or not so soon, opens what was sealed before, and gives the reason.
    pub(crate) async fn try_keys(
        &self,
        keys: &dyn KeyProvider,
        soon: Duration,
    ) -> Result<Option<Error>, Error> {
        let mut sealing = pin!(self.sealed(keys));
        let sealed = match tokio::time::timeout(soon, sealing.as_mut()).await {
            Ok(sealed) => sealed,
            // A service that hangs keeps nobody from the tokens that need no answer of it.
            Err(_) if self.opens_kept(keys).await => {
                let slow = Error::new(ErrorKind::KeysUnavailable).because("sealing takes too long");
                return Ok(Some(slow));
            }
            Err(_) => sealing.await,
        };
        match sealed {
            Ok(envelope) => {
                self.open(keys, &envelope).await?;
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(envelope);
                Ok(None)
            }
            Err(error) => {
                if self.opens_kept(keys).await {
                    Ok(Some(error))
                } else {
                    Err(error)
                }
            }
        }
    }

    async fn opens_kept(&self, keys: &dyn KeyProvider) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match kept {
            Some(envelope) => self.open(keys, &envelope).await.is_ok(),
            None => false,
        }
    }

    async fn sealed(&self, keys: &dyn KeyProvider) -> Result<Envelope, Error> {
        let draft = SealDraft::new(&self.context)?;
        let wrapped = keys.wrap_dek(&draft.wrap_request()).await?;
        Ok(Envelope::decode(draft.finish(TEXT, &wrapped)?.into_bytes())?)
    }

    async fn open(&self, keys: &dyn KeyProvider, envelope: &Envelope) -> Result<(), Error> {
        let dek = keys.unwrap_dek(&envelope.unwrap_request(&self.context)).await?;
        match open_payload(envelope, &dek, &self.context)?[..] == *TEXT {
            true => Ok(()),
            false => Err(ErrorKind::Internal.into()),
        }
    }
}
