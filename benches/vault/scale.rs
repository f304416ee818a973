//! A vault on PostgreSQL as it grows: what a connection takes on the disk, and what a use and a page of `due` take.

mod plot;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPool;
use tokenkeep::{PostgresStore, Vault};
use tokenkeep_testkit::ThrowawayPostgres;

use crate::TASKS;
use crate::fixture::{Keys, StillClock};
use crate::load::connect_many;
use crate::on_postgres::{pool, server};
use crate::rounds::{Effort, Took, Turn, Work, note};
use crate::subjects::UseToken;

pub(crate) const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

/// How many connections of each table are used: as many in each, from all over it.
const USED: u64 = 4096;
/// What the vault reads at a time.
const PAGE: usize = 128;
/// Loading a million takes a few minutes; what takes longer is stopped.
const LONGEST: Duration = Duration::from_secs(540);

/// One table.
struct Size {
    connections: u64,
    uses: Turn<UseToken>,
    due: Turn<DuePage>,
    /// Bytes for each connection.
    bytes: Bytes,
}

pub(crate) struct Bytes {
    pub(crate) table: f64,
    pub(crate) indexes: f64,
    /// Its entry, with the index.
    pub(crate) trail: f64,
}

/// What was measured of one table.
pub(crate) struct Point {
    pub(crate) connections: u64,
    pub(crate) bytes: Bytes,
    /// The time, beside that of the smallest table: the median of all rounds.
    pub(crate) used: f64,
    pub(crate) due: f64,
}

pub(crate) async fn measure(effort: Effort, sizes: &[u64]) {
    let work = async {
        let began = Instant::now();
        let server = server();
        note(&format!(
            "server\t{}",
            server.sql("postgres", "SHOW server_version").expect("it answers").trim()
        ));
        let keys = Arc::new(Keys::new());
        let mut tables = Vec::new();
        for connections in sizes {
            tables.push(Size::load(&server, &keys, *connections, effort).await);
        }
        if effort.is_measured() {
            eprintln!("  loaded after {:.0} s", began.elapsed().as_secs_f64());
        }
        let points = rounds(tables, effort).await;
        if let Some(file) = std::env::var_os("TOKENKEEP_BENCH_PLOT") {
            std::fs::write(file, plot::svg(&points)).expect("it can be written");
        }
    };
    tokio::time::timeout(LONGEST, work).await.expect("it takes less than nine minutes");
}

impl Size {
    async fn load(server: &ThrowawayPostgres, keys: &Arc<Keys>, connections: u64, effort: Effort) -> Self {
        let clock = StillClock::new();
        let pool = pool(server).await;
        let store = PostgresStore::open(pool.clone()).await.expect("it opens");
        let vault = keys.vault(store.clone(), &clock).await;
        let told = effort.is_measured().then(|| format!("{connections} connections"));
        connect_many(keys, &store, &clock, 0..connections, told.as_deref()).await;
        // As autovacuum does a little later, so that it does not while something is measured.
        for statement in
            ["VACUUM ANALYZE tokenkeep.connection", "VACUUM ANALYZE tokenkeep.audit", "CHECKPOINT"]
        {
            sqlx::query(statement).execute(&pool).await.expect("the superuser may");
        }
        let bytes = Bytes::of(&pool, connections).await;
        let used = USED.min(connections);
        let uses = UseToken::of(&vault, (0..used).map(|place| place * connections / used)).await;
        Self { connections, uses: Turn::of(uses), due: Turn::of(DuePage(vault)), bytes }
    }
}

impl Bytes {
    async fn of(pool: &PgPool, connections: u64) -> Self {
        const SIZE: &str = "SELECT pg_table_size('tokenkeep.connection'), pg_indexes_size('tokenkeep.connection'), \
            pg_total_relation_size('tokenkeep.audit')";
        let (table, indexes, trail): (i64, i64, i64) =
            sqlx::query_as(SIZE).fetch_one(pool).await.expect("it answers");
        let each = |bytes: i64| bytes as f64 / connections as f64;
        let bytes = Self { table: each(table), indexes: each(indexes), trail: each(trail) };
        let Self { table, indexes, trail } = bytes;
        note(&format!("bytes\t{connections}\t{table:.0}\t{indexes:.0}\t{trail:.0}"));
        bytes
    }
}

/// The tables in turn, round after round.
async fn rounds(tables: Vec<Size>, effort: Effort) -> Vec<Point> {
    let mut took: Vec<(Vec<f64>, Vec<f64>)> = tables.iter().map(|_| Default::default()).collect();
    for round in 0..=effort.rounds {
        let mut sums = vec![(Took::default(), Took::default()); tables.len()];
        for _ in 0..effort.slices {
            for (table, (used, due)) in tables.iter().zip(&mut sums) {
                *used += table.uses.run(TASKS, effort.slice).await;
                *due += table.due.run(1, effort.slice).await;
            }
        }
        // The first round fills the caches.
        if round == 0 {
            continue;
        }
        for ((table, (used, due)), (uses, pages)) in tables.iter().zip(sums).zip(&mut took) {
            if effort.is_measured() {
                note(&format!("use, table of\t{}\t{round}\t{:.1}", table.connections, used.each()));
                note(&format!("due page, table of\t{}\t{round}\t{:.1}", table.connections, due.each()));
            }
            uses.push(used.each());
            pages.push(due.each());
        }
    }
    let (first_uses, first_pages) = took[0].clone();
    let measured = tables.into_iter().zip(took);
    measured
        .map(|(Size { connections, bytes, .. }, (uses, pages))| Point {
            connections,
            bytes,
            used: median(uses.iter().zip(&first_uses).map(|(time, first)| time / first)),
            due: median(pages.iter().zip(&first_pages).map(|(time, first)| time / first)),
        })
        .collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The first page of what is due.
struct DuePage(Vault);

impl Work for DuePage {
    async fn once(&self, _: u64) {
        let mut due = self.0.due();
        let mut given = 0;
        while given < PAGE {
            let Some(status) = due.next().await.expect("it can be read") else { break };
            black_box(status);
            given += 1;
        }
        assert!(given > 0, "nothing is due");
    }
}
