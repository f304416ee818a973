//! What is left in the database's files of tokens and accounts that were removed or replaced.

mod common;

use common::{open, path, run, stranger};
use sqlx::Connection;
use tempfile::TempDir;
use tokenkeep_core::{Account, fill_random};
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record, sample_tombstone};
use tokenkeep_store::{Change, Record, Scrub, TokenStore};
use tokenkeep_testkit::{Leak, LeakScanner};

/// Random letters and digits, so that a run of 12 of them is found nowhere by chance.
fn random_text(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = vec![0; length];
    fill_random(&mut random).unwrap();
    random.into_iter().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect()
}

/// Random sealed bytes, so that a run of 16 bytes of them is found nowhere by chance, and a random account.
fn random_record(tenant: &str, revision: u64, envelope: usize) -> Record {
    let mut record = sample_record(&sample_id(tenant, "apify"), revision);
    let sealed = record.sealed.as_mut().unwrap();
    sealed.envelope = vec![0; envelope];
    fill_random(&mut sealed.envelope).unwrap();
    fill_random(&mut sealed.fingerprint).unwrap();
    // From an id as Apify's are to the longest, by what the envelope's size happens to be.
    let account = Account::new(random_text(17 + envelope % 239), random_text(12 + envelope * 7 % 244));
    record.account = Some(account.unwrap());
    record
}

/// The same record's next token.
fn replaced(record: &Record, envelope: usize) -> Record {
    random_record(record.id.tenant().as_str(), record.revision.get() + 1, envelope)
}

struct Watched {
    scanner: LeakScanner,
    tokens: usize,
}

impl Watched {
    fn new() -> Self {
        Self { scanner: LeakScanner::new(), tokens: 0 }
    }

    fn add(&mut self, record: &Record) {
        let sealed = record.sealed.as_ref().unwrap();
        let account = record.account.as_ref().unwrap();
        self.tokens += 1;
        for (what, bytes, run) in [
            ("envelope", &sealed.envelope[..], 16),
            ("fingerprint", &sealed.fingerprint, 16),
            ("account id", account.id().as_bytes(), 12),
            ("account name", account.name().as_bytes(), 12),
        ] {
            let name = format!("{what} {}", self.tokens);
            self.scanner = std::mem::take(&mut self.scanner).secret(&name, bytes, run);
        }
    }

    fn found(&self, folder: &TempDir) -> Vec<Leak> {
        self.scanner.scan_dir(folder.path()).unwrap()
    }
}

async fn commit(store: &SqliteStore, change: Change) {
    store.commit(&[change], &sample_chain()).await.unwrap();
}

async fn connect(store: &SqliteStore, record: &Record) {
    commit(store, sample_change(record, None)).await;
}

async fn replace(store: &SqliteStore, record: &Record) {
    commit(store, sample_change(record, Some(record.revision.get() - 1))).await;
}

#[tokio::test]
async fn a_removed_token_is_in_no_file() {
    for size in [230, 500, 3_000, 5_000, 16 * 1024 + 210] {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        let mut watched = Watched::new();
        let record = random_record("tenant", 1, size);
        watched.add(&record);
        connect(&store, &record).await;
        let found = watched.found(&folder);
        for what in ["envelope 1", "fingerprint 1", "account id 1", "account name 1"] {
            assert!(found.iter().any(|leak| leak.secret == what), "the scan would find no {what}");
        }

        let tombstone = sample_tombstone(&record);
        replace(&store, &tombstone).await;
        assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
        assert_eq!(watched.found(&folder), [], "{size} bytes");
        assert_eq!(store.record(&record.id).await.unwrap(), Some(tombstone));
    }
}

#[tokio::test]
async fn a_replaced_token_is_in_no_file() {
    // Smaller, as large, larger, much larger, and small again.
    let sizes = [300, 230, 230, 353, 2_000, 16 * 1024, 5_000, 200];
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let mut watched = Watched::new();
    let mut record = random_record("tenant", 1, sizes[0]);
    connect(&store, &record).await;
    for size in &sizes[1..] {
        watched.add(&record);
        record = replaced(&record, *size);
        replace(&store, &record).await;
        assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
        assert_eq!(watched.found(&folder), [], "{size} bytes");
        assert_eq!(store.record(&record.id).await.unwrap().as_ref(), Some(&record));
    }
    let mut live = Watched::new();
    live.add(&record);
    assert!(!live.found(&folder).is_empty(), "the scan would find nothing");
}

