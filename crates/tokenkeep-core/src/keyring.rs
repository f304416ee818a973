//! Sealing a keyring's text: the suite under a key that a passphrase gave.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::envelope::SUITE;
use crate::suite::{KEY, NONCE, OVERHEAD, SuiteKey};
use crate::{OpenError, RandomUnavailable, fill_random};

const LABEL: &[u8] = b"tokenkeep keyring";

/// Seals a keyring's text under a key that was derived from a passphrase, for nothing else and with a salt of its own:
/// nonce, ciphertext, tag and commitment. The header is bound and not encrypted: it says how the key is derived.
///
/// The nonce is drawn anew each time, so that one key may seal each version of a keyring.
///
/// # Errors
/// [`RandomUnavailable`] when the system gives no random bytes.
pub fn seal_keyring(key: &[u8; KEY], header: &[u8], text: &[u8]) -> Result<Vec<u8>, RandomUnavailable> {
    let mut nonce = [0; NONCE];
    fill_random(&mut nonce)?;
    // All that it needs: a buffer that grows leaves the text behind.
    let mut sealed = Vec::with_capacity(NONCE + text.len() + OVERHEAD);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(text);
    let trailer = SuiteKey::new(key).encrypt(&nonce, &aad(header), &mut sealed[NONCE..]);
    sealed.extend_from_slice(&trailer);
    Ok(sealed)
}

/// Recovers a keyring's text. It wipes itself.
///
/// # Errors
/// [`OpenError::Rejected`] when key, header or bytes are not those that were sealed; which is not told.
pub fn open_keyring(key: &[u8; KEY], header: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(OpenError::Rejected)?;
    let (ciphertext, trailer) = rest.split_last_chunk::<OVERHEAD>().ok_or(OpenError::Rejected)?;
    let mut text = Zeroizing::new(ciphertext.to_vec());
    if SuiteKey::new(key).decrypt(nonce, &aad(header), &mut text, trailer) {
        Ok(text)
    } else {
        Err(OpenError::Rejected)
    }
}

/// Another label than those of an envelope's two levels. The header ends it, so that it needs no length.
fn aad(header: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(2 + LABEL.len() + 2 + header.len());
    aad.extend_from_slice(&(LABEL.len() as u16).to_be_bytes());
    aad.extend_from_slice(LABEL);
    aad.extend_from_slice(&[1, SUITE]);
    aad.extend_from_slice(header);
    aad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_with_the_key_and_the_header_that_it_was_sealed_with() {
        let sealed = seal_keyring(&[7; 32], b"header", b"text").unwrap();
        assert_eq!(sealed.len(), NONCE + 4 + OVERHEAD);
        assert_eq!(**open_keyring(&[7; 32], b"header", &sealed).unwrap(), *b"text");
        assert_eq!(open_keyring(&[8; 32], b"header", &sealed), Err(OpenError::Rejected));
        assert_eq!(open_keyring(&[7; 32], b"another", &sealed), Err(OpenError::Rejected));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open_keyring(&[7; 32], b"header", &altered), Err(OpenError::Rejected), "{at}");
            assert_eq!(open_keyring(&[7; 32], b"header", &sealed[..at]), Err(OpenError::Rejected), "{at}");
        }
    }

    #[test]
    fn no_nonce_is_drawn_twice() {
        let [one, other] = [(); 2].map(|()| seal_keyring(&[7; 32], b"", b"text").unwrap());
        assert_ne!(one[..NONCE], other[..NONCE]);
    }

    /// It is neither level of an envelope: those have labels of their own in the same place.
    #[test]
    fn its_associated_data_is_its_own() {
        assert_eq!(aad(b"header"), b"\0\x11tokenkeep keyring\x01\x01header");
    }
}
