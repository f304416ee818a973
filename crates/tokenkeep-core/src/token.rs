//! A token: the secret that everything here is about.

use alloc::boxed::Box;
use alloc::string::String;
use core::{fmt, mem};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::MAX_PAYLOAD;

/// An API token. It wipes itself, shows nothing in `{:?}`, and can't be cloned, compared or serialized.
///
/// ```compile_fail
/// let token = tokenkeep_core::ApiToken::new("an-example-token".to_owned()).unwrap();
/// let copy = token.clone();
/// ```
/// ```compile_fail
/// let token = tokenkeep_core::ApiToken::new("an-example-token".to_owned()).unwrap();
/// println!("{token}");
/// ```
pub struct ApiToken(SecretString);

/// Why a text can't be a token: the customer's fault, as a rule a slip when copying. The text is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenRejected {
    /// There is nothing.
    #[error("the token is empty; copy it again")]
    Empty,
    /// It is over [`MAX_PAYLOAD`] bytes.
    #[error("the token is over 16 KiB long; copy the token alone")]
    TooLong,
    /// It has white space in it or around it.
    #[error("the token has white space in it or around it; copy the token alone")]
    WhiteSpace,
    /// It has a control character.
    #[error("the token has a control character in it; copy it again")]
    ControlCharacter,
    /// It has a character outside ASCII.
    #[error("the token has a character that no token has; copy it again")]
    NotAscii,
    /// It is a URL.
    #[error("this is a URL, not a token; copy the token alone")]
    Url,
}

impl ApiToken {
    /// Takes the text of a token and wipes the `String` it came in, also when it is refused.
    ///
    /// Only what no provider's token can be is refused here; a provider may have an opinion of its own on the shape.
    ///
    /// # Errors
    /// [`TokenRejected`] says what is wrong with the text.
    pub fn new(mut text: String) -> Result<Self, TokenRejected> {
        let token = check(&text).map(|()| {
            // Copied into a block of its own size: `into_boxed_str` may reallocate and leave the old block unwiped.
            Self(SecretString::from(Box::<str>::from(text.as_str())))
        });
        text.zeroize();
        token
    }

    /// As [`new`](Self::new), after taking off the white space that a paste brings at either end.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_pasted(mut text: String) -> Result<Self, TokenRejected> {
        let token = check(text.trim()).map(|()| Self(SecretString::from(Box::<str>::from(text.trim()))));
        text.zeroize();
        token
    }

    /// The token from an opened payload.
    pub(crate) fn from_payload(mut payload: Zeroizing<Box<[u8]>>) -> Option<Self> {
        check(core::str::from_utf8(&payload).ok()?).ok()?;
        // The block itself goes on: a boxed slice has no room to spare, so no step of this copies or gives it back.
        let text = String::from_utf8(mem::take(&mut *payload).into_vec()).ok()?;
        Some(Self(SecretString::from(text.into_boxed_str())))
    }

    /// A second copy, for the one place that gives out a token it keeps. Not public: a copy is made by name alone.
    #[cfg(feature = "async")]
    pub(crate) fn duplicate(&self) -> Self {
        Self(SecretString::from(Box::<str>::from(self.expose_secret())))
    }

    /// The token itself. Copy it nowhere: not into a log, an error, a `String` that lives on.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken([hidden])")
    }
}

fn check(text: &str) -> Result<(), TokenRejected> {
    if text.is_empty() {
        return Err(TokenRejected::Empty);
    }
    if text.len() > MAX_PAYLOAD {
        return Err(TokenRejected::TooLong);
    }
    // Every byte is looked at, which the compiler makes a tenth of the time of stopping at the first that is none.
    if !text.bytes().fold(true, |token, byte| token & byte.is_ascii_graphic()) {
        // What is wrong is found out only for a text that is refused.
        return Err(if text.chars().any(char::is_whitespace) {
            TokenRejected::WhiteSpace
        } else if text.chars().any(char::is_control) {
            TokenRejected::ControlCharacter
        } else {
            TokenRejected::NotAscii
        });
    }
    if text.contains("://") {
        return Err(TokenRejected::Url);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;

    #[test]
    fn what_can_be_no_token_is_refused() {
        for (text, why) in [
            ("", TokenRejected::Empty),
            (" abc", TokenRejected::WhiteSpace),
            ("abc\n", TokenRejected::WhiteSpace),
            ("a\u{a0}b", TokenRejected::WhiteSpace),
            ("a\0b", TokenRejected::ControlCharacter),
            ("a\u{7f}b", TokenRejected::ControlCharacter),
            ("tökén", TokenRejected::NotAscii),
            ("https://console.apify.com/account/integrations", TokenRejected::Url),
        ] {
            assert_eq!(ApiToken::new(text.to_owned()).err(), Some(why), "{text:?}");
        }
        assert_eq!(ApiToken::new("x".repeat(1 << 20)).err(), Some(TokenRejected::TooLong));
        assert!(ApiToken::new("x".repeat(MAX_PAYLOAD)).is_ok());
    }

    #[test]
    fn a_paste_may_bring_white_space_at_its_ends_alone() {
        let token = ApiToken::from_pasted(" \tan-example-token\r\n".to_owned()).unwrap();
        assert_eq!(token.expose_secret(), "an-example-token");
        assert_eq!(ApiToken::from_pasted("two words".to_owned()).err(), Some(TokenRejected::WhiteSpace));
        assert_eq!(ApiToken::from_pasted(" \n".to_owned()).err(), Some(TokenRejected::Empty));
    }

    #[test]
    fn debug_shows_nothing() {
        let token = ApiToken::new("an-example-token".to_owned()).unwrap();
        assert_eq!(format!("{token:?}"), "ApiToken([hidden])");
    }
}
