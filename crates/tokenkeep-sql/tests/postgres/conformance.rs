//! The store keeps the contract, also with several instances and many callers at once.

use tokenkeep_core::ErrorKind;
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::conformance::{run_all, sample_chain, sample_change, sample_id, sample_record};
use tokenkeep_store::{AuditHead, TokenStore};

use super::Database;

async fn conforms() {
    run_all(async || Box::new(Database::fresh().store().await) as Box<dyn TokenStore>).await;
}

#[tokio::test]
async fn it_conforms_on_one_thread() {
    conforms().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_on_several_threads() {
    conforms().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_have_one_winner_per_revision() {
    let database = Database::fresh();
    let (one, other) = (database.store().await, database.store().await);
    let id = sample_id("tenant", "name");
    for revision in 1..=12 {
        let race = |store: &PostgresStore, mac| {
            let store = store.clone();
            let mut record = sample_record(&id, revision);
            record.mac = [mac; 32];
            let change = sample_change(&record, (revision > 1).then_some(revision - 1));
            tokio::spawn(async move { store.commit(&[change], &sample_chain()).await })
        };
        let racing: Vec<_> = (0..12).map(|mac| race(if mac % 2 == 0 { &one } else { &other }, mac)).collect();
        let mut winners = Vec::new();
        for (mac, racer) in (0..).zip(racing) {
            match racer.await.unwrap() {
                Ok(()) => winners.push(mac),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "revision {revision}");
        // Read through both: an acknowledged commit is seen from any instance.
        for store in [&one, &other] {
            assert_eq!(store.record(&id).await.unwrap().unwrap().mac, [winners[0]; 32]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_at_once_all_succeed() {
    let database = Database::fresh();
    let stores = [database.store().await, database.store().await];
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                // Several records in one commit, in no order.
                let ids = ["b", "c", "a"]
                    .map(|name| sample_id(&format!("tenant-{}", n % 8), &format!("{name}-{n}")));
                for revision in 1..=4 {
                    let before = (revision > 1).then_some(revision - 1);
                    let changes =
                        ids.each_ref().map(|id| sample_change(&sample_record(id, revision), before));
                    store.commit(&changes, &sample_chain()).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let heads = stores[0].audit_heads().await.unwrap();
    assert_eq!(heads.iter().map(|head| head.sequence).sum::<u64>(), 64 * 4 * 3);
    for end in heads {
        let mut head = AuditHead::empty(end.shard);
        for entry in stores[1].audit_entries(end.shard, 0, 1000).await.unwrap() {
            assert!(sample_chain().follows(&head, &entry));
            head = entry.head();
        }
        assert_eq!(head, end);
    }
}

#[tokio::test]
async fn a_text_that_postgres_cannot_hold_is_kept() {
    let store = Database::fresh().store().await;
    let id = sample_id("tenant", "name");
    let mut odd = tokenkeep_store::conformance::sample_use(&id);
    odd.entry.subject = Some("run \0 1\u{10ffff}".to_owned());
    store.commit(std::slice::from_ref(&odd), &sample_chain()).await.unwrap();
    let shard = tokenkeep_store::shard_of(id.tenant());
    assert_eq!(store.audit_entries(shard, 0, 10).await.unwrap()[0].draft, odd.entry);
}
