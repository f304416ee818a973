//! What a readiness check seals, and opens again.

use std::sync::{Mutex, PoisonError};

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

    /// Seals and opens it. Where it can't be sealed, opens what was sealed before, and gives the reason.
    pub(crate) async fn try_keys(&self, keys: &dyn KeyProvider) -> Result<Option<Error>, Error> {
        match self.sealed(keys).await {
            Ok(envelope) => {
                self.open(keys, &envelope).await?;
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(envelope);
                Ok(None)
            }
            Err(error) => {
                let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
                match kept {
                    Some(envelope) if self.open(keys, &envelope).await.is_ok() => Ok(Some(error)),
                    _ => Err(error),
                }
            }
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
