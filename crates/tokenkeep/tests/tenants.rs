//! Erasing a tenant, and tenants whose names the database does not hold.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Fixture, Scripted, Unsteady, give, token};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};
use tokenkeep::{
    Action, ConnectionId, ConnectionState, ErrorKind, LocalKeyring, SqliteStore, TenantId, TokenStore, Vault,
};
use tokenkeep_store::{Change, Expected, RecordChange, conformance, shard_of};
use tokenkeep_testkit::{LeakScanner, fake_token};

async fn connect(vault: &Vault, provider: &Scripted, tenant: &str, name: &str) {
    vault.connection(tenant, name).unwrap().connect(provider, token(&fake_token())).await.unwrap();
}

async fn states(vault: &Vault, tenant: &str) -> Vec<ConnectionState> {
    let listed = vault.connections(tenant, None, 1000).await.unwrap();
    listed.iter().map(|status| status.state).collect()
}

#[tokio::test]
async fn a_tenant_is_erased_whole_with_a_receipt_for_each() {
    let f = Fixture::new().await;
    for n in 0..150 {
        connect(&f.vault, &f.provider, "a", &format!("name-{n:03}")).await;
    }
    connect(&f.vault, &f.provider, "ab", "apify").await;
    let _ = f.vault.connection("a", "name-007").unwrap().disconnect().await.unwrap();

    // On a database that fails now and then; the process ends half-way.
    let store = Unsteady::new(&f.store);
    let options = Vault::options().clock(Arc::clone(&f.clock));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let (mut erasure, mut erased) = (vault.erase_tenant("a").unwrap(), Vec::new());
    let mut failed = 0;
    while erased.len() < 80 {
        store.fails.store(erased.len() % 20 == 13 && failed <= erased.len() / 20, Ordering::SeqCst);
        match erasure.next().await {
            Ok(next) => erased.push(next.unwrap()),
            Err(error) => {
                assert!(error.is_retryable());
                failed += 1;
            }
        }
    }
    assert!(failed > 0, "nothing failed");
    drop(erasure);
    assert!(states(&f.vault, "a").await.contains(&ConnectionState::Connected));
    let erased = f.second_instance().await.erase_tenant("a").unwrap().finish().await.unwrap();
    assert_eq!(erased.len(), 150, "a receipt also for what was removed before");
    for (n, erased) in erased.iter().enumerate() {
        let receipt = erased.receipt.as_ref().unwrap();
        assert_eq!(
            (receipt.connection.to_string(), &erased.id),
            (format!("a/name-{n:03}"), &receipt.connection)
        );
    }
    assert!(states(&f.vault, "a").await.iter().all(|state| *state == ConnectionState::Disconnected));
    assert_eq!(states(&f.vault, "ab").await, [ConnectionState::Connected]);
    let entries = f.vault.audit().of_tenant("a", 0, 10_000).await.unwrap();
    let removals = entries.iter().filter(|entry| entry.draft.action == Action::Disconnected).count();
    assert_eq!(removals, 150, "none was removed twice");
    assert!(f.vault.verify().await.unwrap().is_whole());
    assert!(f.vault.erase_tenant("nobody").unwrap().finish().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_comes_in_behind_is_found_and_what_was_altered_spares_no_other() {
    let f = Fixture::new().await;
    for name in ["a", "b", "c"] {
        connect(&f.vault, &f.provider, "t", name).await;
    }
    let mut record = f.store.record(&ConnectionId::new("t", "b").unwrap()).await.unwrap().unwrap();
    let expected = Expected::Revision(record.revision);
    record.account = None;
    let entry = f.vault.audit().of_tenant("t", 0, 1).await.unwrap()[0].draft.clone();
    let change = Change { record: Some(RecordChange { record, expected }), entry };
    f.store.commit(&[change], &conformance::sample_chain_of(f.vault.id())).await.unwrap();

    let other = f.second_instance().await;
    let (mut erasure, mut kinds) = (other.erase_tenant("t").unwrap(), Vec::new());
    while let Some(erased) = erasure.next().await.unwrap() {
        if kinds.is_empty() {
            connect(&other, &f.provider, "t", "0-late").await;
        }
        let kind = erased.receipt.map(|_| ()).map_err(|error| error.kind());
        kinds.push((erased.id.name().to_string(), kind));
    }
    let tampered = || Err(ErrorKind::Tampered);
    let expected = [("a", Ok(())), ("b", tampered()), ("c", Ok(())), ("0-late", Ok(())), ("b", tampered())];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

/// How many uses of this tenant are on record, counted ones too.
async fn uses_of(vault: &Vault, tenant: &str) -> u64 {
    let entries = vault.audit().of_tenant(tenant, 0, 1000).await.unwrap();
    let used = entries.iter().filter(|e| matches!(e.draft.action, Action::Used | Action::UsedAgain));
    used.map(|entry| entry.draft.count).sum()
}

#[tokio::test]
async fn an_altered_chain_stops_its_own_tenants_alone() {
    let f = Fixture::new().await;
    let keys = LocalKeyring::create(f.folder.path().join("other-keys/keyring")).unwrap();
    let file = f.folder.path().join("db/tokenkeep.sqlite");
    let store = SqliteStore::open(&file).await.unwrap();
    let vault = Vault::options().clock(Arc::clone(&f.clock)).open(store, keys).await.unwrap();
    let shard = |tenant: &str| shard_of(&TenantId::new(tenant).unwrap());
    // Chains before and behind the altered one.
    let mut tenants: Vec<String> = Vec::new();
    for tenant in (0..).map(|n| format!("tenant {n}")) {
        if tenants.iter().all(|other| shard(other) != shard(&tenant)) {
            tenants.push(tenant);
        }
        if tenants.len() == 16 {
            break;
        }
    }
    tenants.sort_by_key(|tenant| shard(tenant));
    let bad = tenants[8].clone();
    let use_once = async |tenant: &str| {
        give(&vault.connection(tenant, "apify").unwrap().credential(), &f.provider).await.map(drop)
    };
    for tenant in &tenants {
        let connection = vault.connection(tenant, "apify").unwrap();
        connection.connect(&f.provider, token(&fake_token())).await.unwrap();
        use_once(tenant).await.unwrap();
        use_once(tenant).await.unwrap();
    }
    let mut database = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    let sql = "DELETE FROM tokenkeep_audit_head WHERE shard = ?";
    let deleted = sqlx::query(sql).bind(i64::from(shard(&bad))).execute(&mut database).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);
    database.close().await.unwrap();

    f.clock.advance(60_000);
    assert_eq!(use_once(&bad).await, Err(ErrorKind::Tampered));
    for tenant in tenants.iter().filter(|tenant| **tenant != bad) {
        assert_eq!(use_once(tenant).await, Ok(()), "{tenant} is in another chain");
        assert_eq!(use_once(tenant).await, Ok(()));
    }
    for _ in 0..2 {
        assert_eq!(vault.flush().await.unwrap_err().kind(), ErrorKind::Tampered);
        for tenant in tenants.iter().filter(|tenant| **tenant != bad) {
            assert_eq!(uses_of(&vault, tenant).await, 4, "{tenant}");
        }
    }
}

#[tokio::test]
async fn a_pseudonymous_vault_holds_no_tenants_name() {
    const NAMES: [&str; 2] = ["anna.lindqvist@example.com", "bert.oudekerk@example.com"];
    let folder = tempfile::tempdir().unwrap();
    let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
    let (database, provider) = (folder.path().join("db"), Scripted::new());
    let open = async |options: tokenkeep::VaultOptions| {
        let store = SqliteStore::open(database.join("tokenkeep.sqlite")).await.unwrap();
        options.open(store, keys.clone()).await
    };
    let vault = open(Vault::options().pseudonymous_tenants()).await.unwrap();
    for tenant in NAMES {
        for name in ["one", "two"] {
            connect(&vault, &provider, tenant, name).await;
        }
    }
    // All works by the real name.
    let credential = vault.connection(NAMES[0], "one").unwrap().credential();
    give(&credential, &provider).await.unwrap();
    assert_eq!(states(&vault, NAMES[0]).await, [ConnectionState::Connected; 2]);
    assert_eq!(vault.audit().of_tenant(NAMES[0], 0, 100).await.unwrap().len(), 3);
    let exported = vault.audit().export().tenant(NAMES[0]).unwrap().next().await.unwrap();
    assert_eq!(exported.map(|lines| lines.lines().count()), Some(3));
    assert_eq!(vault.suspect_leaks_of(NAMES[0]).unwrap().finish().await.unwrap().len(), 2);
    assert_eq!(vault.erase_tenant(NAMES[1]).unwrap().finish().await.unwrap().len(), 2);
    assert!(vault.verify().await.unwrap().is_whole());

    // What the vault gives has the pseudonym, and leads back to the connection.
    let listed = vault.connections(NAMES[0], None, 1).await.unwrap();
    assert_eq!(*listed[0].id.tenant(), vault.tenant_id(NAMES[0]).unwrap());
    assert_ne!(vault.tenant_id(NAMES[0]).unwrap(), vault.tenant_id(NAMES[1]).unwrap());
    assert_eq!(vault.connection_of(&listed[0].id).status().await.unwrap(), listed[0]);

    // Another vault has other pseudonyms; this one keeps its own, said again or not.
    let reopened = open(Vault::options()).await.unwrap();
    assert_eq!(reopened.tenant_id(NAMES[0]).unwrap(), vault.tenant_id(NAMES[0]).unwrap());
    assert_eq!(states(&reopened, NAMES[1]).await, [ConnectionState::Disconnected; 2]);
    let other = Vault::options().pseudonymous_tenants();
    let other = other.open(tokenkeep::MemoryStore::new(), keys.clone()).await.unwrap();
    assert_ne!(other.tenant_id(NAMES[0]).unwrap(), vault.tenant_id(NAMES[0]).unwrap());

    let mut scanner =
        LeakScanner::new().secret("pseudonym", vault.tenant_id(NAMES[0]).unwrap().as_str().as_bytes(), 32);
    for name in NAMES {
        scanner = scanner.secret(name, name.as_bytes(), 10);
    }
    let found = scanner.scan_dir(&database).unwrap();
    assert!(!found.is_empty(), "the scan finds nothing at all");
    assert!(found.iter().all(|leak| leak.secret == "pseudonym"), "{found:?}");
}

#[tokio::test]
async fn a_vault_with_names_in_the_clear_stays_so() {
    let f = Fixture::new().await;
    connect(&f.vault, &f.provider, "anna", "apify").await;
    assert_eq!(f.vault.tenant_id("anna").unwrap().as_str(), "anna");
    let options = Vault::options().pseudonymous_tenants();
    let error = options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert_eq!(f.vault.tenant_id("").unwrap_err().kind(), ErrorKind::InvalidName);
}
