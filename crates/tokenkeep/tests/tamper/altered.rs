//! Rows that were altered, copied, swapped or removed.

use tokenkeep::{ConnectionState, ErrorKind, Finding, LocalKeyring, SqliteStore, Vault};
use tokenkeep_testkit::fake_token;

use crate::common::{TestClock, give, token};
use crate::files::{Files, findings, id};

#[tokio::test]
async fn a_row_edited_by_hand_is_refused_and_named() {
    for sql in [
        "UPDATE tokenkeep_connection SET provider = 'other'",
        "UPDATE tokenkeep_connection SET provider = 'NO NAME'",
        "UPDATE tokenkeep_connection SET origin = 'https://evil.example'",
        "UPDATE tokenkeep_connection SET origin = 'http://api.apify.com'",
        "UPDATE tokenkeep_connection SET kind = 2",
        "UPDATE tokenkeep_connection SET incarnation = randomblob(16)",
        "UPDATE tokenkeep_connection SET incarnation = x'00'",
        "UPDATE tokenkeep_connection SET secret_version = 2",
        "UPDATE tokenkeep_connection SET secret_version = -1",
        "UPDATE tokenkeep_connection SET revision = 9",
        "UPDATE tokenkeep_connection SET status = 'paused'",
        "UPDATE tokenkeep_connection SET status = 'no status'",
        "UPDATE tokenkeep_connection SET kek = randomblob(16)",
        "UPDATE tokenkeep_connection SET connected_at = 1",
        "UPDATE tokenkeep_connection SET token_set_at = 1",
        "UPDATE tokenkeep_connection SET updated_at = 1",
        "UPDATE tokenkeep_connection SET expires_at = 1",
        "UPDATE tokenkeep_connection SET paused_at = 1",
        "UPDATE tokenkeep_connection SET purge = 'done'",
        "UPDATE tokenkeep_connection SET mac = zeroblob(32)",
        "UPDATE tokenkeep_sealed SET bytes = randomblob(length(bytes))",
        "UPDATE tokenkeep_sealed SET bytes = x'01'",
    ] {
        let f = Files::new();
        drop(f.connected("t").await);
        f.edit(sql).await;
        let vault = f.fresh().await;
        let connection = vault.connection("t", "apify").unwrap();
        let kind = connection.status().await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Tampered, "{sql}");
        assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Tampered), "{sql}");
        match vault.connections("t", None, 10).await {
            Ok(listed) => {
                assert_eq!((listed.len(), listed[0].state), (1, ConnectionState::Tampered), "{sql}");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Tampered, "{sql}"),
        }
        assert_eq!(findings(&vault).await, [Finding::RecordAltered { id: id("t") }], "{sql}");
    }
}

#[tokio::test]
async fn a_record_copied_to_another_tenant_does_not_open() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit(
        "CREATE TABLE copy AS SELECT * FROM tokenkeep_connection; UPDATE copy SET tenant = 'mallory';
         INSERT INTO tokenkeep_connection SELECT * FROM copy",
    )
    .await;
    let vault = f.fresh().await;
    let stolen = vault.connection("mallory", "apify").unwrap();
    assert_eq!(give(&stolen.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    assert_eq!(findings(&vault).await, [Finding::RecordAltered { id: id("mallory") }]);
    assert!(give(&vault.connection("t", "apify").unwrap().credential(), &f.provider).await.is_ok());
}

#[tokio::test]
async fn two_swapped_tenants_are_refused() {
    let f = Files::new();
    drop(f.connected("a").await);
    drop(f.connected("b").await);
    f.edit(
        "UPDATE tokenkeep_connection SET tenant = 'x' WHERE tenant = 'a';
         UPDATE tokenkeep_connection SET tenant = 'a' WHERE tenant = 'b';
         UPDATE tokenkeep_connection SET tenant = 'b' WHERE tenant = 'x'",
    )
    .await;
    let vault = f.fresh().await;
    for tenant in ["a", "b"] {
        let stolen = vault.connection(tenant, "apify").unwrap();
        assert_eq!(give(&stolen.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    }
}

#[tokio::test]
async fn a_removed_row_is_refused_by_who_saw_it_and_named() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    f.edit("DELETE FROM tokenkeep_connection").await;
    let connection = vault.connection("t", "apify").unwrap();
    assert_eq!(connection.status().await.unwrap_err().kind(), ErrorKind::Tampered);
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordMissing { id: id("t") }]);
}

#[tokio::test]
async fn a_row_that_the_trail_does_not_know_is_named() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit(
        "CREATE TABLE copy AS SELECT * FROM tokenkeep_connection; UPDATE copy SET name = char(7);
         INSERT INTO tokenkeep_connection SELECT * FROM copy",
    )
    .await;
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordsUnreadable]);
}

#[tokio::test]
async fn a_database_that_lost_its_vault_keys_does_not_open() {
    let f = Files::new();
    drop(f.connected("t").await);
    f.edit("UPDATE tokenkeep_vault_key SET envelope = (SELECT envelope FROM tokenkeep_vault_key WHERE place = 1)").await;
    let keys = LocalKeyring::open(f.folder.path().join("keys/keyring")).unwrap();
    let error = Vault::open(SqliteStore::open(f.database()).await.unwrap(), keys).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered, "one purpose's key does not pass for another's");
}

