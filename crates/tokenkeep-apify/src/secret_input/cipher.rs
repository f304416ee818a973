//! The two layers of encryption: AES-256-GCM with a nonce of 16 bytes under a password, and the password under RSA-OAEP.

use aes::Aes256;
use aes_gcm::aead::consts::U16;
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Tag};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey};
use tokenkeep_core::{RandomUnavailable, fill_random};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// The bytes of a GCM tag.
pub(super) const TAG: usize = 16;
const KEY: usize = 32;
const NONCE: usize = 16;

/// AWS-LC's AES-GCM takes nonces of 12 bytes alone.
type Cipher = AesGcm<Aes256, U16>;

/// A key and a nonce for one value. In a block of its own, so that a move leaves no copy.
#[derive(ZeroizeOnDrop)]
pub(super) struct Password(Box<[u8; KEY + NONCE]>);

impl Password {
    /// 62 letters and digits: what the SDKs draw theirs from, and take a password to be made of.
    const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    /// The multiple of 62 below 256: a byte from here on is drawn again, or the first eight letters would come more often than the others.
    const BOUND: u8 = 248;

    /// Draws one: 285 bits from the operating system's generator, of which 190 are the key's.
    pub(super) fn draw() -> Result<Self, RandomUnavailable> {
        Self::draw_from(fill_random)
    }

    fn draw_from(
        mut fill: impl FnMut(&mut [u8]) -> Result<(), RandomUnavailable>,
    ) -> Result<Self, RandomUnavailable> {
        let mut password = Self(Box::new([0; KEY + NONCE]));
        let mut random = Zeroizing::new([0; 64]);
        let mut drawn = 0;
        loop {
            fill(random.as_mut_slice())?;
            for letter in random.iter().copied().filter_map(Self::letter) {
                password.0[drawn] = letter;
                drawn += 1;
                if drawn == password.0.len() {
                    return Ok(password);
                }
            }
        }
    }

    fn letter(byte: u8) -> Option<u8> {
        (byte < Self::BOUND).then(|| Self::ALPHABET[usize::from(byte % 62)])
    }

    fn key(&self) -> &[u8; KEY] {
        self.0.first_chunk().expect("a password begins with a key")
    }

    fn nonce(&self) -> &[u8; NONCE] {
        self.0.last_chunk().expect("a password ends with a nonce")
    }

    /// Encrypts what is in the block, and appends the tag, for which there must be room.
    pub(super) fn seal(self, value: &mut Vec<u8>) {
        let tag = Cipher::new(self.key().into())
            .encrypt_inout_detached(self.nonce().into(), &[], value.as_mut_slice().into())
            // AES-GCM refuses 64 GiB and more alone; an input is far shorter.
            .expect("an input is far below the limit of AES-GCM");
        value.extend_from_slice(&tag);
    }

    /// Checks the tag at the end, decrypts the rest in place and takes the tag off. On `false` the block must not be used.
    #[must_use]
    fn open(&self, value: &mut Vec<u8>) -> bool {
        let Some((text, tag)) = value.split_last_chunk_mut::<TAG>() else { return false };
        let (tag, len) = (Tag::from(*tag), text.len());
        let opened = Cipher::new(self.key().into()).decrypt_inout_detached(
            self.nonce().into(),
            &[],
            text.into(),
            &tag,
        );
        value.truncate(len);
        opened.is_ok()
    }

    /// The password under the key, of the key's length. `None` when AWS-LC fails, which no password makes it do.
    pub(super) fn wrap(&self, key: &OaepPublicEncryptingKey) -> Option<Vec<u8>> {
        let mut wrapped = vec![0; key.ciphertext_size()];
        let len = key.encrypt(&OAEP_SHA1_MGF1SHA1, self.0.as_slice(), &mut wrapped, None).ok()?.len();
        (len == wrapped.len()).then_some(wrapped)
    }
}

/// Decrypts a value in place, whose password is under the key. On `false` the block must not be used: why is not told,
/// and the tag is checked in any case, so that time tells little.
#[must_use]
pub(super) fn open(key: &OaepPrivateDecryptingKey, wrapped: &[u8], value: &mut Vec<u8>) -> bool {
    let mut room = Zeroizing::new(vec![0; key.min_output_size()]);
    let mut password = Password(Box::new([0; KEY + NONCE]));
    let unwrapped = key.decrypt(&OAEP_SHA1_MGF1SHA1, wrapped, &mut room, None);
    let fits = match unwrapped {
        Ok(unwrapped) if unwrapped.len() == password.0.len() => {
            password.0.copy_from_slice(unwrapped);
            true
        }
        _ => false,
    };
    // What is under a key of zeros is not opened by it: it must fit, too.
    password.open(value) & fits
}

#[cfg(test)]
#[path = "cipher_tests.rs"]
mod tests;
