//! What Apify's errors mean for a token.

use tokenkeep_core::Meaning;

use crate::ErrorType;

/// The one judge of Apify's error answers. A token is blamed only where Apify itself says that it is bad: a 401 of some
/// gateway, or of a fault of Apify's own, must not disconnect a customer.
pub(crate) fn meaning(status: u16, body: &[u8]) -> Meaning {
    of(status, ErrorType::in_body(body).as_ref().map(ErrorType::as_str))
}

/// The same, where the type is known already.
pub(crate) fn of(status: u16, error_type: Option<&str>) -> Meaning {
    match (status, error_type) {
        (401, Some("invalid-token" | "user-or-token-not-found")) => Meaning::TokenRefused,
        (
            403,
            Some(
                "insufficient-permissions"
                | "insufficient-permissions-to-change-field"
                | "elevated-permissions-needed"
                | "missing-actor-rights",
            ),
        ) => Meaning::ScopeTooSmall,
        (401 | 403, _) => Meaning::Unexpected,
        (404, Some("record-or-token-not-found")) => Meaning::NotFoundOrTokenRefused,
        // The description has the type and not its status.
        (400..=499, Some("env-var-already-exists")) => Meaning::AlreadyExists,
        (402, _) => Meaning::PaymentRequired,
        // What was waited for took longer than Apify waits.
        (408, _) => Meaning::Unavailable,
        (409, _) => Meaning::BadRequest,
        _ => Meaning::of_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_blamed_for_what_is_its_fault_alone() {
        let typed =
            |error_type: &str| format!(r#"{{"error": {{"type": "{error_type}", "message": "Some text."}}}}"#);
        for (status, body, expected) in [
            (401, typed("user-or-token-not-found"), Meaning::TokenRefused),
            (401, typed("invalid-token"), Meaning::TokenRefused),
            (401, typed("invalid\\u002dtoken"), Meaning::TokenRefused),
            (401, typed("token-not-provided"), Meaning::Unexpected),
            (401, typed("something-new"), Meaning::Unexpected),
            (401, typed("Invalid-Token"), Meaning::Unexpected),
            (401, typed("rate-limit-exceeded"), Meaning::Unexpected),
            (401, "<html>Unauthorized: invalid-token</html>".to_owned(), Meaning::Unexpected),
            (401, String::new(), Meaning::Unexpected),
            (401, r#"{"error": "invalid-token"}"#.to_owned(), Meaning::Unexpected),
            (401, r#"{"type": "invalid-token"}"#.to_owned(), Meaning::Unexpected),
            (401, r#"{"error": {"type": ["invalid-token"]}}"#.to_owned(), Meaning::Unexpected),
            (401, r#"{"error": {"type": "invalid-token""#.to_owned(), Meaning::Unexpected),
            (400, typed("invalid-token"), Meaning::BadRequest),
            (500, typed("invalid-token"), Meaning::Unavailable),
            (403, typed("insufficient-permissions"), Meaning::ScopeTooSmall),
            (403, typed("insufficient-permissions-to-change-field"), Meaning::ScopeTooSmall),
            (403, typed("user-or-token-not-found"), Meaning::Unexpected),
            (403, "<html>Forbidden</html>".to_owned(), Meaning::Unexpected),
            (404, typed("record-not-found"), Meaning::NotFound),
            (404, typed("record-or-token-not-found"), Meaning::NotFoundOrTokenRefused),
            (404, "record-or-token-not-found".to_owned(), Meaning::NotFound),
            (400, typed("record-or-token-not-found"), Meaning::BadRequest),
            (400, typed("env-var-already-exists"), Meaning::AlreadyExists),
            (409, typed("env-var-already-exists"), Meaning::AlreadyExists),
            (401, typed("env-var-already-exists"), Meaning::Unexpected),
            (500, typed("env-var-already-exists"), Meaning::Unavailable),
            (400, typed("cannot-rename-env-var"), Meaning::BadRequest),
            (409, typed("something-new"), Meaning::BadRequest),
            (402, typed("x402-payment-required"), Meaning::PaymentRequired),
            (402, String::new(), Meaning::PaymentRequired),
            (408, typed("run-timeout-exceeded"), Meaning::Unavailable),
            (404, String::new(), Meaning::NotFound),
            (429, typed("rate-limit-exceeded"), Meaning::RateLimited),
            (429, String::new(), Meaning::RateLimited),
            (500, String::new(), Meaning::Unavailable),
            (503, "<html>".to_owned(), Meaning::Unavailable),
            (418, typed("teapot"), Meaning::Unexpected),
        ] {
            assert_eq!(meaning(status, body.as_bytes()), expected, "{status} {body}");
        }
    }
}
