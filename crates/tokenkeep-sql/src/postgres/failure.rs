//! What an error of PostgreSQL or sqlx means.

use std::error::Error as StdError;
use std::fmt;

use tokenkeep_core::{Error, ErrorKind};

/// What PostgreSQL said, by its code alone: its messages, details and hints quote what is in rows and parameters.
#[derive(Debug)]
struct Refused {
    code: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL's error {}", self.code)
    }
}

impl StdError for Refused {}

/// The error as tokenkeep's, without anything that a row or a parameter held.
pub(crate) fn failure(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(database) => {
            // Five letters and digits; whatever a false server sends in their place is not repeated.
            let code = database.code().filter(|code| is_code(code)).unwrap_or("?????".into()).into_owned();
            let (kind, detail) = of_code(&code);
            let failure = Error::new(kind).with_source(Refused { code });
            if let Some(detail) = detail { failure.because(detail) } else { failure }
        }
        // About the network, and about certificates: no row was looked at.
        error @ sqlx::Error::Io(_) => Error::new(ErrorKind::StoreUnavailable).with_source(error),
        error @ sqlx::Error::Tls(_) => {
            Error::new(ErrorKind::StoreUnusable).because("TLS with the database failed").with_source(error)
        }
        sqlx::Error::PoolTimedOut => unavailable("no connection of the pool became free"),
        sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => ErrorKind::StoreUnavailable.into(),
        sqlx::Error::PoolClosed => Error::new(ErrorKind::Misuse).because("the pool was closed"),
        sqlx::Error::Protocol(_) => Error::new(ErrorKind::StoreUnavailable)
            .because("the database's answer was not PostgreSQL's, or was cut off"),
        sqlx::Error::Configuration(_) => {
            Error::new(ErrorKind::StoreUnusable).because("the connection's settings are not allowed")
        }
        _ => Error::new(ErrorKind::Internal).because("the database gave what the statement can't give"),
    }
}

pub(crate) fn unavailable(detail: &'static str) -> Error {
    Error::new(ErrorKind::StoreUnavailable).because(detail)
}

pub(crate) fn unusable(detail: &'static str) -> Error {
    Error::new(ErrorKind::StoreUnusable).because(detail)
}

/// PostgreSQL's code of an error that [`failure`] made.
pub(crate) fn code_of(error: &Error) -> Option<&str> {
    error.source().and_then(|source| source.downcast_ref::<Refused>()).map(|refused| refused.code.as_str())
}

/// The name of the constraint that a row would have broken.
pub(crate) fn broken_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().filter(|error| error.code().as_deref() == Some("23505"))?.constraint()
}

pub(crate) const LOCK_TIMEOUT: &str = "55P03";

fn is_code(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

pub(crate) const OTHER_TABLES: &str = "its tables are not those that tokenkeep made";
pub(crate) const READ_ONLY: &str = "it takes no writes: it is a standby, or was set read-only";
const REPEAT: &str = "other transactions were in the way; roll back and repeat the whole transaction";

/// By PostgreSQL's codes (postgresql.org/docs/current/errcodes-appendix.html): the first two characters are the class.
fn of_code(code: &str) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind::{Internal, Misuse, StoreUnavailable, StoreUnusable};
    match code {
        "40001" | "40P01" => (StoreUnavailable, Some(REPEAT)),
        "25006" => (StoreUnavailable, Some(READ_ONLY)),
        LOCK_TIMEOUT => (StoreUnavailable, Some("another transaction holds what this one needs")),
        "57014" => (StoreUnavailable, Some("a statement took too long, or was cancelled")),
        "25P02" => (Misuse, Some("the transaction had failed before; roll it back")),
        "53100" => (StoreUnavailable, Some("its disk is full")),
        "53300" => (StoreUnavailable, Some("it has too many connections")),
        "25P03" | "40003" | "58030" => (StoreUnavailable, None),
        "42P01" | "42703" | "42804" | "3F000" | "0A000" => (StoreUnusable, Some(OTHER_TABLES)),
        "42501" => {
            (StoreUnusable, Some("the role lacks a privilege; see the documentation of `PostgresStore`"))
        }
        "3D000" => (StoreUnusable, Some("there is no such database")),
        _ => match code.get(..2) {
            // Connections, resources, an operator's intervention.
            Some("08" | "53" | "57") => (StoreUnavailable, None),
            Some("28") => (StoreUnusable, Some("it refuses the role or its password")),
            Some("XX") => (StoreUnusable, Some("the database is damaged")),
            // Constraints and triggers that are not ours.
            Some("23" | "P0") => (StoreUnusable, Some(OTHER_TABLES)),
            _ => (Internal, None),
        },
    }
}
