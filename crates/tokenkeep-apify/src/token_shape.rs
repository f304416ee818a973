//! What Apify's tokens look like.

use tokenkeep_core::ApiToken;

const PREFIX: &str = "apify_api_";
const SECRET_LEN: usize = 36;

/// Whether a token looks like those that Apify makes today. Advice for a form, no check: older tokens and those of
/// running Actors may look otherwise, so warn, and let Apify decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenShape {
    /// `apify_api_` and 36 letters or digits.
    Usual,
    /// Anything else.
    Unusual,
}

impl TokenShape {
    /// The shape of this token.
    #[must_use]
    pub fn of(token: &ApiToken) -> Self {
        match token.expose_secret().strip_prefix(PREFIX) {
            Some(secret)
                if secret.len() == SECRET_LEN && secret.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Self::Usual
            }
            _ => Self::Unusual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: String) -> TokenShape {
        TokenShape::of(&ApiToken::new(text).unwrap())
    }

    #[test]
    fn only_the_usual_shape_is_usual() {
        assert_eq!(shape(format!("{PREFIX}{}", "Aa0".repeat(12))), TokenShape::Usual);
        for other in [
            format!("{PREFIX}{}", "a".repeat(35)),
            format!("{PREFIX}{}", "a".repeat(37)),
            format!("{PREFIX}FAKE-{}", "a".repeat(31)),
            format!("apify_API_{}", "a".repeat(36)),
            "a".repeat(46),
        ] {
            assert_eq!(shape(other), TokenShape::Unusual);
        }
    }
}
