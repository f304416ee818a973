//! The key pair of an Actor's secret inputs.

use std::env;
use std::fmt;

use aws_lc_rs::rsa::{
    OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use zeroize::Zeroizing;

use super::der;
use super::error::SecretInputError;
use super::pem::{self, Pem};
use super::pem_decrypt::{self, Refused};

const KEY_FILE: &str = "APIFY_INPUT_SECRETS_PRIVATE_KEY_FILE";
const PASSPHRASE: &str = "APIFY_INPUT_SECRETS_PRIVATE_KEY_PASSPHRASE";

const NO_BASE64: SecretInputError = SecretInputError::BadKey {
    reason: "it is no base64 of a PEM file; give the text as it is in Apify's variable",
};
const NO_PEM: SecretInputError = SecretInputError::BadKey {
    reason: "it is no PEM block of an RSA key; give the block as it is, and nothing else",
};
const NO_RSA: SecretInputError = SecretInputError::BadKey { reason: "it is no RSA key of 2048 to 8192 bits" };

/// What encrypts secret inputs: an RSA key of 2048 to 8192 bits. It is no secret.
pub struct InputPublicKey(pub(super) OaepPublicEncryptingKey);

impl InputPublicKey {
    /// Reads a PEM block, `PUBLIC KEY` or `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// [`SecretInputError::BadKey`].
    pub fn from_pem(pem: &str) -> Result<Self, SecretInputError> {
        let pem = parse(pem)?;
        let spki = match pem.label {
            "PUBLIC KEY" => pem.content.to_vec(),
            "RSA PUBLIC KEY" => der::spki_of_rsa(&pem.content).ok_or(NO_RSA)?,
            _ => return Err(NO_PEM),
        };
        Self::from_key(PublicEncryptingKey::from_der(&spki).map_err(|_| NO_RSA)?)
    }

    /// Reads base64 of such a PEM block.
    ///
    /// # Errors
    /// [`SecretInputError::BadKey`].
    pub fn from_base64_pem(text: &str) -> Result<Self, SecretInputError> {
        Self::from_pem(str::from_utf8(&decode(text)?).map_err(|_| NO_PEM)?)
    }

    fn from_key(key: PublicEncryptingKey) -> Result<Self, SecretInputError> {
        OaepPublicEncryptingKey::new(key).map(Self).map_err(|_| NO_RSA)
    }
}

impl fmt::Debug for InputPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputPublicKey({} bits)", self.0.key_size_bits())
    }
}

/// What decrypts secret inputs: an RSA key of 2048 to 8192 bits. AWS-LC holds it, and wipes it when this is dropped.
///
/// What it is made of stays the caller's to wipe: the passphrase and the text are borrowed.
pub struct InputPrivateKey {
    pub(super) key: OaepPrivateDecryptingKey,
    public: PublicEncryptingKey,
}

impl InputPrivateKey {
    /// Takes the key from where Apify puts it in an Actor's run: `APIFY_INPUT_SECRETS_PRIVATE_KEY_FILE` and
    /// `APIFY_INPUT_SECRETS_PRIVATE_KEY_PASSPHRASE`.
    ///
    /// The copies that are made here are wiped. The environment keeps both for as long as the process lives, and gives them to each
    /// child that it is not kept from.
    ///
    /// # Errors
    /// [`SecretInputError::NoVariable`], and as [`from_base64_pem`](Self::from_base64_pem).
    pub fn from_env() -> Result<Self, SecretInputError> {
        let key = variable(KEY_FILE)?;
        let passphrase = variable(PASSPHRASE)?;
        Self::from_base64_pem(&key, &passphrase)
    }

