//! Tokens that anyone can see are fake.

/// The literal part of every [`fake_token`].
pub(crate) const FAKE_PREFIX: &str = "apify_api_FAKE-";

/// The length of a real token, and of a fake one.
const TOKEN_LENGTH: usize = 46;

/// A fresh fake Apify token: `apify_api_FAKE-` and 31 random lower-case letters and digits, 46 bytes in all, as
/// long as a real one.
///
/// The hyphen keeps it from matching `apify_api_[A-Za-z0-9]{36}`, so no secret scanner takes it for a live token;
/// the random part is fresh in every call, so that finding it somewhere means that this very token got there.
///
/// # Panics
///
/// When the operating system's random generator fails.
#[must_use]
pub fn fake_token() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut token = String::with_capacity(TOKEN_LENGTH);
    token.push_str(FAKE_PREFIX);
    while token.len() < TOKEN_LENGTH {
        let mut byte = [0_u8; 1];
        getrandom::fill(&mut byte).expect("the operating system's generator answers");
        // 252 = 7 * 36: bytes above it would favour the first letters.
        if byte[0] < 252 {
            token.push(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::{FAKE_PREFIX, fake_token};
    use std::collections::HashSet;

    #[test]
    fn a_fake_token_is_as_long_as_a_real_one_and_no_scanner_takes_it_for_one() {
        let token = fake_token();
        assert_eq!(token.len(), 46);
        let random = token.strip_prefix(FAKE_PREFIX).expect("starts with the visible mark");
        assert!(random.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        let after_the_live_prefix = token.strip_prefix("apify_api_").expect("starts like a token");
        assert!(!after_the_live_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn no_two_fake_tokens_are_alike_and_every_letter_occurs() {
        let tokens: HashSet<String> = (0..200).map(|_| fake_token()).collect();
        assert_eq!(tokens.len(), 200);
        let letters: HashSet<char> =
            tokens.iter().flat_map(|token| token[FAKE_PREFIX.len()..].chars()).collect();
        assert_eq!(letters.len(), 36);
    }
}
