//! Sealed bytes that no row has any more: noted by the commit of a discard, wiped by scrubs behind it.

mod common;

use std::time::{Duration, Instant};

use common::{open, path, run, stranger};
use tempfile::TempDir;
use tokenkeep_core::Revision;
use tokenkeep_sql::SqliteStore;
use tokenkeep_store::conformance::{
    sample_chain, sample_change, sample_entry, sample_id, sample_record, sample_tombstone, sample_use,
};
use tokenkeep_store::{Action, Change, Expected, RecordChange, Scrub, TokenStore, shard_of};

/// A tombstone in the place of a row that is gone.
async fn discard(store: &SqliteStore, tenant: &str) {
    let id = sample_id(tenant, "apify");
    let head = store.audit_heads().await.unwrap()[usize::from(shard_of(id.tenant()))].sequence;
    let mut record = sample_tombstone(&sample_record(&id, 1));
    record.revision = Revision::from_u64(head + 1);
    let entry = sample_entry(&record, Action::Discarded);
    let record = Some(RecordChange { record, expected: Expected::Tampered { head } });
    store.commit(&[Change { record, entry }], &sample_chain()).await.unwrap();
}

async fn connect(store: &SqliteStore, tenant: &str) {
    let record = sample_record(&sample_id(tenant, "apify"), 1);
    store.commit(&[sample_change(&record, None)], &sample_chain()).await.unwrap();
}

async fn in_use(folder: &TempDir) -> i64 {
    const IN_USE: &str = "SELECT count(*) FROM tokenkeep_sealed WHERE bytes <> zeroblob(length(bytes))";
    sqlx::query_scalar(IN_USE).fetch_one(&mut stranger(&path(folder)).await).await.unwrap()
}

const ORPHAN: &str = "DELETE FROM tokenkeep_connection WHERE tenant = 'gone'";

#[tokio::test]
async fn a_discard_notes_them_and_the_next_scrub_wipes_them() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    for tenant in ["gone", "stays"] {
        connect(&store, tenant).await;
    }
    run(&mut stranger(&path(&folder)).await, ORPHAN).await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
    assert_eq!(in_use(&folder).await, 2, "without a discard nobody looks for them");
    discard(&store, "gone").await;
    assert_eq!(in_use(&folder).await, 2, "its commit does not look for them");
    // The process died between the two.
    drop(store);
    let store = open(&folder).await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
    assert_eq!(in_use(&folder).await, 1);
    let stays = sample_record(&sample_id("stays", "apify"), 1);
    assert_eq!(store.record(&stays.id).await.unwrap(), Some(stays));

    // Again, for the next one.
    connect(&store, "again").await;
    run(&mut stranger(&path(&folder)).await, "DELETE FROM tokenkeep_connection WHERE tenant = 'again'").await;
    discard(&store, "again").await;
    assert_eq!(store.scrub().await.unwrap(), Scrub::Done);
    assert_eq!(in_use(&folder).await, 1);
}

/// Where there are many, it takes several scrubs, and commits go on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_wiped_in_turns_and_commits_go_on() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    connect(&store, "stays").await;
    run(
        &mut stranger(&path(&folder)).await,
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) \
         INSERT INTO tokenkeep_sealed (bytes) SELECT randomblob(384) FROM n",
    )
    .await;
    discard(&store, "gone").await;
    let other = open(&folder).await;
    let writing = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        for _ in 0..200 {
            let began = Instant::now();
            other.commit(&[sample_use(&sample_id("other", "apify"))], &sample_chain()).await.unwrap();
            longest = longest.max(began.elapsed());
        }
        longest
    });
    let (mut said, mut left) = (Vec::new(), vec![in_use(&folder).await]);
    while said.last() != Some(&Scrub::Done) {
        said.push(store.scrub().await.unwrap());
        left.push(in_use(&folder).await);
        assert!(said.len() < 20, "{left:?}");
    }
    assert!(left.len() > 3 && left.windows(2).all(|two| two[0] >= two[1]), "{left:?}");
    assert_eq!((left[0], left.last()), (20_001, Some(&1)));
    let longest = writing.await.unwrap();
    assert!(longest < Duration::from_secs(2), "a commit waited {longest:?}");
}
