//! The same on the database alone, as someone would write it by hand: no keys, no MACs, no checks of what is read. The
//! tables are the vault's own, with their indexes.

mod postgres;
mod sqlite;

use std::hint::black_box;

use tokenkeep::Change;
use tokenkeep_core::fill_random;
use tokenkeep_store::Record;

use crate::fixture::tenant;
use crate::rounds::Work;

pub(crate) use postgres::{READ as READ_POSTGRES, RawPostgres};
pub(crate) use sqlite::RawSqlite;

/// A database and the statements on it.
pub(crate) trait Raw: Clone + Send + Sync + 'static {
    /// The vault's own SELECT, each column decoded into a value of its own.
    fn read(&self, tenant: &str) -> impl Future<Output = Result<Row, sqlx::Error>> + Send;

    /// One transaction: locks record and head, adds the record and an entry, moves the head.
    fn connect(&self, rows: &Rows) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// One transaction: locks record and head, puts another token into the record, adds an entry, moves the head.
    fn replace(&self, rows: &Rows) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A connection, as it is read.
#[derive(Debug)]
#[allow(dead_code, reason = "what is read is what counts")]
pub(crate) struct Row {
    tenant: String,
    name: String,
    provider: String,
    origin: String,
    kind: i64,
    incarnation: Vec<u8>,
    secret_version: i64,
    revision: i64,
    status: String,
    kek: Option<Vec<u8>>,
    fingerprint: Option<Vec<u8>>,
    sealed: Option<Vec<u8>>,
    account: Option<(String, String)>,
    connected_at: i64,
    token_set_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    purge: String,
    mac: Vec<u8>,
    paused_at: Option<i64>,
}

/// What is written: rows as the vault makes them, for another tenant each time and with MACs that fit nothing.
pub(crate) struct Rows {
    example: Change,
    tenant: String,
    /// Another one each time, as it is indexed.
    fingerprint: [u8; 32],
}

impl Rows {
    fn of(example: &Change, number: u64) -> Self {
        let mut fingerprint = [0; 32];
        fill_random(&mut fingerprint).expect("the system's generator");
        Self { example: example.clone(), tenant: tenant(number), fingerprint }
    }

    fn record(&self) -> &Record {
        &self.example.record.as_ref().expect("it changes a record").record
    }
}

pub(crate) struct RawUse<R> {
    pub(crate) raw: R,
    pub(crate) tenants: Vec<String>,
}

impl<R: Raw> Work for RawUse<R> {
    async fn once(&self, number: u64) {
        let tenant = &self.tenants[number as usize % self.tenants.len()];
        black_box(self.raw.read(tenant).await.expect("it is there"));
    }
}

pub(crate) struct RawConnect<R> {
    pub(crate) raw: R,
    pub(crate) example: Change,
    /// Above those that are there already.
    pub(crate) from: u64,
}

impl<R: Raw> Work for RawConnect<R> {
    async fn once(&self, number: u64) {
        let rows = Rows::of(&self.example, self.from + number);
        self.raw.connect(&rows).await.expect("it is committed");
    }
}

pub(crate) struct RawReplace<R> {
    pub(crate) raw: R,
    pub(crate) example: Change,
    /// How many records there are.
    pub(crate) many: u64,
}

impl<R: Raw> Work for RawReplace<R> {
    async fn once(&self, number: u64) {
        let rows = Rows::of(&self.example, number % self.many);
        self.raw.replace(&rows).await.expect("it is committed");
    }
}
