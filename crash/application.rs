//! An application that shares the database: its own rows, written in one transaction with the connections that they are about.

use std::collections::HashSet;

use sqlx::{Connection as _, PgPool, Row as _};
use tokenkeep::{Change, Error, ErrorKind, Incarnation, PostgresStore, PreparedChange, SecretVersion};

/// A row of its own for each token that was connected or replaced.
pub(crate) struct Application {
    pool: PgPool,
    store: PostgresStore,
}

/// Whether the changes of this connection are made in the application's transactions. Those of the others are the vault's
/// own, so that both are killed.
pub(crate) fn is_its(slot: usize) -> bool {
    slot % 8 < 4
}

impl Application {
    /// On the pool that the store has too.
    pub(crate) async fn new(pool: PgPool, store: PostgresStore) -> Result<Self, Error> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS customer \
            (incarnation text NOT NULL, version bigint NOT NULL, PRIMARY KEY (incarnation, version))";
        sqlx::query(TABLE).execute(&pool).await.map_err(unavailable)?;
        Ok(Self { pool, store })
    }

    /// # Errors
    /// `StoreUnavailable` also where another was quicker, and where it may have been made: it is tried again.
    pub(crate) async fn commit(&self, prepared: &PreparedChange) -> Result<(), Error> {
        let Change { entry, .. } = prepared.change();
        let mut connection = self.pool.acquire().await.map_err(unavailable)?;
        let mut transaction = connection.begin().await.map_err(unavailable)?;
        sqlx::query("INSERT INTO customer (incarnation, version) VALUES ($1, $2)")
            .bind(entry.incarnation.to_string())
            .bind(i64::try_from(entry.secret_version.get()).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        let change = std::slice::from_ref(prepared.change());
        match self.store.commit_in(&mut transaction, change, prepared.chain()).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Err(ErrorKind::StoreUnavailable.into());
            }
            done => done?,
        }
        transaction.commit().await.map_err(unavailable)?;
        prepared.committed().await.map(drop)
    }

    /// Compares its rows with the tokens that the trail says were connected or replaced in its transactions.
    ///
    /// # Errors
    /// One is there without the other.
    pub(crate) async fn compare(
        &self,
        on_record: &HashSet<(Incarnation, SecretVersion)>,
    ) -> Result<(), String> {
        let rows = sqlx::query("SELECT incarnation, version FROM customer").fetch_all(&self.pool).await;
        let rows = rows.map_err(|error| format!("the application's rows can't be read: {error}"))?;
        let rows: HashSet<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let on_record: HashSet<(String, i64)> = on_record
            .iter()
            .map(|(of, version)| (of.to_string(), i64::try_from(version.get()).unwrap_or(i64::MAX)))
            .collect();
        if let Some((of, version)) = rows.difference(&on_record).next() {
            return Err(format!(
                "the application has a row for {of}, version {version}, the trail has no token"
            ));
        }
        match on_record.difference(&rows).next() {
            Some((of, version)) => {
                Err(format!("{of}, version {version}, is there, the application's row is not"))
            }
            None => Ok(()),
        }
    }
}

/// Of its own statements none fails but for a server that is gone.
fn unavailable(error: sqlx::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable).with_source(error)
}
