//! How a private key is encrypted in a PEM: in OpenSSL's legacy way, or by PBES2 in PKCS#8 (RFC 8018).

use std::num::NonZeroU32;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use cbc::Decryptor;
use des::TdesEde3;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::der::{Der, INTEGER, OCTETS, OID, SEQUENCE};

/// Why a key was not decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is encrypted in a way that is not known here, or that asks for too much work, or it is no encrypted key.
    Unknown,
    /// The padding does not come out.
    Passphrase,
}

/// The ciphers, each in CBC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    DesEde3,
    Aes128,
    Aes192,
    Aes256,
}

impl Cipher {
    /// How OpenSSL names it in `DEK-Info`, its OID (RFC 8018, appendix B.2), the bytes of its key and those of its initial vector.
    const ALL: [(Self, &'static str, &'static [u8], usize, usize); 4] = [
        (Self::DesEde3, "DES-EDE3-CBC", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 3, 7], 24, 8),
        (Self::Aes128, "AES-128-CBC", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2], 16, 16),
        (Self::Aes192, "AES-192-CBC", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22], 24, 16),
        (Self::Aes256, "AES-256-CBC", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42], 32, 16),
    ];

    fn decrypt(self, key: &[u8], iv: &[u8], content: &mut Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::DesEde3 => decrypt_in_place::<Decryptor<TdesEde3>>(key, iv, content),
            Self::Aes128 => decrypt_in_place::<Decryptor<Aes128>>(key, iv, content),
            Self::Aes192 => decrypt_in_place::<Decryptor<Aes192>>(key, iv, content),
            Self::Aes256 => decrypt_in_place::<Decryptor<Aes256>>(key, iv, content),
        }
    }
}

fn decrypt_in_place<D: BlockModeDecrypt + KeyIvInit>(
    key: &[u8],
    iv: &[u8],
    content: &mut Vec<u8>,
) -> Result<(), Refused> {
    let cipher = D::new_from_slices(key, iv).map_err(|_| Refused::Unknown)?;
    let len = cipher.decrypt_padded::<Pkcs7>(content).map_err(|_| Refused::Passphrase)?.len();
    content.truncate(len);
    Ok(())
}

/// Decrypts the content of a PEM with `Proc-Type: 4,ENCRYPTED`, in place. The key is MD5's of the passphrase and the first eight
/// bytes of the initial vector, once (`EVP_BytesToKey`).
pub(super) fn legacy(dek_info: (&str, &str), passphrase: &str, content: &mut Vec<u8>) -> Result<(), Refused> {
    let found = Cipher::ALL.into_iter().find(|(_, name, ..)| *name == dek_info.0);
    let (cipher, _, _, key_len, iv_len) = found.ok_or(Refused::Unknown)?;
    let mut iv = [0; 16];
    let iv = hex(dek_info.1, &mut iv).filter(|iv| iv.len() == iv_len).ok_or(Refused::Unknown)?;
    // Two digests at most; a third is not needed for 32 bytes.
    let mut key = Zeroizing::new([0; 32]);
    for at in 0..2 {
        let mut md5 = Md5::new();
        md5.update(&key[..16 * at]);
        md5.update(passphrase);
        md5.update(&iv[..8]);
        md5.finalize_into((&mut key[16 * at..][..16]).try_into().expect("a digest of MD5 has 16 bytes"));
    }
    cipher.decrypt(&key[..key_len], iv, content)
}

fn hex<'a>(text: &str, room: &'a mut [u8; 16]) -> Option<&'a [u8]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() || pairs.len() > room.len() {
        return None;
    }
    for (byte, [high, low]) in room.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(&room[..pairs.len()])
}

/// What is said in an `EncryptedPrivateKeyInfo` about how the rest of it is encrypted.
struct Pbes2<'a> {
    salt: &'a [u8],
    iterations: NonZeroU32,
    prf: pbkdf2::Algorithm,
    cipher: Cipher,
    key_len: usize,
    iv: &'a [u8],
}

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 5, 12];
/// Of `hmacWithSHA1` and its sisters, without the last byte.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 2];

/// The most iterations: about a second's work. Whoever can write the key's text chooses them; OpenSSL takes 2,048 unless told otherwise.
const MAX_ITERATIONS: u32 = 2_000_000;

/// Decrypts an `EncryptedPrivateKeyInfo`, in place.
pub(super) fn pkcs8(passphrase: &str, content: &mut Vec<u8>) -> Result<(), Refused> {
    let (pbes2, encrypted_len) = read(content).ok_or(Refused::Unknown)?;
    let mut key = Zeroizing::new([0; 32]);
    let key = &mut key[..pbes2.key_len];
    pbkdf2::derive(pbes2.prf, pbes2.iterations, pbes2.salt, passphrase.as_bytes(), key);
    let (cipher, iv) = (pbes2.cipher, pbes2.iv.to_vec());
    // What is encrypted stands at the end.
    content.drain(..content.len() - encrypted_len);
    cipher.decrypt(key, &iv, content)
}

/// RFC 5958, section 3, and RFC 8018, appendices A.2 and A.4.
fn read(content: &[u8]) -> Option<(Pbes2<'_>, usize)> {
    let mut all = Der::new(content);
    let mut info = all.sequence()?;
    let mut algorithm = info.sequence()?;
    let encrypted = info.element(OCTETS)?;
    let is_pbes2 = algorithm.element(OID)? == PBES2;
    let mut parameters = algorithm.sequence()?;
    let (mut kdf, mut scheme) = (parameters.sequence()?, parameters.sequence()?);
    let is_pbkdf2 = kdf.element(OID)? == PBKDF2;
    let mut of_kdf = kdf.sequence()?;
    let salt = of_kdf.element(OCTETS)?;
    let iterations = of_kdf.number().filter(|count| *count <= MAX_ITERATIONS).and_then(NonZeroU32::new)?;
    let told_len = if of_kdf.next_is(INTEGER) { Some(of_kdf.number()?) } else { None };
    let prf = if of_kdf.next_is(SEQUENCE) {
        of_kdf.sequence()?.element(OID)?.split_last()
    } else {
        Some((&7, HMAC))
    };
    let prf = match prf? {
        (7, HMAC) => PBKDF2_HMAC_SHA1,
        (9, HMAC) => PBKDF2_HMAC_SHA256,
        (10, HMAC) => PBKDF2_HMAC_SHA384,
        (11, HMAC) => PBKDF2_HMAC_SHA512,
        _ => return None,
    };
    let oid = scheme.element(OID)?;
    let iv = scheme.element(OCTETS)?;
    let (cipher, .., key_len, iv_len) = Cipher::ALL.into_iter().find(|(_, _, known, ..)| *known == oid)?;
    let whole = [all, info, algorithm, parameters, kdf, of_kdf, scheme].iter().all(Der::is_empty);
    let fits = iv.len() == iv_len && told_len.is_none_or(|len| len as usize == key_len);
    let pbes2 = Pbes2 { salt, iterations, prf, cipher, key_len, iv };
    (is_pbes2 && is_pbkdf2 && whole && fits).then_some((pbes2, encrypted.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_vector_is_whole_bytes_of_hex() {
        let mut room = [0; 16];
        assert_eq!(hex("00fFa0", &mut room), Some(&[0, 0xff, 0xa0][..]));
        for bad in ["0", "0g", "ž", "+1", &"00".repeat(17)] {
            assert_eq!(hex(bad, &mut room), None, "{bad}");
        }
    }
}