#[tokio::test]
async fn rows_that_move_take_no_fingerprint_along() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let mut dead = Watched::new();
    let mut dice = Dice(11);
    for round in 0..4 {
        let mut records: Vec<Record> = Vec::new();
        for n in 0..300 {
            let tenant = format!("{:06}-{round}-{n}-{}", dice.below(1_000_000), "x".repeat(dice.below(240)));
            records.push(random_record(&tenant, 1, 230));
        }
        records.iter().for_each(|record| dead.add(record));
        for records in records.chunks(10) {
            let changes: Vec<Change> = records.iter().map(|record| sample_change(record, None)).collect();
            store.commit(&changes, &sample_chain()).await.unwrap();
        }
        for records in records.chunks(10) {
            let gone = records.iter().map(|record| sample_change(&sample_tombstone(record), Some(1)));
            store.commit(&gone.collect::<Vec<_>>(), &sample_chain()).await.unwrap();
        }
        assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
        assert_eq!(dead.found(&folder), [], "round {round}");
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Enough of them that pages split, merge and are rebuilt.
async fn churn(steps: usize, sizes: &[usize]) {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let (mut dead, mut live) = (Watched::new(), Watched::new());
    let mut dice = Dice(7);
    let mut records: Vec<Record> = Vec::new();
    for step in 0..steps {
        let size = sizes[dice.below(sizes.len())] + dice.below(40);
        if records.is_empty() || dice.below(2) == 0 {
            // Names of many lengths, in no order.
            let tenant = format!("{:06}-{step}-{}", dice.below(1_000_000), "x".repeat(dice.below(200)));
            records.push(random_record(&tenant, 1, size));
            connect(&store, &records[records.len() - 1]).await;
            continue;
        }
        let at = dice.below(records.len());
        if records[at].sealed.is_some() {
            dead.add(&records[at]);
        }
        records[at] = if records[at].sealed.is_some() && dice.below(2) == 0 {
            sample_tombstone(&records[at])
        } else {
            replaced(&records[at], size)
        };
        replace(&store, &records[at]).await;
    }
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
    assert_eq!(dead.found(&folder), []);
    let living = records.iter().filter(|record| record.sealed.is_some());
    living.for_each(|record| live.add(record));
    let found: std::collections::BTreeSet<String> =
        live.found(&folder).into_iter().map(|leak| leak.secret).collect();
    assert_eq!(found.len(), live.tokens * 4, "the scan misses what is there");
    for record in &records {
        assert_eq!(store.record(&record.id).await.unwrap().as_ref(), Some(record));
    }
}

#[tokio::test]
async fn many_small_tokens_leave_nothing() {
    churn(800, &[200, 250, 340]).await;
}

#[tokio::test]
async fn many_tokens_of_a_quarter_page_leave_nothing() {
    churn(500, &[700, 820, 940, 1_060, 1_180]).await;
}

#[tokio::test]
async fn many_tokens_of_all_sizes_leave_nothing() {
    churn(200, &[200, 330, 700, 1_400, 2_900, 6_000, 16 * 1024]).await;
}

/// Connected in descending order, so that full pages are split and rebuilt, and all removed before anything new overwrites
/// what that may have left.
#[tokio::test]
async fn pages_that_were_just_split_leave_nothing() {
    for count in 4..44 {
        let folder = TempDir::new().unwrap();
        let store = open(&folder).await;
        let mut dead = Watched::new();
        let records: Vec<Record> = (0..count)
            .rev()
            .map(|n| random_record(&format!("{n:02}-{}", "x".repeat(n * 37 % 200)), 1, 230 + n * 67 % 400))
            .collect();
        records.iter().for_each(|record| dead.add(record));
        let connected: Vec<Change> = records.iter().map(|record| sample_change(record, None)).collect();
        store.commit(&connected, &sample_chain()).await.unwrap();
        let removed: Vec<Change> =
            records.iter().map(|record| sample_change(&sample_tombstone(record), Some(1))).collect();
        store.commit(&removed, &sample_chain()).await.unwrap();
        assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
        assert_eq!(dead.found(&folder), [], "{count} records");
    }
}

#[tokio::test]
async fn a_reader_makes_it_pending() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let record = random_record("tenant", 1, 250);
    let mut watched = Watched::new();
    watched.add(&record);
    connect(&store, &record).await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);

    let mut reader = stranger(&path(&folder)).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM tokenkeep_connection").await;
    replace(&store, &sample_tombstone(&record)).await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Pending);
    assert!(!watched.found(&folder).is_empty(), "it said pending and nothing is left");
    // Nothing else is held up.
    let other = random_record("other", 1, 250);
    connect(&store, &other).await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Pending);

    reader.close().await.unwrap();
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
    assert_eq!(watched.found(&folder), []);
}

#[tokio::test]
async fn another_instance_does_not_make_it_pending() {
    let folder = TempDir::new().unwrap();
    let (store, other) = (open(&folder).await, open(&folder).await);
    let record = random_record("tenant", 1, 250);
    let mut watched = Watched::new();
    watched.add(&record);
    connect(&store, &record).await;
    assert!(other.record(&record.id).await.unwrap().is_some());
    replace(&other, &sample_tombstone(&record)).await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
    assert_eq!(watched.found(&folder), []);
}
