//! What an error of SQLite or sqlx means.

use sqlx::migrate::MigrateError;
use tokenkeep_core::{Error, ErrorKind};

/// The error with sqlx's as its source. That one holds no bound value: SQLite's messages name tables and columns.
pub(crate) fn failure(error: sqlx::Error) -> Error {
    let (kind, detail) = match &error {
        sqlx::Error::Database(database) => of_code(database.code().as_deref()),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
            (ErrorKind::StoreUnavailable, None)
        }
        sqlx::Error::PoolClosed => (ErrorKind::Misuse, Some("the store was closed")),
        _ => (ErrorKind::Internal, None),
    };
    let failure = Error::new(kind).with_source(error);
    match detail {
        Some(detail) => failure.because(detail),
        None => failure,
    }
}

/// Whether another connection holds the lock.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| Some(error.code()?.parse::<i32>().ok()? & 0xff));
    matches!(code, Some(5 | 6))
}

/// By SQLite's result codes (sqlite.org/rescode.html); the lowest byte is the primary one.
fn of_code(code: Option<&str>) -> (ErrorKind, Option<&'static str>) {
    let code = code.and_then(|code| code.parse::<i32>().ok()).map_or(0, |code| code & 0xff);
    match code {
        // BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
        5 | 6 | 7 | 9 | 10 | 13 | 14 | 15 => (ErrorKind::StoreUnavailable, None),
        1 | 17 => (ErrorKind::StoreUnusable, Some(OTHER_TABLES)),
        3 | 8 | 23 => (ErrorKind::StoreUnusable, Some("the database may not be written to")),
        11 => (ErrorKind::StoreUnusable, Some("the database file is damaged")),
        26 => (ErrorKind::StoreUnusable, Some("the file is no SQLite database")),
        _ => (ErrorKind::Internal, None),
    }
}

pub(crate) const OTHER_TABLES: &str = "its tables are not those that tokenkeep made";

pub(crate) fn migration_failure(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failure(error),
        error => Error::new(ErrorKind::StoreUnusable).because(OTHER_TABLES).with_source(error),
    }
}
