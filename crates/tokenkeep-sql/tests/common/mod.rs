//! What these tests share. Not each of them uses all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, SqlSafeStr};
use tempfile::TempDir;
use tokenkeep_sql::SqliteStore;

pub(crate) fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("tokens.db")
}

pub(crate) async fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(path(folder)).await.unwrap()
}

/// Somebody else's connection, without tokenkeep's settings.
pub(crate) async fn stranger(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

pub(crate) async fn run(connection: &mut SqliteConnection, sql: impl SqlSafeStr) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}
