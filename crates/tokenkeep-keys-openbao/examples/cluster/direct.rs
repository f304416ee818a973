//! Work without epochs: each call goes to the service.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, Error, SealDraft, VaultId, VaultKeyPurpose, WrapRequest, fill_random,
};
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::OpenBaoKeys;

use crate::seen::Seen;

/// Rotates the key: a standby may unwrap by itself, but only the active node writes.
pub(crate) async fn rotate(keys: OpenBaoKeys, seen: Arc<Seen>) {
    while !seen.is_over() {
        match keys.rotate().await {
            Ok(_) => seen.rotations.done(0),
            Err(error) => seen.rotations.failed(&error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Wraps and unwraps, until the end; what was wrapped before a failover is unwrapped after it, too.
pub(crate) async fn work(number: usize, keys: OpenBaoKeys, seen: Arc<Seen>) {
    let mut kept: Vec<Kept> = Vec::new();
    while !seen.is_over() {
        let context = VaultId::random()
            .map(|vault| EncryptionContext::for_vault_key(vault, VaultKeyPurpose::AuditMac))
            .map_err(Error::from);
        match Kept::under(&keys, context).await {
            Ok(one) => {
                kept.push(one);
                if kept.len() > 20 {
                    kept.remove(0);
                }
            }
            Err(error) => seen.unwraps.failed(&error),
        }
        for one in kept.iter().take(2).chain(kept.last()) {
            match one.comes_back(&keys).await {
                Ok(true) => seen.unwraps.done(number),
                Ok(false) => seen.unwraps.wrong(),
                Err(error) => seen.unwraps.failed(&error),
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A DEK that was wrapped.
pub(crate) struct Kept {
    dek: Dek,
    context: EncryptionContext,
    pub(crate) envelope: Envelope,
}

impl Kept {
    pub(crate) async fn under(
        keys: &dyn KeyProvider,
        context: Result<EncryptionContext, Error>,
    ) -> Result<Self, Error> {
        let context = context?;
        let mut bytes = [0; Dek::LEN];
        fill_random(&mut bytes)?;
        let dek = Dek::from_bytes(&bytes);
        let wrapped = keys.wrap_dek(&WrapRequest::for_rewrap(&dek, &context)?).await?;
        let envelope = SealDraft::new(&context)?.finish(&[], &wrapped)?;
        Ok(Self { dek, context, envelope })
    }

    /// Whether it unwraps to the same DEK.
    pub(crate) async fn comes_back(&self, keys: &dyn KeyProvider) -> Result<bool, Error> {
        let got = keys.unwrap_dek(&self.envelope.unwrap_request(&self.context)).await?;
        Ok(got.expose_secret() == self.dek.expose_secret())
    }
}
