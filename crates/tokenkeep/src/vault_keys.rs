//! The vault's own keys: independent random keys, each sealed under the key provider with its purpose as context.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokenkeep_core::{
    ApiToken, ConnectionId, EncryptionContext, Envelope, Error, ErrorKind, Origin, PayloadKind, SealDraft,
    TenantId, VaultId, VaultKeyPurpose, fill_random, open_payload,
};
use tokenkeep_keys::KeyProvider;
use tokenkeep_store::{AuditChain, RecordMac, VaultRecord};
use zeroize::Zeroizing;

use crate::checkpoint::CheckpointSigner;

/// The keys of an open vault.
#[derive(Debug)]
pub(crate) struct VaultKeys {
    pub(crate) fingerprints: FingerprintKey,
    pub(crate) records: RecordMac,
    pub(crate) chain: AuditChain,
    pub(crate) tenants: TenantNames,
    pub(crate) checkpoints: CheckpointSigner,
}

/// Draws a new vault's id and keys and seals them: one envelope for every purpose, always. In place of the key for pseudonyms, a
/// vault that keeps real names has an envelope of nothing. So it is sealed which of the two a vault is, and whoever removes or
/// exchanges an envelope in the database makes none of the other kind.
pub(crate) async fn make(keys: &dyn KeyProvider, pseudonymous: bool) -> Result<VaultRecord, Error> {
    let id = VaultId::random()?;
    let mut sealed = Vec::with_capacity(VaultKeyPurpose::ALL.len());
    for purpose in VaultKeyPurpose::ALL {
        let mut key = Zeroizing::new([0; 32]);
        fill_random(&mut *key)?;
        let context = EncryptionContext::for_vault_key(id, purpose);
        let draft = SealDraft::new(&context)?;
        let wrapped = keys.wrap_dek(&draft.wrap_request()).await?;
        let payload = match purpose {
            VaultKeyPurpose::TenantPseudonym if !pseudonymous => &[],
            _ => &key[..],
        };
        sealed.push((purpose, draft.finish(payload, &wrapped)?.into_bytes()));
    }
    Ok(VaultRecord { id, keys: sealed })
}

/// Opens a vault's keys: the moment in which wrong keys are noticed.
pub(crate) async fn open(record: &VaultRecord, keys: &dyn KeyProvider) -> Result<VaultKeys, Error> {
    let tenants = match open_one(record, VaultKeyPurpose::TenantPseudonym, keys).await? {
        payload if payload.is_empty() => TenantNames::Clear,
        payload => TenantNames::Pseudonyms(key(payload)?),
    };
    Ok(VaultKeys {
        tenants,
        fingerprints: FingerprintKey(key(open_one(record, VaultKeyPurpose::Fingerprint, keys).await?)?),
        records: RecordMac::new(key(open_one(record, VaultKeyPurpose::RecordMac, keys).await?)?),
        chain: AuditChain::of_opened(
            record.id,
            key(open_one(record, VaultKeyPurpose::AuditMac, keys).await?)?,
        ),
        checkpoints: CheckpointSigner::new(
            record.id,
            &key(open_one(record, VaultKeyPurpose::CheckpointSigning, keys).await?)?,
        ),
    })
}

pub(crate) fn row_is_missing() -> Error {
    Error::new(ErrorKind::Tampered).because("the vault's own row is missing in the database")
}

/// What was sealed for a purpose.
async fn open_one(
    record: &VaultRecord,
    purpose: VaultKeyPurpose,
    keys: &dyn KeyProvider,
) -> Result<Zeroizing<Box<[u8]>>, Error> {
    let found = record.keys.iter().find(|(of, _)| *of == purpose);
    let (_, bytes) = found.ok_or_else(|| {
        Error::new(ErrorKind::Tampered).because("one of the vault's keys is missing in the database")
    })?;
    let envelope = Envelope::decode(bytes.clone())?;
    let context = EncryptionContext::for_vault_key(record.id, purpose);
    let dek =
        keys.unwrap_dek(&envelope.unwrap_request(&context)).await.map_err(|error| match error.kind() {
            ErrorKind::KeysWrong => Error::new(ErrorKind::KeysWrong)
                .because("the keyring belongs to another vault, or is older than this database")
                .with_source(error),
            _ => error,
        })?;
    Ok(open_payload(&envelope, &dek, &context)?)
}

fn key(payload: Zeroizing<Box<[u8]>>) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut key = Zeroizing::new([0; 32]);
    if payload.len() != key.len() {
        return Err(ErrorKind::Tampered.into());
    }
    key.copy_from_slice(&payload);
    Ok(key)
}

/// Makes keyed fingerprints of tokens and of secret variables. It wipes itself.
pub(crate) struct FingerprintKey(Zeroizing<[u8; 32]>);

impl FingerprintKey {
    /// HMAC-SHA-256 over a label, the origin, the kind and the token, each led by its length as a `u64`.
    pub(crate) fn of(&self, origin: &Origin, kind: PayloadKind, token: &ApiToken) -> [u8; 32] {
        self.over(&[
            b"tokenkeep fingerprint",
            origin.as_str().as_bytes(),
            &[kind.number()],
            token.expose_secret().as_bytes(),
        ])
    }

    /// HMAC-SHA-256 over a label of its own, the tenant, the set, the variable and its value, led by their lengths likewise; its first
    /// half, which tells two values of one variable apart as well.
    pub(crate) fn of_variable(&self, set: &ConnectionId, name: &str, value: &str) -> [u8; 16] {
        let (tenant, set) = (set.tenant().as_str(), set.name().as_str());
        let parts = [tenant, set, name, value].map(str::as_bytes);
        let whole = self.over(&[b"tokenkeep variable", parts[0], parts[1], parts[2], parts[3]]);
        std::array::from_fn(|place| whole[place])
    }

    fn over(&self, fields: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey([hidden])")
    }
}

/// How tenants are named in the database.
pub(crate) enum TenantNames {
    /// As the application names them.
    Clear,
    /// By HMAC-SHA-256 of the name under this key, in hex.
    Pseudonyms(Zeroizing<[u8; 32]>),
}

impl TenantNames {
    /// The tenant as the database knows it, by the name that the application has for it.
    pub(crate) fn of(&self, name: &str) -> Result<TenantId, Error> {
        let tenant = TenantId::new(name)?;
        let Self::Pseudonyms(key) = self else { return Ok(tenant) };
        let mut mac = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes a key of any length");
        mac.update(tenant.as_str().as_bytes());
        Ok(TenantId::new(base16ct::lower::encode_string(&mac.finalize().into_bytes()))?)
    }
}

impl std::fmt::Debug for TenantNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clear => "Clear",
            Self::Pseudonyms(_) => "Pseudonyms([hidden])",
        })
    }
}
