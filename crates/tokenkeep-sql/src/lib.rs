//! Databases for a tokenkeep vault, on sqlx: `SqliteStore`, the embedded default, and with the feature `postgres`
//! `PostgresStore`, on the application's own pool and, if it wants, in its own transactions.
//!
//! `SqliteEpochStore` and `PostgresEpochStore` keep the epochs of `EpochKeys`, best in a database of their own, outside the backups of
//! the tokens.
//!
//! A store is given sealed bytes only and keeps them as they are. It needs the tokio runtime.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tokenkeep_sql::SqliteStore;
//! use tokenkeep_store::TokenStore;
//!
//! # let folder = tempfile::tempdir()?;
//! let store = SqliteStore::open(folder.path().join("tokens.db")).await?;
//! assert!(store.vault().await?.is_none());
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Beside other users of SQLite
//! All tables are named `tokenkeep_…`, the list of applied migrations too, so that an application may keep its own
//! tables in the same file. sqlx 0.9 holds `libsqlite3-sys` below 0.38: an application that uses `rusqlite` 0.40 or
//! later does not resolve with this crate.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod columns;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod epochs;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::{PostgresEpochStore, PostgresMigration, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteEpochStore, SqliteStore};
