//! A place for a keyring, and what is sealed under it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, Error, KekId, SealDraft, VaultId, VaultKeyPurpose, WrappedDek,
};
use tokenkeep_keys::{KekState, KeyProvider, KeyringError, KeyringOptions, LocalKeyring, Passphrase};

/// A directory that others can't enter.
pub(crate) fn private_folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = private_folder();
    let path = folder.path().join("keyring");
    (folder, path)
}

pub(crate) fn context() -> EncryptionContext {
    EncryptionContext::for_vault_key(VaultId::from_bytes([7; 16]), VaultKeyPurpose::RecordMac)
}

pub(crate) async fn seal(keyring: &LocalKeyring) -> Envelope {
    let context = context();
    let draft = SealDraft::new(&context).unwrap();
    let wrapped = keyring.wrap_dek(&draft.wrap_request()).await.unwrap();
    draft.finish(b"example", &wrapped).unwrap()
}

pub(crate) fn envelope_with(wrapped: &WrappedDek) -> Envelope {
    SealDraft::new(&context()).unwrap().finish(b"example", wrapped).unwrap()
}

pub(crate) async fn unwrap(keyring: &LocalKeyring, envelope: &Envelope) -> Result<Dek, Error> {
    keyring.unwrap_dek(&envelope.unwrap_request(&context())).await
}

/// Each KEK's id and state, oldest first.
pub(crate) async fn states(keyring: &LocalKeyring) -> Vec<(KekId, KekState)> {
    keyring.keks().await.unwrap().iter().map(|kek| (kek.id, kek.state)).collect()
}

pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

pub(crate) fn open_with(path: &Path, text: &str) -> Result<LocalKeyring, KeyringError> {
    KeyringOptions::new().passphrase(passphrase(text)).open(path)
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A file of mode 0600 with these bytes.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    set_mode(path, 0o600);
}

/// The keys that stand in a plain keyring's text, in hex.
pub(crate) fn keys_in(text: &str) -> Vec<String> {
    let last = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
    text.lines().filter(|line| line.starts_with("kek ")).map(last).filter(|field| field.len() == 64).collect()
}

/// The lines with their right sum.
pub(crate) fn summed(lines: &[&str]) -> Vec<u8> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let sum = base16ct::lower::encode_string(&Sha256::digest(&text));
    format!("{text}end {sum}\n").into_bytes()
}
