//! A discard that is overtaken: whoever wrote the row chose its revision, so that this proves nothing.

use std::sync::Arc;

use tokenkeep::{ConnectionState, ErrorKind, LocalKeyring, SqliteStore, Vault};
use tokenkeep_testkit::fake_token;

use crate::common::{give, token};
use crate::files::{Files, findings};
use crate::gate::Gate;

async fn gated(f: &Files, gated: usize, overtaken: usize) -> (Vault, Arc<Gate>) {
    let keys = LocalKeyring::open_or_create(f.folder.path().join("keys/keyring")).unwrap();
    let store = Gate::new(SqliteStore::open(f.database()).await.unwrap(), gated, overtaken);
    (Vault::open(Arc::clone(&store), keys).await.unwrap(), store)
}

/// Two operators end the same row, whose revision is the one that the tombstone gets.
#[tokio::test]
async fn of_two_discards_one_is_made() {
    for sql in [
        "UPDATE tokenkeep_connection SET revision = 2",
        "UPDATE tokenkeep_connection SET revision = 2, status = 'no status'",
    ] {
        let f = Files::new();
        drop(f.connected("t").await);
        f.edit(sql).await;
        let (vault, _) = gated(&f, 2, 0).await;
        let connection = vault.connection("t", "apify").unwrap();
        let (one, other) =
            tokio::join!(connection.discard_tampered(&f.provider), connection.discard_tampered(&f.provider));
        let refused = [one, other].into_iter().filter_map(Result::err).map(|error| error.kind());
        assert_eq!(refused.collect::<Vec<_>>(), [ErrorKind::Misuse], "{sql}");
        assert_eq!(findings(&f.fresh().await).await, [], "{sql}");
    }
}

/// A slow one: meanwhile another ended the row, and the customer connected anew.
#[tokio::test]
async fn a_slow_discard_does_not_end_the_new_connection() {
    let f = Files::new();
    drop(f.connected("t").await);
    // The one that the new connection will have.
    f.edit("UPDATE tokenkeep_connection SET revision = 3 WHERE tenant = 't'").await;
    let (slow, store) = gated(&f, 1, 0).await;
    let (fast, text) = (f.fresh().await, fake_token());
    let meanwhile = async {
        let connection = fast.connection("t", "apify").unwrap();
        let _ = connection.discard_tampered(&f.provider).await.unwrap();
        connection.connect(&f.provider, token(&text)).await.unwrap();
        store.together.wait().await;
    };
    let connection = slow.connection("t", "apify").unwrap();
    let (discarded, ()) = tokio::join!(
        async {
            // It has read everything once its commit waits.
            connection.discard_tampered(&f.provider).await
        },
        async {
            while store.gated.load(std::sync::atomic::Ordering::SeqCst) > 0 {
                tokio::task::yield_now().await;
            }
            meanwhile.await;
        }
    );
    assert_eq!(discarded.unwrap_err().kind(), ErrorKind::Misuse);
    for vault in [&slow, &fast, &f.fresh().await] {
        let connection = vault.connection("t", "apify").unwrap();
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected);
        assert_eq!(give(&connection.credential(), &f.provider).await, Ok(text.clone()));
    }
    assert_eq!(findings(&f.fresh().await).await, []);
}

/// Its shard's other tenants don't rest.
#[tokio::test]
async fn a_lively_shard_does_not_starve_a_discard() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit("UPDATE tokenkeep_connection SET mac = zeroblob(32)").await;
    let (vault, store) = gated(&f, 0, 200).await;
    let connection = vault.connection("t", "apify").unwrap();
    let _ = connection.discard_tampered(&f.provider).await.unwrap();
    assert_eq!(store.overtaken.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected);
    assert_eq!(findings(&f.fresh().await).await, []);
}
