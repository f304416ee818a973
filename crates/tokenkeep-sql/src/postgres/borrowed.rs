//! A connection of the application's pool, for one call.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokenkeep_core::Error;

use super::failure::{failure, unavailable};

/// How long a call may take in all, the wait for a connection included.
const DEADLINE: Duration = Duration::from_secs(15);

/// How a transaction of our own begins, whatever the application's defaults are: each statement sees what was committed
/// before it, nothing waits for ever, and what a vanished client has locked is free again. To be [`durable`] is apart.
macro_rules! begin {
    ($lock_timeout:literal $(, $then:expr)?) => {
        concat!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '",
            $lock_timeout,
            "'; SET LOCAL idle_in_transaction_session_timeout = '10s'",
            $("; ", $then)?
        )
    };
}
pub(crate) use begin;

/// And how what it is acknowledged for is on the disk (and on the replicas that the server waits for).
macro_rules! durable {
    () => {
        "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
         WHERE pg_catalog.current_setting('synchronous_commit') IN ('off', 'local')"
    };
}
pub(crate) use durable;

pub(crate) const BEGIN: &str = begin!("5s", durable!());

/// A connection that goes back to the pool only once the call says that it is done with it. Otherwise (the call failed, was
/// dropped, took too long) it is closed: it may hang, hold a lock, or be in a transaction that sqlx doesn't know of, as a
/// `begin` that was dropped half-way leaves it.
pub(crate) struct Borrowed(PoolConnection<Postgres>, bool);

impl Borrowed {
    pub(crate) async fn of(pool: &PgPool) -> Result<Self, Error> {
        pool.acquire().await.map(|connection| Self(connection, false)).map_err(failure)
    }

    pub(crate) fn done(mut self) {
        self.1 = true;
    }

    /// Ends a transaction: commits if all went well, and rolls back otherwise. The outer error says that this failed, and
    /// that the connection is of no use any more.
    pub(crate) async fn end<T>(
        transaction: Transaction<'_, Postgres>,
        made: Result<T, Error>,
    ) -> Result<Result<T, Error>, Error> {
        let ended = match &made {
            Ok(_) => transaction.commit().await,
            Err(_) => transaction.rollback().await,
        };
        ended.map(|()| made).map_err(failure)
    }
}

impl Deref for Borrowed {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.1 {
            self.0.close_on_drop();
        }
    }
}

/// The call's outcome, unless it takes longer than any call may.
pub(crate) async fn in_time<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    within(DEADLINE, call).await
}

pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Err(unavailable("it took too long to answer"));
    tokio::time::timeout(limit, call).await.unwrap_or_else(late)
}