    /// Reads base64 of a PEM block that is encrypted under this passphrase; line breaks in the base64 are passed over.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_base64_pem(text: &str, passphrase: &str) -> Result<Self, SecretInputError> {
        Self::from_pem(str::from_utf8(&decode(text)?).map_err(|_| NO_PEM)?, passphrase)
    }

    /// Reads a PEM block that is encrypted under this passphrase.
    ///
    /// `RSA PRIVATE KEY` with `Proc-Type: 4,ENCRYPTED` under DES-EDE3-CBC or AES-CBC, as Apify and older OpenSSL write it; or `ENCRYPTED PRIVATE KEY`
    /// (PKCS#8) by PBES2: PBKDF2 with HMAC-SHA-1 or HMAC-SHA-2 and at most two million iterations, then one of these ciphers.
    ///
    /// # Errors
    /// [`SecretInputError::BadKey`] for any other text; [`SecretInputError::WrongPassphrase`] also where what the passphrase opens is no RSA key.
    pub fn from_pem(pem: &str, passphrase: &str) -> Result<Self, SecretInputError> {
        let mut pem = parse(pem)?;
        let opened = match (pem.label, pem.dek_info) {
            ("RSA PRIVATE KEY", Some(dek_info)) => {
                pem_decrypt::legacy(dek_info, passphrase, &mut pem.content)
            }
            ("ENCRYPTED PRIVATE KEY", None) => pem_decrypt::pkcs8(passphrase, &mut pem.content),
            ("RSA PRIVATE KEY" | "PRIVATE KEY", None) => {
                return Err(SecretInputError::BadKey {
                    reason: "it is not encrypted, and a passphrase was given; encrypt it, or say that it is not by the name of the call",
                });
            }
            _ => return Err(NO_PEM),
        };
        match opened {
            Ok(()) => Self::from_der(&pem).map_err(|_| SecretInputError::WrongPassphrase),
            Err(Refused::Passphrase) => Err(SecretInputError::WrongPassphrase),
            Err(Refused::Unknown) => Err(SecretInputError::BadKey {
                reason: "it is encrypted in a way that is not known here; encrypt it by PBES2 with PBKDF2 and AES-256-CBC",
            }),
        }
    }

    /// Reads a PEM block that is not encrypted, `RSA PRIVATE KEY` or `PRIVATE KEY`: whoever reads the text has the key. For tests.
    ///
    /// # Errors
    /// [`SecretInputError::BadKey`], also for one that is encrypted.
    pub fn from_unencrypted_pem(pem: &str) -> Result<Self, SecretInputError> {
        let pem = parse(pem)?;
        match (pem.label, pem.dek_info) {
            ("RSA PRIVATE KEY" | "PRIVATE KEY", None) => Self::from_der(&pem),
            _ => Err(NO_PEM),
        }
    }

    /// The key that encrypts what this one decrypts.
    ///
    /// # Errors
    /// None that a key of this type gives; AWS-LC's own would be [`SecretInputError::BadKey`].
    pub fn public_key(&self) -> Result<InputPublicKey, SecretInputError> {
        InputPublicKey::from_key(self.public.clone())
    }

    fn from_der(pem: &Pem<'_>) -> Result<Self, SecretInputError> {
        let wrapped;
        let pkcs8 = match pem.label {
            "RSA PRIVATE KEY" => {
                wrapped = der::pkcs8_of_rsa(&pem.content).ok_or(NO_RSA)?;
                &wrapped
            }
            _ => &pem.content,
        };
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| NO_RSA)?;
        let public = key.public_key();
        Ok(Self { key: OaepPrivateDecryptingKey::new(key).map_err(|_| NO_RSA)?, public })
    }
}

impl fmt::Debug for InputPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputPrivateKey({} bits)", self.key.key_size_bits())
    }
}

fn variable(name: &'static str) -> Result<Zeroizing<String>, SecretInputError> {
    // What is no UTF-8 may be a secret as well, and is wiped too.
    let value = env::var_os(name).and_then(|value| text(value.into_encoded_bytes()));
    value.filter(|value| !value.is_empty()).ok_or(SecretInputError::NoVariable { name })
}

/// The text in the block that was there, which is wiped if it is none.
fn text(bytes: Vec<u8>) -> Option<Zeroizing<String>> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretInputError> {
    Some(text).filter(|text| text.len() <= 2 * pem::MAX_LEN).and_then(pem::decode).ok_or(NO_BASE64)
}

fn parse(pem: &str) -> Result<Pem<'_>, SecretInputError> {
    Some(pem).filter(|pem| pem.len() <= pem::MAX_LEN).and_then(Pem::parse).ok_or(NO_PEM)
}
