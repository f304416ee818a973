//! Which hooks a discard leaves pending, in a process that has none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokenkeep::{
    ConnectionId, ErrorKind, Incarnation, LocalKeyring, PurgeHook, SqliteStore, Vault, VaultOptions,
};
use tokenkeep_testkit::fake_token;

use crate::common::token;
use crate::files::{Files, findings};

/// Fails until it is told to work.
#[derive(Debug, Default)]
struct Cache(AtomicBool);

#[async_trait]
impl PurgeHook for Cache {
    async fn purge(
        &self,
        _connection: &ConnectionId,
        _former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err("the cache is away".into()) }
    }
}

async fn connects(f: &Files, vault: &Vault) -> Result<(), ErrorKind> {
    let connection = vault.connection("t", "apify").unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.map(drop).map_err(|error| error.kind())
}

/// Discards in a process without hooks; whether nothing is left to run.
async fn discarded(f: &Files, options: VaultOptions) -> bool {
    let operator = f.fresh_with(options).await;
    let receipt = operator.connection("t", "apify").unwrap().discard_tampered(&f.provider).await.unwrap();
    assert_eq!(receipt.hooks_elsewhere, !receipt.hooks_complete(), "{receipt}");
    receipt.hooks_complete()
}

const ALTER: &str = "UPDATE tokenkeep_connection SET mac = zeroblob(32)";

#[tokio::test]
async fn hooks_that_another_process_left_pending_are_not_forgotten() {
    let f = Files::new();
    drop(f.connected("t").await);
    let cache = Arc::new(Cache::default());
    let serving = f.fresh_with(Vault::options().on_disconnect("cache", Arc::clone(&cache))).await;
    let receipt = serving.connection("t", "apify").unwrap().disconnect().await.unwrap();
    assert!(!receipt.hooks_complete());
    // Also once more.
    for _ in 0..2 {
        f.edit(ALTER).await;
        assert!(!discarded(&f, Vault::options()).await);
        assert_eq!(serving.finish_disconnects().await.unwrap().len(), 1);
        assert!(connects(&f, &serving).await.is_err(), "what was cached is there");
    }
    cache.0.store(true, Ordering::SeqCst);
    assert!(serving.finish_disconnects().await.unwrap()[0].receipt.as_ref().unwrap().hooks_complete());
    // They ran, and the trail says so.
    f.edit(ALTER).await;
    assert!(discarded(&f, Vault::options()).await);
    assert_eq!(connects(&f, &serving).await, Ok(()));
    assert_eq!(findings(&serving).await, []);
}

#[tokio::test]
async fn of_a_connection_that_had_not_ended_none_can_be_pending() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit(ALTER).await;
    assert!(discarded(&f, Vault::options()).await);
    assert_eq!(connects(&f, &f.fresh().await).await, Ok(()));
    // But the one that this process ends now must run, where it knows of some.
    f.edit(ALTER).await;
    assert!(!discarded(&f, Vault::options().hooks_elsewhere()).await);
}

/// Nobody knows what the entries said.
#[tokio::test]
async fn where_the_trail_was_altered_they_may_be_pending() {
    for sql in [
        "UPDATE tokenkeep_audit SET action = 'no action' WHERE sequence = 2",
        "UPDATE tokenkeep_audit SET action = 'replaced' WHERE sequence = 2",
        "DELETE FROM tokenkeep_audit WHERE sequence = 2",
        "DELETE FROM tokenkeep_audit",
    ] {
        let f = Files::new();
        let (vault, _) = f.connected("t").await;
        let _ = vault.connection("t", "apify").unwrap().disconnect().await.unwrap();
        f.edit(sql).await;
        f.edit(ALTER).await;
        assert!(!discarded(&f, Vault::options()).await, "{sql}");
    }
}

#[tokio::test]
async fn a_vault_without_any_hooks_says_so_and_goes_on() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let _ = vault.connection("t", "apify").unwrap().disconnect().await.unwrap();
    f.edit(ALTER).await;
    assert!(!discarded(&f, Vault::options()).await, "this process can't know");
    let [left] = &vault.finish_disconnects().await.unwrap()[..] else { panic!("one is pending") };
    assert!(left.receipt.as_ref().unwrap().hooks_elsewhere);
    assert!(connects(&f, &vault).await.is_err());
    let without = || Vault::options().hooks_nowhere();
    let says_so = f.fresh_with(without()).await;
    let [done] = &says_so.finish_disconnects().await.unwrap()[..] else { panic!("one was pending") };
    assert!(done.receipt.as_ref().unwrap().hooks_complete());
    assert_eq!(says_so.finish_disconnects().await.unwrap().len(), 0);
    assert_eq!(connects(&f, &vault).await, Ok(()));
    // Said at once, nothing is left to finish.
    let _ = vault.connection("t", "apify").unwrap().disconnect().await.unwrap();
    f.edit(ALTER).await;
    assert!(discarded(&f, without()).await);
    assert_eq!(connects(&f, &vault).await, Ok(()));
    assert_eq!(findings(&f.fresh().await).await, []);
}

#[tokio::test]
async fn hooks_can_not_be_here_and_nowhere() {
    let f = Files::new();
    drop(f.connected("t").await);
    for options in [
        Vault::options().hooks_nowhere().on_disconnect("cache", Cache::default()),
        Vault::options().hooks_nowhere().hooks_elsewhere(),
        Vault::options().hooks_elsewhere().on_disconnect("cache", Cache::default()),
    ] {
        let keys = LocalKeyring::open_or_create(f.folder.path().join("keys/keyring")).unwrap();
        let opened = options.open(SqliteStore::open(f.database()).await.unwrap(), keys).await;
        assert_eq!(opened.map(drop).unwrap_err().kind(), ErrorKind::Misuse);
    }
}
