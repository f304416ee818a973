//! Errors of ours in the official client's type, and back.

use std::error::Error as StdError;
use std::{fmt, io};

use apify_client::{ApiError, ApifyClientError};
use tokenkeep_apify::Apify;
use tokenkeep_core::{Error, ErrorKind};

/// The error of tokenkeep that this one of the official client's carries: of a call that a boundary or a credential refused, that got no
/// answer, or an answer that can't be passed on. `None` for an error answer of Apify's own, which is an
/// [`ApiError`], and for what is the official client's alone; [`into_error`] makes one of these too.
///
/// It is among the causes of the official client's error as well, where whoever walks them finds it.
#[must_use]
pub fn error_of(error: &ApifyClientError) -> Option<&Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// The error of tokenkeep for any error of the official client's: what [`error_of`] finds, or one whose kind says the same.
///
/// | of the official client's | kind |
/// | --- | --- |
/// | what `error_of` finds | its own |
/// | `Api` | as [tokenkeep-apify's table](tokenkeep_apify#errors) says |
/// | `Timeout`, `Http` | `ProviderUnavailable` |
/// | `Serde`, `InvalidResponse` | `ProviderMisbehaved` |
/// | `InvalidArgument` | `Misuse` |
///
/// What `error_of` finds has its [`CallFailure`](tokenkeep_apify::CallFailure). One that is made of `Api` has none, only the status in its text: what
/// the official client keeps of an answer does not say how often it was asked, nor how long to wait. Look at it before, where that matters.
///
/// Nothing of the official client's own texts is in it: they repeat what was asked and answered.
#[must_use]
pub fn into_error(error: ApifyClientError) -> Error {
    let of = |kind, why| Error::new(kind).because(why);
    match error {
        ApifyClientError::Serde(error) => match carried(error) {
            Some(error) => error,
            None => of(
                ErrorKind::ProviderMisbehaved,
                "the official client can't read the answer, or can't write what was to be sent",
            ),
        },
        ApifyClientError::Api(error) => of_answer(&error),
        ApifyClientError::Timeout => {
            of(ErrorKind::ProviderUnavailable, "the official client's time limit is over")
        }
        ApifyClientError::Http(_) => {
            of(ErrorKind::ProviderUnavailable, "the official client's own transport failed")
        }
        ApifyClientError::InvalidResponse(_) => {
            of(ErrorKind::ProviderMisbehaved, "the official client did not expect such an answer")
        }
        ApifyClientError::InvalidArgument(_) => {
            of(ErrorKind::Misuse, "the official client takes no such argument, or its timeouts are zero")
        }
    }
}

fn of_answer(error: &ApiError) -> Error {
    let meaning = Apify::meaning(error.status_code, error.error_type.as_deref());
    Error::new(meaning.kind()).with_source(Answered(error.status_code))
}

/// The status of an error answer.
#[derive(Debug)]
struct Answered(u16);

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answered with HTTP status {}", self.0)
    }
}

impl StdError for Answered {}

/// An error of ours as the official client's. Its type has room for one in one place alone: below a failure of `serde_json`'s to read or
/// write, which the official client takes for nothing that it should repeat or pass over.
pub(crate) fn carry(error: Error) -> ApifyClientError {
    let failing = Failing(Some(io::Error::other(Carried(error))));
    match serde_json::to_writer(failing, &()) {
        Err(error) => error.into(),
        // It writes at least one byte.
        Ok(()) => ApifyClientError::InvalidResponse("tokenkeep lost an error".to_owned()),
    }
}

/// The error of ours below this one.
fn carried(error: serde_json::Error) -> Option<Error> {
    if !error.is_io() {
        return None;
    }
    let carried = io::Error::from(error).into_inner()?.downcast::<Carried>().ok()?;
    Some(carried.0)
}

/// Fails with this.
struct Failing(Option<io::Error>);

impl io::Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::Other.into()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has the error for its cause: of an `io::Error`, only the causes of what is in it are found.
#[derive(Debug)]
struct Carried(Error);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tokenkeep: {}", self.0)
    }
}

impl StdError for Carried {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_found_and_taken_out_again() {
        let error = carry(Error::new(ErrorKind::NotConnected).because("a test says so"));
        let found = error_of(&error).unwrap();
        assert_eq!(found.kind(), ErrorKind::NotConnected);
        assert!(error.to_string().ends_with(&found.to_string()), "{error}");
        assert_eq!(into_error(error).kind(), ErrorKind::NotConnected);
    }

    #[test]
    fn each_error_of_the_official_clients_has_a_kind() {
        let api = |status_code, error_type: &str| {
            ApifyClientError::from(ApiError {
                status_code,
                error_type: Some(error_type.to_owned()),
                message: "a secret message".to_owned(),
                attempt: 1,
                http_method: None,
                path: Some("/v2?secret".to_owned()),
                data: None,
            })
        };
        let serde = serde_json::from_str::<u8>("\"secret\"").unwrap_err();
        for (error, kind) in [
            (api(401, "user-or-token-not-found"), ErrorKind::TokenRefused),
            (api(401, "token-not-provided"), ErrorKind::ProviderMisbehaved),
            (api(404, "record-not-found"), ErrorKind::NotFound),
            (api(429, "rate-limit-exceeded"), ErrorKind::RateLimited),
            (api(503, "something"), ErrorKind::ProviderUnavailable),
            (serde.into(), ErrorKind::ProviderMisbehaved),
            (ApifyClientError::Timeout, ErrorKind::ProviderUnavailable),
            (ApifyClientError::Http("secret".to_owned()), ErrorKind::ProviderUnavailable),
            (ApifyClientError::InvalidResponse("secret".to_owned()), ErrorKind::ProviderMisbehaved),
            (ApifyClientError::InvalidArgument("secret".to_owned()), ErrorKind::Misuse),
        ] {
            assert!(error_of(&error).is_none(), "{error}");
            let error = into_error(error);
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(!format!("{error:?} {}", error.report()).contains("secret"), "{error:?}");
        }
    }
}