/// Least of all as a vault of the other kind, which would go on with tenants' names in the clear.
#[tokio::test]
async fn a_vault_whose_key_was_removed_or_exchanged_does_not_open() {
    let donors = [Files::new(), Files::new()];
    let keys = LocalKeyring::open_or_create(donors[0].folder.path().join("keys/keyring")).unwrap();
    let open = async |f: &Files, pseudonymous: bool| {
        let options = Vault::options();
        let options = if pseudonymous { options.pseudonymous_tenants() } else { options };
        options.open(SqliteStore::open(f.database()).await.unwrap(), keys.clone()).await
    };
    // Of either kind, under the same keyring: envelopes to exchange.
    for (donor, pseudonymous) in donors.iter().zip([false, true]) {
        open(donor, pseudonymous).await.unwrap();
        let mut sql = donor.sql().await;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut sql).await.unwrap();
    }
    for purpose in ["fingerprint", "record-mac", "audit-mac", "checkpoint-signing", "tenant-pseudonym"] {
        for pseudonymous in [false, true] {
            let f = Files::new();
            open(&f, pseudonymous).await.unwrap();
            f.edit(&format!("DELETE FROM tokenkeep_vault_key WHERE purpose = '{purpose}'")).await;
            let kind = open(&f, false).await.unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Tampered, "without {purpose}");
        }
    }
    for pseudonymous in [false, true] {
        let f = Files::new();
        open(&f, pseudonymous).await.unwrap();
        let other = donors[usize::from(!pseudonymous)].database();
        f.edit(&format!(
            "ATTACH '{}' AS other; UPDATE tokenkeep_vault_key SET envelope =
             (SELECT envelope FROM other.tokenkeep_vault_key WHERE purpose = 'tenant-pseudonym')
             WHERE purpose = 'tenant-pseudonym'",
            other.display()
        ))
        .await;
        assert_eq!(open(&f, false).await.unwrap_err().kind(), ErrorKind::Tampered, "of another vault");
    }
}

/// What makes no sense at all is an altered record like others: it keeps nobody from what a page has besides.
#[tokio::test]
async fn a_row_without_sense_stops_nobody_else() {
    let f = Files::new();
    let clock = TestClock::new();
    let vault = f.fresh_with(Vault::options().clock(std::sync::Arc::clone(&clock))).await;
    let twin = fake_token();
    for (tenant, name, text) in [
        ("a", "apify", &fake_token()),
        ("t", "one", &twin),
        ("t", "two", &twin),
        ("z", "apify", &fake_token()),
    ] {
        vault.connection(tenant, name).unwrap().connect(&f.provider, token(text)).await.unwrap();
    }
    clock.advance(80 * 24 * 60 * 60 * 1000);
    for sql in ["SET status = 'no status'", "SET origin = 'nowhere', kek = NULL", "SET incarnation = x'00'"] {
        f.edit(&format!("UPDATE tokenkeep_connection {sql} WHERE name = 'two'")).await;
    }
    let (mut due, mut told) = (vault.due(), Vec::new());
    while let Some(status) = due.next().await.unwrap() {
        told.push(status.id.tenant().to_string());
    }
    assert_eq!(told, ["a", "t", "z"], "`kek` is gone, so that it is not by its age that the row is found");
    let listed = vault.connections("t", None, 10).await.unwrap();
    let states: Vec<_> = listed.iter().map(|status| status.state).collect();
    assert_eq!(states, [ConnectionState::Connected, ConnectionState::Tampered]);
    let marked = vault.suspect_all_leaked().finish().await.unwrap();
    assert_eq!(marked.len(), 4);
    for tenant in ["a", "z"] {
        let status = vault.connection(tenant, "apify").unwrap().status().await.unwrap();
        assert_eq!(status.state, ConnectionState::Suspected, "{tenant}");
    }
}

#[tokio::test]
async fn a_database_that_lost_its_vault_takes_nothing_more() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    f.edit("DELETE FROM tokenkeep_vault").await;
    let connected = vault.connection("u", "apify").unwrap().connect(&f.provider, token(&fake_token())).await;
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::StoreUnusable);
}

/// What came in behind an erasure, and was altered before its second look, is not passed over as ended.
#[tokio::test]
async fn an_erasure_names_what_was_altered_behind_it() {
    let f = Files::new();
    let vault = f.fresh().await;
    let connect = async |name: &str| {
        let connection = vault.connection("t", name).unwrap();
        connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    };
    connect("b").await;
    let mut erasure = vault.erase_tenant("t").unwrap();
    assert_eq!(erasure.next().await.unwrap().unwrap().id.name().as_str(), "b");
    connect("a").await;
    f.edit("UPDATE tokenkeep_connection SET status = 'no status' WHERE name = 'a'").await;
    let named = erasure.next().await.unwrap().expect("one is left");
    assert_eq!(named.id.name().as_str(), "a");
    assert_eq!(named.receipt.unwrap_err().kind(), ErrorKind::Tampered);
    assert!(erasure.next().await.unwrap().is_none());
}
